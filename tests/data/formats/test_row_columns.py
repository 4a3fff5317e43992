"""What a row says beside its messages has one form, whichever tool wrote it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.formats.openai_tools import openai_tools
from harness.data.formats.row_columns import columns_of, instant, is_secret

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = {"name": "FindTable", "description": "Finds one.", "parameters": SCHEMA}
TOOL = {"type": "function", "function": FUNCTION}
ABOUT = {"name": "FindTable", "description": "Finds one."}
GEMINI = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]}
PARAMETERS = {"city": {"type": "str", "required": True}}

DEFINITIONS: dict[str, Any] = {
    "OpenAI": [TOOL],
    "OpenAI, functions": [FUNCTION],
    "Responses": [{"type": "function", **FUNCTION}],
    "Anthropic": [{**ABOUT, "input_schema": SCHEMA}],
    "MCP": {"tools": [{**ABOUT, "inputSchema": SCHEMA}]},
    "AI SDK": [{"type": "function", **ABOUT, "parameters": {"jsonSchema": SCHEMA}}],
    "Gemini": [{"functionDeclarations": [{**ABOUT, "parameters": GEMINI}]}],
    "Gemini, Python": {"function_declarations": [{**ABOUT, "parameters_json_schema": SCHEMA}]},
    "Bedrock": {"tools": [{"toolSpec": {**ABOUT, "inputSchema": {"json": SCHEMA}}}]},
    "Cohere": [{**ABOUT, "parameter_definitions": PARAMETERS}],
    "LangChain": [{**ABOUT, "args": {"city": {"type": "string"}}}],
    "xLAM": json.dumps([{**ABOUT, "parameters": {"city": {"type": "str"}}}]),
    "Langfuse, by name": {"FindTable": json.dumps({"description": "Finds one.", "parameters": SCHEMA})},
    "texts": [json.dumps(TOOL)],
    "twice": [TOOL, TOOL, {"type": "web_search_20250305", "name": "web_search"}, {"type": "web_search"}],
}


@pytest.mark.parametrize("form", DEFINITIONS)
def test_definitions_of_tools_come_in_openais_form(form: str) -> None:
    assert openai_tools(DEFINITIONS[form]) == [TOOL]


SAID = {
    "tools": [TOOL],
    "system": "You book tables.",
    "model": "m",
    "time": "2026-11-01T09:00:00Z",
    "session_id": "c7",
    "user_id": "u1",
    "error": "The tool timed out.",
}
INSTANT = 1793523600
ROWS: dict[str, dict[str, Any]] = {
    "flat": {**SAID},
    "camel case": {
        **{"instructions": SAID["system"], "model": "m", "createdAt": "2026-11-01T10:00:00+01:00", "tools": [TOOL]},
        **{"sessionId": "c7", "userId": "u1", "error": {"message": "The tool timed out.", "code": 504}},
    },
    "a request to Anthropic": {
        "request": {"system": [{"type": "text", "text": SAID["system"]}], "tools": DEFINITIONS["Anthropic"]},
        "response": {"role": "assistant", "model": "m"},
        "metadata": {"session_id": "c7", "user_id": "u1"},
        "timestamp": INSTANT * 1000,
        "status": "error",
        "status_message": "The tool timed out.",
    },
    "Gemini, written as JSON": {
        "input": json.dumps(
            {"systemInstruction": {"parts": [{"text": SAID["system"]}]}, "tools": DEFINITIONS["Gemini"]}
        ),
        "output": json.dumps({"model": "m"}),
        "metadata": json.dumps({"thread_id": "c7", "user": "u1"}),
        "start_time": str(INSTANT),
        "level": "ERROR",
        "statusMessage": "The tool timed out.",
    },
}  # fmt: skip


@pytest.mark.parametrize("form", ROWS)
def test_what_a_row_says_beside_its_messages_has_one_form(form: str) -> None:
    assert columns_of(ROWS[form]) == SAID


def test_messages_say_the_instructions_of_pydantic_ai() -> None:
    request = {"kind": "request", "instructions": "You book.", "parts": [], "timestamp": "2026-11-01T09:00:00Z"}
    said = columns_of([request, {"kind": "response", "model_name": "m", "parts": []}])
    assert said == {"system": "You book.", "model": "m", "time": "2026-11-01T09:00:00Z"}


@pytest.mark.parametrize(
    ("answer", "filtered"),
    [
        ({"choices": [{"finish_reason": "content_filter", "message": {}}]}, True),
        ({"candidates": [{"finishReason": "SAFETY"}]}, True),
        ({"choices": [{"finish_reason": "stop", "message": {}}]}, False),
        ({"stop_reason": "end_turn", "error": None}, False),
    ],
)
def test_an_answer_that_a_filter_withheld_is_marked(answer: dict[str, Any], filtered: bool) -> None:
    assert ("error" in columns_of({"request": {}, "response": answer})) is filtered


@pytest.mark.parametrize("row", [{"error": None}, {"error": ""}, {"error": False}, {"error": {}}, {"status": "ok"}, []])
def test_what_did_not_fail_is_not_marked(row: Any) -> None:
    assert columns_of(row) == {}


@given(st.datetimes(datetime(2001, 1, 1), datetime(2100, 1, 1)))
def test_a_time_is_the_same_in_every_unit(moment: datetime) -> None:
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    seconds = int(moment.timestamp())
    written = moment.isoformat().replace("+00:00", "Z")
    forms = [seconds, seconds * 10**3, str(seconds * 10**6), seconds * 10**9, moment.isoformat(), f"{seconds}.0"]
    assert [instant(form) for form in forms] == [written] * len(forms)


@pytest.mark.parametrize("value", ["noon", True, None, -5, 3, [], "9" * 400, float("nan"), 1e300])
def test_what_is_no_time_is_none(value: Any) -> None:
    assert instant(value) is None


def test_keys_of_secrets_are_known() -> None:
    assert all(map(is_secret, ["headers", "request_headers", "Authorization", "api_key", "apiKey", "access_token"]))
    assert not any(map(is_secret, ["total_tokens", "user", "reason", "author"]))
