"""Assistant replies that do not belong where they stand: text of another domain, or of another moment."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.data.records import Conversation, Task
from harness.data.text import tokens
from harness.data.tools import Toolbox
from harness.rules.labeler.foreign_text import ReplyInContext, places, trusted_words

if TYPE_CHECKING:
    from harness.rules.labeler.foreign_model import Fits

Key = tuple[str, int]
"""Id of a conversation, position of a message."""
CUT = 0.5
_FEW = 5
"""With fewer conversations, replies are told by the names and numbers alone that nothing accounts for."""
_STRANGERS = 3
_CHUNK = 4500
"""So many turns are compared with each other at once: about a gigabyte of square matrices at most."""
_CHANCE = 0.7
"""Words of replies that fit their places worse than this, on average, are named as the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicions:
    """What is thought of the replies of a batch."""

    scores: dict[Key, float]
    """The probability that a reply does not belong there, for all that stand where a reply can."""
    reasons: dict[Key, str]
    """One for each score from `CUT` on."""

    def why(self, id: str, position: int) -> str:
        """Return the reason why a reply is suspected, empty where it is not."""
        return self.reasons.get((id, position), "")


def find_foreign(conversations: Sequence[Conversation], task: Task) -> dict[Key, float]:
    """Return for each reply the probability that it does not belong where it stands; 0.5 is the cut.

    Replies that a tool's result follows are left out: a call belongs there, whatever they say. Ids must be unique.
    """
    return suspect(conversations, task).scores


def suspect(conversations: Sequence[Conversation], task: Task) -> Suspicions:
    """Return the scores of `find_foreign` with reasons. The same batch in another order may be scored a little apart.

    Trusted is what users say, what tools return and what the task says; replies are compared with each other.
    """
    toolbox, task_words = Toolbox(task.tools), _task_words(task)
    scores: dict[Key, float] = {}
    reasons: dict[Key, str] = {}
    for part in _chunks(conversations):
        known = task_words.union(*trusted_words(part, toolbox))
        for found, fits in fits_of(part, task):
            few = len(part) < _FEW
            probable = [_by_grounding(place, known) for place in found] if few else fits.probabilities().tolist()
            for place, score in zip(found, probable, strict=True):
                scores[place.key] = score
                if score >= CUT:
                    reasons[place.key] = _reason(place, known, {} if few else fits.word_ranks)
    return Suspicions(scores=scores, reasons=reasons)


def fits_of(conversations: Sequence[Conversation], task: Task) -> Iterator[tuple[list[ReplyInContext], Fits]]:
    """Yield the replies that stand where a reply can, with their fits, in parts of a bounded size."""
    from harness.rules.labeler.foreign_model import measure

    toolbox = Toolbox(task.tools)
    for part in _chunks(conversations):
        found = places(part, toolbox)
        if found:
            yield found, measure(found, list(trusted_words(part, toolbox)), _task_words(task))


def _task_words(task: Task) -> frozenset[str]:
    return frozenset(tokens(f"{task.description} {json.dumps(task.tools)}".replace("_", " ")))


def _chunks(conversations: Sequence[Conversation]) -> Iterator[Sequence[Conversation]]:
    """Yield parts of about equal size with up to `_CHUNK` turns, all of them where that is enough."""
    turns = sum(message.role == "assistant" for conversation in conversations for message in conversation.messages)
    size = -(-len(conversations) // (-(-turns // _CHUNK) or 1)) or 1
    for start in range(0, len(conversations), size):
        yield conversations[start : start + size]


def _by_grounding(place: ReplyInContext, known: frozenset[str]) -> float:
    """Return the score of a reply where there are too few others to compare it with."""
    return 1.0 if len(place.strange_to(known)) >= _STRANGERS else 0.0


def _reason(place: ReplyInContext, known: frozenset[str], word_ranks: dict[str, float]) -> str:
    strange = place.strange_to(known)
    if strange:
        return f"names {_quoted(strange)}, which neither users, tools nor the task know"
    ranked = sorted((word_ranks.get(word, 1.0), word) for word in place.plain_words)
    odd = [word for rank, word in ranked if rank < _CHANCE]
    unknown = [word for word in odd if word not in known]
    if unknown:
        return f"speaks of {_quoted(unknown)}, which neither users, tools nor the task know"
    if odd:
        return f"speaks of {_quoted(odd)}, as replies do that fit their places badly"
    return "does not fit its place: replies like it are found elsewhere in conversations"


def _quoted(words: Sequence[str]) -> str:
    return ", ".join(f"'{word}'" for word in words[:3])
