"""The two results of a comparison: their rows with metric columns, and which of them answer the same pair."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.data.records import Message, ToolCall
from harness.data.tasks import SET_METRIC
from harness.errors import DataError, UsageError
from harness.evaluation import metrics
from harness.evaluation.infer_conversations import said
from harness.evaluation.metrics import DEFAULT_METRIC, JUDGE_METRIC
from harness.evaluation.predictions import PredictedRow
from harness.evaluation.records import EvalReport, is_score
from harness.models import parsing
from harness.statistics.sampling import sample_means

Values = Sequence[float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedResult:
    """One of the two results."""

    name: str
    """As it was asked for."""
    source: str
    """Where it was read from, with its commit where it has one."""
    rows: tuple[PredictedRow, ...]
    columns: Mapping[str, Values]
    """Metric -> one value per row."""
    report: EvalReport | None = None
    """None for a bare file of rows."""
    samples: int = 1
    """Answers to each pair; of several, the row is that of the first, and the values are their means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """Rows of A and B that answer the same pair: places in A and in B, None where one of them lacks the pair."""

    places: tuple[tuple[int | None, int | None], ...]
    """The common pairs in A's order, then those of A alone, then those of B alone."""
    clusters: tuple[str, ...]
    """The conversation of each."""
    common: int

    @property
    def common_places(self) -> list[tuple[int, int]]:
        """The places of the common pairs, in A and in B."""
        return [(i, j) for i, j in self.places if i is not None and j is not None]


def make_side(
    name: str,
    source: str,
    path: Path,
    rows: Sequence[PredictedRow],
    report: EvalReport | None,
    *,
    tools: Sequence[dict[str, Any]] = (),
) -> ComparedResult:
    """Return the rows of `path` with their metric columns; code metrics that the file lacks are computed.

    Computed is the lenient reading of each row, and `tools` say what the schemas' defaults are.

    Raises DataError, with file and line, for a value that is neither a number from 0 to 1 nor null.
    """
    columns: dict[str, Values] = {}
    several = any(len(one.references) > 1 for one in rows)
    for metric in (JUDGE_METRIC, *metrics.metric_names(parallel=True)):
        if any(metric in one.row for one in rows):
            columns[metric] = [_value(path, one, metric) for one in rows]
        elif metric != JUDGE_METRIC and (several or metric != SET_METRIC):
            columns[metric] = _computed(path, rows, metric, tools)
    side = ComparedResult(name=name, source=source, rows=tuple(rows), columns=columns, report=report)
    return _by_pair(path, side) if any(one.sample for one in rows) else side


def _by_pair(path: Path, side: ComparedResult) -> ComparedResult:
    """Return one row for each pair: the first of its samples, with the means of all in the columns."""
    places: dict[str, list[int]] = {}
    for place, one in enumerate(side.rows):
        places.setdefault(one.id, []).append(place)
    counts = {len(found) for found in places.values()}
    if len(counts) > 1:
        raise DataError(
            f"{path} has {min(counts)} samples of some pairs and {max(counts)} of others; give all rows of a run"
        )
    columns = {
        metric: sample_means([[values[place] for place in found] for found in places.values()])
        for metric, values in side.columns.items()
    }
    rows = tuple(side.rows[found[0]] for found in places.values())
    return replace(side, rows=rows, columns=columns, samples=counts.pop())


def _value(path: Path, one: PredictedRow, metric: str) -> float | None:
    if metric not in one.row:
        raise DataError.at(path, one.line, f"no {metric!r}, which other rows have; write null where there is no value")
    value = one.row[metric]
    if value is None:
        return None
    if not is_score(value):
        raise DataError.at(path, one.line, f"{metric} is {value!r:.40}; expected a number from 0 to 1, or null")
    return float(value)


def _computed(path: Path, rows: Sequence[PredictedRow], metric: str, tools: Sequence[dict[str, Any]]) -> Values:
    asked = [one.prediction is not None and metrics.scores_turn(metric, one.references) for one in rows]
    answered = [one for one, is_asked in zip(rows, asked, strict=True) if is_asked]
    references = [one.row.get("answer", one.row.get("reference")) for one in answered]
    texts = [
        ref if isinstance(ref, str) else parsing.canonical(*one.references)
        for ref, one in zip(references, answered, strict=True)
    ]
    try:
        scores = iter(metrics.score(metric, [_text(one, metric) for one in answered], texts, tools))
    except ValueError as error:
        raise DataError(f"{path}: {metric} cannot be computed: {error}") from error
    return [next(scores) if is_asked else None for is_asked in asked]


def _text(one: PredictedRow, metric: str) -> str:
    """Return the text to score: the answer itself where the metrics find the same call in it as the lenient reading."""
    raw = one.prediction or ""
    if metric == SET_METRIC and one.reading:
        return metrics.scored_turn(raw, one.reading)
    return raw if metrics.published_call(raw) == one.call else metrics.scored_text(raw, one.call)


