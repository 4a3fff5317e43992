"""A package index that serves another program under the name and version of one that is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def wheel(folder: Path, name: str, version: str) -> None:
    """Write a wheel whose program says who made it."""
    about = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": "def main():\n    print('EVIL')\n",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    files[f"{about}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{about}/RECORD"])
    place = folder / "simple" / name
    place.mkdir(parents=True)
    file = f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(place / file, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    (place / "index.html").write_text(f'<a href="{file}">{file}</a>')


def test_what_an_index_serves_is_installed_only_with_the_hash_that_is_locked(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(ROOT / "requirements", clone / "requirements")
    shutil.copy(ROOT / "Makefile", clone)
    [version] = re.findall(r"^uv==([\d.]+)", (clone / "requirements" / "cpu.txt").read_text(), re.MULTILINE)
    wheel(tmp_path / "index", "uv", version)
    handler = lambda *call: Quiet(*call, directory=tmp_path / "index")  # noqa: E731
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        index = {"PIP_INDEX_URL": f"http://127.0.0.1:{server.server_port}/simple", "PIP_NO_CACHE_DIR": "1"}
        command = ["make", ".venv/bin/uv", f"PYTHON={sys.executable}", "BACKEND=cpu"]
        done = subprocess.run(
            command, cwd=clone, env=os.environ | index, capture_output=True, text=True, timeout=120, check=False
        )
        server.shutdown()
    program = clone / ".venv" / "bin" / "uv"
    ran = subprocess.run([program], capture_output=True, text=True, check=False).stdout if program.exists() else ""
    assert "EVIL" not in ran
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stdout + done.stderr
