"""Messages to records: strictly as test sets and our own datasets have them, or as agents' frameworks log them.

Strict is the plain OpenAI layout alone; the many others are read by `logged_messages.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, get_args

from harness.data.formats.calls import parse_call
from harness.data.formats.content_parts import MediaNeededError, ToolResult, may_be_parts
from harness.data.formats.framework_messages import in_order
from harness.data.formats.json_texts import as_value, json_value, kind, shortened
from harness.data.formats.logged_messages import logged_messages
from harness.data.formats.reading_notes import MEDIA, NEWEST_FIRST, SEVERAL_CALLS, ReadingNotes
from harness.data.formats.text_calls import may_hold_calls
from harness.data.records import Message, Role

_ROLES: Mapping[str, Role] = {role: role for role in get_args(Role)}
_PLAIN_KEYS = {"role", "content", "tool_calls", "tool_call_id"}
_CALL_KEYS, _FUNCTION_KEYS = {"id", "type", "function"}, {"name", "arguments"}
_HALF = re.compile("[\ud800-\udfff]")


def read_messages(
    values: Any, key: str = "messages", *, strict: bool, notes: ReadingNotes | None = None
) -> tuple[Message, ...]:
    """Return the records of a list of messages; ValueError says which one cannot be read, and what was expected.

    `key` is where they were found. Not strict, parallel calls of one message whose results all follow become call,
    result, call, result (but for `notes.parallel`, see `one_after_another`), and the conversation ends before the first
    message that holds a picture, a sound or a file; `notes` takes what was changed or left out.
    """
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise ValueError(f'"{key}" must hold a list of messages, got {kind(values)}')
    notes = notes or ReadingNotes()
    values = list(map(json_value, values))  # columns of the type `Json()` are texts in Parquet
    if not strict and _newest_first(values):
        values.reverse()
        notes.add(NEWEST_FIRST, "its messages stood newest first; they were read from the last to the first")
    messages: list[Message] = []
    for position, value in enumerate(values):
        try:
            if not isinstance(value, (dict, Mapping)):  # a dict is told at once
                raise ValueError(f"expected an object with a role and content, got {kind(value)}")
            found = [_plain(value)] if strict else list(_logged(in_order(value, values, position, notes)))
        except MediaNeededError as error:
            if not any(message.role == "assistant" for message in messages):
                raise ValueError(f"message {position}: {error}") from error
            left = len(values) - position
            notes.add(MEDIA, f"message {position}: {error}; it and {left - 1} more that follow are left out")
            break
        except ValueError as error:
            raise ValueError(f"message {position}: {error}") from error
        if value.get("type") == "function_call" and messages and messages[-1].role == "assistant":
            # The Responses API has an item for each call of a turn.
            messages[-1] = replace(messages[-1], tool_calls=(*messages[-1].tool_calls, *found[0].tool_calls))
        else:
            messages += found
    if strict:
        return tuple(messages)
    return one_after_another(messages, notes)


def one_after_another(messages: Sequence[Message], notes: ReadingNotes) -> tuple[Message, ...]:
    """Return messages with each call of a turn, where all results follow, as a turn of its own, with its result.

    Where `notes` say that calls may be parallel they stay together, and their results follow in their order.
    """
    apart = _apart(messages, together=notes.parallel)
    if several := _several(messages) - _several(apart):
        notes.add(SEVERAL_CALLS, f"turns with several calls: {several}; each call is a turn of its own now")
    return apart


def _newest_first(values: Sequence[Any]) -> bool:
    """Return whether each message says that it was made before the one above, as pages of an API list them."""
    if len(values) < 2 or not isinstance(values[0], dict) or values[0].get("role") in ("system", "user"):
        return False
    key = next((key for key in ("created_at", "createdAt", "timestamp") if values[0].get(key)), None)
    made: list[Any] = [one.get(key) if isinstance(one, Mapping) else None for one in values] if key else []
    alike = any(all(isinstance(one, kind) for one in made) for kind in (str, (int, float)))
    return bool(made) and alike and all(later > earlier for later, earlier in pairwise(made))


def _several(messages: Iterable[Message]) -> int:
    return sum(len(message.tool_calls) > 1 for message in messages)


def _plain(value: Mapping[str, Any]) -> Message:
    """Return the record of a message in the plain OpenAI layout."""
    role, content, calls = value.get("role"), value.get("content"), value.get("tool_calls") or ()
    if not isinstance(role, str) or role not in _ROLES:
        problem = f"unknown role {shortened(role)}" if role else "it has no role"
        raise ValueError(f"{problem}; expected system, user, assistant or tool")
    if content is not None and not isinstance(content, str):
        raise ValueError(f"content must be text or null, got {kind(content)}")
    if not isinstance(calls, list | tuple):
        raise ValueError(f"tool_calls must be a list of calls, got {kind(calls)}")
    found = tuple(map(parse_call, calls)) if calls else ()
    said = content if content or not found else None
    return Message(role=_ROLES[role], content=said, tool_calls=found, tool_call_id=value.get("tool_call_id"))


def _logged(value: Mapping[str, Any]) -> Iterator[Message]:
    # Most traces have messages in the plain layout; there both readings are one, and this is the quick one.
    for message in [_plain(value)] if _is_plain(value) else logged_messages(value):
        if message.content and not message.content.isascii():
            whole(message.content, "the content")
        if message.tool_call_id and not message.tool_call_id.isascii():
            whole(message.tool_call_id, "the id of a result")
        for call in message.tool_calls:
            whole([call.id, call.name, call.arguments], "a call")
        yield message


def _is_plain(value: Mapping[str, Any]) -> bool:
    """Return whether a message has surely nothing in it that only `logged_messages` knows."""
    role, content, calls, id = (
        value.get("role"),
        value.get("content"),
        value.get("tool_calls"),
        value.get("tool_call_id"),
    )
    if not isinstance(role, str) or role not in _ROLES or not value.keys() <= _PLAIN_KEYS:
        return False
    if not (content or calls) or (calls and role != "assistant"):
        return False
    if content is not None and not _is_plain_text(content, role):
        return False
    if role == "tool":
        return isinstance(id, str) and id != ""
    return id is None and (calls is None or (isinstance(calls, list) and all(map(_is_plain_call, calls))))


def _is_plain_text(content: Any, role: str) -> bool:
    if not isinstance(content, str) or "<tool_" in content or may_be_parts(content):
        return False
    return not may_hold_calls(content) if role == "assistant" else role != "tool" or '"function"' not in content


def _is_plain_call(call: Any) -> bool:
    function = call.get("function") if isinstance(call, dict) and call.keys() == _CALL_KEYS else None
    return isinstance(function, dict) and function.keys() == _FUNCTION_KEYS and all((call["id"], function["name"]))


def whole(value: Any, place: str = "the row") -> None:
    """Raise ValueError where a text holds half a character (a lone surrogate), which no file can be written with."""
    if isinstance(value, str):
        if not value.isascii() and _HALF.search(value):
            raise ValueError(f"{place} holds half a character (a lone surrogate); write the text again as UTF-8")
        return
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if part.__class__ is not str or not part.isascii():
            whole(part, place)


def _apart(messages: Sequence[Message], *, together: bool) -> tuple[Message, ...]:
    if all(len(message.tool_calls) < 2 for message in messages):
        return tuple(map(_plain_result, messages))
    out: list[Message] = []
    position = 0
    while position < len(messages):
        message = messages[position]
        number = len(message.tool_calls)
        results = _results(message, messages[position + 1 : position + 1 + number]) if number > 1 else None
        if results is None:
            out.append(_plain_result(message))
            position += 1
            continue
        if together:
            out += [message, *map(_plain_result, results)]
        for call, result in () if together else zip(message.tool_calls, results, strict=True):
            out += [replace(message, tool_calls=(call,)), _plain_result(result)]
            message = replace(message, content=None)  # said once, with the first call
        position += 1 + number
    return tuple(out)


def _results(message: Message, following: Sequence[Message]) -> list[Message] | None:
    """Return the results of parallel calls in the order of the calls; None where they are not all there."""
    if len(following) < len(message.tool_calls) or not all(map(is_result, following)):
        return None
    named = {one.tool_call_id: one for one in following}
    if None in named:
        return _named_results(message, following) if set(named) == {None} else None
    wanted = [call.id for call in message.tool_calls]
    return [named[one] for one in wanted] if set(wanted) == set(named) and len(named) == len(following) else None


def _named_results(message: Message, following: Sequence[Message]) -> list[Message] | None:
    """Return results without ids in the order of the calls: by the tool's name where all have one, else as they are."""
    tools = [one.tool if isinstance(one, ToolResult) else None for one in following]
    if None in tools:
        return list(following)
    if sorted(map(str, tools)) != sorted(call.name for call in message.tool_calls):
        return None
    left = list(zip(tools, following, strict=True))
    return [left.pop([tool for tool, _ in left].index(call.name))[1] for call in message.tool_calls]


def _plain_result(message: Message) -> Message:
    if not isinstance(message, ToolResult):
        return message
    return Message(role="tool", content=message.content, tool_call_id=message.tool_call_id)


def is_result(message: Message) -> bool:
    """Whether a message holds what a tool returned: the benchmark writes that as a user's JSON."""
    return message.role == "tool" or (message.role == "user" and as_value(message.content or "") is not None)
