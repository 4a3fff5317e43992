"""What the stages of the pipeline share: where a result goes, whole or not at all, and what it was made from."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.data.formats.jsonl import write_json
from harness.errors import CheckFailed, UsageError
from harness.hub.artifact import Artifact
from harness.hub.client import Hub
from harness.hub.lineage import LINEAGE, Lineage
from harness.stages._push import publish


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the result of a stage goes: a repository, a folder, or both."""

    repo_id: str | None = None
    """The dataset that is pushed; None: nothing is."""
    out: Path | None = None
    """The folder that gets exactly the files that would be pushed."""
    force: bool = False
    """Run even where the Hub has a result of the same inputs and settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResult:
    """What a stage has made."""

    artifact: Artifact | None
    folder: Path | None
    reused: bool
    counts: Mapping[str, Any] = field(default_factory=dict)
    """What the stage has to say of its result; empty where it was reused."""


class EmptyResult(CheckFailed):
    """A stage ran to its end, and nothing that it made or looked at can go on."""


Write = Callable[[Path], Mapping[str, Any]]
"""Fills a folder with data and card, and returns counts."""


def run(lineage: Lineage, write: Write, hub: Hub | None, place: Place) -> StageResult:
    """Make a stage's result and bring it to its place, or find it on the Hub under the same fingerprint.

    A folder appears whole or not at all; one that holds anything but an earlier result is refused (UsageError). An
    empty result (`EmptyResult`) is never pushed, and the folder has it for whoever wants to see why.
    """
    if place.out is not None:
        check_out(place.out)
    counts: dict[str, Any] = {}
    if hub is None or place.repo_id is None:
        if place.out is None:
            raise UsageError("nothing to write to: give --out DIR, or push to a dataset")
        with _beside(place.out) as folder:
            counts.update(_filled(folder, lineage, write, place.out))
            _replace(folder, place.out)
        return StageResult(artifact=None, folder=place.out, reused=False, counts=counts)

    def fill(folder: Path) -> None:
        counts.update(_filled(folder, lineage, write, place.out))
        if place.out is not None:
            _copy(folder, place.out)

    # A folder that is asked for must be made, whatever the Hub has.
    done = publish(hub, place.repo_id, lineage, fill, force=place.force or place.out is not None)
    return StageResult(artifact=done.artifact, folder=place.out, reused=done.reused, counts=counts)


def _filled(folder: Path, lineage: Lineage, write: Write, out: Path | None) -> Mapping[str, Any]:
    """Fill the folder, lineage included, and return the counts; an empty result goes to `out` before it is raised."""
    write_json(folder / LINEAGE, lineage.dump())
    try:
        return write(folder)
    except EmptyResult as error:
        if out is None:
            raise EmptyResult(f"{error}; with --out DIR every row and its reason are kept") from error
        _copy(folder, out)
        raise EmptyResult(f"{error}; every row and its reason are in {out}") from error


def _copy(folder: Path, out: Path) -> None:
    with _beside(out) as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        _replace(copy, out)


def check_out(out: Path) -> None:
    """Raise UsageError where the folder holds something that no stage has written."""
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / LINEAGE).is_file())):
        raise UsageError(f"{out} exists and is no result of a stage; give an empty or new folder with --out")


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """Yield a new folder on the disk that `out` is on; it is removed unless it has been moved."""
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _replace(folder: Path, out: Path) -> None:
    if out.exists():
        shutil.rmtree(out)
    folder.rename(out)
