"""Push and pull through the embedded Hub: `hub_transfer.py [--mebibytes 1024] [--files 5000] [--rounds 1]`.

The real client uploads and downloads a safetensors file of random bytes and one of half-precision weights stored as
float32 (which Xet compresses), with Xet and without. Each is compared with a plain copy of the same file that computes
its sha256 and ends with fsync, measured just before. Then a folder of many small files is pushed and its snapshot
downloaded. Memory is the server's peak; CPU seconds are those of the whole step. Each round has its own Hub, whose
folder is removed afterwards: a machine that fills up gets slower, especially a virtual one, where the first access to
memory costs about a second of CPU time per GiB.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20
SMALL_FOLDERS = 20

CLIENT = """
import json, resource, sys, time
from huggingface_hub import HfApi, snapshot_download
what, repo, source, target = sys.argv[1:]
api = HfApi()
if what == "push":
    api.create_repo(repo, exist_ok=True)
start = time.monotonic()
if what == "push" and source.endswith(".safetensors"):
    api.upload_file(path_or_fileobj=source, path_in_repo="model.safetensors", repo_id=repo)
elif what == "push":
    api.upload_folder(folder_path=source, repo_id=repo)
else:
    snapshot_download(repo, cache_dir=target)
seconds = time.monotonic() - start
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"seconds": seconds, "cpu": used.ru_utime + used.ru_stime}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One transfer: seconds it took, processor seconds of client and server, the server's peak memory in MiB."""

    seconds: float
    client: float
    server: float
    peak: float


