"""Messages out of what frameworks wrap them in: LangChain, pydantic-ai, Google's ADK, AutoGen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.data.formats.calls import is_about
from harness.data.formats.reading_notes import ORDER, ReadingNotes

_REQUESTED = {"system-prompt": "system", "user-prompt": "user", "tool-return": "tool", "retry-prompt": "tool"}
"""Parts of pydantic-ai's requests by whose they are."""
_AUTOGEN: dict[str, str | None] = {
    "TextMessage": None,
    "StopMessage": None,
    "HandoffMessage": None,
    "MultiModalMessage": None,
    "ToolCallSummaryMessage": None,
    "UserMessage": "user",
    "AssistantMessage": "assistant",
    "SystemMessage": "system",
    "ToolCallRequestEvent": "assistant",
    "ToolCallExecutionEvent": "tool",
    "FunctionExecutionResultMessage": "tool",
}
"""Types of AutoGen's messages, and whose they are; None is for what their source says."""
_MESSAGE_TYPES = (
    *("human", "ai", "system", "tool", "function", "constructor", "HumanMessage", "AIMessage", "SystemMessage"),
    *("ToolMessage", "TextMessage", "UserMessage"),
)
_UNSAID = ("ThoughtEvent", "MemoryQueryEvent", "ModelClientStreamingChunkEvent", "SelectSpeakerEvent")


def is_message(value: Any) -> bool:
    """Whether a value is one message of a conversation, as far as its keys tell."""
    if not isinstance(value, Mapping):
        return False
    named = value.get("type")
    return (
        "role" in value
        or "from" in value
        or {"kind", "parts"} <= value.keys()
        or {"author", "content"} <= value.keys()
        or {"sender", "text"} <= value.keys()
        or (isinstance(named, str) and named in _MESSAGE_TYPES and bool({"content", "data", "kwargs"} & value.keys()))
    )


def unwrapped(value: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the messages in a value; the value itself where nothing is wrapped."""
    kwargs, data, parts, content = value.get("kwargs"), value.get("data"), value.get("parts"), value.get("content")
    if value.get("type") == "constructor" and isinstance(kwargs, Mapping):
        path = value.get("id")
        named = str(path[-1]) if isinstance(path, list) and path else ""
        yield {**kwargs, "type": re.sub("Message(Chunk)?$", "", named) or kwargs.get("type")}
    elif isinstance(data, Mapping) and not {"role", "content"} & value.keys():
        yield {"type": value.get("type"), **data}
    elif isinstance(value.get("message"), Mapping) and "role" not in value:
        yield value["message"]
    elif isinstance(value.get("author"), str) and "role" not in value and isinstance(content, Mapping | None):
        yield from _event(value, content)
    elif value.get("kind") == "response" and isinstance(parts, list):
        yield {"role": "assistant", "parts": parts}
    elif value.get("kind") == "request" and isinstance(parts, list):
        yield from map(_requested, parts)
    elif value.get("role") == "tool" and (results := value.get("tool_responses")) and isinstance(results, list):
        yield from ({"role": "tool", **one} if isinstance(one, Mapping) else {"role": "tool"} for one in results)
    elif "role" not in value and value.get("type") in (*_AUTOGEN, *_UNSAID):
        yield from _autogen(str(value["type"]), value)
    else:
        yield value


def in_order(value: Mapping[str, Any], values: Sequence[Any], position: int, notes: ReadingNotes) -> Mapping[str, Any]:
    """Return a message of the AI SDK 4, at its position among all, as parts, which say what came first.

    It has the text and the calls with their results side by side. The text is the reply to the results, unless another
    message of the assistant follows: then it was said with the calls.
    """
    invoked = value.get("toolInvocations")
    said = value.get("content") if invoked else None
    if not (isinstance(invoked, list) and invoked and isinstance(said, str) and said) or value.get("parts"):
        return value
    ended = all(isinstance(one, Mapping) and one.get("state") == "result" for one in invoked)
    after = values[position + 1] if position + 1 < len(values) else None
    if not ended or (isinstance(after, Mapping) and after.get("role") == "assistant"):
        return value
    notes.add(ORDER, "the text beside the calls of a message was taken for the reply to their results")
    calls = ({"type": "dynamic-tool", **one} for one in invoked)
    about = {key: one for key, one in value.items() if key not in ("content", "toolInvocations")}
    steps = [part for call in calls for part in (call, {"type": "step-start"})]
    return {**about, "parts": [*steps, {"type": "text", "text": said}]}


def _event(value: Mapping[str, Any], content: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    """Yield the message of an event of ADK; pieces of one that comes whole later, and events without, hold none."""
    if content and not value.get("partial"):
        own = content.get("role") or ("user" if value["author"] == "user" else "model")
        yield {**content, "role": own}
    elif any(isinstance(one, Mapping | list) and one and not _is_beside(key) for key, one in value.items()):
        yield value


def _is_beside(key: str) -> bool:
    return key in ("actions", "content", "long_running_tool_ids", "longRunningToolIds") or is_about(key)


def _requested(part: Any) -> Mapping[str, Any]:
    """Return the message of a part of a request of pydantic-ai; one of no known kind is the user's, to be refused."""
    named = str(part.get("part_kind")) if isinstance(part, Mapping) else ""
    if named == "retry-prompt" and not part.get("tool_name"):  # of a reply, and not of a call
        return {**part, "role": "user"}
    return {"role": _REQUESTED.get(named, "user"), "parts": [part]}


def _autogen(named: str, value: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    content = value.get("content")
    role = _AUTOGEN.get(named) or ("user" if str(value.get("source")).lower() in ("user", "human") else "assistant")
    if named in _UNSAID:
        return
    if "content" not in value or (_AUTOGEN[named] is None and "source" not in value):
        yield value  # to be refused
        return
    if role == "tool" and isinstance(content, list):
        yield from ({"role": "tool", **one} if isinstance(one, Mapping) else {"role": "tool"} for one in content)
    elif role == "assistant" and isinstance(content, list) and all(isinstance(one, Mapping) for one in content):
        yield {"role": role, "tool_calls": content}
    else:
        yield {"role": role, "content": content}
