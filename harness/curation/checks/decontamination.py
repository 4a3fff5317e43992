"""Whether the test set is in the training data: a gate that stops a run and names the pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from harness.curation.checks.duplicates import Fingerprint, as_text, digest, fingerprint, grams, user_words, words
from harness.data.records import Conversation
from harness.errors import CheckFailed
from harness.rules.language.lexicon import is_lookup
from harness.statistics.formatting import number, whole_percent

LONG, SHORT = 13, 8
"""Words of a run; both lengths are usual (Brown et al. 2020 took 13, Chowdhery et al. 2022 took 8)."""
SHORT_SHARE, LONG_SHARE = 0.5, 0.4
"""Shares of the runs of the shorter of two user sides, from which on they are the same conversation.

Users of one service say the same things, so a single run means nothing. Between the benchmark's test set and its
traces of all scenarios the highest shares are 0.10 (8 words) and 0.007 (13 words); between different conversations of
28 services of Schema-Guided Dialogue, among pairs with ten runs in common, 0.32 and 0.21.
"""
LEAST_RUNS = 10
"""Common runs without which a share says nothing: of two runs that a short conversation has, one is half."""
SIMILARITY = 0.5
"""Of all words, estimated (see `Duplicate`); different conversations of one service come to 0.26."""
HINT_SHARE, HINT_SIMILARITY = 0.25, 0.3
"""What is enough beside the same transaction. By itself it is not: unlike users book the same thing now and then."""
_LEAST_WORDS = 8
"""A user side of fewer words may be that of anybody."""
_LEAST_ARGUMENTS = 3
_PHRASE = 3
"""A run that this many conversations of the test set share is a common phrase, and identifies none of them."""
_SHOWN = 10
GATE_RECORD = "decontamination.json"
"""In a dataset of synthetic conversations: what the gate has seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRecord:
    """That the gate was there, and what it has compared with which test set; what did not pass is not in the data."""

    test_set: str | None
    """As in the lineage's inputs; None: there was no test set, and nothing was compared."""
    test_conversations: int
    compared: dict[str, int]
    """`seeds`, `context` (both were stopped for by any overlap) and `drafts` -> conversations."""
    rejected: int
    """Drafts that were left out for an overlap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """What a conversation has in common with one of the test set."""

    id: str
    test_id: str
    same_user_text: bool
    short_runs: int
    """Runs of 8 words that both users say."""
    short_share: float
    """Of the runs of the shorter user side."""
    long_runs: int
    """Runs of 13 words."""
    long_share: float
    similarity: float
    """Of all words of both sides, estimated."""
    same_transaction: bool
    """Whether the same thing was booked or bought: a call that acts, with all its values equal, three or more."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the two are the same conversation; empty where they are not."""
        found = []
        if self.same_user_text:
            found.append("the users say the same from the first word to the last")
        if self.short_runs >= LEAST_RUNS and self.short_share >= SHORT_SHARE:
            found.append(f"the users share {whole_percent(self.short_share)} of their runs of {SHORT} words")
        if self.long_runs >= LEAST_RUNS and self.long_share >= LONG_SHARE:
            found.append(f"the users share {whole_percent(self.long_share)} of their runs of {LONG} words")
        if self.similarity >= SIMILARITY:
            found.append(f"all that is said is similar at {number(self.similarity, digits=2)}")
        hinted = (
            self.short_runs >= LEAST_RUNS and self.short_share >= HINT_SHARE
        ) or self.similarity >= HINT_SIMILARITY
        if self.same_transaction and (found or hinted):
            found.append(
                "the same transaction is made"
                if found
                else f"the same transaction is made in much the same words ({whole_percent(self.short_share)} of runs "
                f"of {SHORT} words, similarity {number(self.similarity, digits=2)})"
            )
        return tuple(found)


