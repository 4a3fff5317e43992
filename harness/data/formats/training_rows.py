"""Conversations to rows of training files: TRL's, OpenAI's, ShareGPT's as LLaMA-Factory reads it, and Hub sessions.

A writer takes a conversation, the tools it was held with, and a counter of what its format does not hold; it raises
ValueError with the reason where the format cannot hold the conversation at all.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.data.formats.messages import dump_arguments, dump_message
from harness.data.formats.stage_rows import as_json, chat_message
from harness.data.records import Conversation, Message, ToolCall
from harness.data.tools import function_of

Tools = Sequence[Mapping[str, Any]]
Writer = Callable[[Conversation, Tools, Counter[str]], Any]
HARNESS = "tft-harness"
"""What wrote a session, as the Hub's viewer shows it."""
GIVEN_IDS = "calls that were given an id, which the format asks for"
AS_TEXT = "calls with their arguments as JSON text, since `datasets` would change a number in an object"
UNANSWERED = "conversations with a call that no tool message answers, which OpenAI does not take"
TEXT_BESIDE = "texts beside a call, which ShareGPT has no place for: left out"
CUT = "conversations cut after their last assistant turn, which ShareGPT has to end with"
NO_TURN = "no turn of the assistant"
_SHAREGPT = {"user": "human", "tool": "observation", "assistant": "gpt"}


def trl_row(conversation: Conversation, tools: Tools, notes: Counter[str]) -> dict[str, Any]:
    """Return `{"id", "messages", "tools"}` with arguments as objects; keys that say nothing are absent."""
    messages = [chat_message(message, as_json) for message in conversation.messages]
    notes[AS_TEXT] += sum(
        isinstance(call["function"]["arguments"], str) for message in messages for call in message.get("tool_calls", ())
    )
    return {"id": conversation.id, "messages": messages, **_tools([as_json(tool) for tool in tools])}


def openai_row(conversation: Conversation, tools: Tools, notes: Counter[str]) -> dict[str, Any]:
    """Return `{"messages", "tools"}` for OpenAI's fine-tuning: arguments as JSON text, every call with an id.

    ValueError for a conversation in which the assistant says nothing: OpenAI refuses the file.
    """
    if not any(message.role == "assistant" for message in conversation.messages):
        raise ValueError(NO_TURN)
    messages = list(_with_ids(conversation.messages, notes))
    notes[UNANSWERED] += any(_is_unanswered(messages, place) for place in range(len(messages) - 1))
    rows = [{key: value for key, value in dump_message(one).items() if value is not None} for one in messages]
    return {"messages": rows, **_tools(tools)}


def session_lines(conversation: Conversation, tools: Tools, notes: Counter[str]) -> list[dict[str, Any]]:
    """Return the lines of a file in the Hub's Session Trace Simple Format: a header, then one for each message."""
    lines: list[dict[str, Any]] = [{"type": "session", "harness": HARNESS, "id": conversation.id, **_tools(tools)}]
    for one in _with_ids(conversation.messages, notes):
        message: dict[str, Any] = {"role": one.role, "content": one.content or ""}
        if one.tool_calls:
            message["toolCalls"] = [
                {"id": call.id, "function": {"name": call.name, "arguments": dump_arguments(call.arguments)}}
                for call in one.tool_calls
            ]
        if one.tool_call_id is not None:
            message["toolCallId"] = one.tool_call_id
        lines.append({"type": "message", "message": message})
    return lines


def sharegpt_row(conversation: Conversation, tools: Tools, notes: Counter[str]) -> dict[str, Any]:
    """Return `{"id", "conversations", "system", "tools"}`; calls and tools are JSON text.

    People and results stand at odd places, the assistant at even ones, and the last turn is the assistant's: ValueError
    for a conversation that does not alternate so, since LLaMA-Factory skips it.
    """
    messages = list(conversation.messages)
    system = messages.pop(0).content if messages and messages[0].role == "system" else None
    end = max((place for place, one in enumerate(messages, 1) if one.role == "assistant"), default=0)
    notes[CUT] += end < len(messages)
    messages = messages[:end]
    if not messages:
        raise ValueError(NO_TURN)
    for place, message in enumerate(messages):
        if message.role == "system" or (message.role == "assistant") != (place % 2 == 1):
            raise ValueError("roles do not alternate as ShareGPT's do: human or observation, then gpt or function_call")
    functions = [function_of(tool) for tool in tools]
    return {
        "id": conversation.id,
        "conversations": [_sharegpt_turn(message, notes) for message in messages],
        "system": system or "",
        "tools": json.dumps(functions, ensure_ascii=False) if functions else "",
    }


def _sharegpt_turn(message: Message, notes: Counter[str]) -> dict[str, str]:
    if not message.tool_calls:
        return {"from": _SHAREGPT[message.role], "value": message.content or ""}
    notes[TEXT_BESIDE] += bool(message.content)
    calls = [{"name": call.name, "arguments": call.arguments} for call in message.tool_calls]
    return {"from": "function_call", "value": json.dumps(calls if len(calls) > 1 else calls[0], ensure_ascii=False)}


def _tools(tools: Tools) -> dict[str, Any]:
    return {"tools": list(tools)} if tools else {}


def _with_ids(messages: Sequence[Message], notes: Counter[str]) -> Iterator[Message]:
    """Yield the messages, each call with an id, and results without one with that of the next call they may answer."""
    waiting: list[str] = []
    for place, message in enumerate(messages):
        if message.tool_calls:
            notes[GIVEN_IDS] += sum(call.id is None for call in message.tool_calls)
            calls = [_identified(call, f"call_{place}_{number}") for number, call in enumerate(message.tool_calls)]
            waiting = [str(call.id) for call in calls]
            yield replace(message, tool_calls=tuple(calls))
        elif message.role == "tool" and message.tool_call_id is None and waiting:
            yield replace(message, tool_call_id=waiting.pop(0))
        else:
            yield message


def _identified(call: ToolCall, id: str) -> ToolCall:
    return call if call.id is not None else replace(call, id=id)


def _is_unanswered(messages: Sequence[Message], place: int) -> bool:
    """Return whether a message has calls and something else than their results follows."""
    asked = {call.id for call in messages[place].tool_calls}
    following = messages[place + 1 : place + 1 + len(messages[place].tool_calls)]
    return not asked <= {one.tool_call_id for one in following if one.role == "tool"}


WRITERS: Mapping[str, Writer] = {
    "trl": trl_row,
    "sharegpt": sharegpt_row,
    "openai": openai_row,
    "sts": session_lines,
}
"""Format -> what writes a conversation in it; of `sts` each conversation is a file, of the others a row."""
