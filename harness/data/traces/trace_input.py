"""What a stage reads: a file or folder of traces, a folder that an earlier stage wrote, or a dataset at a commit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from harness.data.pipeline_records import TraceRow
from harness.data.traces.export_files import ExportFiles, export_files
from harness.data.traces.read import read_traces
from harness.errors import DataError, UsageError
from harness.hub.artifact import FileInput, dataset_name
from harness.terminal import say

if TYPE_CHECKING:
    from harness.hub.client import Hub

TRACE_FILES = ("traces.jsonl", "traces.json", "traces.eval", "traces.parquet")
"""What the traces of a job folder may be called."""
TRAIN = "data/train.jsonl"
CONVERSATIONS = "data/conversations/test.jsonl"
"""Of a test set, in which they stand beside its turn pairs."""
TASK_FILE = "job_description.json"
"""What makes a folder that of a job."""
_DATA = (".jsonl", ".parquet")
_EXPORTS = (".json", ".jsonl", ".ndjson", ".parquet", ".gz", ".zst", ".zip")
_SHOWN = 10
"""Files that are named in a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceInput:
    """Traces that can be read, as often as wanted, and what they are called in a lineage."""

    path: Path
    name: str
    """As a lineage names an input."""
    repository: Path | None = None
    """The cached folder of a dataset: its place on the Hub says more than the one in the cache."""

    def rows(self, prefix: str = "trace", *, parallel: bool = False) -> Iterator[TraceRow]:
        """Yield the rows, readable or not; parameters and DataError as in `read_traces`."""
        try:
            for row in read_traces(self.path, prefix, parallel=parallel):
                yield row if row.problem is None else replace(row, problem=self._located(row.problem))
        except DataError as error:
            raise DataError(self._located(str(error))) from error

    def _located(self, problem: str) -> str:
        if self.repository is None:
            return problem
        inside = problem.replace(f"{self.repository}/", "")
        return f"dataset {self.name}: {inside}; correct it there and push it again"


def read_input(source: str, hub: Hub | None, *, arm: str | None = None, tests: bool = False) -> TraceInput:
    """Return the traces of a local file, of a folder (of a stage, a job or an export), or of a dataset.

    A dataset is `owner/name[@revision]`. Of a folder with exports all files are read; what lies beside them is said.
    With `tests`, of a test set its conversations are read, which are not for training; else it is refused.

    Raises UsageError for a source that is none of them or for several files and no `arm`, DataError where there is no
    file of traces, HubError where a repository cannot be had.
    """
    path = Path(source)
    if path.is_dir():
        files = [one.relative_to(path).as_posix() for one in sorted(path.rglob("*")) if one.is_file()]
        named = [file for file in files if file in TRACE_FILES]
        if arm is None and _is_export(path, files, named):
            return _folder(path)
        chosen = named[0] if len(named) == 1 and arm is None else choose_file(files, f"folder {source}", arm, tests)
        return _local(path / chosen)
    if path.is_file():
        if arm is not None:
            raise UsageError(f"--arm {arm} is for dataset repositories, and {source} is a file; leave it out")
        _say_what_is_left_out(path, export_files(path))
        return _local(path)
    name = dataset_name(source)
    if hub is None:
        raise UsageError(f"{source!r} is neither a file nor a folder on this machine; check the name")
    artifact = hub.find(name, "dataset")
    chosen = choose_file(hub.files(artifact), f"dataset {artifact}", arm, tests)
    folder = hub.pull(artifact, [chosen])
    return TraceInput(path=folder / chosen, name=str(artifact), repository=folder)


def choose_file(files: Sequence[str], where: str, arm: str | None, tests: bool = False) -> str:
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
    if tests and CONVERSATIONS in choice:
        return CONVERSATIONS
    if not choice:
        raise DataError(f"{where} has no .jsonl file below data/; expected one conversation per line in one")
    if len(choice) > 1:
        advice = "choose one with --arm" if arms else "download the right one and give its path"
        raise UsageError(f"{where} has several files ({', '.join(arms or choice)}); {advice}")
    return choice[0]


def _local(path: Path) -> TraceInput:
    return TraceInput(path=path, name=str(FileInput.of(path)))


def _is_export(folder: Path, files: Sequence[str], named: Sequence[str]) -> bool:
    """Return whether a folder is neither a job's nor a stage's, in which one file has a name that is known."""
    if (folder / TASK_FILE).is_file() or any(file.startswith("data/") and file.endswith(_DATA) for file in files):
        return False
    others = [file for file in files if file not in named and file.lower().endswith(_EXPORTS)]
    return len(named) != 1 or bool(others)


def _folder(path: Path) -> TraceInput:
    """Return the exports in a folder as one input, whose hash is that of their names and hashes."""
    held = export_files(path)
    _say_what_is_left_out(path, held)
    digest = hashlib.sha256()
    for place in dict.fromkeys(file.path for file in held.files):
        digest.update(f"{place.relative_to(path).as_posix()}@{FileInput.of(place).sha256}\n".encode())
    return TraceInput(path=path, name=str(FileInput(name=path.resolve().name, sha256=digest.hexdigest())))


def _say_what_is_left_out(path: Path, held: ExportFiles) -> None:
    if held.left_out:
        shown = ", ".join(held.left_out[:_SHOWN])
        rest = f" and {len(held.left_out) - _SHOWN} more" if len(held.left_out) > _SHOWN else ""
        say(f"of {path} these files hold no export and are left out: {shown}{rest}")
