"""The layouts in which conversations come as rows, told apart by their keys, and what each says of a conversation.

Test sets and our own datasets are read strictly: they have few of the layouts, and messages in the plain one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.data.formats.calls import parse_answer
from harness.data.formats.json_texts import decoded, json_value, kind, shortened, why_not_held
from harness.data.formats.message_reader import read_messages
from harness.data.records import Conversation, Message
from harness.hub.foreign_json import LARGEST

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowLayout:
    """One way of writing a conversation as a row."""

    words: str
    fits: Callable[[Any], bool]
    read: Callable[[Any, bool], tuple[Message, ...]]
    """What reads the messages of a row, strictly or not."""
    keys: frozenset[str] = frozenset()
    """What the conversation itself is made of; the other keys of a row are its columns."""
    strict: bool = False
    """Whether test sets may have it."""


def layout_of(value: Any, *, strict: bool = False) -> RowLayout | None:
    """Return the layout of a row, None where it has none of the known ones."""
    return next((layout for layout in LAYOUTS if (layout.strict or not strict) and layout.fits(value)), None)


def expected(value: Any, *, strict: bool = False) -> str:
    """Return a sentence about a row in no known layout."""
    found = f"keys {', '.join(sorted(value)) or '(none)'}" if isinstance(value, Mapping) else kind(value)
    if strict:
        return f'got {found}; expected "question" and "answer", "messages" or "context"'
    return (
        f'got {found}; expected "messages" (or "conversation", "conversations", "contents"), "context" or '
        '"question" and "answer", a Langfuse trace or observation, a span, or an Inspect sample'
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
    return Conversation(id=id, messages=found.read(row, strict), source=source)


def _has(*keys: str) -> Callable[[Any], bool]:
    return lambda row: isinstance(row, Mapping) and all(row.get(key) is not None for key in keys)


def _under(key: str) -> Callable[[Row, bool], tuple[Message, ...]]:
    return lambda row, strict: read_messages(decoded(row[key], f'"{key}" is'), key, strict=strict)


def _conversation(row: Row, strict: bool) -> tuple[Message, ...]:
    """Return the messages of a row, with the answer that a request's log has beside them."""
    messages = _under("messages")(row, strict)
    answer = next((row[key] for key in ("output", "response", "completion") if row.get(key)), None)
    if strict or answer is None or (messages and messages[-1].role == "assistant"):
        return messages
    return (*messages, *read_messages(_answers(answer), "the answer", strict=False))


def _exchange(asked: str, answered: str) -> Callable[[Row, bool], tuple[Message, ...]]:
    """Return what reads a request to a model's API and its response under two keys of a row."""

    def read(row: Row, strict: bool) -> tuple[Message, ...]:
        request = json_value(row[asked])
        if isinstance(request, Mapping):
            request = next(
                (json_value(request[key]) for key in ("messages", "input", "contents") if key in request), [request]
            )
        if isinstance(request, str):
            request = [{"role": "user", "content": request}]
        if not isinstance(request, list):
            raise ValueError(f'"{asked}" must hold a request, got {kind(request)}')
        return tuple(read_messages([*request, *_answers(row[answered])], asked, strict=strict))

    return read


def _answers(value: Any) -> list[Any]:
    """Return the messages in what a model's API answered: a text, a message, several, choices, or candidates."""
    value = json_value(value)
    for key, inside in (("choices", "message"), ("candidates", "content")):
        if isinstance(value, Mapping) and isinstance(listed := value.get(key), list) and listed:
            value = listed[0].get(inside) if isinstance(listed[0], Mapping) else listed[0]
    if isinstance(value, Mapping) and "role" not in value and isinstance(value.get("output"), list | Mapping):
        value = value["output"]  # a list of the Responses API, or Bedrock's object with a message
    if isinstance(value, str):
        value = {"role": "assistant", "content": value}
    return value if isinstance(value, list) else [value]


def _context(row: Row, strict: bool) -> tuple[Message, ...]:
    context = decoded(row["context"], '"context" is')
    if isinstance(context, Mapping):
        context = context.get("messages")
    elif strict:
        raise ValueError(f'"context" must hold an object with "messages", got {kind(context)}')
    return read_messages(context, strict=strict)


def _question(row: Row, strict: bool) -> tuple[Message, ...]:
    messages = _under("question")(row, strict)
    answer = row.get("answer")
    if not isinstance(answer, str):
        raise ValueError(f'"answer" must be text, got {kind(answer)}')
    call = parse_answer(answer)
    if call is None and (words := why_not_held(answer)):
        raise ValueError(f'"answer" is JSON {words}: {shortened(answer)}')
    # Shuffled conversations may end with the user: their answer is that message's text.
    return *messages, Message(role="assistant", tool_calls=(call,)) if call else Message(role="user", content=answer)


def _sample(row: Row, strict: bool) -> tuple[Message, ...]:
    """Return the messages of an Inspect sample; long texts stand aside in its attachments."""
    messages = row.get("messages") or row.get("input")
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    attachments = row.get("attachments") or {}
    if not isinstance(attachments, Mapping):
        raise ValueError(f'"attachments" must hold an object, got {kind(attachments)}')
    return read_messages(_attached(messages, attachments) if attachments else messages, strict=strict)


def _attached(value: Any, attachments: Mapping[str, str]) -> Any:
    """Return messages with the texts that stand aside put in; ValueError where they unfold to more than a row has."""
    left = LARGEST

    def put(value: Any) -> Any:
        nonlocal left
        if isinstance(value, str) and value.startswith("attachment://"):
            text = attachments.get(value.removeprefix("attachment://"), value)
            left -= len(text) if isinstance(text, str) else 0
            if left < 0:
                raise ValueError(f"its attachments unfold to more than {LARGEST >> 20} MiB of messages")
            return text
        if isinstance(value, list):
            return [put(one) for one in value]
        if isinstance(value, dict):
            return {key: put(one) for key, one in value.items()}
        return value

    return put(value)


def _is_sample(row: Any) -> bool:
    return _has("id", "epoch", "input")(row)


def _is_exchange(asked: str, answered: str) -> Callable[[Any], bool]:
    """Return whether a row has both; one with an instruction beside them is no log of a request."""
    both = _has(asked, answered)
    return lambda row: both(row) and bool(row[asked]) and not row.get("instruction")


def _row_itself(row: Any, strict: bool) -> tuple[Message, ...]:
    return read_messages(row, strict=strict)


def _is_messages(row: Any) -> bool:
    return isinstance(row, list) and bool(row) and all(isinstance(one, Mapping) for one in row)


INSPECT = "samples of an Inspect log"
MESSAGES = RowLayout(
    words="messages", fits=_has("messages"), read=_conversation, keys=frozenset(("messages",)), strict=True
)
LAYOUTS = (
    RowLayout(words=INSPECT, fits=_is_sample, read=_sample),
    RowLayout(
        words="published rows (question and answer)",
        fits=_has("question"),
        read=_question,
        keys=frozenset(("context", "question", "answer", "reasoning", "metadata")),
        strict=True,
    ),
    MESSAGES,
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
        words="contents of the Gemini API",
        fits=_has("contents"),
        read=_under("contents"),
        keys=frozenset(("contents",)),
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
    *(
        RowLayout(words=words, fits=_is_exchange(*keys), read=_exchange(*keys), keys=frozenset(keys))
        for words, keys in {
            "requests and their responses": ("request", "response"),
            "inputs and outputs": ("input", "output"),
            "prompts and completions": ("prompt", "completion"),
        }.items()
    ),
    RowLayout(words="lists of messages", fits=_is_messages, read=_row_itself),
)
