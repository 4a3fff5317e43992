"""Files of predictions, judged: the same rows with a verdict and its reason beside each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.data.formats.jsonl import write_jsonl
from harness.data.records import Case, Message, Task
from harness.data.tasks import TestSet
from harness.errors import UsageError
from harness.evaluation.judge.judges import JudgeConfig, make_judges
from harness.evaluation.judge.panel import Judged, judge_cases
from harness.evaluation.metrics import JUDGE_METRIC
from harness.evaluation.predictions import PredictedRow, read_predictions
from harness.evaluation.records import Judgement
from harness.hub.client import Hub
from harness.models.chat.chat_models import ChatModels
from harness.statistics.estimates import estimate
from harness.statistics.records import Agreement, Estimate

LABEL = "label"
"""Where a verdict goes that a file has already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedFile:
    """One file's outcome."""

    source: Path
    target: Path
    score: Estimate
    decided_by_code: int
    agreement: Agreement | None
    """For panels."""


def targets(files: Sequence[Path], out: Path) -> list[Path]:
    """Return where each file's rows go: `out` itself for one file, a file of the same name in it for several."""
    if len(files) == 1 and not out.is_dir():
        return [out]
    if len({file.name for file in files}) < len(files):
        raise UsageError("two of the files have the same name, so one would overwrite the other; judge them apart")
    if out.is_file():
        raise UsageError(f"{out} is a file; name a folder for the rows of several files")
    return [out / file.name for file in files]


def judge_files(
    files: Sequence[Path],
    out: Path,
    config: JudgeConfig,
    *,
    task: Task | None,
    test_set: TestSet | None,
    hub: Hub | None,
) -> tuple[Judged, list[JudgedFile]]:
    """Judge the rows of all files together, and write them to `out` (see `targets`) with the columns added.

    The rows keep their order and columns. A verdict that they have already moves to `LABEL`, unless they have that
    too. `test_set` gives results rows their conversations. Raises HarnessError.
    """
    places = targets(files, out)
    with ChatModels(config.asking, hub) as models:
        judges = make_judges(config, task, models)
        tables = [read_predictions(file, task.tools if task else ()) for file in files]
        prefixes = {pair.id: pair.prefix for pair in test_set.pairs} if test_set else {}
        cases = [_cases(i, file, tables[i], prefixes) for i, file in enumerate(files)]
        judged = judge_cases([case for some in cases for case in some], judges, ask_everything=config.ask_everything)
    outcomes = []
    for i, (source, target) in enumerate(zip(files, places, strict=True)):
        judgements = [judged.judgements.get(_id(i, row)) for row in tables[i]]
        write_jsonl(target, (_row(row, one) for row, one in zip(tables[i], judgements, strict=True)))
        values = [None if one is None else one.value for one in judgements]
        errors = sum(row.prediction is None for row in tables[i])
        outcomes.append(
            JudgedFile(
                source=source,
                target=target,
                score=estimate(values, [row.conversation for row in tables[i]], errors),
                decided_by_code=sum(case.id in judged.decided for case in cases[i]),
                agreement=judged.agreement(cases[i]),
            )
        )
    return judged, outcomes


def _id(file: int, row: PredictedRow) -> str:
    return f"{file}/{row.key}"


def _cases(
    number: int, file: Path, rows: Sequence[PredictedRow], prefixes: Mapping[str, tuple[Message, ...]]
) -> list[Case]:
    cases = []
    for row in rows:
        case = row.case_within(file, prefixes)
        if case is not None:
            cases.append(replace(case, id=_id(number, row), conversation=f"{number}/{row.conversation}"))
    return cases


def _row(row: PredictedRow, judgement: Judgement | None) -> dict[str, Any]:
    """Return the row with its verdict; a row without an answer has none, and says so."""
    out = dict(row.row)
    if JUDGE_METRIC in out and LABEL not in out:
        out[LABEL] = out[JUDGE_METRIC]
    out[JUDGE_METRIC] = None if judgement is None else judgement.value
    missing = {"judge_reason": "not judged: there is no prediction", "judge_votes": None}
    return out | (missing if judgement is None else judgement.columns())
