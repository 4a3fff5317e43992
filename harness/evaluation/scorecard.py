"""Answers -> scores -> report: how the numbers of an evaluation are made (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from harness.data.records import Prediction, Task, ToolCall, TurnPair
from harness.evaluation import metrics
from harness.evaluation.baselines import GOLD, baselines
from harness.evaluation.conversation_scores import score_conversations
from harness.evaluation.metrics import JUDGE_METRIC
from harness.evaluation.records import CUT, EvalReport, EvalRun, Judgement, Judging
from harness.evaluation.sample_scores import SAMPLE, Columns, mean_columns, score_samples
from harness.evaluation.thinking import thinking_columns, thinking_facts
from harness.models import parsing
from harness.models.backends._base import NOT_ASKED
from harness.models.parsing import Reading
from harness.statistics.estimates import bootstrap, estimate
from harness.statistics.records import Estimate

HEADLINE = "lenient"
"""The reading of the raw text that the headline scores use."""

MODEL = "model"
"""The row of the model itself, in reports."""

NULLS = "null_baselines"
"""Column of results: null baseline -> metric -> value, so that a model can be compared with them turn by turn."""

Readings = dict[str, list[Reading | None]]
"""Way of reading -> what was read from the answers, in the pairs' order; None where there is no answer to read."""


