"""The parts of a logged message's content: texts, calls and results in the spellings of agents' frameworks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.data.formats.calls import ARGUMENT_KEYS, call_id, called_tool, is_about, parse_call
from harness.data.formats.json_texts import kind, shortened
from harness.data.formats.text_calls import calls_in, python_value, results_in
from harness.data.records import Message, Role, ToolCall

SILENT = (
    *("reasoning", "thinking", "redacted_thinking", "source-url", "source-document"),
    *("tool-approval-request", "tool-approval-response"),
)
"""Parts of a content, and items of the Responses API, that were not said: they are left out."""
_TEXTS = ("text", "input_text", "output_text", "refusal", "system-prompt", "user-prompt")
_TEXT_KEYS = ("text", "content", "refusal")
_CALLS = ("tool_use", "tool_call", "tool-call", "toolCall", "function_call")
_RESULTS = (
    *("tool_result", "tool_call_response", "tool-result", "tool-return", "retry-prompt"),
    *("function_call_output", "function_result"),
)
_PARTS = (*_TEXTS, *_CALLS, *_RESULTS, "reasoning", "thinking", "redacted_thinking")
_CALL_KEYS = ("functionCall", "function_call", "toolUse", "tool_use", "tool_call", "toolRequest")
_KEYED_RESULTS = (
    "functionResponse",
    "function_response",
    "toolResult",
    "tool_result",
    "tool_call_result",
    "toolResponse",
)
_SILENT_KEYS = ("reasoningContent", "cachePoint", "reasoning")
RESULT_KEYS = ("response", "output", "result", "content", "errorText")
_MEDIA = re.compile(
    "^(input_|output_)?(image|audio|video|file|document|media|blob|uri|pdf)s?(_?(url|data|uri|block|file))?$|"
    "^(inline|file)_?data$",
    re.IGNORECASE,
)
"""Types and keys of parts that are no text."""
_MEDIA_BESIDE = ("images", "image", "image_url", "audio", "video", "files", "attachments", "experimental_attachments")
"""Keys of a message under which such parts stand beside its content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult(Message):
    """What a tool returned, and the tool where it is named: without ids, that says which call it belongs to."""

    tool: str | None = None


class MediaNeededError(ValueError):
    """A message holds a picture, a sound or a file, and only text can be learned from."""


Item = str | ToolCall | Message | None
"""A part of what a message says: a text, a call, what a tool returned (a message of its own); None ends a turn."""


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
        yield from _keyed_part(part)
    elif named in SILENT:
        return
    elif named == "step-start":
        yield None
    elif named in _CALLS:
        yield parse_call(part, strict=False)
    elif named in _RESULTS:
        yield read_result(part)
    elif named == "dynamic-tool" or (named.startswith("tool-") and "state" in part):
        yield from _invocation({"name": named.removeprefix("tool-"), **part} if named != "dynamic-tool" else part)
    else:
        for one in _texts(part, named):
            yield from read_part(one, role)


def _texts(part: Mapping[str, Any], named: str) -> list[Any]:
    """Return what a part of a known type of text says."""
    said = first_of(part, _TEXT_KEYS)
    if isinstance(said, Mapping) and isinstance(said.get("value"), str):  # messages of OpenAI's threads
        said = said["value"]
    if named in _TEXTS and isinstance(said, str | list):
        return said if isinstance(said, list) else [said]
    problem = f"a content part of type {shortened(named)} is no text; only text can be learned from"
    raise MediaNeededError(problem) if _MEDIA.match(named) else ValueError(problem)


def holds_results(said: Any) -> bool:
    """Return whether a content consists of results that say themselves that they are, and not of what one returned."""
    return isinstance(said, list) and any(
        isinstance(part, Mapping)
        and (_kind_of(part) in (*_RESULTS, *SILENT) or any(key in part for key in _KEYED_RESULTS))
        for part in said
    )


def holds_texts(said: list[Any]) -> bool:
    """Return whether parts are texts, and nothing else."""
    return all(isinstance(part, str) or (isinstance(part, Mapping) and _kind_of(part) in _TEXTS) for part in said)


def _kind_of(part: Mapping[str, Any]) -> str | None:
    named = next((part[key] for key in _KIND_KEYS if isinstance(part.get(key), str)), None)
    return named.lower() if named and named.isupper() else named


_KIND_KEYS = ("type", "part_kind", "block_type", "content_type")


def _invocation(part: Mapping[str, Any]) -> Iterator[Item]:
    """Yield a call of the AI SDK, and what came of it where it ended."""
    yield parse_call(part, strict=False)
    approval = part.get("approval")
    if part.get("state") == "output-denied":
        reason = approval.get("reason") if isinstance(approval, Mapping) else None
        yield tool_result(reason or "Tool execution denied.", part)
    elif part.get("state") in _ENDED or first_of(part, _OUTPUT_KEYS) is not None:
        yield tool_result(_returned(part, _OUTPUT_KEYS), part)


_ENDED = ("output-available", "output-error", "result")
_OUTPUT_KEYS = ("output", "result", "errorText")


