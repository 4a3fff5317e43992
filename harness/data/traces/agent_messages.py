"""Messages as agents' frameworks log them, to records: roles, parts, and calls in their many spellings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from harness.data.events import as_value
from harness.data.records import Message, Role, ToolCall

_SPELLINGS: dict[Role, str] = {
    "system": "system developer instructions",
    "user": "user human customer client caller visitor",
    "assistant": "assistant ai aimessage bot chatbot model gpt agent",
    "tool": "tool function function_response observation ipython environment",
}
_ROLES = {spelling: role for role, spellings in _SPELLINGS.items() for spelling in spellings.split()}
_SILENT = ("reasoning", "thinking", "redacted_thinking")
"""Parts of a content that are nobody's words: they are left out."""
_TEXTS = ("text", "input_text", "output_text", "refusal")
_SHOWN = 60
_NOTHING: Mapping[str, Any] = {}
_HALF = re.compile("[\ud800-\udfff]")


def read_messages(values: Any) -> tuple[Message, ...]:
    """Return the records of a list of messages; ValueError says which one cannot be read, and what was expected.

    Parallel calls of one message whose results all follow become call, result, call, result: nothing is lost by it.
    """
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise ValueError(f"expected a list of messages, got {kind(values)}")
    messages: list[Message] = []
    for position, value in enumerate(values):
        try:
            for message in _read(value):
                whole(message.content, "the content")
                whole([call.arguments for call in message.tool_calls], "a call's arguments")
                messages.append(message)
        except ValueError as error:
            raise ValueError(f"message {position}: {error}") from error
    return _one_after_another(messages)