def match(a: ComparedResult, b: ComparedResult) -> Matching:
    """Return which rows answer the same pair: the same pair id, or the same conversation so far and reference.

    The n-th row of a conversation and reference that occur several times goes with the other side's n-th.
    Raises DataError where a pair id has two references, UsageError where the layouts differ or no pair is common.
    """
    if len({one.prefix is None for side in (a, b) for one in side.rows}) > 1:
        raise UsageError(
            "one of the two has rows with pair ids and the other rows with questions, which cannot be matched; "
            "give both in one layout: two results of `tft evaluate`, or two files of {question, answer, prediction}"
        )
    in_a, in_b = _keys(a), _keys(b)
    common = [(place, in_b[key]) for key, place in in_a.items() if key in in_b]
    if not common:
        raise UsageError(f"{a.name} and {b.name} have no pair in common; compare results on the same test set")
    for i, j in common:
        if a.rows[i].references != b.rows[j].references:
            raise DataError(
                f"pair {a.rows[i].id} has one reference in {a.name} and another in {b.name}: these are two test sets; "
                "evaluate both models on the same one"
            )
    only_a = [place for key, place in in_a.items() if key not in in_b]
    only_b = [place for key, place in in_b.items() if key not in in_a]
    # A conversation that both know is one cluster, under A's name for it.
    names = {b.rows[j].conversation: a.rows[i].conversation for i, j in common}
    return Matching(
        places=(*common, *((i, None) for i in only_a), *((None, j) for j in only_b)),
        clusters=(
            *(a.rows[i].conversation for i, _ in common),
            *(a.rows[i].conversation for i in only_a),
            *(names.get(b.rows[j].conversation, f"B: {b.rows[j].conversation}") for j in only_b),
        ),
        common=len(common),
    )


def _keys(side: ComparedResult) -> dict[tuple[str, int], int]:
    seen: Counter[str] = Counter()
    keys: dict[tuple[str, int], int] = {}
    for place, one in enumerate(side.rows):
        key = one.id if one.prefix is None else _fingerprint(one.prefix, one.references)
        keys[key, seen[key]] = place
        seen[key] += 1
    return keys


def _fingerprint(prefix: Sequence[Message], references: Sequence[ToolCall]) -> str:
    """Return a text that two rows share if they ask the same; call ids do not count."""
    return json.dumps([said(prefix), *((call.name, call.arguments) for call in references)], sort_keys=True)


def check_arithmetic(a: ComparedResult, b: ComparedResult) -> None:
    """Raise UsageError where our engine answered in one arithmetic for A, and in another one for B."""
    runs = [side.report.run if side.report else None for side in (a, b)]
    found = [run.arithmetic if run else None for run in runs]
    if None not in found and found[0] != found[1]:
        raise UsageError(
            f"{a.name} was answered in {found[0]} and {b.name} in {found[1]}, and ties between tokens fall otherwise "
            "in each: a difference would not be the models' alone; evaluate both alike, with --fast or without it"
        )


def check_decoding(a: ComparedResult, b: ComparedResult) -> None:
    """Raise UsageError where samples of one model would be compared with another's at another temperature."""
    runs = [side.report.run if side.report else None for side in (a, b)]
    found = [run.config.get("temperature") if run else None for run in runs]
    models = [(run.model, run.model_revision) if run else None for run in runs]
    if max(a.samples, b.samples) > 1 and None not in found and found[0] != found[1] and models[0] != models[1]:
        raise UsageError(
            f"{a.name} was answered at temperature {found[0]:g} and {b.name} at {found[1]:g}: a difference would not "
            "be the models' alone; evaluate both at the same --temperature (one model may be compared with itself)"
        )


def judge_conflict(a: ComparedResult, b: ComparedResult) -> str | None:
    """Return why the verdicts of the two cannot be compared, None where they can."""
    known = [_judge(side) for side in (a, b)]
    if None in known or known[0] == known[1]:
        return None
    names = [side.report.run.judge if side.report else None for side in (a, b)]
    if names[0] == names[1]:
        return f"A and B were judged by {names[0]} with different prompts or with different members of the panel"
    return f"A was judged by {names[0]} and B by {names[1]}"


def _judge(side: ComparedResult) -> tuple[object, ...] | None:
    """Return what makes two judges the same: model, prompts, and the members whose votes count."""
    report = side.report
    if report is None or report.run.judge is None:
        return None
    judging = report.judging
    members = sorted(one.name for one in judging.members if one.status != "excluded") if judging else []
    return report.run.judge, judging and judging.prompt_sha256, tuple(members)


def choose(a: ComparedResult, b: ComparedResult, wanted: Sequence[str] = (), *, gate: bool = False) -> list[str]:
    """Return the metrics to compare, the main one first: those wanted, else all that both sides have.

    Raises UsageError for a metric that one of them lacks, and for verdicts of different judges where they are
    wanted or a gate would be about them.
    """
    both = [metric for metric in a.columns if metric in b.columns]
    for metric in wanted:
        if metric not in both:
            raise UsageError(f"no metric {metric!r} on both sides; there are {', '.join(both)}")
    conflict = judge_conflict(a, b) if JUDGE_METRIC in both else None
    if conflict and (JUDGE_METRIC in wanted or (gate and not wanted)):
        raise UsageError(f"{conflict}; have both judged by the same (`tft judge`), or give --metric {DEFAULT_METRIC}")
    if wanted:
        return list(dict.fromkeys(wanted))
    usable = [metric for metric in both if metric != JUDGE_METRIC or not conflict]
    return sorted(usable, key=metrics.by_rank)
