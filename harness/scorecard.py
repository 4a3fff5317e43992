"""Answers -> scores -> report: how the numbers of an evaluation are made. No effects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness import parsing, scoring
from harness.parsing import Reading
from harness.records import Estimate, EvalReport, EvalRun, Prediction, Task, ToolCall, TurnPair
from harness.statistics import estimate

HEADLINE = "lenient"
"""The reading of the raw text that the headline scores use."""

Columns = dict[str, list[float | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """The calls that were read from the answers: one list for each way of reading, in the pairs' order."""

    by_name: dict[str, list[Reading | None]]
    """None where there is no answer to read."""


def read_answers(
    answers: Sequence[Prediction], task: Task, family: str | None, vllm: Sequence[Reading] | None, parser: str | None
) -> Readings:
    """Return the strict and the lenient reading of each answer, and vLLM's where it was made.

    `vllm` holds one reading for each answer that has text, in order.
    """
    by_name: dict[str, list[Reading | None]] = {
        name: [
            None
            if answer.raw is None
            else parsing.read(answer.raw, family=family, strict=name == "strict", tools=task.tools)
            for answer in answers
        ]
        for name in ("strict", HEADLINE)
    }
    if vllm is not None:
        found = iter(vllm)
        by_name[f"vllm:{parser}"] = [None if answer.raw is None else next(found) for answer in answers]
    return Readings(by_name=by_name)


def _columns(texts: Sequence[str | None], references: Sequence[str], task: Task) -> Columns:
    """Return every metric's values for the texts; None stays None. Equal pairs of strings are scored once."""
    distinct = list(dict.fromkeys((text, ref) for text, ref in zip(texts, references, strict=True) if text is not None))
    columns: Columns = {}
    for metric in scoring.metric_names():
        values = scoring.score(metric, [text for text, _ in distinct], [ref for _, ref in distinct], task.tools)
        known = dict(zip(distinct, values, strict=True))
        columns[metric] = [
            None if text is None else known[text, ref] for text, ref in zip(texts, references, strict=True)
        ]
    return columns


def constant_call(pairs: Sequence[TurnPair], task: Task) -> ToolCall:
    """Return the null baseline: always the most frequent tool, its required arguments empty."""
    name = Counter(pair.reference.name for pair in pairs).most_common(1)[0][0]
    schemas = {tool["function"]["name"]: tool["function"].get("parameters") or {} for tool in task.tools}
    required = schemas.get(name, {}).get("required") or ()
    return ToolCall(name=name, arguments=dict.fromkeys(required, ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """Scores of one evaluation, pair by pair, with the report they add up to."""

    report: EvalReport
    rows: list[dict[str, Any]]
    """One results row a pair, as the results dataset holds them."""


def make_scorecard(
    run: EvalRun, task: Task, pairs: Sequence[TurnPair], answers: Sequence[Prediction], readings: Readings
) -> Scorecard:
    """Score the answers (one for each pair, in order) and the baselines, and make the report.

    A pair without an answer is unscored with the answer's error as the reason.
    """
    references = [parsing.canonical(pair.reference) for pair in pairs]
    headline = readings.by_name[HEADLINE]
    texts = [_text(answer, reading) for answer, reading in zip(answers, headline, strict=True)]
    columns = _columns(texts, references, task)
    null = parsing.canonical(constant_call(pairs, task))
    baselines = {
        "null": _columns([null] * len(pairs), references, task),
        "gold": _columns(list(references), references, task),
    }
    errors = sum(answer.raw is None for answer in answers)
    clusters = [pair.conversation for pair in pairs]
    report = EvalReport(
        run=run,
        rows={
            "model": _estimates(columns, clusters, errors),
            **{name: _estimates(values, clusters) for name, values in baselines.items()},
        },
        by_tool=(by_tool := _by_tool(columns, pairs)),
        macro={metric: _macro(tools) for metric, tools in by_tool.items()},
        readings={
            name: _estimates(_columns(_calls_only(found), references, task), clusters, errors)
            for name, found in readings.by_name.items()
        },
        tokens=_tokens(answers),
    )
    rows = [
        _row(pair, answers[i], headline[i], texts[i], {metric: values[i] for metric, values in columns.items()})
        for i, pair in enumerate(pairs)
    ]
    return Scorecard(report=report, rows=rows)


def _text(answer: Prediction, reading: Reading | None) -> str | None:
    """Return what is scored: the call in the published notation, or the raw text where it holds none."""
    if reading is None:
        return None
    return parsing.canonical(reading.call) if reading.call else answer.raw


def _calls_only(readings: Sequence[Reading | None]) -> list[str | None]:
    """Return what one way of reading alone would score: text without a call counts as empty."""
    return [None if one is None else parsing.canonical(one.call) if one.call else "" for one in readings]


def _estimates(columns: Columns, clusters: Sequence[str], errors: int = 0) -> dict[str, Estimate]:
    return {metric: estimate(values, clusters, errors) for metric, values in columns.items()}


def _by_tool(columns: Columns, pairs: Sequence[TurnPair]) -> dict[str, dict[str, Estimate]]:
    tools = [name for name, _ in Counter(pair.reference.name for pair in pairs).most_common()]
    places = {tool: [i for i, pair in enumerate(pairs) if pair.reference.name == tool] for tool in tools}
    return {
        metric: {
            tool: estimate([values[i] for i in where], [pairs[i].conversation for i in where])
            for tool, where in places.items()
        }
        for metric, values in columns.items()
    }


def _macro(tools: Mapping[str, Estimate]) -> float | None:
    values = [one.value for one in tools.values() if one.value is not None]
    return sum(values) / len(values) if values else None


def _tokens(answers: Sequence[Prediction]) -> dict[str, float]:
    used = [answer.usage for answer in answers if answer.usage]
    prompt = sum(usage.prompt for usage in used)
    cached = [usage.cached for usage in used if usage.cached is not None]
    totals: dict[str, float] = {"prompt": prompt, "completion": sum(usage.completion for usage in used)}
    if cached and prompt:
        totals |= {"cached": sum(cached), "cached_share": sum(cached) / prompt}
    return totals


def _row(
    pair: TurnPair, answer: Prediction, reading: Reading | None, text: str | None, values: Mapping[str, float | None]
) -> dict[str, Any]:
    usage = answer.usage
    return {
        "pair_id": pair.id,
        "conversation": pair.conversation,
        "turn": pair.turn,
        "reference": parsing.canonical(pair.reference),
        "raw": answer.raw,
        "prediction": text,
        **values,
        "reason": answer.error if reading is None else reading.reason,
        "finish_reason": answer.finish_reason,
        # Cached tokens depend on what was asked before: they are in the report, not in rows that can be compared.
        "usage": {"prompt": usage.prompt, "completion": usage.completion} if usage else None,
        "error": answer.error,
    }
