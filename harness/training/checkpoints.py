"""Checkpoints of a training run: only complete ones count, and only those of the same run."""

from __future__ import annotations

import hashlib
import json
import shutil
from array import array
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from harness.data.formats.jsonl import write_json
from harness.errors import UsageError
from harness.training.config import TrainConfig
from harness.training.examples import TrainingExamples

_MARK = "whole.json"
_RUN = "run.json"
_DAY = "date"
_KEPT = 2
_FREE = {"save_every"}
"""Settings that do not change the result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingCheckpoint:
    """A complete checkpoint, and the work up to it."""

    path: Path
    step: int
    tokens: int
    seconds: float
    computed: int | None = None
    """Tokens that the model has computed for them; None where an earlier version has not counted them."""
    sharing: str | None = None
    """Whether examples shared the tokens that they begin with, in words; None where they were not to."""


class Checkpoints:
    """The folder with the checkpoints of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, step: int) -> Path:
        """Return where the checkpoint of a step lies."""
        return self.folder / f"checkpoint-{step}"

    def whole(self) -> list[TrainingCheckpoint]:
        """Return the complete checkpoints, oldest first."""
        found = [checkpoint for path in self.folder.glob("checkpoint-*") if (checkpoint := _read(path))]
        return sorted(found, key=lambda checkpoint: checkpoint.step)

    def last(self) -> TrainingCheckpoint | None:
        """Return the newest complete checkpoint."""
        return next(reversed(self.whole()), None)

    def finish(self, *, step: int, **work: Any) -> None:
        """Mark the checkpoint of a step complete, once all its files are written, and drop the oldest ones.

        `work` are the other values of a `TrainingCheckpoint`.
        """
        path = self.path(step)
        sizes = {file.name: file.stat().st_size for file in path.iterdir() if file.is_file() and file.name != _MARK}
        write_json(path / _MARK, {"step": step, **work, "files": sizes})
        for old in self.whole()[:-_KEPT]:
            (old.path / _MARK).unlink()  # first, so that a half-deleted one is not whole
            shutil.rmtree(old.path)

    def begin(self, identity: dict[str, Any], *, resume: bool) -> TrainingCheckpoint | None:
        """Open the folder for the run of this identity; return the checkpoint to resume from, None to start over.

        Raises UsageError where there are checkpoints of another run, the difference named, and where there
        are some of this run that `resume` does not ask for. Unfinished checkpoints are removed.
        """
        last = self.last()
        if last:
            self._check(identity, last, resume=resume)
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.glob("checkpoint-*"):
            if not _read(path):
                shutil.rmtree(path)
        write_json(self.folder / _RUN, identity)
        return last

    def _check(self, identity: dict[str, Any], last: TrainingCheckpoint, *, resume: bool) -> None:
        known_file = self.folder / _RUN
        if not known_file.is_file():
            raise UsageError(
                f"{self.folder} holds checkpoints but no {_RUN} that says whose; train into another folder"
            )
        known = json.loads(known_file.read_text(encoding="utf-8"))
        differences = [
            f"{key} was {json.dumps(known.get(key))}, now {json.dumps(identity.get(key))}"
            for key in {**known, **identity}
            if known.get(key) != identity.get(key)
        ]
        if differences:
            raise UsageError(
                f"{self.folder} holds checkpoints of another run ({'; '.join(differences)}); "
                "train into another folder, or with the settings and data of that run"
            )
        if not resume:
            raise UsageError(
                f"{self.folder} already holds this run up to step {last.step}; "
                "resume to continue it, or train into another folder"
            )


def identify(base: Path, examples: TrainingExamples, config: TrainConfig, processes: int) -> dict[str, Any]:
    """Return what determines the resulting weights: settings, number of processes, hashes of data and base."""
    settings = {name: value for name, value in config.deciding().items() if name not in _FREE}
    dated = {_DAY: examples.day.isoformat()} if examples.day else {}
    return {**settings, **dated, "processes": processes, "data": _hash_data(examples), "base": _hash_base(base)}


def recorded_day(folder: Path) -> date | None:
    """Return the day that the run with these checkpoints took for today; None where it asked for none."""
    path = folder / _RUN
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return date.fromisoformat(known[_DAY]) if known.get(_DAY) else None


def _hash_data(examples: TrainingExamples) -> str:
    digest = hashlib.sha256()
    for example in examples.items:
        spans = [place for turn in example.turns for place in turn]
        digest.update(array("q", [len(example.input_ids), len(spans), *example.input_ids, *spans]).tobytes())
    return digest.hexdigest()[:16]


def _hash_base(base: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted([base / "config.json", *base.glob("*.safetensors")]):
        with path.open("rb") as stream:
            digest.update(f"{path.name}:{hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def _read(path: Path) -> TrainingCheckpoint | None:
    """Return the checkpoint of a folder, None where its mark or any of its files is not as it was written."""
    try:
        mark = json.loads((path / _MARK).read_text(encoding="utf-8"))
        sizes = mark.pop("files")
        if any((path / name).stat().st_size != size for name, size in sizes.items()):
            return None
    except FileNotFoundError:
        return None
    return TrainingCheckpoint(path=path, **mark)
