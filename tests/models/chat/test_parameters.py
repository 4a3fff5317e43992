"""What a model does not take is found out by one refusal, left out for the rest, kept, and said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataError, UsageError
from harness.models.chat.cache import AnswerCache
from harness.models.chat.client import usage_line
from harness.models.chat.endpoints import Endpoints
from harness.models.names import ModelName

Refuses = Callable[[dict[str, Any]], str | None]
TOOL = {"type": "function", "function": {"name": "Find", "parameters": {"type": "object"}}}


def without(name: str, words: str) -> Refuses:
    """Refuse requests that have a field."""
    return lambda request: words if name in request else None


def either(*refusals: Refuses) -> Refuses:
    return lambda request: next((words for one in refusals if (words := one(request))), None)


TEMPERATURE = (
    "Unsupported value: 'temperature' does not support 0.0 with this model. Only the default (1) value is supported.",
    "Unsupported parameter: 'temperature' is not supported with this model.",
    "`temperature` is deprecated for this model.",
    "`temperature` may only be set to 1 when thinking is enabled.",
    "This model doesn't support the temperature field. Remove temperature and try again.",
    "litellm.UnsupportedParamsError: openai does not support parameters: ['temperature'], for model=o1.",
    "temperature must be strictly positive",
    "invalid temperature: only 1 is allowed for this model",
    "[{'type': 'extra_forbidden', 'loc': ('body', 'temperature'), 'msg': 'Extra inputs are not permitted'}]",
    "Malformed input request: #/inferenceConfig.temperature: extraneous key [temperature] is not permitted",
)


@pytest.mark.parametrize("words", TEMPERATURE)
def test_a_temperature_that_is_refused_is_left_out_after_one_request(
    endpoint: Any, ask: Any, make_requests: Any, words: str
) -> None:
    endpoint.refuses = without("temperature", words)
    endpoint.delay = 0.02
    done = ask(make_requests(12))
    assert (done.stats.unanswered, done.stats.asked, done.stats.changes) == (0, 13, ("temperature",))
    assert "without a temperature" in usage_line("openai:x", done.stats)
    assert not any("temperature" in request for request in endpoint.requests[1:])


@pytest.mark.parametrize(
    "words",
    [
        "Invalid value for 'tool_choice': required is not supported by this model",
        "Thinking may not be enabled when tool_choice forces tool use.",
        "deepseek-reasoner does not support this tool_choice",
        "tool_choice parameter does not support being set to required or object in thinking mode",
    ],
)
def test_a_forced_call_that_is_refused_is_asked_for_and_no_more(
    endpoint: Any, ask: Any, make_requests: Any, words: str
) -> None:
    endpoint.refuses = lambda request: words if request.get("tool_choice") == "required" else None
    done = ask(make_requests(5, schema=None, tools=(TOOL,), tool_choice="required"), check=None)
    assert (done.stats.unanswered, done.stats.asked, done.stats.changes) == (0, 6, ("tool_choice=auto",))
    assert {request["tool_choice"] for request in endpoint.requests[1:]} == {"auto"}


def test_a_choice_of_tools_that_is_not_known_at_all_is_left_out(endpoint: Any, ask: Any, make_requests: Any) -> None:
    endpoint.refuses = without("tool_choice", "Unknown parameter: tool_choice")
    done = ask(make_requests(3, schema=None, tools=(TOOL,), tool_choice="required"), check=None)
    assert (done.stats.unanswered, done.stats.asked, done.stats.changes) == (0, 5, ("tool_choice",))


def test_all_that_a_model_refuses_is_found_out_one_by_one(
    endpoint: Any, ask: Any, make_requests: Any, cache: Any
) -> None:
    """And a later run knows it: it asks nothing, and another one is refused nothing."""
    endpoint.length_name = "max_completion_tokens"
    endpoint.formats = ()
    endpoint.refuses = either(
        without("temperature", TEMPERATURE[0]),
        lambda request: (
            "Unsupported value: 'messages[0].role' does not support 'system' with this model."
            if request["messages"][0]["role"] == "system"
            else None
        ),
    )
    done = ask(make_requests(6), cache)
    assert done.stats.changes == ("system=developer", "temperature")
    assert (done.stats.unanswered, done.stats.asked) == (0, 6 + 1 + 2 + 2)
    again = ask(make_requests(6), cache)
    assert (again.texts, again.stats.asked, again.stats.cached) == (done.texts, 0, 6)
    assert again.stats.changes == done.stats.changes
    before = len(endpoint.requests)
    ask(make_requests(7), cache)
    last = endpoint.requests[before:]
    assert all("temperature" not in one and one["messages"][0]["role"] == "developer" for one in last)


def test_a_system_message_that_is_refused_in_every_role_stands_before_the_users_words(
    endpoint: Any, ask: Any, make_requests: Any
) -> None:
    endpoint.refuses = lambda request: (
        "Developer instruction is not enabled for this model"
        if request["messages"][0]["role"] in ("system", "developer")
        else None
    )
    done = ask(make_requests(3))
    assert done.stats.unanswered == 0
    [only] = endpoint.requests[-1]["messages"]
    assert only["role"] == "user"
    assert only["content"].startswith("Judge the answer.\n\nCase ")


def test_the_key_of_an_answer_says_what_was_sent(make_requests: Any, tmp_path: Path) -> None:
    """What was answered without a temperature is no answer at temperature 0; what is not touched keeps its key."""
    cache = AnswerCache.open(tmp_path)
    [request] = make_requests(1)
    plain = cache.key("a model", request)
    cache.learn("a model", frozenset({"tool_choice=auto"}))
    assert cache.key("a model", request) == plain, "the request has no tools"
    cache.learn("a model", frozenset({"temperature"}))
    assert cache.key("a model", request) != plain
    assert cache.key("another", request) == AnswerCache.open(tmp_path / "new").key("another", request)
    cache.close()


def test_words_about_one_request_change_nothing(endpoint: Any, ask: Any, make_requests: Any, cache: Any) -> None:
    """They name a parameter by chance, or its value: what is left out then does not help, and is sent again."""
    unlucky = "the schema of the tool is wrong: temperature is no type"
    endpoint.refuses = lambda request: unlucky if "Case 3:" in request["messages"][1]["content"] else None
    done = ask(make_requests(6), cache)
    assert (done.stats.unanswered, done.stats.changes) == (1, ())
    endpoint.requests.clear()
    endpoint.refuses = lambda request: "max_tokens is too large: 1024. The maximum context length is 512 tokens"
    done = ask(make_requests(3))
    assert len(endpoint.requests) == done.stats.unanswered == 3


def test_a_first_request_that_is_refused_whatever_is_left_out_changes_nothing(
    endpoint: Any, ask: Any, make_requests: Any
) -> None:
    endpoint.refuses = lambda request: (
        f"temperature is no type (request {len(endpoint.requests)}f-{len(endpoint.requests)})"
        if "Case 0:" in request["messages"][1]["content"]
        else None
    )
    done = ask(make_requests(4), concurrency=1)
    assert (done.stats.unanswered, done.stats.changes, done.stats.asked) == (1, (), 5)
    assert all("temperature" in request for request in endpoint.requests[2:])


FILE = """
thinker:
  base_url: https://host/v1
  parameters: {temperature: null, max_tokens: null, reasoning_effort: low, extra: {thinking: [1, true]}}
