"""Records of Every Eval Ever say what the report says, and are valid against that project's own schema."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness.errors import DataError
from harness.evaluation.records import Judging
from harness.evaluation.report_json import dump_report
from harness.reports.every_eval_ever import SCHEMA_VERSION, eee_record
from support import every_eval, tft

MADE = datetime(2026, 2, 3, tzinfo=UTC)


def judged(report: Any, estimate: Any, *judges: str, prompt: str | None) -> Any:
    """Return the report with a judge's metric."""
    judging = Judging(members=(), prompt_sha256=prompt, rubric="task", decided_by_code=0)
    config = {**report.run.config, "judge": list(judges), "max_tokens": 256, "thinking": False, "engine": "0.32.0"}
    rows = {"model": {**report.rows["model"], "llm-as-a-judge": estimate(0.8)}}
    return dataclasses.replace(
        report, run=dataclasses.replace(report.run, config=config), rows=rows, judging=judging, macro={}
    )


def test_a_record_has_each_figure_of_the_report(make_report: Callable[..., Any], estimate: Any) -> None:
    report = make_report()
    rows = {"model": {**report.rows["model"], "tool_call_equivalence": estimate(None)}}
    record = eee_record(dataclasses.replace(report, rows=rows), organization="me", made=MADE)
    run = report.run
    assert [one["evaluation_result_id"] for one in record["evaluation_results"]] == [*report.rows["model"]]
    for one in record["evaluation_results"]:
        found, said = report.rows["model"][one["evaluation_result_id"]], one["score_details"]
        assert said["score"] == found.value
        interval = said["uncertainty"]["confidence_interval"]
        assert (interval["lower"], interval["upper"], interval["confidence_level"]) == (found.low, found.high, 0.95)
        assert said["details"] == {"errors": "2", "unscored": str(found.unscored), "conversations": "34"}
        assert one["source_data"]["hf_repo"] == run.dataset
        assert one["source_data"]["additional_details"] == {"revision": run.dataset_revision}
        assert one["source_data"]["samples_number"] == found.n + found.unscored
        assert run.dataset_revision in one["generation_config"]["generation_args"]["execution_command"]
    name = run.model_name.repository
    assert record["model_info"]["id"] == name
    assert record["evaluation_id"] == f"tft-benchmark-testset/{name}/{int(MADE.timestamp())}"
    owner = str(name).partition("/")[0]
    for organization, relation in ((owner, "first_party"), ("other", "third_party"), (None, "other")):
        found = eee_record(report, organization=organization, made=MADE)["source_metadata"]["evaluator_relationship"]
        assert found == relation
    with pytest.raises(DataError, match="no metric with a value"):
        eee_record(dataclasses.replace(report, rows={"model": {"rouge": estimate(None)}}), organization=None, made=MADE)


@pytest.mark.parametrize("model", ["vllm:ada/small", "openai:gpt-x", "openai:vendor/model", "replay:answers.jsonl"])
@pytest.mark.parametrize("judges", [(), ("rules:judge",), ("openai:a/b", "rules:judge", "me/judge@v1")])
def test_records_are_valid_against_the_projects_schema(
    make_report: Callable[..., Any], estimate: Any, model: str, judges: tuple[str, ...]
) -> None:
    schema = every_eval.schema("eval")
    assert schema["version"] == SCHEMA_VERSION
    report = make_report(model)
    if judges:
        report = judged(report, estimate, *judges, prompt="d" * 64 if len(judges) > 1 else None)
    record = eee_record(report, organization="me", made=MADE)
    jsonschema.Draft7Validator(schema).validate(json.loads(json.dumps(record)))


def test_language_models_as_judges_are_in_the_schemas_own_place(make_report: Callable[..., Any], estimate: Any) -> None:
    report = judged(make_report(), estimate, "openai:a/b", "rules:judge", prompt="d" * 64)
    [one] = [
        one["metric_config"]
        for one in eee_record(report, organization=None, made=MADE)["evaluation_results"]
        if one["evaluation_result_id"] == "llm-as-a-judge"
    ]
    assert [judge["model_info"]["id"] for judge in one["llm_scoring"]["judges"]] == ["a/b"]
    assert one["additional_details"] == {"judges": "openai:a/b + rules:judge"}


def test_the_command_writes_a_record_of_a_runs_folder(make_report: Callable[..., Any], tmp_path: Path) -> None:
    import os

    (tmp_path / "run").mkdir()
    report = make_report()
    (tmp_path / "run" / "report.json").write_text(json.dumps(dump_report(report)))
    words = ("export", "run", "--format", "eee", "--out", "record.json")
    done = tft.run(words, environment=os.environ, folder=tmp_path).worked()
    assert done.out.startswith("record.json  3 results of ")
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["evaluation_results"] == eee_record(report, organization=None, made=MADE)["evaluation_results"]
    tft.run((*words, "--arm", "x"), environment=os.environ, folder=tmp_path).refused("leave it out for the folder")
