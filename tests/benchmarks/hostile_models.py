"""Hostile model repositories through `tft evaluate --limit 2`: each ends soon in one sentence, leaving nothing behind.

    python tests/benchmarks/hostile_models.py [--quick] [NAME…]

Each is refused in one sentence within 20 s, or evaluated within 30 s more than a harmless model of that size takes. The
process tree stays under 4 GB, and no process is left. `--quick` skips those that get as far as starting an engine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hostile_models_inputs import ENGINE, repositories

from harness.hubd.embedded import EmbeddedHub, running
from harness.training.small_model import create_student, sample_texts
from support.sample_test_set import write_test_set

TFT = Path(sys.executable).with_name("tft")
REFUSED, MORE, MEMORY = 20.0, 30.0, 4.0
"""Seconds of a refusal, seconds more than a harmless model, GB."""
LONGEST = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A finished evaluation."""

    status: int | None
    seconds: float
    gigabytes: float
    left: int
    said: str

    def problems(self, harmless: float | None) -> list[str]:
        """Return in words what is not as it has to be; `harmless` is what a harmless model took."""
        found = []
        if "Traceback" in self.said:
            found.append("traceback")
        if self.status not in (0, 2):
            found.append(f"status {self.status}")
        errors = [line for line in self.said.splitlines() if line.lower().startswith("error: ")]
        if self.status == 2 and len(errors) != 1:
            found.append(f"{len(errors)} sentences")
        if self.seconds > (REFUSED if harmless is None else harmless + MORE):
            found.append("too slow")
        if self.gigabytes > MEMORY:
            found.append("too large")
        if self.left:
            found.append(f"{self.left} processes left")
        return found


def main() -> None:
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    words = [word for word in sys.argv[1:] if word != "--quick"]
    quick = "--quick" in sys.argv
    with tempfile.TemporaryDirectory(prefix="hostile-models-") as scratch:
        folder = Path(scratch)
        with running(folder / "root") as hub:
            failed = list(measure(folder, hub, quick=quick, only=set(words)))
    if failed:
        sys.exit(f"{len(failed)} not as they have to be: {', '.join(failed)}")


def measure(folder: Path, hub: EmbeddedHub, *, quick: bool, only: set[str]) -> Iterator[str]:
    """Evaluate each repository, print a row, and yield the names of those that are not as they have to be."""
    student = folder / "student"
    create_student(student, texts=sample_texts(), parameters=400_000, vocabulary=600, context=4096)
    write_test_set(folder / "testset", 2)
    usual = contents(student)
    push(hub, "testset", contents(folder / "testset"), "dataset")
    push(hub, "harmless", usual)
    harmless = 0.0
    if not quick:
        ended = evaluate(hub, folder, "harmless")
        harmless = ended.seconds
        row("harmless", ended, ended.problems(harmless))
    for name, bodies in repositories(usual).items():
        if (quick and name in ENGINE) or (only and name not in only):
            continue
        push(hub, name, bodies)
        ended = evaluate(hub, folder, name, adapter="adapter_config.json" in bodies)
        problems = ended.problems(harmless if name in ENGINE or ended.status == 0 else None)
        row(name, ended, problems)
        if problems:
            yield name


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder by their paths in it."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def push(hub: EmbeddedHub, name: str, bodies: Mapping[str, bytes], kind: str = "model") -> None:
    """Make a repository with these files; its card goes past the client, which asks the Hub to check one first."""
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi(endpoint=hub.url, token=hub.token)
    api.create_repo(f"local/{name}", repo_type=kind, exist_ok=True)
    api.create_commit(
        f"local/{name}",
        [CommitOperationAdd(path, body) for path, body in bodies.items() if path != "README.md"],
        commit_message="Files",
        repo_type=kind,
    )
    if "README.md" in bodies:
        lines = [
            {"key": "header", "value": {"summary": "Card", "description": ""}},
            {
                "key": "file",
                "value": {
                    "path": "README.md",
                    "content": b64encode(bodies["README.md"]).decode(),
                    "encoding": "base64",
                },
            },
        ]
        httpx.post(
            f"{hub.url}/api/{kind}s/local/{name}/commit/main",
            content="\n".join(map(json.dumps, lines)),
            headers={"Authorization": f"Bearer {hub.token}", "Content-Type": "application/x-ndjson"},
        ).raise_for_status()


def evaluate(hub: EmbeddedHub, folder: Path, name: str, *, adapter: bool = False) -> Ended:
    """Run `tft evaluate --limit 2`, and watch what its processes take."""
    models = ["local/harmless", "--adapters", f"local/{name}"] if adapter else [f"local/{name}"]
    command = [TFT, "evaluate", *models, "--dataset", "local/testset", "--limit", "2", "--max-tokens", "16"]
    out = folder / f"run-{name}"
    own = {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "HF_HOME": str(folder / "home")}
    work = folder / f"in-{name}"
    work.mkdir()
    start, peak = time.monotonic(), 0
    with (folder / "output").open("w+") as output:
        process = subprocess.Popen(
            [*command, "--no-push", "--out", out], env=os.environ | own, cwd=work, stdout=output, stderr=output
        )
        while process.poll() is None and time.monotonic() - start < LONGEST:
            peak = max(peak, sum(map(resident, working_in(work))))
            time.sleep(0.2)
        late = process.poll() is None
        if late:
            process.kill()
        status = process.wait()
        seconds = time.monotonic() - start
        time.sleep(0.5)
        left = len(working_in(work))
        output.seek(0)
        said = output.read()
    return Ended(status=None if late else status, seconds=seconds, gigabytes=peak / 1e9, left=left, said=said)


def working_in(folder: Path) -> list[Path]:
    """Return the folders in /proc of the processes that were started in a folder, wherever they are in the tree."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            ended = (place / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
            if not ended and (place / "cwd").readlink() == folder:
                found.append(place)
        except OSError:  # ended meanwhile, or another user's
            continue
    return found


def resident(place: Path) -> int:
    """Return the bytes that a process has in memory for itself."""
    try:
        lines = (place / "status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith(("RssAnon:", "RssShmem:")))


def row(name: str, ended: Ended, problems: list[str]) -> None:
    errors = [line for line in ended.said.splitlines() if line.lower().startswith("error: ")]
    said = errors[0][7:97] if errors else "evaluated" if ended.status == 0 else ended.said[-90:].replace("\n", " ")
    mark = ", ".join(problems) or "ok"
    print(f"{name:28} {ended.seconds:6.1f} s {ended.gigabytes:5.2f} GB  {mark:12} {said}", flush=True)


if __name__ == "__main__":
    main()
