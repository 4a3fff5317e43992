"""Records to OpenAI-style messages, chat-template messages, call strings and rows; conversations to pairs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from harness.data.records import Conversation, Message, Task, TurnPair
from harness.errors import DataError

MOST_CALLS = 31
"""Calls of one turn, at most: more are not read from an answer."""


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


def without_system(messages: Iterable[Message]) -> tuple[Message, ...]:
    """Return a conversation without system messages, in whose place the task's own comes."""
    return tuple(message for message in messages if message.role != "system")


def dump_conversation(conversation: Conversation) -> dict[str, Any]:
    """Return a conversation as a line of a file of traces."""
    messages = [dump_message(message) for message in conversation.messages]
    return {"id": conversation.id, "source": conversation.source, "messages": messages}


def check_calls(conversations: Iterable[Conversation], task: Task) -> None:
    """Raise DataError for a turn with more calls than its task allows."""
    most = MOST_CALLS if task.parallel_tool_calls else 1
    for conversation in conversations:
        for position, message in enumerate(conversation.messages):
            if (number := len(message.tool_calls)) <= most:
                continue
            place = f"conversation {conversation.id}, message {position}: {number} calls in one turn"
            if task.parallel_tool_calls:
                raise DataError(f"{place}; expected at most {most}, of more no answer is read")
            raise DataError(
                f"{place}; expected one, or the task says that there may be several: "
                '"parallel_tool_calls": true in job_description.json'
            )


def expand_pairs(conversations: Iterable[Conversation]) -> list[TurnPair]:
    """Return one pair for every assistant turn with a call or several, in order."""
    pairs: list[TurnPair] = []
    for conversation in conversations:
        turn = 0
        for position, message in enumerate(conversation.messages):
            if message.role != "assistant" or not message.tool_calls:
                continue
            pairs.append(
                TurnPair(
                    id=f"{conversation.id}:{turn}",
                    conversation=conversation.id,
                    turn=turn,
                    prefix=conversation.messages[:position],
                    reference=message.tool_calls[0],
                    further=message.tool_calls[1:],
                )
            )
            turn += 1
    return pairs
