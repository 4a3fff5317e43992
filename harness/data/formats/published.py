"""The published benchmark files: their rows, out, and test sets, in.

Two layouts carry the same conversations:

- traces: `{"context": "{\\"messages\\": [...]}"}`, with call arguments as JSON strings;
- rows: `{"context", "question", "answer", "reasoning", "metadata"}` (test sets, direct training, and
  predictions with a `prediction` beside): `question` is a JSON list of all messages but the last, with
  arguments as objects, and `answer` the last call, or the plain text of a last user message.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.data.formats.jsonl import read_jsonl
from harness.data.formats.row_layouts import parse_row
from harness.data.records import Conversation, Message
from harness.errors import DataError


def dump_trace(conversation: Conversation, *, null_content: bool, pandas: bool) -> str:
    """Return a trace's line, with its line end.

    `null_content` writes `"content": null` into messages that only call; `pandas` writes the line as
    `DataFrame.to_json` does, compact and with `/` escaped. The published files have all four forms.
    """
    messages = [_dump_message(message, null_content, json.dumps) for message in conversation.messages]
    return _line({"context": json.dumps({"messages": messages})}, pandas=pandas)


def dump_row(conversation: Conversation) -> str:
    """Return a conversation's line in the layout of test sets and direct training, with its line end.

    Several calls of the last turn are a list. Raises DataError for an assistant's text, which the layout cannot hold.
    """
    if not conversation.messages:
        raise DataError(f"conversation {conversation.id} has no messages, so its row would have no answer")
    *prefix, last = conversation.messages
    if last.tool_calls:
        calls = [{"name": call.name, "parameters": call.arguments} for call in last.tool_calls]
        answer = json.dumps(calls if len(calls) > 1 else calls[0])
    elif last.role == "user" and last.content is not None:
        answer = last.content
    else:
        raise DataError(f"conversation {conversation.id} ends with neither a call nor a user message")
    question = json.dumps([_dump_message(message, False, dict) for message in prefix])
    row = {"context": None, "question": question, "answer": answer, "reasoning": None, "metadata": None}
    return _line(row, pandas=True)


def _dump_message(message: Message, null_content: bool, arguments: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    out: dict[str, Any] = {"role": message.role}
    if message.content is not None or null_content:
        out["content"] = message.content
    if message.tool_calls:
        out["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments(call.arguments)}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        out["tool_call_id"] = message.tool_call_id
    return out


def _line(row: Mapping[str, Any], *, pandas: bool) -> str:
    if pandas:
        return json.dumps(row, separators=(",", ":")).replace("/", "\\/") + "\n"
    return json.dumps(row) + "\n"


def read_test_conversations(path: Path) -> list[Conversation]:
    """Return the conversations of a test set as `test-0000` onwards.

    Raises DataError, with file and line, for a malformed row and for one without a call to compare with.
    """
    conversations = []
    for position, (line, row) in enumerate(read_jsonl(path)):
        try:
            conversation = parse_row(row, id=f"test-{position:04d}", source=f"{path.name}:{line}")
        except ValueError as error:
            raise DataError.at(path, line, str(error)) from error
        if row.get("question") is not None and not conversation.messages[-1].tool_calls:
            raise DataError.at(
                path, line, 'the "answer" is not a tool call; expected {"name": ..., "parameters": {...}}'
            )
        if not any(message.tool_calls for message in conversation.messages):
            raise DataError.at(
                path, line, "the conversation has no assistant call, so there is nothing to compare with"
            )
        conversations.append(conversation)
    if not conversations:
        raise DataError(f"{path} has no rows; expected one conversation per line")
    return conversations