def make_file(path: Path, mebibytes: int, *, compressible: bool) -> None:
    """Write a safetensors file with one float32 tensor."""
    import numpy

    header = json.dumps({"w": {"dtype": "F32", "shape": [mebibytes * MIB // 4], "data_offsets": [0, mebibytes * MIB]}})
    random = numpy.random.default_rng(0)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header.encode())
        for _ in range(mebibytes):
            if compressible:
                weights = random.standard_normal(MIB // 4, dtype=numpy.float32) * numpy.float32(0.02)
                file.write((weights.view(numpy.uint32) & numpy.uint32(0xFFFF0000)).tobytes())
            else:
                file.write(random.bytes(MIB))


def make_folder(folder: Path, files: int) -> None:
    """Write many small text files into SMALL_FOLDERS folders."""
    for number in range(files):
        place = folder / f"part{number % SMALL_FOLDERS}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.txt").write_text(f"file {number}\n" * 20)


def plain_copy(source: Path, target: Path) -> float:
    """Return the seconds of a copy that computes the sha256 and ends with fsync."""
    start = time.monotonic()
    digest = hashlib.sha256()
    with source.open("rb") as reader, target.open("wb") as writer:
        while data := reader.read(MIB):
            digest.update(data)
            writer.write(data)
        writer.flush()
        os.fsync(writer.fileno())
    seconds = time.monotonic() - start
    target.unlink()
    return seconds


class Server:
    """What the kernel says about the Hub's process."""

    def __init__(self) -> None:
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        self._proc = Path("/proc") / children[-1]

    def cpu(self) -> float:
        """Return its processor seconds so far."""
        fields = (self._proc / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def forget_peak(self) -> None:
        """Start the peak of its memory anew."""
        (self._proc / "clear_refs").write_text("5")

    def peak(self) -> float:
        """Return the peak of its memory, in MiB."""
        line = next(row for row in (self._proc / "status").read_text().splitlines() if row.startswith("VmHWM"))
        return int(line.split()[1]) / 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A running Hub and a folder for what the clients write."""

    url: str
    token: str
    work: Path
    server: Server

    def step(self, what: str, repo: str, source: Path, *, xet: bool) -> Step:
        """Run one transfer in a fresh client with an empty cache."""
        home = self.work / "home"
        target = self.work / "target"
        clean = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
        clean |= {"HF_ENDPOINT": self.url, "HF_TOKEN": self.token, "HF_HOME": str(home)}
        clean |= {"HF_HUB_DISABLE_XET": "0" if xet else "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        command = [sys.executable, "-c", CLIENT, what, repo, str(source), str(target)]
        self.server.forget_peak()
        before = self.server.cpu()
        done = subprocess.run(command, env=clean, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr[-2000:])
        said = json.loads(done.stdout.splitlines()[-1])
        used = self.server.cpu() - before
        for folder in (home, target):
            shutil.rmtree(folder, ignore_errors=True)
        return Step(seconds=said["seconds"], client=said["cpu"], server=used, peak=self.server.peak())


@contextmanager
def fresh_bench() -> Iterator[Bench]:
    """Run a new Hub with an empty folder."""
    from harness.hubd.embedded import running

    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "root") as hub:
        yield Bench(url=hub.url, token=hub.token, work=Path(folder), server=Server())


def one_round(kind: str, route: str, mebibytes: int) -> Iterator[tuple[str, float, Step]]:
    """Push a large file and pull it; yields what was done, the seconds of a plain copy just before, and the step."""
    with fresh_bench() as bench:
        source = bench.work / "model.safetensors"
        make_file(source, mebibytes, compressible=kind == "compressible")
        for what in ("push", "pull"):
            copied = plain_copy(source, bench.work / "copy")
            yield what, copied, bench.step(what, f"local/{kind}", source, xet=route == "xet")


def large_files(mebibytes: int, rounds: int) -> None:
    """Print the table of pushes and pulls of one large file; the median round of each."""
    print(f"{mebibytes} MiB in one file (medians of {rounds})")
    columns = (("copy s", 8), ("s", 8), ("speed", 8), ("client cpu", 12), ("server cpu", 12), ("peak MiB", 10))
    print(f"{'data':14}{'route':7}{'step':6}" + "".join(f"{name:>{width}}" for name, width in columns))
    for kind in ("random", "compressible"):
        for route in ("xet", "lfs"):
            found: dict[str, list[tuple[float, Step]]] = {"push": [], "pull": []}
            for _ in range(rounds):
                for what, copied, step in one_round(kind, route, mebibytes):
                    found[what].append((copied, step))
            for what, steps in found.items():
                copied, step = sorted(steps, key=lambda pair: pair[1].seconds / pair[0])[len(steps) // 2]
                print(
                    f"{kind:14}{route:7}{what:6}{copied:8.2f}{step.seconds:8.2f}{copied / step.seconds:8.2f}"
                    f"{step.client:12.2f}{step.server:12.2f}{step.peak:10.0f}",
                    flush=True,
                )


def small_files(bench: Bench, files: int, rounds: int) -> None:
    """Print how fast a folder of small files goes up and comes down."""
    source = bench.work / "many"
    make_folder(source, files)
    push = bench.step("push", "local/many", source, xet=True)
    pulls = [bench.step("pull", "local/many", source, xet=True) for _ in range(rounds)]
    middle = sorted(pulls, key=lambda step: step.seconds)[len(pulls) // 2]
    speeds = statistics.median(files / step.seconds for step in pulls)
    print(
        f"{files} small files: pushed in {push.seconds:.1f} s (client cpu {push.client:.1f}, server {push.server:.1f})"
    )
    print(
        f"{files} small files: pulled in {middle.seconds:.1f} s, {speeds:.0f} files/s (client cpu {middle.client:.1f}, "
        f"server {middle.server:.1f}, {1000 * middle.server / files:.2f} ms a file; peak {middle.peak:.0f} MiB)"
    )


def main() -> None:
    """Run both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mebibytes", type=int, default=1024)
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    if options.mebibytes:
        large_files(options.mebibytes, options.rounds)
    if options.files:
        with fresh_bench() as bench:
            small_files(bench, options.files, options.rounds)


if __name__ == "__main__":
    main()
