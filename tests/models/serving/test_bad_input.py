"""Requests that cannot be answered as they are: each is refused with one sentence, or served and said."""

from __future__ import annotations

import http.client
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from harness.data.sample import sample_task
from harness.errors import ModelError, UsageError
from harness.models.serving.app import WARNING
from harness.models.serving.serve import Endpoint, PulledModels, ServeOptions, pull
from support.replay_engine import ReplayEngine
from support.served import serving

HELLO: Any = [{"role": "user", "content": "A table for two, please."}]
TOOL: Any = {"type": "function", "function": {"name": "unknown_tool", "parameters": {"type": "object"}}}


def _with_parameters(parameters: Any) -> Any:
    return {"type": "function", "function": {"name": "unknown_tool", "parameters": {"type": "object", **parameters}}}


def refused(client: OpenAI, messages: Any = HELLO, **settings: Any) -> str:
    with pytest.raises(BadRequestError) as caught:
        client.chat.completions.create(model="ada/student", messages=messages, **settings)
    error = caught.value.body
    assert isinstance(error, dict)
    assert error["type"] == "invalid_request_error"
    return str(error["message"])


def warned(client: OpenAI, messages: Any = HELLO, **settings: Any) -> str:
    reply = client.chat.completions.with_raw_response.create(model="ada/student", messages=messages, **settings)
    return reply.headers.get(WARNING, "")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tool_choice": "none", "tools": [TOOL]}, "tool_choice none is not served"),
        ({"tool_choice": {"type": "function", "function": {"name": "unknown_tool"}}, "tools": [TOOL]}, "of one tool"),
        ({"response_format": {"type": "json_object"}}, "response_format json_object is not served"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}}, "json_schema"),
        ({"n": 2}, "n above 1 without a temperature"),
        ({"n": 1000, "temperature": 1}, "n: Input should be less than or equal to 16"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop has 5 texts"),
        ({"temperature": 9}, "temperature: Input should be less than or equal to 2"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"logprobs": True}, "logprobs are not served"),
        ({"tools": [{"type": "function"}]}, "tools.0 is no function definition"),
        ({"tools": [TOOL, TOOL]}, "give each name once"),
        ({"tools": [TOOL] * 3000}, "there are 3,000 tools; send 500 at most"),
        ({"tools": [_with_parameters({"properties": ["a"]})]}, "tools.0: the properties of its parameters are no"),
        ({"tools": [_with_parameters({"properties": {"a": {"type": [{}]}}})]}, "tools.0: its parameter a has no"),
        ({"extra_body": {"functions": [{"name": "a"}]}}, "functions are the old name"),
    ],
)
def test_settings_that_cannot_be_honoured_are_refused(client: OpenAI, settings: Any, words: str) -> None:
    assert words in refused(client, **settings)


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}], "holds an image"),
        ([{"role": "user", "content": [{"type": "input_audio"}]}], "holds a part of the type input_audio"),
        ([{"role": "robot", "content": "Hello."}], "unknown role"),
        ([{"role": "system", "content": "Be kind."}], "no message of the user"),
        ([*HELLO, {"role": "system", "content": "Be kind."}], "message 1 is a system message after others"),
        ([{"role": "user", "content": "\ud800"}], "half a character"),
        (["\ud800"], "messages.0: Input should be a valid dictionary, got \ud800"),
        (
            [*HELLO, {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "x", "arguments": "{"}}]}],
            "x",
        ),
        ([], "messages"),
    ],
)
def test_messages_that_cannot_be_read_are_refused(endpoint: Endpoint, messages: Any, words: str) -> None:
    status, reply = _post(endpoint, json.dumps({"model": "m", "messages": messages}))
    assert status == 400
    assert words in reply["error"]["message"]


def _post(endpoint: Endpoint, body: str | bytes, **headers: str) -> tuple[int, Any]:
    return _request(endpoint, "POST", "/v1/chat/completions", body, **{"Content-Type": "application/json", **headers})


def _request(endpoint: Endpoint, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    host = endpoint.url.split("/")[2]
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        connection.request(method, path, body=body, headers=headers)
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())
    finally:
        connection.close()


