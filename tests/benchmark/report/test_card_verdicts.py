"""The verdict and the models beside a trained one on its card: pushed once, and gone when the card is about others."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.benchmark.card_verdicts import push_verdicts
from harness.benchmark.record import BaselineRecord
from harness.benchmark.report.build import make_report
from harness.data.formats.task import dump_task
from harness.data.records import Task
from harness.evaluation.results import ResultsDataset
from harness.hub.client import Hub
from harness.hubd.embedded import EmbeddedHub
from harness.reports.publish import card_files

RESULTS = "tft-benchmark-results"


@pytest.fixture
def report(
    files: Callable[..., dict[str, str]], cell: Any, model: Any, record: Any, push: Any, owner: str, task: Task
) -> dict[str, str]:
    """Results of two cells and an untrained student of an owner's, with repositories of theirs; by name the commits."""
    made = {"testset": push("tft-benchmark-testset", {"job_description.json": json.dumps(dump_task(task))})}
    cells = [cell(2, arm, chance, owner=owner) for arm, chance in (("tft", 0.95), ("direct", 0.9))]
    found = []
    for one in cells:
        made[one.name] = push(one.name.partition("/")[2], {"config.json": "{}"}, kind="model")
        found.append(replace(one, changes={"model_revision": made[one.name]}))
    student = model(name=f"{owner}/tiny-1M", chance=0.1, changes={"model_revision": "d" * 40})
    beside = BaselineRecord(kind="untrained", model=student.name, status="done")
    test_set = f"{owner}/tft-benchmark-testset@{made['testset']}"
    where = dict(zip(("dataset", "dataset_revision"), test_set.split("@"), strict=True))
    everything = [replace(one, changes={**one.changes, **where}) for one in (*found, student)]
    run = record(cells, baselines=(beside,), student=f"{student.name}@{'d' * 40}", test_set=test_set)
    push(RESULTS, {**files(*everything), **run})
    return made


def test_the_cards_have_the_verdict_and_a_second_time_nothing_changes(
    report: dict[str, str], owner: str, hub: EmbeddedHub, tmp_path: Path
) -> None:
    client = Hub.connect(hub.url)
    summary = make_report(client, owner, tmp_path)
    assert summary.worth.decision == "PROCEED"
    assert push_verdicts(client, summary) == 2
    model = f"{owner}/tft-benchmark-s2-tft-tiny-1M"
    card = client.read_text("model", model, "README.md") or ""
    assert "**PROCEED, training was worth it: TFT minus the best of" in card
    assert "| Metric | This model | Untrained student | Best null baseline | Gold |" in card
    (score,) = [one.scores["staged_tool_call"].value for one in summary.beside]
    (line,) = [line for line in card.splitlines() if line.startswith("| `staged_tool_call` |")][:1]
    assert f"{score:.3f} [" in line.split("|")[3]
    heads = {name: client.resolve("model", name).revision for name in report if "/" in name}
    assert push_verdicts(client, make_report(client, owner, tmp_path)) == 0
    assert heads == {name: client.resolve("model", name).revision for name in heads}

    dataset = ResultsDataset.at(client, f"{owner}/{RESULTS}")
    config = f"{owner}--tft-benchmark-s2-tft-tiny-1M"
    known = dataset.reports(config)[config]
    other = replace(known, run=replace(known.run, model_revision="c" * 40))
    for shown, there in ((known, True), (other, False)):
        again = card_files(client, model, shown, None, namespace=owner, plots={})["README.md"].decode()
        assert ("PROCEED" in again) is there
        assert ("Untrained student" in again) is there
