"""Messages as agents' frameworks log them, to records.

Read are the messages of OpenAI (chat and Responses), Anthropic, Gemini, LangChain, LlamaIndex, OpenTelemetry, Vercel's
AI SDK, pydantic-ai and ShareGPT. What says nothing that is known here is refused with its keys named: a message never
becomes an empty one because its words stand somewhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.data.formats.calls import parse_call
from harness.data.formats.content_parts import (
    RESULT_KEYS,
    SILENT,
    Item,
    first_of,
    holds_results,
    listed_keys,
    read_part,
    text_items,
    tool_result,
    tool_results,
)
from harness.data.formats.json_texts import as_value, kind, shortened
from harness.data.records import Message, Role, ToolCall

_SPELLINGS: dict[Role, str] = {
    "system": "system developer instructions",
    "user": "user human customer client caller visitor",
    "assistant": "assistant ai aimessage aimessagechunk bot chatbot model gpt agent",
    "tool": "tool function function_response observation ipython environment",
}
_ROLES = {spelling: role for role, spellings in _SPELLINGS.items() for spelling in spellings.split()}
_ROLE_KEYS = ("role", "from", "type", "sender", "speaker")
_CONTENT_KEYS = ("content", "value", "text", "message", "utterance", "refusal")
_LOOKS_LIKE_CALLS = re.compile("(tool|function)_?(call|invocation|use)|^(invocations|actions)$", re.IGNORECASE)


def logged_messages(value: Mapping[str, Any]) -> Iterator[Message]:
    """Yield the records of one logged message: results of tools that stand in it are messages of their own.

    Raises ValueError with the keys of a message that says nothing, or holds calls, in a way that is not known.
    """
    for message in _unwrapped(value):
        if "role" not in message and message.get("type") in SILENT:
            continue
        role = role_of(message)
        if not (role == "tool" and _defines_a_tool(message.get("content"))):
            yield from _records(role, list(_items(message, role)), message)


def role_of(value: Mapping[str, Any]) -> Role:
    """Return the role of a message in its many spellings; ValueError for one that is not known."""
    named = next((value[key] for key in _ROLE_KEYS if value.get(key)), None)
    if named == "function_call":
        return "assistant"
    if named == "function_call_output":
        return "tool"
    role = _ROLES.get(named.lower()) if isinstance(named, str) else None
    if role is None:
        expected = "system, user, assistant or tool (or developer, human, customer, ai, bot, agent, function)"
        raise ValueError(f"{f'unknown role {shortened(named)}' if named else 'it has no role'}; expected {expected}")
    return role


def _unwrapped(value: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the messages in a value: LangChain and pydantic-ai wrap theirs."""
    kwargs, data, parts = value.get("kwargs"), value.get("data"), value.get("parts")
    if value.get("type") == "constructor" and isinstance(kwargs, Mapping):
        path = value.get("id")
        named = str(path[-1]) if isinstance(path, list) and path else ""
        yield {**kwargs, "type": re.sub("Message(Chunk)?$", "", named) or kwargs.get("type")}
    elif isinstance(data, Mapping) and not {"role", "content"} & value.keys():
        yield {"type": value.get("type"), **data}
    elif isinstance(value.get("message"), Mapping) and "role" not in value:
        yield value["message"]
    elif value.get("kind") == "response" and isinstance(parts, list):
        yield {"role": "assistant", "parts": parts}
    elif value.get("kind") == "request" and isinstance(parts, list):
        for part in parts:
            named = str(part.get("part_kind")) if isinstance(part, Mapping) else ""
            yield {"role": _REQUESTED.get(named, "tool"), "parts": [part]}
    else:
        yield value


_REQUESTED = {"system-prompt": "system", "user-prompt": "user"}
"""Parts of pydantic-ai's requests by whose they are; the others are results of tools."""


def _items(value: Mapping[str, Any], role: Role) -> Iterator[Item]:
    """Yield what a message says, in order; calls that are listed beside the content come behind it."""
    found = list(_said(value, role))
    written = [item for item in found if isinstance(item, ToolCall)]
    yield from found
    for item in _listed(value):
        # LangChain lists the calls of Anthropic's content a second time.
        if not isinstance(item, ToolCall) or not any(_same(item, one) for one in written):
            yield item


def _said(value: Mapping[str, Any], role: Role) -> Iterator[Item]:
    if value.get("type") in ("function_call", "function_call_output") and "role" not in value:
        result = value["type"] == "function_call_output"
        yield tool_result(value.get("output"), value) if result else parse_call(value, strict=False)
        return
    parts = next((value[key] for key in ("parts", "blocks") if isinstance(value.get(key), list) and value[key]), None)
    said = parts or next((value[key] for key in _CONTENT_KEYS if value.get(key) not in (None, "", [])), None)
    if said is None:
        said = first_of(value, (*_CONTENT_KEYS, *RESULT_KEYS) if role == "tool" else _CONTENT_KEYS)
    if value.get("from") == "function_call":
        yield parse_call(as_value(said) if isinstance(said, str) else said, strict=False)
    elif role == "tool" and not holds_results(said):
        yield from tool_results(said, value)
    elif isinstance(said, str):
        yield from text_items(said, role)
    elif isinstance(said, Mapping):
        yield from read_part(said, role)
    elif isinstance(said, Sequence):
        for part in said:
            yield from read_part(part, role)
    elif said is not None:
        raise ValueError(f"the content must be text or a list of text parts, got {kind(said)}")


