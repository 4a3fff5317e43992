"""The wheel: complete on its own, outside a checkout, without shadowing the library `datasets`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from datetime import date
from pathlib import Path

import pytest
import yaml

from harness import resources
from harness.errors import UsageError

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("datasets", "eval", "model_cards")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of a fresh environment: the wheel, and the present environment's libraries behind it."""
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / "bin" / "python"
    install = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        "--quiet",
        "--offline",
        "--no-deps",
        "--python",
        str(python),
    ]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True)
    [site] = (environment / "lib").glob("python*/site-packages")
    # A path line adds the folder, but not the path files in it: the checkout stays unknown.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


def _data(folder: Path) -> set[str]:
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in files if "__pycache__" not in path.parts and not path.name.startswith(".")}


def test_the_wheel_installs_one_top_level_package(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"harness"}


def test_the_wheel_says_that_it_is_typed(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as files:
        assert "harness/py.typed" in files.namelist()
        [metadata] = [name for name in files.namelist() if name.endswith(".dist-info/METADATA")]
        assert "\nClassifier: Typing :: Typed\n" in files.read(metadata).decode()


def test_the_package_the_changelog_and_the_citation_name_one_version() -> None:
    """The changelog has what is unreleased, and below it the versions with their dates, newest first."""
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    released = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", heading) for heading in headings[1:]]
    dated = [(tuple(map(int, one[1].split("."))), date.fromisoformat(one[2])) for one in released if one]
    assert len(dated) == len(released) > 0
    assert dated == sorted(dated, reverse=True)
    version = ".".join(map(str, dated[0][0]))
    assert version == tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert version == yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"]


@pytest.mark.parametrize("name", FOLDERS)
def test_the_wheel_carries_every_file_of_the_folders(wheel: Path, name: str) -> None:
    start = f"harness/_resources/{name}/"
    carried = {entry.removeprefix(start) for entry in zipfile.ZipFile(wheel).namelist() if entry.startswith(start)}
    assert carried == _data(ROOT / name)
    assert carried


def test_an_installed_tft_runs_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run([str(installed / "tft"), "--help"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "student" in done.stdout


def test_the_installed_package_reads_its_own_folders(installed: Path, tmp_path: Path) -> None:
    code = (
        "import json, datasets, harness\n"
        "from harness.resources import folder\n"
        "from harness.data.sample import sample_conversations\n"
        "from harness.data.tasks import write_test_set\n"
        "from pathlib import Path\n"
        "write_test_set(Path('out'), sample_conversations(4), task=b'{}')\n"
        f"print(json.dumps([harness.__file__, datasets.__version__, *[str(folder(name)) for name in {FOLDERS!r}]]))\n"
    )
    run = [str(installed / "python"), "-W", "ignore", "-c", code]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=True)
    package, _version, *folders = json.loads(done.stdout)
    assert not Path(package).is_relative_to(ROOT)
    assert [Path(folder) for folder in folders] == [Path(package).parent / "_resources" / name for name in FOLDERS]
    assert (tmp_path / "out" / "job_description.json").is_file()


@pytest.mark.parametrize("name", FOLDERS)
def test_a_checkout_reads_the_folders_beside_the_package(name: resources.FolderName) -> None:
    assert resources.folder(name) == ROOT / name


def test_a_folder_that_is_nowhere_is_an_error_with_a_next_step(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "harness")
    with pytest.raises(UsageError, match="install tft-harness again"):
        resources.folder("eval")
