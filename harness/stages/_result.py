"""Where the result of a stage goes: found on the Hub, or written whole with its lineage, then pushed once."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.data.atomic_files import replace_folder, scratch_folder
from harness.data.formats.jsonl import write_json
from harness.data.formats.strict_records import FrozenModel
from harness.errors import CheckFailed, UsageError
from harness.hub.artifact import Artifact, RepoKind
from harness.hub.client import Hub
from harness.hub.lineage import LINEAGE, Lineage
from harness.hub.publishing import find_made, push_folder


class OutputTarget(FrozenModel):
    """Where the result of a stage goes: a repository, a folder, or both."""

    repo_id: str | None = None
    """The repository of the result, as its card names it."""
    push: bool = True
    """Whether it is pushed there."""
    out: Path | None = None
    """The folder that gets exactly the files that would be pushed."""
    force: bool = False
    """Run even where the Hub has a result of the same inputs and settings."""

    @property
    def target(self) -> str | None:
        """The repository that is pushed to; None: nothing is pushed."""
        return self.repo_id if self.push else None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResult:
    """What a stage has made."""

    artifact: Artifact | None
    """As it is on the Hub; None where nothing was pushed."""
    folder: Path | None
    reused: bool
    counts: Mapping[str, Any] = field(default_factory=dict)
    """What the stage has to say of its result; empty where it was reused."""


class EmptyResult(CheckFailed):
    """A stage ran to its end, and nothing that it made or looked at can go on."""


def reusable(lineage: Lineage, hub: Hub, place: OutputTarget, kind: RepoKind = "dataset") -> StageResult | None:
    """Return the result that the Hub has of the same inputs and settings; None where one has to be made.

    With a folder the result is made even where the Hub has it; UsageError where it holds something that no stage has
    written.
    """
    if place.out is not None:
        _check_out(place.out)
    if place.target is None or place.out is not None or place.force:
        return None
    found = find_made(hub, kind, place.target, lineage.fingerprint())
    return StageResult(artifact=found, folder=None, reused=True) if found else None


def produce(
    lineage: Lineage,
    hub: Hub,
    place: OutputTarget,
    write: Callable[[Path], Mapping[str, Any]],
    kind: RepoKind = "dataset",
) -> StageResult:
    """Return the result of a stage: found on the Hub, or written into a new folder and delivered.

    `write` fills the folder, all but its lineage, and returns what the stage has to say of the result. Where it raises
    EmptyResult nothing is delivered, and `place.out` has what was written. UsageError where the result would go
    nowhere.
    """
    if found := reusable(lineage, hub, place, kind):
        return found
    out = place.out and place.out.resolve()  # `.` has neither a name nor a parent
    if out is None and place.target is None:
        raise UsageError("nothing to write to: give --out DIR, or push to the Hub")
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)  # on the same disk, so that it can be moved there at once
    with scratch_folder(out) if out else tempfile.TemporaryDirectory(prefix="tft-") as scratch:
        folder = Path(scratch) / lineage.stage  # a name that messages of libraries show
        folder.mkdir()
        try:
            counts = write(folder)
        except EmptyResult as error:
            if out is None:
                raise EmptyResult(f"{error}; with --out DIR every row and its reason are kept") from error
            write_json(folder / LINEAGE, lineage.dump())
            _move(folder, out)
            raise EmptyResult(f"{error}; every row and its reason are in {place.out}") from error
        return deliver(folder, lineage, hub, place, kind=kind, counts=counts)


def deliver(
    folder: Path,
    lineage: Lineage,
    hub: Hub,
    place: OutputTarget,
    *,
    kind: RepoKind = "dataset",
    counts: Mapping[str, Any] | None = None,
) -> StageResult:
    """Write the lineage into a filled folder, move it to `place.out`, push it in one commit, and return the result.

    `place.out` appears whole or not at all, in place of an earlier result.
    """
    write_json(folder / LINEAGE, lineage.dump())
    if place.out is not None:
        _move(folder, place.out)
    artifact = None
    if place.target is not None:
        message = f"{lineage.stage}: {lineage.fingerprint()}"
        artifact = push_folder(hub, kind, place.target, place.out or folder, message=message, tags=[lineage.tag()])
    return StageResult(artifact=artifact, folder=place.out, reused=False, counts=counts or {})


def _check_out(out: Path) -> None:
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / LINEAGE).is_file())):
        raise UsageError(f"{out} exists and is not the result of a stage; give an empty or new folder with --out")


def _move(folder: Path, out: Path) -> None:
    _check_out(out)  # another process may have begun there meanwhile
    replace_folder(folder, out.resolve())
