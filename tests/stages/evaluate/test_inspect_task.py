"""The task `tft/benchmark` run by Inspect: scores equal those of `tft evaluate`, and its own tools work on the logs."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.data.records import ToolCall, TurnPair
from harness.data.sample import sample_task
from harness.errors import HarnessError, UsageError
from harness.evaluation.metrics import JUDGE_METRIC, metric_names, score
from harness.evaluation.report_json import read_report
from harness.models import parsing
from harness.models.prompts import system_message

pytest.importorskip("inspect_ai")
from inspect_ai.log import read_eval_log
from inspect_ai.tool import ToolInfo

from harness.stages.inspect_task.chat_answers import not_shown, raw_answer
from harness.stages.inspect_task.judge_scorer import judge_scorer
from support.inspect_cli import Inspect, table

MODEL = ("--model", "tft/replay:answers.jsonl")
RUN = ("tft/benchmark", *MODEL, "-T", "dataset=ada/sample", "-T", "judge=rules:judge")
METRICS = (*metric_names(), JUDGE_METRIC)


def _damage(place: int, text: str) -> str | None:
    """Return one of six kinds of answers: right, in prose, two with wrong arguments, none, talk, and half an emoji."""
    kinds: list[Callable[[], str | None]] = [
        lambda: text,
        lambda: f"<think>\nlet me see\n</think>\n{text}",
        lambda: text.replace('"arguments": {', '"arguments": {"town": "Nowhere", ', 1),
        lambda: None,
        lambda: "Good evening! \ud83d",
        lambda: text[: len(text) // 2],
    ]
    return kinds[place if place < len(kinds) else place % 3]()


@pytest.fixture
def inspect(terminal: Any) -> Inspect:
    return Inspect(terminal.folder, terminal.environment)


def test_every_figure_equals_that_of_tft_evaluate(
    replay: Callable[..., Any], inspect: Inspect, test_set: list[TurnPair], tmp_path: Path
) -> None:
    replay(_damage, "--judge", "rules:judge").worked()
    report = read_report(tmp_path / "run" / "report.json")
    rows = [json.loads(line) for line in (tmp_path / "run" / "data" / "test.jsonl").read_text().splitlines()]
    inspect("eval", *RUN)
    log = inspect.newest()
    assert log.status == "success"
    assert table(log) == report.rows["model"]
    assert set(table(log)) == set(METRICS)
    found = {sample.id: sample for sample in log.samples or []}
    assert (log.eval.dataset.name, str(log.eval.dataset.location).partition("@")[0]) == ("ada/sample", "ada/sample")
    assert {*found} == {pair.id for pair in test_set}
    for row in rows:
        scores = found[row["pair_id"]].scores or {}
        for metric in METRICS:
            value = scores[f"tft/{metric}"].as_float()
            assert (None if math.isnan(value) else value) == row[metric]
            assert scores[f"tft/{metric}"].answer == row["prediction"]


@pytest.mark.slow
def test_inspects_own_tools_go_on_from_a_log(replay: Callable[..., Any], inspect: Inspect, tmp_path: Path) -> None:
    """Each in a process that knows the log alone: score, retry, which asks what has failed, a bundle, and a set."""
    replay(_damage).worked()
    inspect("eval", *RUN)
    first = inspect.newest()
    assert [sample.error is not None for sample in first.samples or []].count(True) == 1

    inspect("score", first.location, "--action", "overwrite", "--overwrite")
    again = read_eval_log(first.location)
    assert table(again) == table(first)
    assert [one.name for one in again.eval.scorers or []] == [f"tft/{metric}" for metric in METRICS]
    refused = inspect.run("score", first.location, "--scorer", "tft/rouge", "--action", "append", "--overwrite")
    assert "without --scorer" in refused.stdout + refused.stderr

    replay(
        lambda place, text: _damage(place, text) or "Now I know.", "--out", "whole", "--judge", "rules:judge"
    ).worked()
    inspect("eval-retry", first.location)
    whole = inspect.newest()
    assert table(whole) == read_report(tmp_path / "whole" / "report.json").rows["model"]
    assert {sample.error for sample in whole.samples or []} == {None}

    inspect("eval-set", *RUN, "--log-dir", "set")
    assert table(inspect.newest("set")) == table(whole)
    inspect("view", "bundle", "--log-dir", "set", "--output-dir", "site")
    assert (tmp_path / "site" / "index.html").is_file()


@pytest.mark.slow
def test_a_model_of_another_provider_is_shown_messages_and_tools_and_its_calls_are_scored(
    terminal: Any, endpoint: Any, test_set: list[TurnPair]
) -> None:
    keys = {"LOCAL_API_KEY": "key-of-the-endpoint", "LOCAL_BASE_URL": endpoint.url}
    inspect = Inspect(terminal.folder, {**terminal.environment, **keys})
    inspect("eval", "tft/benchmark", "--model", "openai-api/local/counting-model", "-T", "dataset=ada/sample")
    log = inspect.newest()
    assert log.status == "success"
    assert len(endpoint.requests) == len(test_set)
    for request in endpoint.requests:
        assert request["tool_choice"] == "required"
        assert [tool["function"]["name"] for tool in request["tools"]] == [
            tool["function"]["name"] for tool in sample_task().tools
        ]
        assert request["messages"][0]["content"] == system_message(sample_task())
    found = {str(sample.id): sample for sample in log.samples or []}
    for pair in test_set:
        sample = found[pair.id]
        call = (sample.output.message.tool_calls or [])[0]
        text = parsing.canonical(ToolCall(name=call.function, arguments=call.arguments))
        for metric in metric_names():
            [value] = score(metric, [text], [parsing.canonical(pair.reference)], sample_task().tools)
            assert (sample.scores or {})[f"tft/{metric}"].as_float() == value
    assert {one.unscored for one in table(log).values()} == {0}


@pytest.fixture
def first_sample(terminal: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The first sample of the task, made as Inspect makes it."""
    from harness.stages.inspect_task import plugin

    for name in ("HF_ENDPOINT", "HF_TOKEN", "HF_HOME"):
        monkeypatch.setenv(name, terminal.environment[name])
    return plugin.run_benchmark(dataset="ada/sample", limit=2).dataset[0]


