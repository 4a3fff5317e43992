"""The layouts in which conversations come as rows, told apart by their keys, and what each says of a conversation.

Test sets and our own datasets are read strictly: they have few of the layouts, and messages in the plain one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.data.formats.calls import parse_answer
from harness.data.formats.framework_messages import is_message
from harness.data.formats.inspect_samples import read_sample
from harness.data.formats.json_texts import decoded, json_value, kind, shortened, why_not_held
from harness.data.formats.message_reader import read_messages
from harness.data.formats.reading_notes import ReadingNotes
from harness.data.formats.row_exchanges import (
    ANSWERED,
    ASKED,
    EXCHANGES,
    Read,
    Row,
    any_exchange,
    exchange_under,
    is_exchange,
    one_of_each,
    read_conversation,
)
from harness.data.records import Conversation, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class RowLayout:
    """One way of writing a conversation as a row."""

    words: str
    fits: Callable[[Any], bool]
    read: Read
    keys: frozenset[str] = frozenset()
    """What the conversation itself is made of; the other keys of a row are its columns."""
    strict: bool = False
    """Whether test sets may have it."""


def layout_of(value: Any, *, strict: bool = False) -> RowLayout | None:
    """Return the layout of a row, None where it has none of the known ones."""
    found = next((layout for layout in LAYOUTS if (layout.strict or not strict) and layout.fits(value)), None)
    return _wrapped(value) if found is None and not strict and isinstance(value, Mapping) else found


def _wrapped(row: Row) -> RowLayout | None:
    """Return the layout of a row whose conversation stands in an object in it."""
    inner = ((key, json_value(row.get(key))) for key in _WRAPPERS)
    fitting = (
        (key, layout) for key, held in inner if isinstance(held, Mapping) for layout in LAYOUTS if layout.fits(held)
    )
    return next((_inside(key, layout) for key, layout in fitting), None)


def _inside(key: str, found: RowLayout) -> RowLayout:
    return RowLayout(
        words=f"{found.words}, in {key}",
        fits=found.fits,
        read=lambda row, strict, notes: found.read(json_value(row[key]), strict, notes),
        keys=frozenset((key,)),
    )


def expected(value: Any, *, strict: bool = False) -> str:
    """Return a sentence about a row in no known layout."""
    found = f"keys {', '.join(sorted(value)) or '(none)'}" if isinstance(value, Mapping) else kind(value)
    if strict:
        return f'got {found}; expected "question" and "answer", "messages" or "context"'
    return (
        f'got {found}; expected "messages" (or "conversation", "conversations", "contents"), a request and its '
        "response, a trace or observation, a span, a line of a session, or another layout that docs/own-traces.md lists"
    )


def parse_row(row: Mapping[str, Any], *, id: str | None = None, source: str = "", strict: bool = True) -> Conversation:
    """Return the conversation of a row of a test set; ValueError says what is wrong with it.

    Its layout is one that test sets may have; `strict` is how its messages are read (see `read_messages`).

    Rows with `messages` have an `id` and a `source` of their own, which win. Raises ValueError also for one without
    an id where none is given.
    """
    found = layout_of(row, strict=True)
    if found is None:
        raise ValueError(expected(row, strict=True))
    if found is MESSAGES:
        id, source = row.get("id") or id, row.get("source") or source
    if id is None:
        raise ValueError('a conversation needs an "id"')
    if not isinstance(id, str) or not isinstance(source, str):
        raise ValueError('"id" and "source" must be text')
    return Conversation(id=id, messages=found.read(row, strict, ReadingNotes()), source=source)


def _has(*keys: str) -> Callable[[Any], bool]:
    return lambda row: isinstance(row, Mapping) and all(row.get(key) is not None for key in keys)


def _under(key: str) -> Read:
    def read(row: Row, strict: bool, notes: ReadingNotes) -> tuple[Message, ...]:
        value = decoded(row[key], f'"{key}" is')
        if isinstance(value, Mapping) and not strict:
            value = next((value[inner] for inner in ("messages", *_MESSAGE_LISTS) if value.get(inner)), value)
        return read_messages(value, key, strict=strict, notes=notes)

    return read


def _function_calls(row: Row, strict: bool, notes: ReadingNotes) -> tuple[Message, ...]:
    """Return the question and the calls of a row of xLAM's data sets."""
    calls = decoded(row["answers"], '"answers" is')
    messages = [{"role": "user", "content": row["query"]}, {"role": "assistant", "tool_calls": calls}]
    return read_messages(messages, "query", strict=strict, notes=notes)


