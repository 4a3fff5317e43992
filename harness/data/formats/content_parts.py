"""The parts of a logged message's content: texts, calls and results in the spellings of agents' frameworks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from harness.data.formats.calls import call_id, parse_call
from harness.data.formats.json_texts import as_value, kind, shortened
from harness.data.records import Message, Role, ToolCall

SILENT = ("reasoning", "thinking", "redacted_thinking", "step-start", "source-url", "source-document")
"""Parts of a content, and items of the Responses API, that were not said: they are left out."""
_TEXTS = ("text", "input_text", "output_text", "refusal", "system-prompt", "user-prompt")
_TEXT_KEYS = ("text", "content", "refusal")
_CALLS = ("tool_use", "tool_call", "tool-call")
_RESULTS = ("tool_result", "tool_call_response", "tool-result", "tool-return", "retry-prompt")
_GEMINI_RESULTS = ("functionResponse", "function_response")
RESULT_KEYS = ("response", "output", "result", "content", "errorText")
_TAGGED_CALL = re.compile(r"<tool_call>\s*(\{.*?\})\s*</tool_call>\s*", re.DOTALL)
_TAGGED_RESULT = re.compile(r"<tool_response>\s*(.*?)\s*</tool_response>\s*", re.DOTALL)

Item = str | ToolCall | Message
"""A part of what a message says: a text, a call, or what a tool returned (a message of its own)."""


def read_part(part: Any, role: Role) -> Iterator[Item]:
    """Yield what one part of a content says; ValueError for one that is neither text, call nor result."""
    if isinstance(part, str):
        yield from text_items(part, role)
        return
    if not isinstance(part, Mapping):
        raise ValueError(f"a content part must be text or an object, got {kind(part)}")
    if isinstance(inner := part.get("toolInvocation"), Mapping):
        part = {"type": "dynamic-tool", **inner}
    named = _kind_of(part)
    if named is None:
        yield from _gemini_part(part)
    elif named in SILENT:
        return
    elif named in _CALLS:
        yield parse_call(part, strict=False)
    elif named in _RESULTS:
        yield tool_result(first_of(part, RESULT_KEYS), part)
    elif named == "dynamic-tool" or named.startswith("tool-"):
        yield parse_call(
            {"name": named.removeprefix("tool-"), **part} if named != "dynamic-tool" else part, strict=False
        )
        if any(part.get(key) is not None for key in ("output", "result", "errorText")):
            yield tool_result(first_of(part, ("output", "result", "errorText")), part)
    else:
        said = first_of(part, _TEXT_KEYS)
        if named not in _TEXTS or not isinstance(said, str | list):
            raise ValueError(f"a content part of type {shortened(named)} is no text; only text can be learned from")
        for one in [said] if isinstance(said, str) else said:
            yield from read_part(one, role)


def holds_results(said: Any) -> bool:
    """Return whether a content consists of results that say themselves that they are, and not of what one returned."""
    return isinstance(said, list) and any(
        isinstance(part, Mapping) and (_kind_of(part) in _RESULTS or any(key in part for key in _GEMINI_RESULTS))
        for part in said
    )


def _kind_of(part: Mapping[str, Any]) -> str | None:
    return next((part[key] for key in ("type", "part_kind", "block_type") if isinstance(part.get(key), str)), None)


def _gemini_part(part: Mapping[str, Any]) -> Iterator[Item]:
    """Yield what a part without a type says: its one key says what it is."""
    called = part.get("functionCall") or part.get("function_call")
    returned = first_of(part, _GEMINI_RESULTS)
    if isinstance(called, Mapping):
        yield parse_call(called, strict=False)
    elif isinstance(returned, Mapping):
        yield tool_result(first_of(returned, RESULT_KEYS), returned)
    elif isinstance(part.get("text"), str):
        if not part.get("thought"):
            yield part["text"]
    else:
        raise ValueError(f"a content part with the keys {listed_keys(part)} is neither text, a call nor a result")


def text_items(text: str, role: Role) -> Iterator[Item]:
    """Yield a text, apart from the calls and results that Hermes' notation writes into it."""
    if role == "assistant" and "<tool_call>" in text:
        calls = [as_value(found) for found in _TAGGED_CALL.findall(text)]
        if (
            calls
            and all(isinstance(call, Mapping) for call in calls)
            and "<tool_call>" not in (left := _TAGGED_CALL.sub("", text))
        ):
            yield from filter(None, [left.strip()])
            yield from (parse_call(call, strict=False) for call in calls)
            return
    if role == "user" and text.lstrip().startswith("<tool_response>") and not _TAGGED_RESULT.sub("", text).strip():
        yield from (Message(role="tool", content=found) for found in _TAGGED_RESULT.findall(text))
        return
    yield text


def tool_results(said: Any, value: Mapping[str, Any]) -> Iterator[Message]:
    """Yield what a message of a tool returned, each result that Hermes' notation puts into its text apart."""
    inside = _TAGGED_RESULT.findall(said) if isinstance(said, str) and "<tool_response>" in said else []
    if inside and not _TAGGED_RESULT.sub("", said).strip():
        yield from (Message(role="tool", content=found, tool_call_id=call_id(value)) for found in inside)
    else:
        yield tool_result(said, value)


def tool_result(value: Any, holder: Mapping[str, Any]) -> Message:
    """Return what a tool returned: its text parts joined, any other value as JSON."""
    if (
        isinstance(value, Mapping)
        and value.get("type") in ("json", "text", "error-text", "error-json")
        and "value" in value
    ):
        value = value["value"]  # the AI SDK's way
    parts = value if isinstance(value, list) else [value]
    texts = [part for part in parts if isinstance(part, Mapping) and _kind_of(part) in _TEXTS]
    if value is None or isinstance(value, str):
        content = value
    elif texts and len(texts) == len(parts) and all(isinstance(first_of(part, _TEXT_KEYS), str) for part in texts):
        content = "".join(first_of(part, _TEXT_KEYS) for part in texts)
    else:
        content = json.dumps(value, ensure_ascii=False)
    return Message(role="tool", content=content, tool_call_id=call_id(holder))


def first_of(value: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((value[key] for key in keys if value.get(key) is not None), None)


def listed_keys(value: Mapping[str, Any]) -> str:
    return ", ".join(sorted(map(str, value))) or "(none)"
