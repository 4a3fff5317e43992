"""Messages of OpenTelemetry in their plain form, as most spans have them, read quickly and alike.

All others are left to `formats/message_reader.py`, which knows every form.
"""

from __future__ import annotations

from typing import Any

from harness.data.formats.content_parts import may_be_parts
from harness.data.formats.json_texts import encodable
from harness.data.formats.message_reader import whole
from harness.data.formats.text_calls import may_hold_calls
from harness.data.records import Message, ToolCall

_MESSAGE = frozenset(("role", "parts", "finish_reason"))
_TEXT, _CALL, _RESULT = {"type", "content"}, {"type", "id", "name", "arguments"}, {"type", "id", "response"}


def parted_messages(values: Any) -> tuple[Message, ...] | None:
    """Return the records of a list of messages where all have one plain part beside reasoning, which is left out.

    An assistant's may have a text and then a call. None where a message has anything else.
    """
    if not isinstance(values, list) or not values:
        return None
    found = []
    for value in values:
        if not isinstance(value, dict) or not value.keys() <= _MESSAGE or not isinstance(value.get("parts"), list):
            return None
        parts = [part for part in value["parts"] if not isinstance(part, dict) or part.get("type") != "reasoning"]
        message = _message(value.get("role"), parts)
        if message is None:
            return None
        found.append(message)
    return tuple(found)


def _message(role: Any, parts: list[Any]) -> Message | None:
    if not all(isinstance(part, dict) for part in parts) or not 1 <= len(parts) <= 2:
        return None
    first = _of_part(role, parts[0])
    if first is None or len(parts) == 1:
        return first
    call = _of_part(role, parts[1]) if first.content and role == "assistant" else None
    if call is None or not call.tool_calls:
        return None
    return Message(role=role, content=first.content, tool_calls=call.tool_calls)


def _of_part(role: Any, part: dict[str, Any]) -> Message | None:
    kind, id = part.get("type"), part.get("id")
    if kind == "text" and role in ("user", "assistant", "system") and part.keys() == _TEXT:
        text = part["content"]
        plain = _is_plain(text) and not (role == "assistant" and may_hold_calls(text))
        return Message(role=role, content=text) if plain else None
    if not isinstance(id, str) or not id:
        return None
    if kind == "tool_call" and role == "assistant" and part.keys() == _CALL:
        name, arguments = part["name"], part["arguments"]
        if isinstance(name, str) and name and isinstance(arguments, dict) and arguments and _is_whole(arguments):
            return Message(role=role, tool_calls=(ToolCall(name=name, arguments=arguments, id=id),))
    elif kind == "tool_call_response" and role == "tool" and part.keys() == _RESULT:
        text = part["response"]
        if _is_plain(text) and '"function"' not in text:
            return Message(role=role, content=text, tool_call_id=id)
    return None


def _is_plain(text: Any) -> bool:
    """Return whether something is a text, and nothing in it is to be looked at."""
    if not isinstance(text, str) or not text or "<tool_" in text or may_be_parts(text):
        return False
    return encodable(text) is text


def _is_whole(value: Any) -> bool:
    try:
        whole(value)
    except ValueError:
        return False
    return True
