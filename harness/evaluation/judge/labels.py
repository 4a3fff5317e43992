"""Labelled rows: with the labels of people, to measure how far a judge can be trusted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.data.formats.messages import dump_message
from harness.data.records import Case, Message, Task, ToolCall, TurnPair
from harness.errors import DataError
from harness.evaluation.judge.panel import Judged
from harness.evaluation.predictions import parse_label, read_predictions
from harness.evaluation.records import Judgement
from harness.statistics.agreement import calibrate, corrected_score
from harness.statistics.records import Calibration

_LABELLED = "labelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """One labelled row, ready to be judged like any other."""

    case: Case
    label: float
    """1.0 good, 0.0 bad."""


def read_labelled(path: Path, column: str, pairs: Sequence[TurnPair], task: Task) -> list[Labelled]:
    """Return the labelled rows of a file of predictions, in either layout.

    Rows without a label or an answer are left out; `pairs` give results rows their conversations, and the
    task says what its arguments are. Raises
    DataError for a column that no row has, a label that is none, and a pair that the test set lacks.
    """
    rows = read_predictions(path, task.tools)
    if all(column not in row.row for row in rows):
        raise DataError(f"{path} has no column {column!r}; its columns are {', '.join(sorted(rows[0].row))}")
    prefixes = {pair.id: pair.prefix for pair in pairs}
    found = []
    for row in rows:
        label = parse_label(path, row, column)
        case = row.case_within(path, prefixes)
        if label is not None and case is not None:
            case = replace(case, id=f"{_LABELLED}/{row.key}", conversation=f"{_LABELLED}/{row.conversation}")
            found.append(Labelled(case=case, label=label))
    if not found:
        raise DataError(f"{path}: no row has both a prediction and a label in {column!r}; write good or bad there")
    return found


def calibration(
    labelled: Sequence[Labelled],
    judged: Judged,
    pairs: Sequence[TurnPair],
    judgements: Sequence[Judgement | None],
    calls: Sequence[ToolCall | None],
) -> Calibration:
    """Return how the judge does on the labelled rows, with the corrected score of an evaluation that they are part of.

    `judgements` and `calls` are the evaluation's, one for each of its `pairs`. A label speaks of an answer and not
    of a question, so the score is corrected only where every labelled row is an answer of the evaluated model: of
    another model's rows those that happen to be equal would be no sample of this one's.
    """
    cases = [one.case for one in labelled]
    result = calibrate(
        [judged.judgements[case.id].value for case in cases],
        [one.label for one in labelled],
        [case.reference.name for case in cases],
        [case.call is not None and case.call.name == case.reference.name for case in cases],
        [case.conversation for case in cases],
    )
    known = {_key(one.case.prefix, one.case.reference, one.case.call): one.label for one in labelled}
    labels = [known.get(_key(pair.prefix, pair.reference, call)) for pair, call in zip(pairs, calls, strict=True)]
    values = [None if one is None else one.value for one in judgements]
    if sum(label is not None for label in labels) < len(labelled):
        return result
    return replace(result, corrected=corrected_score(values, labels, [pair.conversation for pair in pairs]))


def _key(prefix: Sequence[Message], reference: ToolCall, call: ToolCall | None) -> str:
    """Return what makes two rows the same: the conversation without the ids of its calls, the reference, the answer."""
    messages = [dump_message(replace(message, tool_call_id=None, tool_calls=())) for message in prefix]
    calls = [(one.name, one.arguments) for message in prefix for one in message.tool_calls]
    ends = [(one.name, one.arguments) if one else None for one in (reference, call)]
    text = json.dumps([messages, calls, ends], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