def _context(row: Row, strict: bool, notes: ReadingNotes) -> tuple[Message, ...]:
    context = decoded(row["context"], '"context" is')
    if isinstance(context, Mapping):
        context = context.get("messages")
    elif strict:
        raise ValueError(f'"context" must hold an object with "messages", got {kind(context)}')
    return read_messages(context, strict=strict, notes=notes)


def _question(row: Row, strict: bool, notes: ReadingNotes) -> tuple[Message, ...]:
    messages = _under("question")(row, strict, notes)
    answer = row.get("answer")
    if not isinstance(answer, str):
        raise ValueError(f'"answer" must be text, got {kind(answer)}')
    calls = parse_answer(answer)
    if not calls and (words := why_not_held(answer)):
        raise ValueError(f'"answer" is JSON {words}: {shortened(answer)}')
    # Shuffled conversations may end with the user: their answer is that message's text.
    return *messages, Message(role="assistant", tool_calls=calls) if calls else Message(role="user", content=answer)


def _row_itself(row: Any, strict: bool, notes: ReadingNotes) -> tuple[Message, ...]:
    return read_messages(row, strict=strict, notes=notes)


def _is_messages(row: Any) -> bool:
    return isinstance(row, list) and bool(row) and all(isinstance(one, Mapping) for one in row)


def _lists_messages(key: str) -> Callable[[Any], bool]:
    """Return whether a row has messages, and nothing else, under a key that may hold other things too."""

    def fits(row: Any) -> bool:
        if not isinstance(row, Mapping) or any(row.get(other) for other in _BESIDE):
            return False
        held: Any = json_value(row.get(key))
        return _is_messages(held) and is_message(held[0])

    return fits


_WRAPPERS = (
    *("properties", "values", "data", "state", "attributes", "record", "payload", "row", "kwargs", "result"),
    *("_source", "jsonPayload", "message", "event", "detail", "log", "entry", "trace", "session"),
)
"""Keys of an object in which a conversation may stand like a row of its own."""
_MESSAGE_LISTS = (
    *("history", "chat_history", "message_history", "conversation_history", "all_messages", "new_messages"),
    *("events", "items", "turns", "chat", "dialogue", "dialog", "transcript", "trajectory", "traj", "thread", "log"),
)
_BESIDE = ("input", "output", "response", "prompt", "completion", "question", "answer", "query", "instruction")
"""Keys that hold a part of the conversation, so that a list beside them is not all of it."""
INSPECT = "samples of an Inspect log"
MESSAGES = RowLayout(
    words="messages", fits=_has("messages"), read=read_conversation, keys=frozenset(("messages",)), strict=True
)
LAYOUTS = (
    RowLayout(words=INSPECT, fits=_has("id", "epoch", "input"), read=read_sample),
    RowLayout(
        words="published rows (question and answer)",
        fits=_has("question"),
        read=_question,
        keys=frozenset(("context", "question", "answer", "reasoning", "metadata")),
        strict=True,
    ),
    MESSAGES,
    *(
        RowLayout(words=words, fits=_has(key), read=_under(key), keys=frozenset((key,)))
        for key, words in {
            "conversation": "messages under conversation",
            "conversations": "messages under conversations (from and value)",
            "contents": "contents of the Gemini API",
        }.items()
    ),
    RowLayout(
        words="steps of an agent (ATIF)",
        fits=lambda row: _has("steps")(row) and "schema_version" in row,
        read=_under("steps"),
        keys=frozenset(("steps",)),
    ),
    RowLayout(
        words="published traces (messages in a context)",
        fits=_has("context"),
        read=_context,
        keys=frozenset(("context",)),
        strict=True,
    ),
    RowLayout(
        words="questions and calls (xLAM)",
        fits=_has("query", "answers", "tools"),
        read=_function_calls,
        keys=frozenset(("query", "answers")),
    ),
    *(
        RowLayout(words=words, fits=is_exchange(*keys), read=exchange_under(*keys), keys=frozenset(keys))
        for words, pairs in EXCHANGES.items()
        for keys in pairs
    ),
    *(
        RowLayout(words=f"messages under {key}", fits=_lists_messages(key), read=_under(key), keys=frozenset((key,)))
        for key in _MESSAGE_LISTS
    ),
    RowLayout(
        words="questions and answers",
        fits=lambda row: one_of_each(row) is not None,
        read=any_exchange,
        keys=frozenset((*ASKED, *ANSWERED)),
    ),
    RowLayout(words="lists of messages", fits=_is_messages, read=_row_itself),
)
