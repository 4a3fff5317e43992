"""What the agent said in the logged test conversations, turn by turn, where a person may have corrected them since."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.data.formats.jsonl import read_jsonl
from harness.data.formats.messages import expand_pairs, without_system
from harness.data.formats.row_layouts import parse_row
from harness.data.records import Conversation, Message, TurnPair
from harness.errors import DataError

LOGGED = "data/logged.jsonl"
"""In a test-set repository: one line per test conversation, in their order, as it was logged."""
SEEN = "looked_at"
"""Column of LOGGED: whether a person has looked at the conversation. What nobody has looked at shows nothing."""


def read_logged(path: Path) -> list[Conversation | None]:
    """Return the logged conversations of a test-set repository, in order; None for those that nobody has looked at.

    Raises DataError, with file and line, for a row that cannot be read.
    """
    found: list[Conversation | None] = []
    for number, row in read_jsonl(path):
        try:
            seen = row.get(SEEN) is not False
            found.append(parse_row(row, id=f"test-{number - 1:04d}", source=f"{path.name}:{number}") if seen else None)
        except ValueError as error:
            raise DataError.at(path, number, str(error)) from error
    return found


def corrected(logged: Sequence[Conversation | None], conversations: Sequence[Conversation]) -> int:
    """Return how many of the calls that logged answers can be compared with are others than what was logged.

    Where none is, all of these answers are the references, whatever else was corrected.
    """
    both = zip(logged, conversations, strict=True)
    pairs = [(pair, old) for old, new in both if old for pair in expand_pairs([new])]
    answers = [(logged_answer(pair, old), pair.calls) for pair, old in pairs]
    return sum(answer is not None and answer.tool_calls != calls for answer, calls in answers)


def logged_answer(pair: TurnPair, conversation: Conversation) -> Message | None:
    """Return what the agent said after the prefix of a pair; None where the prefix is no longer what was logged."""
    messages, prefix = without_system(conversation.messages), without_system(pair.prefix)
    place = len(prefix)
    if len(messages) <= place or messages[place].role != "assistant" or _said(messages[:place]) != _said(prefix):
        return None
    return messages[place]


def _said(messages: Sequence[Message]) -> list[tuple[object, ...]]:
    """Return messages without the ids of calls, which say nothing."""
    return [(one.role, one.content or None, one.tool_calls) for one in messages]
