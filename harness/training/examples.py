"""Training examples: token ids, and which of them carry loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from harness.data.records import Conversation
from harness.errors import DataError
from harness.training.data import ends_open

if TYPE_CHECKING:
    from harness.training.rendering import TrainingRendering

NO_TURN = "conversations without an assistant turn"
OPEN_END = "conversations that end without an assistant turn: what follows the last one is left out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One sequence to learn from."""

    input_ids: tuple[int, ...]
    turns: tuple[tuple[int, int], ...]
    """Spans [start, end) of the tokens that carry loss, one for each learned turn, its end token included."""
    source: str
    """The conversation, or `conversation:turn` with the first turn that the example learns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingExamples:
    """The examples of a dataset, and what was skipped."""

    items: tuple[Example, ...]
    skipped: dict[str, int]
    """Reason -> number of conversations or turns; the reason says which."""
    split: int = 0
    """Conversations that take several examples, because their tokens depend on what follows."""
    day: date | None = None
    """What the chat template took for today, where it asks."""

    @property
    def tokens(self) -> int:
        """Tokens of all examples."""
        return sum(len(example.input_ids) for example in self.items)

    @property
    def turns(self) -> int:
        """Learned turns of all examples."""
        return sum(len(example.turns) for example in self.items)


def make_examples(
    conversations: Sequence[Conversation],
    rendering: TrainingRendering,
    *,
    expand_turns: bool,
    max_length: int | None,
) -> TrainingExamples:
    """Return one example per conversation that learns all its turns, or with `expand_turns` one for every turn.

    Examples of more than `max_length` tokens are dropped and counted, never cut. Raises DataError where nothing
    is left, ModelError where a turn does not follow its prompt.
    """
    items: list[Example] = []
    skipped: Counter[str] = Counter()
    split = 0
    for conversation in conversations:
        if not any(message.role == "assistant" for message in conversation.messages):
            skipped[NO_TURN] += 1
            continue
        skipped[OPEN_END] += ends_open(conversation)
        found = list((_expanded if expand_turns else _whole)(conversation, rendering))
        split += len(found) > 1 and not expand_turns
        for example in found:
            if max_length is not None and len(example.input_ids) > max_length:
                skipped[f"{'turns' if expand_turns else 'conversations'} of more than {max_length} tokens"] += 1
            else:
                items.append(example)
    reasons = {reason: number for reason, number in skipped.items() if number}
    if not items:
        said = "; ".join(f"{number} {reason}" for reason, number in reasons.items()) or "there is no conversation"
        raise DataError(f"nothing is left to train on ({said}); give other data, or a greater length")
    return TrainingExamples(items=tuple(items), skipped=reasons, split=split, day=rendering.day)


def _whole(conversation: Conversation, rendering: TrainingRendering) -> Iterator[Example]:
    for piece in rendering.pieces(conversation.messages):
        source = f"{conversation.id}:{piece.first}" if piece.first else conversation.id
        yield Example(input_ids=piece.ids, turns=piece.spans, source=source)


def _expanded(conversation: Conversation, rendering: TrainingRendering) -> Iterator[Example]:
    for number, turn in enumerate(rendering.turns(conversation.messages)):
        ids = turn.prompt + turn.answer
        yield Example(input_ids=ids, turns=((len(turn.prompt), len(ids)),), source=f"{conversation.id}:{number}")