def test_what_would_change_answers_is_refused(first_sample: Any) -> None:
    """Before anything is asked: the answers are those to our prompts, so no option passes for one that was heeded."""
    from inspect_ai.model import ChatMessageSystem, GenerateConfig

    from harness.stages.inspect_task.model import TftModel

    model = TftModel("replay:answers.jsonl")
    changed = [ChatMessageSystem(content="Be brief"), *first_sample.input]
    cases = [
        (first_sample.input, GenerateConfig(temperature=0.7, seed=1), "leave out temperature, seed"),
        (first_sample.input, GenerateConfig(max_connections=2), "the prompts show the tools"),
        (changed, GenerateConfig(), "are not those of the test set any more"),
        (first_sample.input[1:], GenerateConfig(), "take the samples of that task alone"),
    ]
    for messages, config, says in cases:
        with pytest.raises(UsageError, match=says):
            asyncio.run(model.generate(messages, [], "auto", config))
    for judge in (["rules:judge", "openai:x"], "me/judge", None):  # with commas, Inspect reads a list
        with pytest.raises(UsageError, match=r"asks one judge, rules:judge or openai:ID, got .*tft evaluate --judge"):
            judge_scorer(judge, None)
    for name, options, says in (
        ("openai:gpt", {}, "are vllm, replay, logged, not openai"),
        ("replay:answers.jsonl", {"colour": "red"}, "settings are engine_args, fast"),
        ("replay:answers.jsonl", {"base_url": "http://127.0.0.1:1"}, "has no address"),
    ):
        with pytest.raises(UsageError, match=says):
            TftModel(name, **options)


def test_a_model_that_does_not_start_is_tried_once_in_a_run_and_again_in_the_next(
    first_sample: Any, tmp_path: Path
) -> None:
    from inspect_ai.model import GenerateConfig

    from harness.stages.inspect_task import plugin
    from harness.stages.inspect_task.model import TftModel

    model = TftModel(f"replay:{tmp_path / 'answers.jsonl'}")
    tools = [ToolInfo(name=tool["function"]["name"], description="") for tool in sample_task().tools]

    def ask() -> str:
        return str(asyncio.run(model.generate(first_sample.input, tools, "auto", GenerateConfig())).completion)

    with pytest.raises((OSError, HarnessError), match=r"answers\.jsonl"):
        ask()
    (tmp_path / "answers.jsonl").write_text(json.dumps({"pair_id": first_sample.id, "raw": "Hello"}))
    with pytest.raises((OSError, HarnessError), match=r"answers\.jsonl"):
        ask()
    plugin.run_benchmark(dataset="ada/sample", limit=2)
    assert ask() == "Hello"
    model.close()
    assert ask() == "Hello"
    model.close()


def test_answers_of_other_providers_are_read_as_those_of_an_endpoint() -> None:
    """The first call, else the text; what was cut, withheld or cannot be parsed is no answer, and no wrong one."""
    from inspect_ai.model import ChatCompletionChoice, ChatMessageAssistant, ModelOutput
    from inspect_ai.tool import ToolCall as Call

    def output(content: str = "", stop: Any = "stop", **call: Any) -> ModelOutput:
        calls = [Call(id="1", type="function", **call)] if call else None
        message = ChatMessageAssistant(content=content, tool_calls=calls)
        return ModelOutput(model="m", choices=[ChatCompletionChoice(message=message, stop_reason=stop)])

    call = ToolCall(name="FindFilm", arguments={"title": "Ran", "year": 1985})
    assert raw_answer(output("Here:", function=call.name, arguments=call.arguments)).raw == parsing.canonical(call)
    assert raw_answer(output("Hello")).raw == "Hello"
    assert raw_answer(output("")).raw == ""
    for failed, kind in (
        (output("", "max_tokens"), "no_response"),
        (output("Hm", "content_filter"), "no_response"),
        (output(function="FindFilm", arguments={}, parse_error="Error parsing: {"), "invalid_response_format"),
        (ModelOutput(model="m"), "no_response"),
    ):
        found = raw_answer(failed)
        assert (found.raw, found.kind) == (None, kind)
        assert found.problem


def test_what_inspect_leaves_out_of_a_tools_schema_is_named() -> None:
    """Other providers see the tools as Inspect holds them; of properties' names and values nothing is said."""
    place = {"type": "string", "pattern": "x", "examples": [{"const": 1}]}
    schema = {"type": "object", "properties": {"const": place, "day": {"const": "May"}}, "required": ["day"]}
    tool = {"type": "function", "function": {"name": "f", "parameters": {**schema, "not": {"required": ["const"]}}}}
    assert not_shown([tool]) == ["const", "not"]
    assert not_shown(sample_task().tools) == []
