"""OpenAI-style messages, chat-template messages and call strings, to and from records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from harness.data.records import Conversation, Message, ToolCall, TurnPair
from harness.errors import DataError

_ROLES = ("system", "user", "assistant", "tool")


def parse_arguments(value: Any) -> dict[str, Any]:
    """Return call arguments from a JSON string or an object; ValueError for anything else."""
    if isinstance(value, str):
        value = json.loads(value) if value.strip() else {}
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"call arguments must be an object, got {type(value).__name__}")
    return value


def parse_call(value: Mapping[str, Any]) -> ToolCall:
    """Return the call in `{"name", "arguments"|"parameters"}` or `{"id", "function": {...}}`, else ValueError."""
    function = value.get("function", value)
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise ValueError('a call needs a "name"')
    raw = function["arguments"] if "arguments" in function else function.get("parameters")
    return ToolCall(name=function["name"], arguments=parse_arguments(raw), id=value.get("id"))


def parse_message(value: Mapping[str, Any]) -> Message:
    """Return the record of one OpenAI-style message; ValueError says what is wrong with it."""
    role = value.get("role")
    if role not in _ROLES:
        raise ValueError(f"unknown role {role!r}; expected one of {', '.join(_ROLES)}")
    content = value.get("content")
    if content is not None and not isinstance(content, str):
        raise ValueError(f"content must be text or null, got {type(content).__name__}")
    calls = tuple(parse_call(call) for call in value.get("tool_calls") or ())
    return Message(role=role, content=content, tool_calls=calls, tool_call_id=value.get("tool_call_id"))


def dump_arguments(arguments: Mapping[str, Any]) -> str:
    """Return arguments as they go on the wire: a JSON string, keys in their order."""
    return json.dumps(arguments, ensure_ascii=False)


def dump_message(message: Message) -> dict[str, Any]:
    """Return a row with all keys of the OpenAI layout, so that Arrow sees one type for every row."""
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": dump_arguments(call.arguments)},
        }
        for call in message.tool_calls
    ]
    return {
        "role": message.role,
        "content": message.content,
        "tool_calls": calls or None,
        "tool_call_id": message.tool_call_id,
    }


def template_message(message: Message) -> dict[str, Any]:
    """Return a message as chat templates expect it: arguments as an object, absent keys absent."""
    out: dict[str, Any] = {"role": message.role, "content": message.content or ""}
    if message.tool_calls:
        out["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        out["tool_call_id"] = message.tool_call_id
    return out


def dump_conversation(conversation: Conversation) -> dict[str, Any]:
    """Return a conversation as a dataset row."""
    messages = [dump_message(message) for message in conversation.messages]
    return {"id": conversation.id, "source": conversation.source, "messages": messages}


def parse_conversation(row: Mapping[str, Any]) -> Conversation:
    """Return the conversation of a dataset row; ValueError says what is wrong with it."""
    if not isinstance(row.get("id"), str) or not isinstance(row.get("messages"), list):
        raise ValueError('a conversation needs an "id" and a list of "messages"')
    messages = tuple(parse_message(message) for message in row["messages"])
    return Conversation(id=row["id"], messages=messages, source=row.get("source") or "")


def dump_pair(pair: TurnPair) -> dict[str, Any]:
    """Return a turn pair as a dataset row."""
    return {
        "id": pair.id,
        "conversation": pair.conversation,
        "turn": pair.turn,
        "messages": [dump_message(message) for message in pair.prefix],
        "reference": {"name": pair.reference.name, "arguments": dump_arguments(pair.reference.arguments)},
    }


def expand_pairs(conversations: Iterable[Conversation]) -> list[TurnPair]:
    """Return one pair for every assistant call, in order.

    Raises DataError where an assistant message carries several calls: the benchmark has one a turn.
    """
    pairs: list[TurnPair] = []
    for conversation in conversations:
        turn = 0
        for position, message in enumerate(conversation.messages):
            if message.role != "assistant" or not message.tool_calls:
                continue
            if len(message.tool_calls) > 1:
                raise DataError(f"conversation {conversation.id}, message {position}: several calls in one turn")
            pairs.append(
                TurnPair(
                    id=f"{conversation.id}:{turn}",
                    conversation=conversation.id,
                    turn=turn,
                    prefix=conversation.messages[:position],
                    reference=message.tool_calls[0],
                )
            )
            turn += 1
    return pairs
