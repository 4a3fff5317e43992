"""kill -9 of the embedded Hub at random points of a mixed load: nothing acknowledged may be missing afterwards.

Real clients in separate processes commit, upload large files (through Xet and through LFS), tag, branch, propose,
merge, squash, delete and maintain a collection. Each knows the expected content of its repositories: after a failed
request it must be the content before or after that request, nothing in between. While the server is down, `verify` and
`git fsck --full` must find nothing; now and then unused objects are collected. Exit status 1 otherwise.

    python tests/benchmarks/hub_kill.py [--kills 100] [--clients 4] [--seed 0]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LOAD_SECONDS, ANSWER_SECONDS = 30.0, 120.0
LOAD = (1, 25)  # changes acknowledged between two kills


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="tft-bench-") as name:
        sys.exit(bench(Path(name), options.kills, options.clients, draw))


def bench(scratch: Path, kills: int, count: int, draw: random.Random) -> int:
    """Run the load and the kills; return the exit status."""
    root = scratch / "root"
    server, port = start(root, 0)
    token = (root / "token").read_text().strip()
    clients = [start_client(scratch / f"client{n}", f"http://127.0.0.1:{port}", token, n) for n in range(count)]
    bad = 0
    try:
        for number in range(1, kills + 1):
            wait_for_load(scratch, draw)
            server.send_signal(signal.SIGKILL)
            server.wait()
            problems = inspect(root)
            if draw.random() < 0.15:
                problems += collect(root)
            problems += [f"client {n} ended" for n, process in enumerate(clients) if process.poll() is not None]
            print(f"kill {number}: {'; '.join(problems[:5]) or 'whole'}; {tally(scratch)}", flush=True)
            bad += bool(problems)
            server, _ = start(root, port)
        (scratch / "stop").touch()
        bad += sum(process.wait(ANSWER_SECONDS) != 0 for process in clients)
    finally:
        for process in (server, *clients):
            process.kill()
            process.wait()
    for said in sorted(scratch.glob("client*/violations")):
        print(said.read_text())
        bad += 1
    print(f"{kills} kills, {tally(scratch)}: {'NOT WHOLE' if bad else 'every acknowledged change is there'}")
    return int(bool(bad))


def start(root: Path, port: int) -> tuple[subprocess.Popen[bytes], int]:
    """Start the server and wait until it answers; returns it and its port."""
    command = [sys.executable, "-m", "harness.hubd", "--root", str(root), "--port", str(port)]
    with (root.parent / "server.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
    line = process.stdout.readline().decode() if process.stdout else ""
    if not line.startswith("Hub ready"):
        sys.exit(f"the server did not start: {(root.parent / 'server.log').read_text()[-2000:]}")
    return process, int(line.rsplit(":", 1)[1])


def start_client(folder: Path, url: str, token: str, seed: int) -> subprocess.Popen[bytes]:
    folder.mkdir()
    clean = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    clean |= {"HF_ENDPOINT": url, "HF_TOKEN": token, "HF_HOME": str(folder / "home")}
    clean |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_XET_CLIENT_RETRY_MAX_ATTEMPTS": "2"}
    command = [sys.executable, str(Path(__file__).with_name("hub_kill_client.py")), str(folder), str(seed)]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(command, env=clean, stdout=log, stderr=log)


def inspect(root: Path) -> list[str]:
    from harness.hubd.root import existing_root
    from harness.hubd.storage.verify import verify

    problems = list(verify(existing_root(root, locked=False)).problems)
    for repository in sorted((root / "repos").iterdir()):
        command = ["git", "-C", str(repository), "fsck", "--full", "--strict", "--no-dangling"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        # What a crash leaves without a name is no loss: git calls it garbage and a notice.
        if done.returncode or "error" in done.stderr:
            problems.append(f"git fsck: {done.stderr.strip()[:300]}")
    return problems


def collect(root: Path) -> list[str]:
    from harness.hubd.storage.gc import collect as collect_garbage

    # Young files stay: a client may be between its upload and its commit.
    collect_garbage(root, grace=120)
    return [f"after the collection: {problem}" for problem in inspect(root)]


def wait_for_load(scratch: Path, draw: random.Random) -> None:
    """Wait until the clients, who pause after a failure, did something again, and a random moment longer."""
    wanted, end = counted(scratch, "done") + draw.randint(*LOAD), time.monotonic() + LOAD_SECONDS
    while counted(scratch, "done") < wanted and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(draw.uniform(0, 0.2))


def counted(scratch: Path, key: str) -> int:
    return sum(json.loads(path.read_text())[key] for path in scratch.glob("client*/counts"))


def tally(scratch: Path) -> str:
    return f"{counted(scratch, 'done')} acknowledged, {counted(scratch, 'failed')} interrupted"


if __name__ == "__main__":
    main()