def kind(value: Any) -> str:
    """Return what a JSON value is, in JSON's own words."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)


def _read(value: Any) -> Iterator[Message]:
    if not isinstance(value, dict):
        raise ValueError(f"expected an object with a role and content, got {kind(value)}")
    if value.get("type") in ("function_call", "function_call_output") and "role" not in value:
        yield _item(value)
        return
    role = _role(value)
    said = value["content"] if "content" in value else value.get("value")
    listed = value.get("tool_calls") or (value.get("additional_kwargs") or _NOTHING).get("tool_calls") or ()
    if isinstance(listed, dict | str):
        raise ValueError(f"tool_calls must be a list of calls, got {kind(listed)}")
    calls = [_call(call) for call in listed]
    if isinstance(value.get("function_call"), dict):
        calls.append(_call(value["function_call"]))
    if _written_call(value):
        calls.append(_call(as_value(said) if isinstance(said, str) else said))
        said = None
    parts = said if isinstance(said, list) and said else [said]
    calls.extend(_call(part) for part in parts if _is(part, "tool_use", "tool_call"))
    for part in parts:
        if isinstance(part, dict) and part.get("type") == "tool_result":
            yield Message(role="tool", content=_text(part.get("content"), "tool"), tool_call_id=_id(part))
    left = [part for part in parts if not _is(part, "tool_use", "tool_call", "tool_result")]
    if not left and not calls:  # results only, which are told already
        return
    content = _text(left if parts is said else said, role) if left else None
    yield Message(
        role=role,
        content=None if calls and not content else content,
        tool_calls=tuple(calls),
        tool_call_id=_id(value) if role == "tool" else None,
    )


def _role(value: Mapping[str, Any]) -> Role:
    named = next((value[key] for key in ("role", "from", "type", "sender", "speaker") if value.get(key)), None)
    if named == "function_call":
        return "assistant"
    role = _ROLES.get(named.lower()) if isinstance(named, str) else None
    if role is None:
        expected = "system, user, assistant or tool (or developer, human, customer, ai, bot, agent, function)"
        raise ValueError(
            f"unknown role {_short(named)}; expected {expected}" if named else f"it has no role; expected {expected}"
        )
    return role


def _written_call(value: Mapping[str, Any]) -> bool:
    """Return whether a message of the from/value layout holds a call as its text."""
    return value.get("from") == "function_call"


def _item(value: Mapping[str, Any]) -> Message:
    """Return the record of a call or a result that stands beside the messages (the Responses API's way)."""
    if value["type"] == "function_call":
        return Message(role="assistant", tool_calls=(_call(value),))
    return Message(role="tool", content=_text(value.get("output"), "tool"), tool_call_id=_id(value))


def _id(value: Mapping[str, Any]) -> str | None:
    found = next((value[key] for key in ("tool_call_id", "tool_use_id", "call_id") if value.get(key)), None)
    return None if found is None else str(found)


def _call(value: Any) -> ToolCall:
    if not isinstance(value, dict):
        raise ValueError(f"a call must be an object with name and arguments, got {kind(value)}")
    function = value.get("function", value)
    inner = function if isinstance(function, dict) else value
    name = function if isinstance(function, str) else inner.get("name")
    if not isinstance(name, str) or not name:
        raise ValueError(f'a call needs a "name", got {_short(dict(value))}')
    written = next((inner[key] for key in ("arguments", "parameters", "args", "input") if key in inner), None)
    found = value.get("id") or value.get("call_id")
    return ToolCall(name=name, arguments=_arguments(name, written), id=None if found is None else str(found))


def _arguments(name: str, value: Any) -> dict[str, Any]:
    problem = None
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else {}
        except (ValueError, RecursionError) as error:
            problem = f"are no JSON ({error}): {_short(value)}"
    value = {} if value is None else value
    if problem is None and not isinstance(value, dict):
        problem = f"are {kind(value)}: {_short(value)}"
    if problem:
        raise ValueError(f"the arguments of the call of {name} {problem}; expected a JSON object")
    return cast(dict[str, Any], value)


def _is(part: Any, *types: str) -> bool:
    return isinstance(part, dict) and part.get("type") in types


def _text(value: Any, role: Role) -> str | None:
    """Return what a content says, its text parts joined; a tool's other values as JSON."""
    if value is None or isinstance(value, str):
        return value
    parts = value if isinstance(value, list) else [value]
    if role == "tool" and not (parts and all(_is(part, *_TEXTS) for part in parts)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list) and all(isinstance(part, str) or _is_part(part) for part in value):
        return "".join(_part(part) for part in value)
    if isinstance(value, dict) and _is_part(value):
        return _part(value)
    raise ValueError(f"the content must be text or a list of text parts, got {kind(value)}")


def _is_part(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("type"), str)


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    named = part["type"]
    if named in _SILENT:
        return ""
    text = part.get("text", part.get("content"))
    if named not in _TEXTS or not isinstance(text, str):
        raise ValueError(f"a content part of type {_short(named)} is no text; only text can be learned from")
    return text


def whole(value: Any, place: str = "the row") -> None:
    """Raise ValueError where a text holds half a character (a lone surrogate), which no file can be written with."""
    if isinstance(value, str) and _HALF.search(value):
        raise ValueError(f"{place} holds half a character (a lone surrogate); write the text again as UTF-8")
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        whole(part, place)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


def _one_after_another(messages: list[Message]) -> tuple[Message, ...]:
    if all(len(message.tool_calls) < 2 for message in messages):
        return tuple(messages)
    out: list[Message] = []
    position = 0
    while position < len(messages):
        message = messages[position]
        number = len(message.tool_calls)
        results = _results(message, messages[position + 1 : position + 1 + number]) if number > 1 else None
        if results is None:
            out.append(message)
            position += 1
            continue
        for call, result in zip(message.tool_calls, results, strict=True):
            out += [replace(message, tool_calls=(call,)), result]
            message = replace(message, content=None)  # said once, with the first call
        position += 1 + number
    return tuple(out)


def _results(message: Message, following: Sequence[Message]) -> list[Message] | None:
    """Return the results of parallel calls in the order of the calls; None where they are not all there."""
    if len(following) < len(message.tool_calls) or not all(map(_is_result, following)):
        return None
    named = {one.tool_call_id: one for one in following}
    if None in named:
        return list(following) if set(named) == {None} else None
    wanted = [call.id for call in message.tool_calls]
    return [named[one] for one in wanted] if set(wanted) == set(named) and len(named) == len(following) else None


def _is_result(message: Message) -> bool:
    return message.role == "tool" or (message.role == "user" and as_value(message.content or "") is not None)
