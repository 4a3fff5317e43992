"""The three models beside the trained ones, from recorded answers through stages and Hub to the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from harness.benchmark.record import BaselineRecord
from harness.benchmark.report.build import make_report
from harness.curation.job_init.review import LOGGED
from harness.data.formats.jsonl import write_json, write_jsonl
from harness.data.formats.messages import dump_conversation, expand_pairs
from harness.data.formats.task import dump_task
from harness.data.records import Conversation, Task
from harness.data.sample import sample_conversations
from harness.hub.client import Hub
from harness.hubd.embedded import EmbeddedHub
from harness.models.parsing import canonical
from harness.stages import evaluate, job_test_set
from harness.stages._requests import EvaluateRequest, JudgeRequest
from harness.stages._result import OutputTarget
from support import benchmark_results


def _mended(conversations: Sequence[Conversation]) -> list[Conversation]:
    """Return them with the last call of every second one as a person corrected it."""
    made = []
    for place, one in enumerate(conversations):
        last = max(spot for spot, message in enumerate(one.messages) if message.tool_calls)
        call = replace(one.messages[last].tool_calls[0], arguments={"message": "As a person wrote it."})
        message = replace(one.messages[last], tool_calls=(call,))
        messages = (*one.messages[:last], message, *one.messages[last + 1 :])
        made.append(replace(one, messages=messages) if place % 2 else one)
    return made


def test_what_was_recorded_of_each_reaches_the_report(
    hub: EmbeddedHub, owner: str, tmp_path: Path, task: Task, cell: Any, record: Any, push: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    client, job = Hub.connect(hub.url), tmp_path / "job"
    logged = sample_conversations(10)
    conversations = _mended(logged)
    job.mkdir()
    write_json(job / "job_description.json", dump_task(task))
    for name, rows in (("traces.jsonl", logged), (LOGGED, logged), ("test.jsonl", conversations)):
        write_jsonl(job / name, map(dump_conversation, rows))
    place = OutputTarget(repo_id=f"{owner}/agent-testset")
    made = job_test_set.run(job_test_set.JobTestSetRequest(job=job, place=place), client).artifact
    pairs = expand_pairs(conversations)
    for name, chance in (("student", 0.1), ("teacher", 0.9)):
        rng = Random(name)
        texts = [canonical(pair.reference) if rng.random() < chance else "Hm." for pair in pairs]
        write_jsonl(Path(f"{name}.jsonl"), ({"pair_id": p.id, "raw": t} for p, t in zip(pairs, texts, strict=True)))
    models = ("replay:student.jsonl", "logged:agent", "replay:teacher.jsonl")
    for model in models:
        request = EvaluateRequest(
            models=(model,),
            dataset=str(made),
            namespace=owner,
            results_only=True,
            max_unscored=1.0,
            judging=JudgeRequest(judges=("rules:judge",)),
        )
        evaluate.run(request, client)

    assert made is not None
    where = {"dataset": made.repo_id, "dataset_revision": made.revision}
    cells = [cell(2, arm, chance, owner=owner, changes=where) for arm, chance in (("tft", 0.9), ("direct", 0.8))]
    kinds = ("untrained", "logged", "teacher")
    beside = tuple(BaselineRecord(kind=k, model=m, status="done") for k, m in zip(kinds, models, strict=True))
    run = record(cells, baselines=beside, student=f"{owner}/tiny-1M", test_set=str(made))
    files: dict[str, str] = {}
    for one in cells:
        files |= benchmark_results.results(one, pairs, task)
    push("tft-benchmark-results", {**files, **run})

    summary = make_report(client, owner, tmp_path / "report")
    scores = {one.kind: one.scores["staged_tool_call"].value for one in summary.beside}
    assert all(one.status == "done" for one in summary.beside)
    assert summary.worth.decision == "PROCEED"
    assert scores["untrained"] < scores["teacher"] < 1
    corrected = sum(old != new for old, new in zip(logged, conversations, strict=True))
    assert corrected == 5
    wrong = 1 - scores["logged"]
    assert 0 < wrong <= corrected / len(pairs)
    assert not summary.others
