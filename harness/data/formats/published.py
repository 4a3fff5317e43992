"""The layouts of the published benchmark files, in and out.

Two layouts carry the same conversations:

- traces: `{"context": "{\\"messages\\": [...]}"}`, with call arguments as JSON strings;
- rows: `{"context", "question", "answer", "reasoning", "metadata"}` (test sets, direct training, and
  predictions with a `prediction` beside): `question` is a JSON list of all messages but the last, with
  arguments as objects, and `answer` the last call, or the plain text of a last user message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.data.formats.jsonl import read_jsonl
from harness.data.formats.messages import parse_call, parse_message
from harness.data.records import Conversation, Message, ToolCall
from harness.errors import DataError

_TAGGED = re.compile(r"\s*<tool_call>(.*)</tool_call>\s*", re.DOTALL)


def dump_trace(conversation: Conversation, *, null_content: bool, pandas: bool) -> str:
    """Return a trace's line, with its line end.

    `null_content` writes `"content": null` into messages that only call; `pandas` writes the line as
    `DataFrame.to_json` does, compact and with `/` escaped. The published files have all four forms.
    """
    messages = [_dump_message(message, null_content, json.dumps) for message in conversation.messages]
    return _line({"context": json.dumps({"messages": messages})}, pandas=pandas)


def dump_row(conversation: Conversation) -> str:
    """Return a conversation's line in the layout of test sets and direct training, with its line end.

    Raises DataError for a last message that the layout cannot hold: several calls, or an assistant's text.
    """
    if not conversation.messages:
        raise DataError(f"conversation {conversation.id} has no messages, so its row would have no answer")
    *prefix, last = conversation.messages
    if len(last.tool_calls) == 1:
        call = last.tool_calls[0]
        answer = json.dumps({"name": call.name, "parameters": call.arguments})
    elif last.role == "user" and last.content is not None:
        answer = last.content
    else:
        raise DataError(f"conversation {conversation.id} ends with neither one call nor a user message")
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


def parse_row(row: Mapping[str, Any], *, id: str, source: str) -> Conversation:
    """Return the conversation of a row in any known layout; ValueError says what is wrong with it.

    Known are the two published layouts and rows with `messages` (whose own `id` and `source` win).
    """
    if row.get("question") is not None:
        messages = [*_messages(_json(row["question"], "question"), "question"), _answer(row.get("answer"))]
    elif isinstance(row.get("messages"), list):
        messages = _messages(row["messages"], "messages")
        id, source = row.get("id") or id, row.get("source") or source
        if not isinstance(id, str) or not isinstance(source, str):
            raise ValueError('"id" and "source" must be text')
    elif row.get("context") is not None:
        context = _json(row["context"], "context")
        if not isinstance(context, Mapping):
            raise ValueError('"context" must hold an object with "messages"')
        messages = _messages(context.get("messages"), "messages")
    else:
        raise ValueError(f'expected "question" and "answer", "messages" or "context", got {sorted(row) or "nothing"}')
    return Conversation(id=id, messages=tuple(messages), source=source)


def parse_answer(answer: str) -> ToolCall | None:
    """Return the call that a reference states, plain or in `<tool_call>` tags; None for any other text."""
    tagged = _TAGGED.fullmatch(answer)
    try:
        value = json.loads(tagged.group(1) if tagged else answer)
        if not isinstance(value, Mapping) or not ({"parameters", "arguments"} & value.keys()):
            return None
        return parse_call(value)
    except (ValueError, RecursionError):
        return None


def read_test_conversations(path: Path) -> list[Conversation]:
    """Return the conversations of a test set as `test-0000` onwards.

    Raises DataError, with file and line, for a malformed row and for one without a call to compare with.
    """
    conversations = []
    for line, row, conversation in _read(path, "test"):
        if row.get("question") is not None and not conversation.messages[-1].tool_calls:
            raise DataError.at(path, line, 'the "answer" is no tool call; expected {"name": ..., "parameters": {...}}')
        if not any(message.tool_calls for message in conversation.messages):
            raise DataError.at(
                path, line, "the conversation has no assistant call, so there is nothing to compare with"
            )
        conversations.append(conversation)
    if not conversations:
        raise DataError(f"{path} has no rows; expected one conversation a line")
    return conversations


def _read(path: Path, prefix: str) -> Iterator[tuple[int, dict[str, Any], Conversation]]:
    for position, (line, row) in enumerate(read_jsonl(path)):
        try:
            yield line, row, parse_row(row, id=f"{prefix}-{position:04d}", source=f"{path.name}:{line}")
        except ValueError as error:
            raise DataError.at(path, line, str(error)) from error


def _json(value: Any, key: str) -> Any:
    """Return `value`, decoded where it is a JSON string."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise ValueError(f'"{key}" is not valid JSON ({error.msg} at character {error.pos + 1})') from error
    except RecursionError as error:
        raise ValueError(f'"{key}" is nested too deeply to read') from error


def _messages(values: Any, key: str) -> list[Message]:
    if not isinstance(values, list):
        raise ValueError(f'"{key}" must hold a list of messages, got {type(values).__name__}')
    messages = []
    for position, value in enumerate(values):
        if not isinstance(value, Mapping):
            raise ValueError(f"message {position} must be an object, got {type(value).__name__}")
        try:
            messages.append(parse_message(value))
        except ValueError as error:
            raise ValueError(f"message {position}: {error}") from error
        except (TypeError, AttributeError) as error:
            raise ValueError(f"message {position}: tool_calls must be a list of call objects") from error
    return messages


def _answer(answer: Any) -> Message:
    if not isinstance(answer, str):
        raise ValueError(f'"answer" must be text, got {type(answer).__name__}')
    call = parse_answer(answer)
    # Shuffled conversations may end with the user: their answer is that message's text.
    return Message(role="assistant", tool_calls=(call,)) if call else Message(role="user", content=answer)
