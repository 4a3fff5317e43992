"""Kill `tft benchmark` at random points and compare its final result with that of an uninterrupted run.

    python tests/benchmarks/benchmark_kill.py [--preset tiny] [--kills 15] [--only s4] [--seed 0] [--folder NEW]

It uses two Hubs of its own, the real sources (TFT_SOURCES) and the real engine. Only the process of `tft benchmark` is
killed (kill -9); its commands and engines have to end with it. The points are drawn uniformly over the duration of the
uninterrupted run. Every file of every repository is compared by hash, except for those with times or commits: cards,
`lineage.json`, `decontamination.json`, `benchmark.json`, `.eval_results`, reports, plots, training logs. With --folder,
the Hubs and the output of the runs are kept. Exit status 1 if anything differs, a command outlives its run, or a stage
is pushed twice.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from harness.hubd.embedded import EmbeddedHub, running

TIMED = ("README.md", "lineage.json", "benchmark.json", "decontamination.json", ".gitattributes")
TIMED_FOLDERS = (".eval_results/", "reports/", "plots/", "lineage/", "training/")


@dataclass(frozen=True)
class Run:
    """Where and how the benchmark is run."""

    hub: EmbeddedHub
    folder: Path
    words: tuple[str, ...]

    def start(self, mark: str) -> subprocess.Popen[str]:
        """Start it; `mark` is in the environment of all its processes."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        variables = {"HF_ENDPOINT": self.hub.url, "HF_TOKEN": self.hub.token, "HF_HOME": str(self.folder / "home")}
        with (self.folder / "output.log").open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "harness.cli", "benchmark", *self.words],
                cwd=self.folder,
                env=clean | variables | {"TFT_MARK": mark},
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )


def alive(mark: str) -> list[str]:
    """Return the command lines of the processes that carry the mark."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"TFT_MARK={mark}".encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " ")[:120])
        except OSError:
            continue
    return found


def contents(hub: EmbeddedHub) -> tuple[dict[str, str], dict[str, int]]:
    """Return `repository/path` -> hash, and repository -> commits that push the result of a stage."""
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    api = HfApi(endpoint=hub.url, token=hub.token)
    hashes: dict[str, str] = {}
    pushes: dict[str, int] = {}
    for kind, listing in (("dataset", api.list_datasets(author="local")), ("model", api.list_models(author="local"))):
        for one in listing:
            titles = [commit.title for commit in api.list_repo_commits(one.id, repo_type=kind)]
            pushes |= {f"{one.id} {title}": titles.count(title) for title in titles if title.partition(":")[2]}
            for file in api.list_repo_tree(one.id, repo_type=kind, recursive=True):
                if not isinstance(file, RepoFile) or file.path in TIMED or file.path.startswith(TIMED_FOLDERS):
                    continue
                hashes[f"{one.id}/{file.path}"] = file.lfs.sha256 if file.lfs else file.blob_id
    return hashes, pushes


def killed(run: Run, moments: list[float]) -> tuple[int, list[str]]:
    """Run to the end, killed after each of `moments` seconds of its own, and return kills and what outlived them."""
    kills, left = 0, []
    for moment in [*moments, None]:
        mark = f"kill-{os.getpid()}-{kills}-{time.monotonic_ns()}"
        process = run.start(mark)
        try:
            status = process.wait(timeout=moment)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
            deadline = time.monotonic() + 30
            while (still := alive(mark)) and time.monotonic() < deadline:
                time.sleep(0.2)
            left += still
            print(f"  kill {kills} after {moment:.0f} s" + (f", left: {still}" if still else ""), flush=True)
            continue
        if status:
            raise SystemExit(f"{(run.folder / 'output.log').read_text()[-3000:]}\nthe run ended with {status}")
        if moment is None:
            break
    return kills, left


def moments_of(total: float, kills: int, seed: int) -> list[float]:
    """Return how long each killed run may live: the gaps between moments drawn evenly, with time to start again."""
    rng = random.Random(seed)
    drawn = sorted(rng.uniform(0, total) for _ in range(kills))
    return [max(8.0, later - earlier + 8.0) for earlier, later in zip([0.0, *drawn], drawn, strict=False)]


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """Return the names whose values differ, or that only one has."""
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def main() -> None:
    """Run the comparison and print what it found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--kills", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path)
    chosen = parser.parse_args()
    preset = str(Path(chosen.preset).resolve()) if Path(chosen.preset).is_file() else chosen.preset
    words = ("--preset", preset, *(word for one in chosen.only for word in ("--only", one)))
    if chosen.folder:
        chosen.folder.mkdir(parents=True)
    with nullcontext(chosen.folder) if chosen.folder else tempfile.TemporaryDirectory(prefix="tft-kill-") as scratch:
        found = []
        total = 0.0
        for name in ("undisturbed", "killed"):
            folder = Path(scratch) / name
            folder.mkdir()
            with running(folder / "hub") as hub:
                run = Run(hub, folder, words)
                start = time.monotonic()
                moments = moments_of(total, chosen.kills, chosen.seed) if total else []
                kills, left = killed(run, moments)
                total = total or time.monotonic() - start
                print(f"{name}: {time.monotonic() - start:.0f} s, {kills} kills", flush=True)
                found.append((*contents(hub), left))
    (plain, _, _), (hashes, pushes, left) = found
    twice = sorted(name for name, times in pushes.items() if times > 1)
    differ = differing(plain, hashes)
    print(
        f"{len(plain)} files compared, {len(differ)} differ; stages pushed twice: {len(twice)}; left alive: {len(left)}"
    )
    for line in (*differ, *twice, *left):
        print(f"  {line}")
    sys.exit(bool(differ or twice or left))


if __name__ == "__main__":
    main()
