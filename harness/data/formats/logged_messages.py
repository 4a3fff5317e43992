"""Messages as agents' frameworks log them, to records.

Read are the messages of OpenAI (chat and Responses), Anthropic, Gemini, LangChain, LlamaIndex, OpenTelemetry, Vercel's
AI SDK, pydantic-ai, ShareGPT and others. What says nothing that is known here is refused with its keys named: a message
never becomes an empty one because its words stand somewhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.data.formats.calls import ID_KEYS, NAME_KEYS, is_about, parse_call
from harness.data.formats.content_parts import (
    RESULT_KEYS,
    SILENT,
    Item,
    MediaNeededError,
    first_of,
    holds_results,
    holds_texts,
    listed_keys,
    media_beside,
    read_part,
    read_result,
    text_items,
    tool_result,
    tool_results,
)
from harness.data.formats.framework_messages import unwrapped
from harness.data.formats.json_texts import as_value, json_value, kind, shortened
from harness.data.formats.text_calls import python_value
from harness.data.records import Message, Role, ToolCall

_SPELLINGS: dict[Role, str] = {
    "system": "system developer instructions",
    "user": "user human customer client caller visitor usermessage",
    "assistant": "assistant ai aimessage aimessagechunk bot chatbot model gpt agent machine apimessage tool_calls",
    "tool": (
        "tool function function_response functionresponse tool_response toolresponse tool_result toolresult "
        "tool_call_result tool_call_output tool_execution_result "
        "observation ipython environment"
    ),
}
_ROLES = {spelling: role for role, spellings in _SPELLINGS.items() for spelling in spellings.split()}
_ROLE_KEYS = ("role", "from", "type", "sender", "speaker", "source", "messageType")
_CONTENT_KEYS = ("content", "value", "text", "message", "utterance", "refusal")
_PARTS_KEYS = ("parts", "blocks", "items", "contents")
_LISTED_CALLS = ("tool_calls", "toolCalls", "toolExecutionRequests")
_EXTRA = "additional_kwargs"
"""Where LangChain keeps what APIs say in their own words."""
_WRITTEN_CALLS = ("function_call", "tool_call", "tool-call")
"""Roles of messages whose whole text is a call, or a list of calls."""
_LOOKS_LIKE_CALLS = re.compile(
    "(tool|function)s?_?(call|invo|use)|called_?(tool|function)|^(invocations?|actions?|calls?)$", re.IGNORECASE
)


def logged_messages(value: Mapping[str, Any]) -> Iterator[Message]:
    """Yield the records of one logged message: results of tools that stand in it are messages of their own.

    Raises ValueError with the keys of a message that says nothing, or holds calls, in a way that is not known.
    """
    for message in unwrapped(value):
        if "role" not in message and message.get("type") in SILENT:
            continue
        if media := media_beside(message):
            raise MediaNeededError(f"it has {media} beside its content; only text can be learned from")
        role = role_of(message)
        if not (role == "tool" and defines_a_tool(message.get("content"))):
            yield from _records(role, list(_items(message, role)), message)


def role_of(value: Mapping[str, Any]) -> Role:
    """Return the role of a message in its many spellings; ValueError for one that is not known."""
    named = _named(value)
    if named in _WRITTEN_CALLS:
        return "assistant"
    if named == "function_call_output":
        return "tool"
    role = _ROLES.get(named.lower().replace("-", "_")) if isinstance(named, str) else None
    if role is None:
        expected = "system, user, assistant or tool (or developer, human, customer, ai, bot, agent, function)"
        problem = f"unknown role {shortened(named)}" if named else f"it has no role, and the keys {listed_keys(value)}"
        raise ValueError(f"{problem}; expected {expected}")
    return role


def _named(value: Mapping[str, Any]) -> Any:
    return next((value[key] for key in _ROLE_KEYS if value.get(key)), None)


def _items(value: Mapping[str, Any], role: Role) -> Iterator[Item]:
    """Yield what a message says, in order; calls that are listed beside the content come behind it.

    Calls that stand in several places are one: LangChain lists those of Anthropic's content a second time.
    """
    seen: list[ToolCall] = []
    for place in (_said(value, role), *_listed(value)):
        before = tuple(seen)
        for item in place:
            if isinstance(item, ToolCall):
                if any(_same(item, one) for one in before):
                    continue
                seen.append(item)
            yield item


def _said(value: Mapping[str, Any], role: Role) -> Iterator[Item]:
    if value.get("type") in ("function_call", "function_call_output") and "content" not in value:
        result = value["type"] == "function_call_output"
        yield tool_result(value.get("output"), value) if result else parse_call(value, strict=False)
        return
    parts = next(
        (value[key] for key in _PARTS_KEYS if value.get(key) and not (key == "items" and value.get("content"))), None
    )
    if strange := [one for key in _PARTS_KEYS if not isinstance(one := value.get(key), list | None) and one != ""]:
        raise ValueError(f"its parts must be a list, got {kind(strange[0])}")
    said = parts or next((value[key] for key in _CONTENT_KEYS if value.get(key) not in (None, "", [])), None)
    if said is None:
        said = first_of(value, (*_CONTENT_KEYS, *RESULT_KEYS) if role == "tool" else _CONTENT_KEYS)
    if role == "tool" and said in (None, "") and (failed := value.get("error")):  # Inspect
        said = failed.get("message") if isinstance(failed, Mapping) else failed if isinstance(failed, str) else said
    if _named(value) in _WRITTEN_CALLS:
        written = _written_calls(said)
        yield from (parse_call(one, strict=False) for one in (written if isinstance(written, list) else [written]))
    elif role == "tool" and not holds_results(said) and (not parts or holds_texts(parts)):
        yield from tool_results(said, value)
    elif isinstance(said, str):
        yield from text_items(said, role)
    elif isinstance(said, Mapping):
        inner = said.get("parts")  # Mastra
        yield from (item for part in (inner if isinstance(inner, list) else [said]) for item in read_part(part, role))
    elif isinstance(said, Sequence):
        found = [item for part in said for item in read_part(part, role)]
        if parts:
            _refuse_other_words(value.get("content"), found)
        yield from found
    elif said is not None:
        raise ValueError(f"the content must be text or a list of text parts, got {kind(said)}")


def _written_calls(said: Any) -> Any:
    """Return the call, or the calls, of a text that is nothing else, as JSON or as Python writes them (smolagents)."""
    if isinstance(said, list) and holds_texts(said):
        said = "".join(one if isinstance(one, str) else str(first_of(one, ("text", "content"))) for one in said)
    return python_value(said.strip().removeprefix("Calling tools:").strip()) if isinstance(said, str) else said


def _refuse_other_words(content: Any, items: Iterable[Item]) -> None:
    """Raise ValueError where parts leave out words that stand beside them as content."""
    said = "".join(item for item in items if isinstance(item, str))
    if isinstance(content, str) and "".join(content.split()) not in "".join(said.split()):
        raise ValueError(f"its content {shortened(content)} is not what its parts say; expected one of them")


def _listed(value: Mapping[str, Any]) -> Iterator[Iterator[Item]]:
    """Yield the calls of each place beside a content, and the results that some frameworks keep with them."""
    extra = value.get(_EXTRA)
    extra = extra if isinstance(extra, Mapping) else {}
    calls = [*map(value.get, _LISTED_CALLS), extra.get("tool_calls")]
    for held in filter(None, calls):
        listed = json_value(held)  # a table's column of text
        if not isinstance(listed, list | tuple):
            raise ValueError(f"tool_calls must be a list of calls, got {kind(listed)}")
        yield (parse_call(call, strict=False) for call in listed)
    invoked = value.get("toolInvocations") if not value.get("parts") else None
    for one in _listing(invoked, "toolInvocations"):
        yield read_part({"type": "dynamic-tool", **one} if isinstance(one, Mapping) else one, "assistant")
    legacy = value.get("function_call") or extra.get("function_call")
    if legacy and not any(calls):  # where both stand, they are the same
        yield iter([parse_call(as_value(legacy) if isinstance(legacy, str) else legacy, strict=False)])
    observed = value.get("observation")
    if observed:  # ATIF
        results = observed.get("results", observed) if isinstance(observed, Mapping) else observed
        yield (read_result(one) for one in _listing(results, "the results of an observation"))


def _listing(value: Any, what: str) -> list[Any]:
    if value and not isinstance(value, list):
        raise ValueError(f"{what} must be a list, got {kind(value)}")
    return value or []


def _same(call: ToolCall, other: ToolCall) -> bool:
    if call.id and other.id:
        return (call.id, call.name) == (other.id, other.name)
    return (call.name, call.arguments) == (other.name, other.arguments)


def _records(role: Role, items: list[Item], value: Mapping[str, Any]) -> Iterator[Message]:
    """Yield items as messages: a text with the calls behind it is one, a result ends it."""
    _refuse_what_is_not_read(value, items)
    if role != "assistant" and any(isinstance(item, ToolCall) for item in items):
        raise ValueError(f"a call stands in a message of the {role}; expected it in one of the assistant")
    if role == "user":  # results belong to the calls before, whatever else the user says
        items.sort(key=lambda item: not isinstance(item, Message))
    if role == "tool" and not items and holds_results(first_of(value, ("parts", "content"))):
        return  # what a person approved, and no result
    texts: list[str] = []
    calls: list[ToolCall] = []
    silent = not any(item is not None for item in items)
    for item in [*items, None]:
        if isinstance(item, str):
            texts.append(item)
        elif isinstance(item, ToolCall):
            calls.append(item)
        else:
            if texts or calls or silent:
                content = "".join(texts) if texts else None if calls else _empty(role, value)
                yield Message(role=role, content=content or (None if calls else content), tool_calls=tuple(calls))
                texts, calls, silent = [], [], False
            if item is not None:
                yield item


def _empty(role: Role, value: Mapping[str, Any]) -> str | None:
    """Return the content of a message without words: null, or empty where parts are there that say nothing."""
    parts = next((value[key] for key in (*_PARTS_KEYS, *_CONTENT_KEYS) if value.get(key)), None)
    if parts and role == "user":
        raise ValueError("the user's message holds no text")
    return "" if parts is not None or "" in (value.get(key) for key in _CONTENT_KEYS) else None


def _refuse_what_is_not_read(value: Mapping[str, Any], items: Iterable[Item]) -> None:
    """Raise ValueError where a message holds calls under an unknown key, or nothing under the known ones."""
    said = any(not isinstance(item, Message) or item.content is not None for item in items if item not in (None, ""))
    contents = any(key in value for key in (*_CONTENT_KEYS, *_PARTS_KEYS))
    only_calls = (
        any(isinstance(item, ToolCall) for item in items) and not contents and value.get("type") != "function_call"
    )
    strange = [
        key
        for key, inner in value.items()
        if inner and key not in _READ
        if (
            isinstance(inner, Mapping | list)
            and (_LOOKS_LIKE_CALLS.search(key) or _holds(inner, key == "additional_kwargs"))
        )
        or (isinstance(inner, Mapping | list | str) and (only_calls or not said) and not is_about(key))
    ]
    if "tool_call_chunks" in strange and value.get("tool_calls"):  # the same calls, as they were streamed
        strange.remove("tool_call_chunks")
    called = any(key in value for key in (*_LISTED_CALLS, "function_call"))
    known = contents or (called and role_of(value) != "user")
    if strange or not (said or known):
        raise ValueError(
            f"it has the keys {listed_keys(value)}, and what {', '.join(strange) or 'it'} "
            f"{'hold' if len(strange) > 1 else 'holds'} is not known; expected content, parts, tool_calls or a result"
        )


def _holds(value: Any, known: bool = False, depth: int = 0) -> bool:
    """Return whether a value has a call in it, or a result: what names a tool, or a call, and holds what it was about.

    With `known`, what LangChain keeps under known keys is not meant: it is read.
    """
    for one in value if isinstance(value, list) else [value]:
        called = one.get("function", one) if isinstance(one, Mapping) else None
        if not isinstance(called, Mapping):
            continue
        if {"arguments", "args"} & called.keys() and {*NAME_KEYS} & called.keys():
            return True
        if {*ID_KEYS[:-1]} & called.keys() and {"content", "output", "result"} & called.keys():
            return True
        inside = (inner for key, inner in called.items() if not (known and key in _READ))
        if depth < 2 and any(_holds(inner, depth=depth + 1) for inner in inside):
            return True
    return False


_READ = (*(*_CONTENT_KEYS, *_PARTS_KEYS, *_LISTED_CALLS, "toolInvocations", "function_call", "output", "observation"),)


def defines_a_tool(content: Any) -> bool:
    """Return whether a tool's message is its definition, as LangChain's handler of Langfuse logs them."""
    if isinstance(content, str) and '"function"' not in content:
        return False
    value = as_value(content) if isinstance(content, str) else content
    function = value.get("function") if isinstance(value, Mapping) and value.get("type") == "function" else None
    return isinstance(function, Mapping) and "parameters" in function and "name" in function