def read_answers(
    answers: Sequence[Prediction], task: Task, family: str | None, vllm: Sequence[Reading] | None, parser: str | None
) -> Readings:
    """Return the strict and the lenient reading of each answer, and vLLM's where it was made.

    `vllm` holds one reading for each answer that has text, in order.
    """
    readings: Readings = {
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
        readings[f"vllm:{parser}"] = [None if answer.raw is None else next(found) for answer in answers]
    return readings


def _columns(texts: Sequence[str | None], pairs: Sequence[TurnPair], task: Task) -> Columns:
    """Return every metric's values for the texts. Equal pairs of strings are scored once.

    None stays None, and so is the value of a metric for a turn that it is not defined for.
    """
    references = [parsing.canonical(*pair.calls) for pair in pairs]
    columns: Columns = {}
    for metric in metrics.metric_names(parallel=task.parallel_tool_calls):
        both = [
            None if text is None or not metrics.scores_turn(metric, pair.calls) else (text, reference)
            for text, reference, pair in zip(texts, references, pairs, strict=True)
        ]
        distinct = list(dict.fromkeys(one for one in both if one))
        values = metrics.score(metric, [text for text, _ in distinct], [ref for _, ref in distinct], task.tools)
        known = dict(zip(distinct, values, strict=True))
        columns[metric] = [known[one] if one else None for one in both]
    return columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What the metrics say of every pair: for the model, the baselines and the references; columns in pair order.

    Of several samples each has its own; the baselines and the references are in those of the first.
    """

    answers: Sequence[Prediction]
    headline: Sequence[Reading | None]
    texts: dict[str, list[str | None]]
    """Row of the report -> what is scored: the call in the published notation, or the raw text where it holds none."""
    calls: dict[str, list[ToolCall | None]]
    """Row of the report -> the call of each text; of several the first."""
    columns: dict[str, Columns]
    """Row of the report -> metric -> values."""
    by_reading: dict[str, Columns]


def score_answers(
    task: Task, pairs: Sequence[TurnPair], answers: Sequence[Prediction], readings: Readings, *, beside: bool = True
) -> Scores:
    """Score the answers (one for each pair, in order), and what stands `beside` them: null baselines and references."""
    headline = readings[HEADLINE]
    made = {**baselines(pairs, task), GOLD: [pair.calls for pair in pairs]} if beside else {}
    calls: dict[str, list[ToolCall | None]] = {MODEL: [reading.call if reading else None for reading in headline]}
    calls |= {name: [turn[0] for turn in row] for name, row in made.items()}
    by_reading = {name: _texts(answers, found, task) for name, found in readings.items()}
    texts: dict[str, list[str | None]] = {MODEL: by_reading[HEADLINE]}
    texts |= {name: [parsing.canonical(*turn) for turn in row] for name, row in made.items()}
    return Scores(
        answers=answers,
        headline=headline,
        texts=texts,
        calls=calls,
        columns={name: _columns(row, pairs, task) for name, row in texts.items()},
        by_reading={name: _columns(row, pairs, task) for name, row in by_reading.items()},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgements:
    """The judge metric: judgements of each row of the report (None: a failure, not judged), and how they were made."""

    rows: dict[str, list[Judgement | None]]
    judging: Judging
    settings: dict[str, Any]
    """What the run's configuration says of it: who judged, and what decides about their votes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """Scores of one evaluation, pair by pair, with the report they add up to."""

    report: EvalReport
    rows: list[dict[str, Any]]
    """One results row per pair, as the results dataset holds them."""


def make_scorecard(
    run: EvalRun, pairs: Sequence[TurnPair], samples: Sequence[Scores], judgements: Sequence[Judgements] = ()
) -> Scorecard:
    """Add the scores of the samples up to a report; where the answers were judged, with the judgements of each sample.

    A pair without an answer is unscored with the answer's error as the reason. Of several samples, a pair's value is
    the mean of those that are scored.
    """
    every = [_judged_columns(one, judged) for one, judged in zip_longest(samples, judgements)]
    columns = {name: dict(found) for name, found in every[0].items()}
    columns[MODEL] = mean_columns([one[MODEL] for one in every])
    answers = [answer for one in samples for answer in one.answers]
    model, clusters, turns = columns[MODEL], [pair.conversation for pair in pairs], [pair.turn for pair in pairs]
    texts = [[answer.raw for answer in one.answers] for one in samples]
    failed = [all(one is None for one in pair) for pair in zip(*texts, strict=True)]
    none = [False] * len(pairs)
    by_tool = _by_tool(model, pairs)
    ends = [one.finish_reason for one in answers if one.finish_reason not in (None, NOT_ASKED)]
    readings = {name: mean_columns([one.by_reading[name] for one in samples]) for name in samples[0].by_reading}
    report = EvalReport(
        run=run,
        rows={name: _estimates(found, pairs, failed if name == MODEL else none) for name, found in columns.items()},
        by_tool=by_tool,
        macro={metric: _macro(tools) for metric, tools in by_tool.items()},
        readings={name: _estimates(found, pairs, failed) for name, found in readings.items()},
        tokens=_tokens(answers),
        dialogues={
            metric: score_conversations([value for one in every for value in one[MODEL][metric]], clusters, turns)
            for metric in model
        },
        bootstrap={metric: bootstrap(values, clusters) or () for metric, values in model.items()},
        judging=judgements[0].judging if judgements else None,
        cut=ends.count(CUT) if ends else None,
        ended=len(ends),
        thinking=thinking_facts(answers, run.thinking is not None),
        samples=score_samples([one[MODEL] for one in every], texts, clusters) if len(samples) > 1 else None,
    )
    nulls = {name: found for name, found in columns.items() if name not in (MODEL, GOLD)}
    judged = [one.rows[MODEL] for one in judgements]
    rows = [
        {
            **_row(pair, one, i),
            **({SAMPLE: sample} if len(samples) > 1 else {}),
            **_values(every[sample][MODEL], i),
            **_outcome(one.answers[i], one.headline[i]),
            **(thinking_columns(one.answers[i]) if report.thinking else {}),
            **(_verdict(judged[sample][i], pair, one.answers[i]) if judged else {}),
            NULLS: {name: _values(found, i) for name, found in nulls.items()},
        }
        for i, pair in enumerate(pairs)
        for sample, one in enumerate(samples)
    ]
    return Scorecard(report=report, rows=rows)


def _values(columns: Columns, place: int) -> dict[str, float | None]:
    return {metric: values[place] for metric, values in columns.items()}


def _judged_columns(scores: Scores, judgements: Judgements | None) -> dict[str, Columns]:
    """Return the columns of a sample with those of the judge metric."""
    columns = {name: dict(found) for name, found in scores.columns.items()}
    for name, judged in (judgements.rows if judgements else {}).items():
        columns[name][JUDGE_METRIC] = [None if one is None else one.value for one in judged]
    return columns


def _texts(answers: Sequence[Prediction], readings: Sequence[Reading | None], task: Task) -> list[str | None]:
    """Return what is scored with one way of reading, the headline's or any other."""

    def scored(raw: str, reading: Reading) -> str:
        if task.parallel_tool_calls:
            return metrics.scored_turn(raw, reading)
        return metrics.scored_text(raw, reading.call)

    return [
        None if reading is None or answer.raw is None else scored(answer.raw, reading)
        for answer, reading in zip(answers, readings, strict=True)
    ]


def _estimates(columns: Columns, pairs: Sequence[TurnPair], failed: Sequence[bool]) -> dict[str, Estimate]:
    """Return each metric over the turns that it is defined for; `failed` says which pairs have no answer."""
    found = {}
    for metric, values in columns.items():
        where = [i for i, pair in enumerate(pairs) if metrics.scores_turn(metric, pair.calls)]
        clusters = [pairs[i].conversation for i in where]
        found[metric] = estimate([values[i] for i in where], clusters, sum(failed[i] for i in where))
    return found


def _by_tool(columns: Columns, pairs: Sequence[TurnPair]) -> dict[str, dict[str, Estimate]]:
    """Return each metric by tool; a turn with several calls counts for each tool that it calls."""
    called = [{call.name: None for call in pair.calls} for pair in pairs]
    tools = [name for name, _ in Counter(name for names in called for name in names).most_common()]
    places = {tool: [i for i, names in enumerate(called) if tool in names] for tool in tools}
    return {
        metric: {
            tool: estimate([values[i] for i in where], [pairs[i].conversation for i in where])
            for tool, every in places.items()
            for where in [[i for i in every if metrics.scores_turn(metric, pairs[i].calls)]]
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
    if thoughts := [answer.thought.tokens for answer in answers if answer.thought and answer.thought.tokens]:
        totals["thinking"] = sum(thoughts)
    if cached and prompt:
        totals |= {"cached": sum(cached), "cached_share": sum(cached) / prompt}
    return totals


def _row(pair: TurnPair, scores: Scores, place: int) -> dict[str, Any]:
    return {
        "pair_id": pair.id,
        "conversation": pair.conversation,
        "turn": pair.turn,
        "reference": parsing.canonical(*pair.calls),
        "raw": scores.answers[place].raw,
        "prediction": scores.texts[MODEL][place],
    }


def _outcome(answer: Prediction, reading: Reading | None) -> dict[str, Any]:
    usage = answer.usage
    return {
        "reason": answer.error if reading is None else reading.reason,
        "prompt_sha256": answer.prompt_sha256,
        "finish_reason": answer.finish_reason,
        # Cached tokens depend on what was asked before: they are in the report, not in rows that can be compared.
        "usage": {"prompt": usage.prompt, "completion": usage.completion} if usage else None,
        "error": answer.error,
    }


def _verdict(judgement: Judgement | None, pair: TurnPair, answer: Prediction) -> dict[str, Any]:
    if judgement is None:
        why = "the turn has several calls" if pair.further else answer.error
        return {"judge_reason": f"not judged: {why}", "judge_votes": None}
    return judgement.columns()
