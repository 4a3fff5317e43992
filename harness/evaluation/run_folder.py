"""The folder of one evaluation: what was asked, every answer as it arrived, and the results."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from harness.data.formats.jsonl import write_json
from harness.errors import DataError, UsageError
from harness.evaluation.answer_log import AnswerLog
from harness.evaluation.records import EvalRun
from harness.evaluation.results import config_name
from harness.evaluation.scorecard import Scorecard, Scores
from harness.hub.artifact import Artifact, parse_input
from harness.hub.lineage import LINEAGE, Lineage, LineageRecord, parse_record
from harness.models.engine.arithmetic import ARITHMETIC
from harness.models.names import ModelName

ANSWERS = "answers.jsonl"
ENGINE_LOG = "engine.log"
JUDGE_LOG = "judge-engine.log"
REPORT = "report.json"
ROWS = "data/test.jsonl"
PLOTS = "plots"
_SHOWN = 60
_ASKED_ALIKE = (3,)
"""Earlier versions of the stage that asked what this one asks and read the answers otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """An opened folder: its lineage as first written, and the log of answers."""

    path: Path
    lineage: Lineage
    log: AnswerLog

    @property
    def started(self) -> str:
        """When the run began, ISO 8601 in UTC; a resumed run keeps its date."""
        return str(self.lineage.extra["started"])


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlace:
    """Where a run is kept: `folder` (for one model), or below `root` by the model's name and the run's fingerprint."""

    folder: Path | None = None
    root: Path = Path("runs")
    resume: bool = False
    """Whether to continue a run that is there already."""

    def begun(self, name: ModelName) -> list[Path]:
        """Return the folders that may hold a run of this model that is gone on with."""
        if self.folder:
            return [self.folder]
        return sorted(self.root.glob(f"{config_name(_named(name))}-*")) if self.resume else []

    def of(self, name: ModelName, lineage: Lineage) -> Path:
        """Return the folder of a run: of those that an earlier version has begun, the one that is there."""
        if self.folder:
            return self.folder
        config = config_name(_named(name), lineage.config.get("thinking"))
        known = [self.root / f"{config}-{one.fingerprint()}" for one in _asked_alike(lineage)]
        return next((folder for folder in known if folder.exists()), known[0])


def _named(name: ModelName) -> str:
    return name.public.partition(":")[2].partition("@")[0]


def open_run(path: Path, lineage: Lineage, *, resume: bool) -> RunFolder:
    """Open `path` for the run that `lineage` describes.

    Raises UsageError where the folder already holds answers and `resume` is not set, and where they are
    another run's: the difference is named, and no answer is touched. A folder without answers is free.
    """
    log = AnswerLog(path / ANSWERS)  # first, because it keeps other processes out
    try:
        started = _started(path, lineage, log, resume=resume)
        lineage = replace(lineage, extra={**lineage.extra, "started": started})
        if not log.answers:
            write_json(path / LINEAGE, lineage.dump())
    except BaseException:
        log.close()
        raise
    return RunFolder(path=path, lineage=lineage, log=log)


def _started(path: Path, lineage: Lineage, log: AnswerLog, *, resume: bool) -> str:
    """Return when the run began: now, or as recorded with the answers that it has."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    if not log.answers:
        return now
    if not (path / LINEAGE).is_file():
        raise UsageError(f"{path} holds answers but no {LINEAGE} that says whose; give another --out")
    known = _read(path / LINEAGE)
    if known.fingerprint not in [one.fingerprint() for one in _asked_alike(lineage)]:
        raise UsageError(f"{path} holds another run ({_difference(known.lineage, lineage)}); give another --out")
    if not resume:
        raise UsageError(
            f"{path} already holds {len(log.answers)} answers of this run; add --resume to continue it "
            "(nothing is asked twice), or give another --out"
        )
    return str(known.lineage.extra.get("started", now))


def _asked_alike(lineage: Lineage) -> tuple[Lineage, ...]:
    """Return the lineage, and those of the same run by earlier versions whose answers can be scored again."""
    return (lineage, *(replace(lineage, version=version) for version in _ASKED_ALIKE))


def commit_of(path: Path, repo_id: str) -> str | None:
    """Return the commit of `repo_id` that the run in `path` began with, None where no run of it is there.

    A resumed run goes on with it: branches move, not least when the first results are pushed.
    """
    if not (path / LINEAGE).is_file():
        return None
    for entry in _read(path / LINEAGE).lineage.inputs:
        found = parse_input(entry)
        if isinstance(found, Artifact) and found.repo_id == repo_id:
            return found.revision
    return None


def is_fast(path: Path) -> bool:
    """Return whether the run in `path` began with `--fast`, in another arithmetic than the default."""
    return (path / LINEAGE).is_file() and ARITHMETIC in _read(path / LINEAGE).lineage.config


def _read(path: Path) -> LineageRecord:
    advice = "remove the folder or give another --out"
    try:
        return parse_record(path.read_bytes(), str(path), advice=advice)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}); {advice}") from error


def _difference(known: Lineage, wanted: Lineage) -> str:
    """Return the first thing in which two runs differ, in words."""
    if known.inputs != wanted.inputs:
        return f"inputs {list(known.inputs)}, now {list(wanted.inputs)}"
    for key in wanted.config | known.config:
        before, now = known.config.get(key), wanted.config.get(key)
        if before != now:
            return f"{key} was {str(before)[:_SHOWN]!r}, now {str(now)[:_SHOWN]!r}"
    return "made by another version of the harness"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A model's answers to the whole test set, scored by code, and the folder that they lie in."""

    folder: Path
    lineage: Lineage
    run: EvalRun
    scores: list[Scores]
    """Of each sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A finished evaluation: its folder and its numbers."""

    folder: Path
    lineage: Lineage
    scorecard: Scorecard


class Timings(dict[str, float]):
    """Seconds by phase."""

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time that the block takes."""
        start = time.monotonic()
        try:
            yield
        finally:
            self[name] = self.get(name, 0.0) + time.monotonic() - start