class ContaminationFound(CheckFailed):
    """Conversations of the test set are in the training data."""

    def __init__(self, overlaps: Sequence[Overlap]) -> None:
        self.overlaps = tuple(overlaps)
        test_ids = list(dict.fromkeys(overlap.test_id for overlap in overlaps))
        pairs = [f"{overlap.id} is {overlap.test_id} ({overlap.reasons[0]})" for overlap in overlaps[:_SHOWN]]
        more = f"; and {len(overlaps) - _SHOWN:,} more" if len(overlaps) > _SHOWN else ""
        super().__init__(
            f"{len(test_ids)} conversations of the test set are in the training data: {'; '.join(pairs)}{more}. "
            "What is trained on them cannot be measured by them: take them out and run again"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """What is compared of a conversation."""

    user: int
    """Hash of the user's words, 0 where they are few."""
    short: frozenset[int]
    long: frozenset[int]
    transactions: frozenset[int]
    print: Fingerprint

    def without(self, runs: frozenset[int]) -> _Side:
        """Return the side without these runs."""
        return replace(self, short=self.short - runs, long=self.long - runs)


class Decontamination:
    """The test set, and what a conversation has in common with it."""

    def __init__(self, test: Sequence[Conversation]) -> None:
        import numpy as np

        sides = [_side(conversation) for conversation in test]
        counts = Counter(run for side in sides for run in (*side.short, *side.long))
        self._phrases = frozenset(run for run, count in counts.items() if count >= _PHRASE)
        self._test = [side.without(self._phrases) for side in sides]
        self._signatures = np.array([side.print.signature for side in self._test])
        self._short = _index(side.short for side in self._test)
        self._long = _index(side.long for side in self._test)

    def find(self, conversation: Conversation, known: Fingerprint | None = None) -> list[Overlap]:
        """Return the conversations of the test set that this one is, with the reasons; usually none.

        `known` is its fingerprint where that was computed already.
        """
        return [overlap for overlap in self.compare(conversation, known) if overlap.reasons]

    def compare(self, conversation: Conversation, known: Fingerprint | None = None) -> list[Overlap]:
        """Return what it has in common with each conversation of the test set, those with nothing left out."""
        if not self._test:
            return []
        own = _side(conversation, known).without(self._phrases)
        shares = (self._signatures == own.print.signature).mean(axis=1)
        short = Counter(position for run in own.short for position in self._short.get(run, ()))
        long = Counter(position for run in own.long for position in self._long.get(run, ()))
        found = []
        for position, side in enumerate(self._test):
            same_user_text = bool(own.user) and own.user == side.user
            same_transaction = not own.transactions.isdisjoint(side.transactions)
            if not (short[position] or shares[position] or same_user_text or same_transaction):
                continue
            overlap = Overlap(
                id=conversation.id,
                test_id=side.print.id,
                same_user_text=same_user_text,
                short_runs=short[position],
                short_share=short[position] / max(1, min(len(own.short), len(side.short))),
                long_runs=long[position],
                long_share=long[position] / max(1, min(len(own.long), len(side.long))),
                similarity=float(shares[position]),
                same_transaction=same_transaction,
            )
            found.append(overlap)
        return found


def stop_if_contaminated(overlaps: Iterable[Overlap]) -> None:
    """Raise ContaminationFound, which names up to ten pairs, where any overlap has a reason."""
    found = [overlap for overlap in overlaps if overlap.reasons]
    if found:
        raise ContaminationFound(found)


def _side(conversation: Conversation, known: Fingerprint | None = None) -> _Side:
    said = user_words(conversation)
    return _Side(
        user=digest(said) if len(said) >= _LEAST_WORDS else 0,
        short=frozenset(grams(said, SHORT)),
        long=frozenset(grams(said, LONG)),
        transactions=_transactions(conversation),
        print=known or fingerprint(conversation),
    )


def _transactions(conversation: Conversation) -> frozenset[int]:
    """Return the hashes of the calls that act, by their values alone: names of arguments drift, values stay."""
    calls = (call for message in conversation.messages for call in message.tool_calls)
    values = (
        sorted(" ".join(words(as_text(value))) for value in call.arguments.values())
        for call in calls
        if len(call.arguments) >= _LEAST_ARGUMENTS and not is_lookup(call.name)
    )
    return frozenset(map(digest, values))


def _index(sides: Iterable[frozenset[int]]) -> dict[int, tuple[int, ...]]:
    found: dict[int, tuple[int, ...]] = {}
    for position, runs in enumerate(sides):
        for run in runs:
            found[run] = (*found.get(run, ()), position)
    return found
