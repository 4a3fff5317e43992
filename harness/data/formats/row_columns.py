"""What a row says of its conversation beside the messages: tools, system text, model, time, whose it was, failures.

The columns have the same names and forms whichever tool wrote the row; its other keys stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from harness.data.formats.content_parts import first_of
from harness.data.formats.json_texts import json_value, shortened
from harness.data.formats.logged_messages import defines_a_tool
from harness.data.formats.openai_tools import openai_tools

_HOLDERS = (
    *("request", "input", "inputs", "prompt", "request_body", "requestBody", "body", "kwargs", "llm"),
    *("config", "metadata", "model_parameters", "modelParameters", "invocation_params", "extra", "optional_params"),
    *("inputBodyJson", "generation_config", "full_request", "request_payload", "attributes", "agent", "properties"),
    *("params", "backendRequestBody"),
)
"""Keys of objects beside or around the messages in which the same is looked for."""
_ANSWERS = ("response", "output", "outputs", "response_body", "responseBody", "outputBodyJson", "completion")
_DEEPEST = 2
_NAMES: dict[str, tuple[str, ...]] = {
    "tools": (
        *("tools", "functions", "tool_definitions", "toolDefinitions", "toolConfig", "tool_config", "available_tools"),
        *("function_definitions", "gen_ai.tool.definitions"),
    ),
    "system": (
        *("system", "instructions", "system_prompt", "systemPrompt", "system_instruction", "systemInstruction"),
        *("system_instructions", "system_message", "preamble"),
    ),
    "model": ("model", "modelId", "model_id", "model_name", "modelName", "modelVersion", "provided_model_name"),
    "time": (
        *("start_time", "startTime", "started_at", "startedAt", "created_at", "createdAt", "create_time", "createTime"),
        *("timestamp", "time", "created", "date", "startTimestamp", "request_created_at", "logging_time", "start"),
    ),
    "session_id": (
        *("session_id", "sessionId", "conversation_id", "conversationId", "thread_id", "threadId", "chat_id"),
        "session",
    ),
    "user_id": ("user_id", "userId", "end_user", "user", "request_user_id", "enduser", "customer_id"),
    "error": ("error", "error_message", "errorMessage", "exception", "error_str", "error_info", "errorCode"),
}
_FAILED = ("error", "failed", "failure", "errored", "status_code_error")
_FILTERED = ("content_filter", "safety", "prohibited_content", "blocklist", "guardrail_intervened", "content_filtered")
_REASONS = ("finish_reason", "finishReason", "stop_reason", "stopReason", "blockReason")
_CODES = ("status_code", "statusCode", "response_status", "http_status")
_MARKS = frozenset(("level", "error", "success", "label", "status", *_CODES))
"""Keys of which one marks a failure otherwise than by an error's words."""
_NAMED = {column: frozenset(names) for column, names in _NAMES.items()}
_ANY_NAME = frozenset(name for names in _NAMES.values() for name in names)
_ANY_HOLDER = frozenset(_HOLDERS)
_EPOCHS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3), (1e8, 1.0))
"""From which number on a time is counted in nanoseconds, microseconds, milliseconds, seconds."""


def columns_of(row: Any, messages: Any = None) -> dict[str, Any]:
    """Return the columns that a row, and its messages as they were logged, say something of.

    `tools` is a list of definitions in OpenAI's form, `time` ISO 8601 in UTC, all others text: `system`, `model`,
    `session_id`, `user_id`, and `error`, that the tool marked it as failed, with what it says.
    """
    own = list(_places(row, 0))
    answers = [json_value(own[0][key]) for key in _ANSWERS if key in own[0]] if own else []
    said = ({"model": first_of(one, _NAMES["model"]), "error": one.get("error")} for one in _mappings(answers))
    every = (*own, *said, *_of_messages(row if messages is None else messages))
    places = [place for place in every if not _ANY_NAME.isdisjoint(place)]
    found = {}
    for column, read in _READ.items():
        holding = [place for place in places if not _NAMED[column].isdisjoint(place)]
        values = (read(place[key]) for place in holding for key in _NAMES[column] if place.get(key) is not None)
        if value := next(filter(None, values), None):
            found[column] = value
    if "error" not in found and (failed := _failure(own) or _filtered([*own[:1], *answers])):
        found["error"] = failed
    return found