"""


def test_the_endpoints_file_says_what_is_sent_and_left_out(
    endpoint: Any, ask: Any, make_requests: Any, tmp_path: Path
) -> None:
    endpoint.length_name = "max_completion_tokens"
    (tmp_path / "endpoints.yaml").write_text(FILE)
    found = Endpoints(file=tmp_path / "endpoints.yaml").address(ModelName.parse("openai:thinker"))
    done = ask(make_requests(2), parameters=found.parameters)
    assert (done.stats.unanswered, done.stats.changes) == (0, ())
    for request in endpoint.requests or pytest.fail("nothing was sent"):
        assert not {"temperature", "max_tokens"} & request.keys()
        assert (request["reasoning_effort"], request["extra"]) == ("low", {"thinking": [1, True]})
        assert request["max_completion_tokens"] == 1024


def test_what_the_file_sets_is_not_given_up_but_said(endpoint: Any, ask: Any, make_requests: Any) -> None:
    endpoint.refuses = without("temperature", TEMPERATURE[0])
    with pytest.raises(UsageError, match=r"temperature.*does not take what every request holds.*`parameters:`"):
        ask(make_requests(5), parameters={"temperature": 0.5})
    assert len(endpoint.requests) == 3


def test_without_any_name_of_the_limit_none_is_sent(endpoint: Any, ask: Any, make_requests: Any) -> None:
    ask(make_requests(1), parameters={"max_tokens": None, "max_completion_tokens": None})
    assert not {"max_tokens", "max_completion_tokens"} & endpoint.requests[0].keys()


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ("[1]", "a mapping such as"),
        ("{max_tokens: 5}", "limits: {max_tokens: N}"),
        ("{model: x}", "under which name"),
        ("{stream: true}", "answers are taken whole"),
        ("{response_format: {type: text}}", "null leaves it out"),
        ("{seed: 2020-01-01}", "not a JSON value"),
        ("{top_p: .inf}", "not a JSON value"),
    ],
)
def test_parameters_that_cannot_be_are_refused_with_their_line(tmp_path: Path, parameters: str, words: str) -> None:
    (tmp_path / "endpoints.yaml").write_text(f"plain:\n  base_url: https://host/v1\n  parameters: {parameters}\n")
    with pytest.raises(DataError, match="line 3") as raised:
        Endpoints(file=tmp_path / "endpoints.yaml").address(ModelName.parse("openai:plain"))
    assert words in str(raised.value)


def test_a_model_without_tools_is_said_to_have_none(endpoint: Any, ask: Any, make_requests: Any) -> None:
    endpoint.refuses = without("tools", "This model does not support tools")
    with pytest.raises(UsageError, match="take no tools, or not with tool_choice"):
        ask(make_requests(5, schema=None, tools=(TOOL,), tool_choice="required"), check=None)
