"""What a stage reads: a file of traces, a folder that an earlier stage wrote, or a dataset at a commit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from harness.data.pipeline_records import TraceRow
from harness.data.traces.read import read_traces
from harness.errors import DataError, UsageError
from harness.hub.artifact import FileInput, dataset_name

if TYPE_CHECKING:
    from harness.hub.client import Hub

TRACE_FILES = ("traces.jsonl", "traces.json", "traces.eval", "traces.parquet")
"""What the traces of a job folder may be called."""
TRAIN = "data/train.jsonl"
_DATA = (".jsonl", ".parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceInput:
    """Traces that can be read, as often as wanted, and what they are called in a lineage."""

    path: Path
    name: str
    """As a lineage names an input."""
    repository: Path | None = None
    """The cached folder of a dataset: its place on the Hub says more than the one in the cache."""

    def rows(self, prefix: str = "trace") -> Iterator[TraceRow]:
        """Yield the rows, readable or not; DataError as `read_traces`."""
        try:
            for row in read_traces(self.path, prefix):
                yield row if row.problem is None else replace(row, problem=self._located(row.problem))
        except DataError as error:
            raise DataError(self._located(str(error))) from error

    def _located(self, problem: str) -> str:
        if self.repository is None:
            return problem
        inside = problem.replace(f"{self.repository}/", "")
        return f"dataset {self.name}: {inside}; correct it there and push it again"


def read_input(source: str, hub: Hub | None, *, arm: str | None = None) -> TraceInput:
    """Return the traces of a local file, of a folder (of a stage or a job), or of a dataset `owner/name[@revision]`.

    Raises UsageError for a source that is none of them or for several files and no `arm`, DataError where there is no
    file of traces, HubError where a repository cannot be had.
    """
    path = Path(source)
    if path.is_dir():
        files = [one.relative_to(path).as_posix() for one in sorted(path.rglob("*")) if one.is_file()]
        named = [file for file in files if file in TRACE_FILES]
        chosen = named[0] if len(named) == 1 and arm is None else choose_file(files, f"folder {source}", arm)
        return _local(path / chosen)
    if path.is_file():
        if arm is not None:
            raise UsageError(f"--arm {arm} is for dataset repositories, and {source} is a file; leave it out")
        return _local(path)
    name = dataset_name(source)
    if hub is None:
        raise UsageError(f"{source!r} is neither a file nor a folder on this machine; check the name")
    artifact = hub.find(name, "dataset")
    chosen = choose_file(hub.files(artifact), f"dataset {artifact}", arm)
    folder = hub.pull(artifact, [chosen])
    return TraceInput(path=folder / chosen, name=str(artifact), repository=folder)


def choose_file(files: Sequence[str], where: str, arm: str | None) -> str:
    """Return the file to read of all that lie in a repository or folder: that of the arm, else `data/train.jsonl`.

    Without either it is the one file of the one arm, or the one data file below `data/`. Raises UsageError for an
    unknown arm or several choices, DataError for none.
    """
    below = [file for file in sorted(files) if file.startswith("data/") and file.endswith(_DATA)]
    arms = {PurePosixPath(file).parent.name: file for file in below if PurePosixPath(file).match("data/*/train.*")}
    if arm is not None:
        if arm not in arms:
            raise UsageError(f"{where} has no arm {arm!r}; it has {', '.join(arms) or 'no arms: leave it out'}")
        return arms[arm]
    train = [file for file in below if PurePosixPath(file).match("data/train[.-]*")]
    choice = [TRAIN] if TRAIN in below else train or list(arms.values()) or below
    if not choice:
        raise DataError(f"{where} has no .jsonl file below data/; expected one conversation per line in one")
    if len(choice) > 1:
        advice = "choose one with --arm" if arms else "download the right one and give its path"
        raise UsageError(f"{where} has several files ({', '.join(arms or choice)}); {advice}")
    return choice[0]


def _local(path: Path) -> TraceInput:
    return TraceInput(path=path, name=str(FileInput.of(path)))