def _returned(part: Mapping[str, Any], keys: tuple[str, ...] = RESULT_KEYS) -> Any:
    """Return what a result holds; one without anything is empty, and still a result."""
    found = first_of(part, keys)
    if not any(key in part for key in keys) and any(
        isinstance(value, Mapping | list | str) and value and not (key in ARGUMENT_KEYS or is_about(key))
        for key, value in part.items()
    ):
        raise ValueError(f"a result with the keys {listed_keys(part)} holds nothing that is known; expected content")
    return "" if found is None else found


def read_result(part: Any) -> Message:
    """Return the result that an object with an id and a content is; ValueError where it holds nothing known."""
    if not isinstance(part, Mapping):
        raise ValueError(f"a result must be an object, got {kind(part)}")
    return tool_result(_returned(part), part)


def _keyed_part(part: Mapping[str, Any]) -> Iterator[Item]:
    """Yield what a part without a type says: its one key says what it is."""
    called, returned = first_of(part, _CALL_KEYS), first_of(part, _KEYED_RESULTS)
    if isinstance(called, Mapping):
        yield parse_call(called, strict=False)
    elif isinstance(returned, Mapping):
        found = _returned(returned)
        if isinstance(found, Mapping) and len(found) == 1 and "response" in returned:
            found = first_of(found, ("result", "output")) or found  # Gemini takes objects only: others are wrapped
        yield tool_result(found, returned)
    elif isinstance(part.get("text"), str):
        if not part.get("thought"):
            yield part["text"]
    elif media := next((key for key in part if _MEDIA.match(key)), None):
        raise MediaNeededError(f"a content part with {shortened(media)} is no text; only text can be learned from")
    elif not any(key in part for key in _SILENT_KEYS):
        raise ValueError(f"a content part with the keys {listed_keys(part)} is neither text, a call nor a result")


def may_be_parts(text: str) -> bool:
    """Return whether a text may be a list of parts, at a glance."""
    return text.startswith("[{") and "type" in text


def text_items(text: str, role: Role) -> Iterator[Item]:
    """Yield a text, apart from the calls and results that Hermes' notation writes into it.

    A text that is a list of parts, as JSON or as Python writes it, is those parts: some tracers store contents so.
    """
    parts = python_value(text) if may_be_parts(text) else None
    if parts and all(isinstance(part, Mapping) and _kind_of(part) in _PARTS for part in parts):
        for part in parts:
            yield from read_part(part, role)
    elif role == "assistant":
        words, calls = calls_in(text)
        yield from [words] if words or not calls else []
        yield from (parse_call(call, strict=False) for call in calls)
    elif role == "user" and (found := results_in(text)):
        yield from (tool_result(one, {}) for one in found)
    else:
        yield text


def tool_results(said: Any, value: Mapping[str, Any]) -> Iterator[Message]:
    """Yield what a message of a tool returned, each result that Hermes' notation puts into its text apart."""
    inside = results_in(said) if isinstance(said, str) else []
    yield from (tool_result(found, value) for found in inside or [said])


def tool_result(value: Any, holder: Mapping[str, Any]) -> Message:
    """Return what a tool returned: its text parts joined, any other value as JSON."""
    if (
        isinstance(value, Mapping)
        and value.get("type") in ("json", "text", "content", "error-text", "error-json")
        and "value" in value
    ):
        value = value["value"]  # the AI SDK's way
    parts = value if isinstance(value, list) else [value]
    texts = [part for part in parts if isinstance(part, Mapping) and (_kind_of(part) in _TEXTS or [*part] == ["text"])]
    if value is None or isinstance(value, str):
        content = value
    elif texts and len(texts) == len(parts) and all(isinstance(first_of(part, _TEXT_KEYS), str) for part in texts):
        content = "".join(first_of(part, _TEXT_KEYS) for part in texts)
    elif any(map(_is_media, parts)):
        raise MediaNeededError("what a tool returned is a picture, a sound or a file; only text can be learned from")
    else:
        json_part = len(parts) == 1 and isinstance(parts[0], Mapping) and [*parts[0]] == ["json"]  # Bedrock
        content = json.dumps(parts[0]["json"] if json_part else value, ensure_ascii=False)
    return ToolResult(role="tool", content=content, tool_call_id=call_id(holder), tool=called_tool(holder))


def _is_media(part: Any) -> bool:
    """Return whether a part of a result is a picture, a sound or a file, and not an object of the tool's own."""
    if not isinstance(part, Mapping):
        return False
    held = {"source", "data", "image_url", "url", "file_data", "file_id", "blob"} & part.keys()
    return bool(_MEDIA.match(str(_kind_of(part))) and held) or ([*part] in (["image"], ["document"], ["video"]))


def media_beside(message: Mapping[str, Any]) -> str | None:
    """Return the key under which a message holds pictures, sounds or files beside its content."""
    return next((key for key in _MEDIA_BESIDE if message.get(key)), None)


def first_of(value: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((value[key] for key in keys if value.get(key) is not None), None)


def listed_keys(value: Mapping[str, Any]) -> str:
    return ", ".join(sorted(map(str, value))) or "(none)"
