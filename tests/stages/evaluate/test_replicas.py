"""Several endpoints for one model: whole conversations go to one of them, and the rows are those of one endpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.data.records import TurnPair
from harness.evaluation.report_json import read_report
from support import model_endpoint

MODEL = ("openai:counting-model", "--max-tokens", "64")


@pytest.fixture
def second() -> Iterator[Any]:
    with model_endpoint.serving() as serving:
        yield serving


def test_two_endpoints_share_out_whole_conversations(
    terminal: Any, endpoint: Any, second: Any, undisturbed: Any, test_set: list[TurnPair], tmp_path: Path
) -> None:
    """Nothing is asked twice, not by a run that is resumed or repeated from the cache either."""
    addresses = ("--base-url", endpoint.url, "--replica-url", second.url)
    terminal.evaluate(*MODEL, *addresses).worked()
    assert (tmp_path / "run" / "data" / "test.jsonl").read_bytes() == undisturbed.rows
    firsts = [
        {json.dumps(one["messages"][:2]) for one in serving.requests} for serving in (endpoint, second)
    ]  # the first words of a conversation
    assert all(firsts)
    assert not firsts[0] & firsts[1]
    asked = len(endpoint.requests), len(second.requests)
    assert sum(asked) == len(test_set)
    config = read_report(tmp_path / "run" / "report.json").run.config
    assert config["replica_urls"] == [second.url]
    terminal("evaluate", *MODEL, "--dataset", "ada/sample", "--no-push", "--out", "again", *addresses).worked()
    assert (len(endpoint.requests), len(second.requests)) == asked


def test_an_endpoint_that_is_gone_costs_its_own_part_until_the_run_is_resumed(
    terminal: Any, endpoint: Any, second: Any, undisturbed: Any, tmp_path: Path
) -> None:
    second.stop()
    addresses = ("--base-url", endpoint.url, "--replica-url", second.url)
    terminal.evaluate(*MODEL, *addresses).refused("is not there", "--resume")
    logged = (tmp_path / "run" / "answers.jsonl").read_bytes().count(b"\n")
    assert 0 < logged == len(endpoint.requests) < 30


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["openai:m", "--base-url", "http://127.0.0.1:9/v1", "--replicas", "2"],
            "further endpoints with --replica-url",
        ),
        (["replay:a", "--replicas", "2"], "do not answer for replay:a"),
        (["ada/m", "--replica-url", "http://127.0.0.1:9/v1"], "engines of ours are for --replicas N"),
        (["ada/m", "--adapters", "ada/n", "--replicas", "2"], "--adapters share one engine"),
        (["ada/m", "--thinking", "on", "--thinking", "off", "--replicas", "2"], "several --thinking share one engine"),
        (["ada/m", "--replicas", "4096"], "--replicas 4096 takes a"),
        (["openai:m", "--base-url", "http://127.0.0.1:9/v1", "--replica-url", "http://127.0.0.1:9/v1"], "twice"),
    ],
)
def test_what_cannot_be_shared_out_is_one_sentence(words: list[str], said: str, terminal: Any) -> None:
    terminal.environment.pop("VLLM_CPU_OMP_THREADS_BIND", None)  # which tests that run side by side are given
    terminal.evaluate(*words).refused(said)