def read_columns(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of which something is said under their own names, in their forms, see `columns_of`."""
    found = {column: read(said[column]) for column, read in _READ.items() if said.get(column) is not None}
    return {column: one for column, one in found.items() if one}


def instant(value: Any) -> str | None:
    """Return a time as ISO 8601 in UTC; None for what is none. One without a zone is taken for UTC."""
    if isinstance(value, str) and value.strip().replace(".", "", 1).isdecimal():
        value = float(value) if len(value) < 30 else None
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            unit = next((unit for least, unit in _EPOCHS if least <= value < 1e20), None)
            return None if unit is None else _written(datetime.fromtimestamp(value / unit, UTC))
        if isinstance(value, str) and len(value) < 60:
            found = datetime.fromisoformat(value.strip().removesuffix(" UTC"))
            return _written(found if found.tzinfo else found.replace(tzinfo=UTC))
    except (ValueError, OverflowError, OSError):
        pass
    return None


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _places(value: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    """Yield a row and the objects in it that may say the same of the conversation, outer ones first."""
    value = json_value(value)
    if isinstance(value, dict):
        yield value
        if depth < _DEEPEST and not _ANY_HOLDER.isdisjoint(value):
            for key in _HOLDERS:
                yield from _places(value.get(key), depth + 1)


def _of_messages(messages: Any) -> Iterator[Mapping[str, Any]]:
    """Yield what messages say beside their words: pydantic-ai's instructions, definitions of tools (LangChain's)."""
    messages = json_value(messages)
    messages = json_value(messages.get("messages")) if isinstance(messages, dict) else messages
    listed = [one for one in messages if isinstance(one, dict)] if isinstance(messages, list) else []
    yield {"tools": [one["content"] for one in listed if defines_a_tool(one.get("content"))]}
    speaking = [one for one in listed if not _ANY_OF_MESSAGES.isdisjoint(one)]
    for column, keys in _OF_MESSAGES.items():
        yield {column: next((one[key] for one in speaking for key in keys if one.get(key)), None)}


_OF_MESSAGES = {
    "system": ("instructions",),
    "model": ("model_name", "model"),
    "time": ("timestamp", "created_at", "createdAt", "ts"),
}
_ANY_OF_MESSAGES = frozenset(key for keys in _OF_MESSAGES.values() for key in keys)


def _text_of(value: Any) -> str:
    """Return the words of a text, a block, a message, or a list of them."""
    value = json_value(value)
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return _text_of(first_of(value, ("text", "content", "parts", "value")))
    return "\n".join(filter(None, map(_text_of, value))) if isinstance(value, list) else ""


def _name(value: Any) -> str:
    if isinstance(value, Mapping):
        value = first_of(value, ("id", "name", "model"))
    return "" if isinstance(value, bool) or not isinstance(value, str | int) else str(value)


def _model(value: Any) -> str:
    return value if isinstance(value, str) else _name(value) if isinstance(value, Mapping) else ""


def _error(value: Any) -> str:
    value = json_value(value)
    if isinstance(value, Mapping):
        words = first_of(value, ("message", "error_message", "error", "detail", "type"))
        return _error(words) if words else shortened(dict(value)) if any(value.values()) else ""
    return value if isinstance(value, str) and value.lower() not in ("none", "null", "false", "ok", "0") else ""


def _failure(places: Iterable[Mapping[str, Any]]) -> str:
    """Return in words that a row is marked as failed otherwise than by an error: by its level, its status."""
    for place in places:
        if _MARKS.isdisjoint(place):
            continue
        words = _error(first_of(place, ("statusMessage", "status_message", "message")))
        denied = any(place.get(key) is False for key in ("success", "label"))
        if denied or place.get("error") is True or str(place.get("level")).upper() == "ERROR":
            return words or "marked as failed"
        status = json_value(place.get("status"))
        status = first_of(status, ("code", "status_code", "status")) if isinstance(status, Mapping) else status
        if isinstance(status, str) and status.lower() in _FAILED:
            return words or f"status {status}"
        number = first_of(place, _CODES)
        if isinstance(number, int) and 400 <= number < 600:
            return words or f"status {number}"
    return ""


def _filtered(answers: Iterable[Any]) -> str:
    """Return that an answer was withheld by a filter, wherever in it that stands; else nothing."""
    for answer in answers:
        held = answer if isinstance(answer, dict) else {}
        nested = [one for key in ("choices", "candidates") for one in _mappings(held.get(key))]
        for one in (held, *nested, *_mappings(held.get("promptFeedback")), *_mappings(answer)):
            reason = str(first_of(one, _REASONS))
            if reason.lower() in _FILTERED:
                return f"finished by a filter ({reason})"
    return ""


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    listed = value if isinstance(value, list) else [value]
    return [one for one in listed if isinstance(one, dict)]


_READ: dict[str, Callable[[Any], Any]] = {
    "tools": openai_tools,
    "system": _text_of,
    "model": _model,
    "time": instant,
    "session_id": _name,
    "user_id": _name,
    "error": _error,
}
COLUMNS = frozenset(_READ)
_SECRET = re.compile("header|authori[sz]ation|api_?key|secret|password|cookie|credential|bearer|token$", re.IGNORECASE)


def is_secret(key: str) -> bool:
    """Whether what stands under a key of a row is likely to hold a secret: it is not carried on."""
    return _SECRET.search(key) is not None