@pytest.mark.parametrize("body", ["{", "[]", "[" * 100_000, b"\xff", "", '{"messages": 3}'])
def test_bodies_that_are_no_request_are_refused(endpoint: Endpoint, body: str | bytes) -> None:
    status, reply = _post(endpoint, body)
    assert status == 400
    assert reply["error"]["message"]


def test_the_rules_of_the_hub_hold_here(endpoint: Endpoint) -> None:
    body = json.dumps({"messages": HELLO})
    assert _post(endpoint, body, Host="evil.example")[0] == 421
    assert _post(endpoint, body, Origin="https://evil.example")[0] == 403
    assert _post(endpoint, body, **{"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert _post(endpoint, body, **{"Content-Type": "text/plain"})[0] == 415
    assert _post(endpoint, " " * (9 << 20))[0] == 413
    assert _request(endpoint, "GET", "/v1/nothing")[0] == 404
    assert _request(endpoint, "GET", "/v1/chat/completions")[0] == 405
    assert _request(endpoint, "GET", "/health") == (200, {"status": "ok"})
    [model] = _request(endpoint, "GET", "/v1/models")[1]["data"]
    assert (model["id"], model["max_model_len"]) == ("ada/student", 4096)


def test_a_context_that_is_too_long_is_refused_with_the_numbers_and_never_cut(
    client: OpenAI, engine: ReplayEngine
) -> None:
    asked = len(engine.requests)
    said = refused(client, [{"role": "user", "content": "a table " * 3000}])
    assert "but the model's context is 4096" in said
    assert "more than the 4,194,304 that are taken" in refused(client, [{"role": "user", "content": "a" * (5 << 20)}])
    assert "the answer may have 4000" in refused(client, max_tokens=4000)
    assert len(engine.requests) == asked


def test_what_is_served_otherwise_than_asked_is_said_in_a_header(
    client: OpenAI, endpoint: Endpoint, capfd: pytest.CaptureFixture[str]
) -> None:
    assert warned(client) == ""
    assert "other tools than those of the task" in warned(client, tools=[TOOL])
    assert warned(client, tools=list(sample_task().tools)) == ""
    assert "system message of a request was replaced" in warned(client, [{"role": "system", "content": "Hi."}, *HELLO])
    large = client.chat.completions.with_raw_response.create(model="gpt-large", messages=HELLO)
    assert large.headers[WARNING] == "ada/student answers for the model gpt-large"
    for _ in range(2):
        assert warned(client, user="me", parallel_tool_calls=True, extra_body={"strange": 1}) == ""
    assert capfd.readouterr().err.count("parameters that are not known were ignored: strange") == 1


def test_an_answer_without_a_call_is_text_and_said(client: OpenAI, answers: Any) -> None:
    answers("Words alone.")
    reply = client.chat.completions.with_raw_response.create(model="ada/student", messages=HELLO)
    assert reply.parse().choices[0].message.content == "Words alone."
    assert "an answer without a call" in reply.headers[WARNING]


def test_an_answer_with_half_a_character_is_an_answer(client: OpenAI, answers: Any) -> None:
    answers('{"name": "respond_to_user", "parameters": {"message": "T\\ud83d"}}')
    reply = client.chat.completions.create(model="ada/student", messages=HELLO)
    assert (reply.choices[0].message.content or "").startswith("T")


def test_stop_sequences_end_what_is_said(client: OpenAI, answers: Any, engine: ReplayEngine) -> None:
    answers('<tool_call>\n{"name": "respond_to_user", "arguments": {"message": "One. Two. Three."}}\n</tool_call>')
    whole = client.chat.completions.create(model="m", messages=HELLO, stop=[" Tw", "Three"]).choices[0]
    stream = client.chat.completions.create(
        model="m", messages=HELLO, stop=" Tw", stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert (whole.message.content, whole.finish_reason) == ("One.", "stop")
    assert "".join(one.choices[0].delta.content or "" for one in chunks if one.choices) == "One."
    assert chunks[-1].usage.completion_tokens < chunks[-1].usage.total_tokens


def test_several_choices_are_read_each(client: OpenAI, engine: ReplayEngine) -> None:
    reply = client.chat.completions.create(model="m", messages=HELLO, n=3, temperature=0.7, seed=7, top_p=0.5)
    assert [choice.index for choice in reply.choices] == [0, 1, 2]
    assert len({choice.message.content for choice in reply.choices}) == 1
    sent = {name: engine.requests[-1][name] for name in ("n", "temperature", "seed", "top_p")}
    assert sent == {"n": 3, "temperature": 0.7, "seed": 7, "top_p": 0.5}
    stream = client.chat.completions.create(model="m", messages=HELLO, n=2, temperature=0.7, stream=True)
    texts = ["", ""]
    for chunk in stream:
        texts[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert texts == [reply.choices[0].message.content] * 2


def test_a_key_is_required_where_one_is_set_or_the_address_is_open(pulled: PulledModels, engine: ReplayEngine) -> None:
    key = "a-key-of-many-letters"
    with serving(pulled, engine, key=key) as endpoint:
        assert _request(endpoint, "GET", "/v1/models")[0] == 401
        assert _request(endpoint, "GET", "/v1/models", Authorization=f"Bearer {key}x")[0] == 401
        assert _request(endpoint, "GET", "/v1/models", Authorization=f"Bearer {key}")[0] == 200
        assert _request(endpoint, "GET", "/health")[0] == 200
        port = int(endpoint.url.split(":")[2].split("/")[0])
        other = Endpoint(ServeOptions(model="ada/student", port=port), pulled, engine.start)
        with pytest.raises(UsageError, match=f"Cannot listen on 127.0.0.1 port {port}: .*choose another --port"):
            other.run()
    hub: Any = None
    with pytest.raises(UsageError, match="can be reached by other machines; give a key"):
        pull(ServeOptions(model="ada/student", host="0.0.0.0"), hub)
    with pytest.raises(UsageError, match="fewer than 12 characters"):
        pull(ServeOptions(model="ada/student", key="short"), hub)
    with pytest.raises(UsageError, match="is on no Hub"):
        pull(ServeOptions(model="openai:gpt"), hub)


def test_tools_of_the_request_need_no_task(pulled: PulledModels, engine: ReplayEngine) -> None:
    with serving(replace(pulled, task=None), engine) as endpoint, OpenAI(base_url=endpoint.url, api_key="none") as one:
        assert warned(one, [{"role": "system", "content": "Be kind."}, *HELLO], tools=[TOOL]) == ""
        with_reply = list(sample_task().tools)
        words = one.chat.completions.create(model="ada/student", messages=HELLO, tools=with_reply).choices[0].message
        assert words.content
        assert not words.tool_calls
        required = one.chat.completions.create(
            model="ada/student", messages=HELLO, tools=with_reply, tool_choice="required"
        )
        [call] = required.choices[0].message.tool_calls or ()
        assert call.function.name == "respond_to_user"
        plain = one.chat.completions.create(model="ada/student", messages=HELLO).choices[0].message
        assert "<tool_call>" in (plain.content or ""), "without tools an answer is text"
        assert engine.requests[-1]["skip_special_tokens"]


def test_a_template_that_renders_nothing_ends_the_start_with_its_reason(
    pulled: PulledModels, engine: ReplayEngine, tmp_path: Path
) -> None:
    for path in pulled.base.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "chat_template.jinja").write_text("")
    empty = replace(pulled, base=replace(pulled.base, folder=tmp_path))
    with (
        pytest.raises(ModelError, match=r"the chat template of ada/student|has no chat template"),
        serving(empty, engine),
    ):
        pass


def test_an_unknown_model_is_refused_where_there_are_several(client: OpenAI, endpoint: Endpoint) -> None:
    models = endpoint.models
    try:
        endpoint.models.append(models[0])
        with pytest.raises(NotFoundError, match="there is no model other"):
            client.chat.completions.create(model="other", messages=HELLO)
    finally:
        endpoint.models.pop()
