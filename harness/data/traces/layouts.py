"""The layouts in which traces come, told apart by their keys, and what each of them says of a conversation."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.data.formats.published import parse_answer
from harness.data.records import Message
from harness.data.traces.agent_messages import kind, read_messages

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowLayout:
    """One way of writing a conversation as a row."""

    words: str
    fits: Callable[[Any], bool]
    read: Callable[[Any], tuple[Message, ...]]
    keys: frozenset[str] = frozenset()
    """What the conversation itself is made of; the other keys of a row are its columns."""


def layout_of(value: Any) -> RowLayout | None:
    """Return the layout of a row, None where it has none of the known ones."""
    return next((layout for layout in LAYOUTS if layout.fits(value)), None)


def expected(value: Any) -> str:
    """Return a sentence about a row in no known layout."""
    found = f"keys {', '.join(sorted(value)) or '(none)'}" if isinstance(value, Mapping) else kind(value)
    return (
        f'got {found}; expected "messages" (or "conversation", "conversations"), the published "context" or '
        '"question" and "answer", a Langfuse trace or observation, or an Inspect sample'
    )


def _has(*keys: str) -> Callable[[Any], bool]:
    return lambda row: isinstance(row, Mapping) and all(row.get(key) is not None for key in keys)


def _under(key: str) -> Callable[[Row], tuple[Message, ...]]:
    return lambda row: read_messages(decoded(row[key], key))


def decoded(value: Any, key: str) -> Any:
    """Return `value`, decoded where it is a JSON string; ValueError where it is a string and no JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'"{key}" is not valid JSON ({error})') from error


def _context(row: Row) -> tuple[Message, ...]:
    context = decoded(row["context"], "context")
    if isinstance(context, Mapping):
        context = context.get("messages")
    return read_messages(context)


def _question(row: Row) -> tuple[Message, ...]:
    messages = read_messages(decoded(row["question"], "question"))
    answer = row.get("answer")
    if not isinstance(answer, str):
        raise ValueError(f'"answer" must be text, got {kind(answer)}')
    call = parse_answer(answer)
    # Shuffled conversations may end with the user: their answer is that message's text.
    return *messages, Message(role="assistant", tool_calls=(call,)) if call else Message(role="user", content=answer)


def _sample(row: Row) -> tuple[Message, ...]:
    """Return the messages of an Inspect sample; long texts stand aside in its attachments."""
    messages = row.get("messages") or row.get("input")
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    attachments = row.get("attachments") or {}
    return read_messages(_attached(messages, attachments) if attachments else messages)


def _attached(value: Any, attachments: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return attachments.get(value.removeprefix("attachment://"), value) if value[:13] == "attachment://" else value
    if isinstance(value, list):
        return [_attached(one, attachments) for one in value]
    if isinstance(value, dict):
        return {key: _attached(one, attachments) for key, one in value.items()}
    return value


def _is_sample(row: Any) -> bool:
    return _has("id", "epoch", "input")(row)


def _is_messages(row: Any) -> bool:
    return isinstance(row, list) and bool(row) and all(isinstance(one, Mapping) for one in row)


INSPECT = "samples of an Inspect log"
LANGFUSE = "a Langfuse export"
LAYOUTS = (
    RowLayout(words=INSPECT, fits=_is_sample, read=_sample),
    RowLayout(
        words="published rows (question and answer)",
        fits=_has("question"),
        read=_question,
        keys=frozenset(("context", "question", "answer", "reasoning", "metadata")),
    ),
    RowLayout(words="messages", fits=_has("messages"), read=_under("messages"), keys=frozenset(("messages",))),
    RowLayout(
        words="messages under conversation",
        fits=_has("conversation"),
        read=_under("conversation"),
        keys=frozenset(("conversation",)),
    ),
    RowLayout(
        words="messages under conversations (from and value)",
        fits=_has("conversations"),
        read=_under("conversations"),
        keys=frozenset(("conversations",)),
    ),
    RowLayout(
        words="published traces (messages in a context)",
        fits=_has("context"),
        read=_context,
        keys=frozenset(("context",)),
    ),
    RowLayout(words="lists of messages", fits=_is_messages, read=read_messages),
)
