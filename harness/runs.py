"""The folder of one evaluation: what was asked, every answer as it arrived, and what came of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.errors import DataError, UsageError
from harness.lineage import Lineage
from harness.runner import AnswerLog
from harness.wire.jsonl import write_json

LINEAGE = "lineage.json"
ANSWERS = "answers.jsonl"
ENGINE_LOG = "engine.log"
_SHOWN = 60


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


def open_run(path: Path, lineage: Lineage, *, resume: bool) -> RunFolder:
    """Open `path` for the run that `lineage` describes.

    Raises UsageError where the folder already holds answers and `resume` is not set, and where it holds
    another run: the difference is named, and nothing in it is touched.
    """
    record = path / LINEAGE
    known = _read(record) if record.is_file() else None
    if known is not None and known.get("fingerprint") != lineage.fingerprint():
        raise UsageError(f"{path} holds another run ({_difference(known, lineage.dump())}); give another --out")
    started = str(known["started"]) if known and "started" in known else datetime.now(UTC).isoformat(timespec="seconds")
    lineage = replace(lineage, extra={**lineage.extra, "started": started})
    if known is None:
        write_json(record, lineage.dump())
    log = AnswerLog(path / ANSWERS)
    if log.answers and not resume:
        log.close()
        raise UsageError(
            f"{path} already holds {len(log.answers)} answers of this run; add --resume to go on with it "
            "(nothing is asked twice), or give another --out"
        )
    return RunFolder(path=path, lineage=lineage, log=log)


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}); remove the folder or give another --out") from error
    if not isinstance(value, dict):
        raise DataError(f"{path} is no lineage record; give another --out")
    return value


def _difference(known: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Return the first thing in which two runs differ, in words."""
    if known.get("inputs") != wanted["inputs"]:
        return f"inputs {known.get('inputs')}, now {wanted['inputs']}"
    before = known.get("config")
    if not isinstance(before, dict):
        before = {}
    for key, value in wanted["config"].items():
        if before.get(key) != value:
            return f"{key} was {str(before.get(key))[:_SHOWN]!r}, now {str(value)[:_SHOWN]!r}"
    return "made by another version of the harness"