def _listed(value: Mapping[str, Any]) -> Iterator[Item]:
    """Yield the calls that stand beside a content, and the results that the AI SDK keeps with them."""
    extra = value.get("additional_kwargs")
    extra = extra if isinstance(extra, Mapping) else {}
    calls = next((one for one in (value.get("tool_calls"), value.get("toolCalls"), extra.get("tool_calls")) if one), ())
    if not isinstance(calls, list | tuple):
        raise ValueError(f"tool_calls must be a list of calls, got {kind(calls)}")
    yield from (parse_call(call, strict=False) for call in calls)
    invoked = value.get("toolInvocations") if not value.get("parts") else None
    for one in invoked if isinstance(invoked, list) else ():
        yield from read_part({"type": "dynamic-tool", **one} if isinstance(one, Mapping) else one, "assistant")
    legacy = value.get("function_call") or extra.get("function_call")
    if legacy and not calls:  # where both stand, they are the same
        yield parse_call(as_value(legacy) if isinstance(legacy, str) else legacy, strict=False)


def _same(call: ToolCall, other: ToolCall) -> bool:
    if call.id and other.id:
        return call.id == other.id
    return (call.name, call.arguments) == (other.name, other.arguments)


def _records(role: Role, items: list[Item], value: Mapping[str, Any]) -> Iterator[Message]:
    """Yield items as messages: a text with the calls behind it is one, a result ends it."""
    _refuse_what_is_not_read(value, items)
    if role == "user":  # results belong to the calls before, whatever else the user says
        items.sort(key=lambda item: not isinstance(item, Message))
    texts: list[str] = []
    calls: list[ToolCall] = []
    for item in [*items, None]:
        if isinstance(item, str):
            texts.append(item)
        elif isinstance(item, ToolCall):
            calls.append(item)
        else:
            if texts or calls or not items:
                content = "".join(texts) if texts else None if calls else _empty(role, value)
                yield Message(role=role, content=content or (None if calls else content), tool_calls=tuple(calls))
                texts, calls = [], []
            if item is not None:
                yield item


def _empty(role: Role, value: Mapping[str, Any]) -> str | None:
    """Return the content of a message without words: null, or empty where parts are there that say nothing."""
    parts = next((value[key] for key in ("parts", *_CONTENT_KEYS) if value.get(key)), None)
    if parts and role == "user":
        raise ValueError("the user's message holds no text")
    return "" if parts is not None or "" in (value.get(key) for key in _CONTENT_KEYS) else None


def _refuse_what_is_not_read(value: Mapping[str, Any], items: Iterable[Item]) -> None:
    """Raise ValueError where a message holds calls under an unknown key, or nothing under the known ones."""
    said = any(not isinstance(item, Message) or item.content is not None for item in items if item != "")
    known = any(key in value for key in (*_CONTENT_KEYS, "parts", "blocks", "tool_calls", "toolCalls", "function_call"))
    strange = [
        key
        for key, inner in value.items()
        if isinstance(inner, Mapping | list) and inner and key not in _READ
        if key == "invalid_tool_calls" or (not said and key not in _ABOUT) or _LOOKS_LIKE_CALLS.search(key)
    ]
    if "tool_call_chunks" in strange and value.get("tool_calls"):  # the same calls, as they were streamed
        strange.remove("tool_call_chunks")
    if strange or not (said or known):
        raise ValueError(
            f"it has the keys {listed_keys(value)}, and what {', '.join(strange) or 'it'} "
            f"{'hold' if len(strange) > 1 else 'holds'} is not known; expected content, parts, tool_calls or a result"
        )


_READ = (*_CONTENT_KEYS, "parts", "blocks", "tool_calls", "toolCalls", "toolInvocations", "function_call", "output")
_ABOUT = ("additional_kwargs", "response_metadata", "usage", "usage_metadata", "metadata", "annotations", "logprobs")
"""What is about a message and not in it."""


def _defines_a_tool(content: Any) -> bool:
    """Return whether a tool's message is its definition, as LangChain's handler of Langfuse logs them."""
    value = as_value(content) if isinstance(content, str) else content
    function = value.get("function") if isinstance(value, Mapping) and value.get("type") == "function" else None
    return isinstance(function, Mapping) and "parameters" in function and "name" in function
