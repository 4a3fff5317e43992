"""Messages to records: strictly as test sets and our own datasets have them, or as agents' frameworks log them.

Strict is the plain OpenAI layout alone. Not strict, roles, parts of a content and calls are read in their many
spellings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.data.formats.json_texts import as_value, decoded, kind, shortened
from harness.data.records import Message, Role, ToolCall

_SPELLINGS: dict[Role, str] = {
    "system": "system developer instructions",
    "user": "user human customer client caller visitor",
    "assistant": "assistant ai aimessage bot chatbot model gpt agent",
    "tool": "tool function function_response observation ipython environment",
}
_ROLES = {spelling: role for role, spellings in _SPELLINGS.items() for spelling in spellings.split()}
_SILENT = ("reasoning", "thinking", "redacted_thinking")
"""Parts of a content that were not said: they are left out."""
_TEXTS = ("text", "input_text", "output_text", "refusal")
_ROLE_KEYS = ("role", "from", "type", "sender", "speaker")
_ARGUMENT_KEYS = ("arguments", "parameters", "args", "input")
"""In the plain layout: the first key of a role, the first two of arguments."""
_HALF = re.compile("[\ud800-\udfff]")
_TAGGED = re.compile(r"\s*<tool_call>(.*)</tool_call>\s*", re.DOTALL)


def read_messages(values: Any, key: str = "messages", *, strict: bool) -> tuple[Message, ...]:
    """Return the records of a list of messages; ValueError says which one cannot be read, and what was expected.

    `key` is where they were found. Not strict, parallel calls of one message whose results all follow become call,
    result, call, result: nothing is lost by it.
    """
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise ValueError(f'"{key}" must hold a list of messages, got {kind(values)}')
    messages: list[Message] = []
    for position, value in enumerate(values):
        try:
            if not isinstance(value, Mapping):
                raise ValueError(f"expected an object with a role and content, got {kind(value)}")
            messages += [_plain(value)] if strict else _logged(value)
        except ValueError as error:
            raise ValueError(f"message {position}: {error}") from error
    return tuple(messages) if strict else _one_after_another(messages)


def parse_call(value: Any, *, strict: bool = True) -> ToolCall:
    """Return the call in `{"name", "arguments"|"parameters"}` or `{"id", "function": {...}}`, else ValueError."""
    if not isinstance(value, Mapping):
        raise ValueError(f"a call must be an object with name and arguments, got {kind(value)}")
    function = value.get("function", value)
    inner: Mapping[str, Any] = function if isinstance(function, Mapping) else {} if strict else value
    name = function if isinstance(function, str) and not strict else inner.get("name")
    if not isinstance(name, str) or not (name or strict):
        raise ValueError(f'a call needs a "name", got {shortened(dict(value))}')
    keys = _ARGUMENT_KEYS[:2] if strict else _ARGUMENT_KEYS
    written = next((inner[key] for key in keys if key in inner), None)
    found = value.get("id") if strict else value.get("id") or value.get("call_id")
    return ToolCall(name=name, arguments=parse_arguments(written, name), id=None if found is None else str(found))


def parse_arguments(value: Any, tool: str) -> dict[str, Any]:
    """Return the arguments of a call of `tool` from JSON text or an object; ValueError for anything else."""
    blank = value is None or (isinstance(value, str) and not value.strip())
    value = {} if blank else decoded(value, f"the arguments of the call of {tool} are")
    if value is None:  # JSON's null
        return {}
    if not isinstance(value, dict):
        problem = f"are {kind(value)}: {shortened(value)}"
        raise ValueError(f"the arguments of the call of {tool} {problem}; expected a JSON object")
    return value


def parse_answer(answer: str) -> ToolCall | None:
    """Return the call that a reference states, plain or in `<tool_call>` tags; None for any other text."""
    tagged = _TAGGED.fullmatch(answer)
    value = as_value(tagged.group(1) if tagged else answer)
    if not isinstance(value, Mapping) or not ({"parameters", "arguments"} & value.keys()):
        return None
    try:
        return parse_call(value)
    except ValueError:
        return None


def _plain(value: Mapping[str, Any]) -> Message:
    """Return the record of a message in the plain OpenAI layout."""
    role, content = _role(value, strict=True), value.get("content")
    if content is not None and not isinstance(content, str):
        raise ValueError(f"content must be text or null, got {kind(content)}")
    calls = tuple(parse_call(call) for call in _listed(value.get("tool_calls")))
    return Message(role=role, content=content, tool_calls=calls, tool_call_id=value.get("tool_call_id"))


def _listed(calls: Any) -> Sequence[Any]:
    if calls and not isinstance(calls, list | tuple):
        raise ValueError(f"tool_calls must be a list of calls, got {kind(calls)}")
    return calls or ()


def _logged(value: Mapping[str, Any]) -> Iterator[Message]:
    """Yield the records of a message as a framework logs it: results of tools beside other words are apart."""
    for message in _read(value):
        whole(message.content, "the content")
        whole([call.arguments for call in message.tool_calls], "a call's arguments")
        yield message


def _read(value: Mapping[str, Any]) -> Iterator[Message]:
    if value.get("type") in ("function_call", "function_call_output") and "role" not in value:
        yield _item(value)
        return
    role = _role(value, strict=False)
    said = value["content"] if "content" in value else value.get("value")
    extra = value.get("additional_kwargs")
    listed = value.get("tool_calls") or (extra.get("tool_calls") if isinstance(extra, Mapping) else None)
    calls = [_call(call) for call in _listed(listed)]
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


def _role(value: Mapping[str, Any], *, strict: bool) -> Role:
    named = next((value[key] for key in _ROLE_KEYS[: 1 if strict else None] if value.get(key)), None)
    if named == "function_call" and not strict:
        return "assistant"
    role = _ROLES.get(named if strict else named.lower()) if isinstance(named, str) else None
    if role is None or (strict and role != named):
        expected = "system, user, assistant or tool"
        expected += "" if strict else " (or developer, human, customer, ai, bot, agent, function)"
        problem = f"unknown role {shortened(named)}" if named else "it has no role"
        raise ValueError(f"{problem}; expected {expected}")
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
    return parse_call(value, strict=False)


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
        raise ValueError(f"a content part of type {shortened(named)} is no text; only text can be learned from")
    return text


def whole(value: Any, place: str = "the row") -> None:
    """Raise ValueError where a text holds half a character (a lone surrogate), which no file can be written with."""
    if isinstance(value, str) and _HALF.search(value):
        raise ValueError(f"{place} holds half a character (a lone surrogate); write the text again as UTF-8")
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        whole(part, place)


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
    if len(following) < len(message.tool_calls) or not all(map(is_result, following)):
        return None
    named = {one.tool_call_id: one for one in following}
    if None in named:
        return list(following) if set(named) == {None} else None
    wanted = [call.id for call in message.tool_calls]
    return [named[one] for one in wanted] if set(wanted) == set(named) and len(named) == len(following) else None


def is_result(message: Message) -> bool:
    """Whether a message holds what a tool returned: the benchmark writes that as a user's JSON."""
    return message.role == "tool" or (message.role == "user" and as_value(message.content or "") is not None)
