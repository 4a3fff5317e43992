"""Evaluation reports on the wire."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.formats.jsonl import write_json
from harness.errors import DataError
from harness.evaluation.records import EvalReport, EvalRun
from harness.evaluation.report_json import dump_report, eval_results_yaml, load_report, read_report
from harness.evaluation.results import config_name
from harness.statistics.records import Estimate

DATA_COMMIT = "b" * 40

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.text(min_size=1, max_size=8)
ESTIMATES = st.builds(
    Estimate,
    value=st.none() | FLOATS,
    low=st.none() | FLOATS,
    high=st.none() | FLOATS,
    n=st.integers(0, 999),
    clusters=st.integers(0, 99),
    errors=st.integers(0, 9),
    unscored=st.integers(0, 9),
)
TABLES = st.dictionaries(NAMES, st.dictionaries(NAMES, ESTIMATES, max_size=3), max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
REPORTS = st.builds(
    EvalReport,
    run=st.builds(
        EvalRun,
        model=NAMES,
        model_revision=st.none() | NAMES,
        dataset=NAMES,
        dataset_revision=NAMES,
        config=st.dictionaries(NAMES, JSON, max_size=3),
        prompt_sha256=NAMES,
        versions=st.dictionaries(NAMES, NAMES, max_size=3),
        date=NAMES,
        timings=st.dictionaries(NAMES, FLOATS, max_size=3),
        base_model=st.none() | NAMES,
    ),
    rows=TABLES,
    by_tool=TABLES,
    macro=st.dictionaries(NAMES, st.none() | FLOATS, max_size=3),
    readings=TABLES,
    tokens=st.dictionaries(NAMES, FLOATS, max_size=3),
)


@given(REPORTS)
@settings(max_examples=200, deadline=None)
def test_a_report_survives_json_unchanged(report: EvalReport) -> None:
    assert load_report(json.loads(json.dumps(dump_report(report)))) == report


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda value: value.pop("tokens"), "report has no 'tokens'"),
        (lambda value: value.update(extra=1), "report has an unknown key 'extra'"),
        (lambda value: value["run"].pop("date"), "report.run has no 'date'"),
        (
            lambda value: value["rows"]["model"]["rouge"].update(value="high"),
            "report.rows.model.rouge.value should be a finite",
        ),
        (lambda value: value["rows"]["model"]["rouge"].update(n=True), "should be a whole number"),
        (lambda value: value["tokens"].update(prompt=float("nan")), "finite number, got nan"),
        (lambda value: value.update(rows=[]), "report.rows should be an object"),
    ],
)
def test_a_damaged_report_is_refused_with_the_place(
    change: Any, message: str, tmp_path: Path, make_report: Any
) -> None:
    value = dump_report(make_report())
    change(value)
    with pytest.raises(ValueError, match=re.escape(message)):
        load_report(value)
    write_json(tmp_path / "report.json", value)
    with pytest.raises(DataError, match=re.escape("tft evaluate")):
        read_report(tmp_path / "report.json")


def test_config_names_of_different_repositories_differ() -> None:
    assert config_name("me/a.model_1") == "me--a.model_1"
    assert config_name("openai:zai.glm-5") == "openai-zai.glm-5"
    names = ["a/b", "a-b", "a.b", "a_b", "b/a"]
    assert len({config_name(name) for name in names}) == len(names)


def test_eval_results_read_back_as_the_hubs_entries(make_report: Any, estimate: Any) -> None:
    from huggingface_hub import parse_eval_result_entries

    report = make_report()
    rows = {**report.rows, "model": {**report.rows["model"], "tool_call_equivalence": estimate(None)}}
    report = dataclasses.replace(report, rows=rows)
    text = eval_results_yaml(report, "me/testset", source_url="https://hub.example/datasets/me/results")
    entries = parse_eval_result_entries(yaml.safe_load(text))
    local = dataclasses.replace(report, run=dataclasses.replace(report.run, date="2026-01-02T05:04:05+02:00"))
    assert eval_results_yaml(local, "me/testset", source_url="https://hub.example/datasets/me/results") == text
    assert [entry.task_id for entry in entries] == ["staged_tool_call", "binary_tool_call", "rouge"]
    for entry in entries:
        found = report.rows["model"][entry.task_id]
        assert entry.value == round(found.value, 4)
        assert (entry.dataset_id, entry.dataset_revision) == ("me/testset", DATA_COMMIT)
        assert entry.date == "2026-01-02T03:04:05Z"
        assert entry.source_url == "https://hub.example/datasets/me/results"
        assert f"95 % interval {found.low:.3f} to {found.high:.3f}" in str(entry.notes)
        assert f"2 errors, {found.unscored} unscored" in str(entry.notes)
        assert entry.verify_token is None
