"""Rows that hold a request to a model and its answer, or messages with the answer to them beside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.data.formats.exchanges import HISTORIES, exchange, listed_messages, refuse_second
from harness.data.formats.json_texts import decoded, json_value
from harness.data.formats.message_reader import read_messages
from harness.data.formats.reading_notes import MEDIA, OTHER_ANSWER, ReadingNotes
from harness.data.records import Message

Row = Mapping[str, Any]
Read = Callable[[Any, bool, ReadingNotes], tuple[Message, ...]]
"""What reads the messages of a row, strictly or not, and notes what it changes or leaves out."""
_ANSWERS = ("output", "outputs", "response", "completion", "choices", "output_message", "answer")
"""Of DSPy's history, the outputs are read: its response is an object of Python as text."""
EXCHANGES = {
    "requests and their responses": (
        *(("request", "response"), ("request_body", "response_body"), ("requestBody", "responseBody")),
        *(("full_request", "full_response"), ("request_payload", "response_payload"), ("body", "response")),
        *(("backendRequestBody", "backendResponseBody"), ("params", "result")),
    ),
    "inputs and outputs": (("input", "output"), ("inputs", "outputs"), ("inputs", "output")),
    "prompts and completions": (("prompt", "completion"),),
}
ASKED = ("request", "input", "inputs", "prompt", "query", "user_input", "user_message", "llm_input")
ANSWERED = (
    "response",
    "output",
    "outputs",
    "completion",
    "choices",
    "answer",
    "output_message",
    "llm_output",
    "reply",
)


def read_conversation(row: Row, strict: bool, notes: ReadingNotes) -> tuple[Message, ...]:
    """Return the messages of a row, with the answer that a request's log has beside them."""
    messages = read_messages(decoded(row["messages"], '"messages" is'), strict=strict, notes=notes)
    key = next((key for key in _ANSWERS if row.get(key)), None)
    if strict or any(finding.check == MEDIA for finding in notes.findings):
        return messages
    ends = bool(messages) and messages[-1].role == "assistant"
    if key is None:
        unread = None if ends else next((key for key, value in row.items() if _is_answer(key, value)), None)
        if unread:
            raise ValueError(f"what {unread} holds may be the answer; expected it under {', '.join(_ANSWERS)}")
        return messages
    if not ends:
        return messages + _answer(row, key, notes)
    try:
        said = _answer(row, key, ReadingNotes())
    except ValueError:
        said = ()
    if said[-1:] != messages[-1:]:
        notes.add(OTHER_ANSWER, f"its {key} is not what its messages end with")
    return messages


def _is_answer(key: str, value: Any) -> bool:
    held = json_value(value) if key != "messages" else None
    held = held[0] if isinstance(held, list) and held else held
    keys = held.keys() if isinstance(held, Mapping) else set[str]()
    said = {"role", "content"} <= keys or {"index", "message"} <= keys
    return said or bool({"choices", "candidates", "generations"} & keys)


def _answer(row: Row, key: str, notes: ReadingNotes) -> tuple[Message, ...]:
    value = {key: row[key]} if key == "choices" else row[key]
    return read_messages(
        listed_messages(value, "assistant", any_object=False, notes=notes), key, strict=False, notes=notes
    )


def exchange_under(asked: str, answered: str) -> Read:
    """Return what reads a request to a model's API and its response under two keys of a row."""

    def read(row: Row, strict: bool, notes: ReadingNotes) -> tuple[Message, ...]:  # noqa: ARG001 - never strict
        refuse_second(row, asked, answered)
        said = row[asked]
        if history := next((row[key] for key in HISTORIES if row.get(key)), None):
            said = {"chat_history": history, "input": said}
        sent = listed_messages(said, "user", any_object=False, notes=notes)
        if not sent:
            raise ValueError(f'"{asked}" holds nothing that was asked')
        answer = {answered: row[answered]} if answered == "choices" else row[answered]
        return exchange(sent, listed_messages(answer, "assistant", any_object=False, notes=notes), notes)

    return read


def one_of_each(row: Any) -> tuple[str, str] | None:
    """Return the one key of a row that is a question to a model, and the one that is its answer."""
    held = [key for key, value in row.items() if value] if isinstance(row, Mapping) else []
    asked, answered = [key for key in held if key in ASKED], [key for key in held if key in ANSWERED]
    alone = len(asked) == len(answered) == 1 and "instruction" not in held
    return (asked[0], answered[0]) if alone else None


def any_exchange(row: Row, strict: bool, notes: ReadingNotes) -> tuple[Message, ...]:
    keys = one_of_each(row)
    return () if keys is None else exchange_under(*keys)(row, strict, notes)


def is_exchange(asked: str, answered: str) -> Callable[[Any], bool]:
    """Return whether a row has both; one with an instruction beside them is no log of a request."""

    def fits(row: Any) -> bool:
        held = isinstance(row, Mapping) and row.get(asked) and row.get(answered) is not None
        return bool(held) and not row.get("instruction")

    return fits
