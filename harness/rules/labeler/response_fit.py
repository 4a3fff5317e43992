"""Out-of-context responses: how well replies fit their contexts, learned from the batch itself.

For example, a reply about a garage among conversations about books fits the context in which it stands no better than
any other; one about books fits some contexts better than others.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.records import Conversation, Task
from harness.data.text import tokens
from harness.data.tools import Toolbox
from harness.rules.labeler.reply_context import ReplyInContext, replies_in_context, trusted_words

Key = tuple[str, int]
"""Id of a conversation, position of a message."""
CUT = 0.5
_FEW = 5
"""With fewer conversations, replies are scored only by ungrounded names and numbers."""
_STRANGERS = 3
_CHUNK = 4500
"""Number of turns that are compared with each other at once: square matrices of about a gigabyte at most."""

Matrix = NDArray[Any]

_REPLY_WIDTH, _PLACE_WIDTH = 0.4, 0.15
"""Kernel widths, as differences of cosines."""
_PRIOR = 3
"""A word's mean counts as many replies of average fit beside its own."""
_TINY = 1e-6
_SPREAD = 0.02
"""Added to a standard deviation, so that a reply like all others has a small deviation."""
_IN_TASK = 5
"""A word of the task counts as if this many trusted messages used it."""
_MAX_STRANGERS = 2
_MIN_COUNT = 2

_INTERCEPT = 25.54
_WEIGHTS = {
    "rank": -3.49,
    "deviation": -2.02,
    "word_rank": -42.19,
    "worst_word_rank": -8.34,
    "word_fit": 1.93,
    "rarity": 0.60,
    "strangers": 1.61,
    "misfits": -13.83,
    "replies": -0.91,
    "usual": -10.70,
}
"""Logistic regression over the columns of `measure`, fitted on other services by `tests/benchmarks/foreign.py`."""


_ENOUGH, _CAUTION = 500, 0.75
"""With fewer replies than the first, scores are lowered: log odds per factor e of missing replies."""


def find_out_of_context(conversations: Sequence[Conversation], task: Task) -> dict[Key, float]:
    """Return for each reply the probability that it does not belong where it stands; 0.5 is the cut.

    Replies that a tool's result follows are left out: a call belongs there, whatever they say. Trusted is what users
    say, what tools return and what the task says; replies are compared with each other. Ids must be unique. The same
    batch in another order may be scored a little apart.
    """
    toolbox, words = Toolbox(task.tools), words_of_task(task)
    scores: dict[Key, float] = {}
    for part in _chunks(conversations):
        found, trusted = replies_in_context(part, toolbox), list(trusted_words(part, toolbox))
        if len(part) < _FEW:
            known = words.union(*trusted)
            scores |= {place.key: float(len(place.strange_to(known)) >= _STRANGERS) for place in found}
        elif found:
            probable = probabilities(measure(found, trusted, words)).tolist()
            scores |= {place.key: score for place, score in zip(found, probable, strict=True)}
    return scores


def words_of_task(task: Task) -> frozenset[str]:
    """Return the words of a task's description and tools."""
    return frozenset(tokens(f"{task.description} {json.dumps(task.tools)}".replace("_", " ")))


def _chunks(conversations: Sequence[Conversation]) -> Iterator[Sequence[Conversation]]:
    """Yield parts of about equal size with up to `_CHUNK` turns, all of them where that is enough."""
    turns = sum(message.role == "assistant" for conversation in conversations for message in conversation.messages)
    size = -(-len(conversations) // (-(-turns // _CHUNK) or 1)) or 1
    for start in range(0, len(conversations), size):
        yield conversations[start : start + size]


def probabilities(columns: dict[str, Matrix]) -> Matrix:
    """Return for each reply the probability that it does not belong where it stands, from what `measure` returns."""
    total = _INTERCEPT + np.sum([weight * columns[name] for name, weight in _WEIGHTS.items()], axis=0)
    total -= _CAUTION * max(0.0, float(np.log(_ENOUGH / max(len(columns["rank"]), 1))))
    return np.asarray(1 / (1 + np.exp(-np.clip(total, -50, 50))))


def measure(
    places: Sequence[ReplyInContext], trusted: Sequence[frozenset[str]], task_words: frozenset[str]
) -> dict[str, Matrix]:
    """Return what tells how well the replies of a batch fit: name, as in the weights -> one value per reply.

    It takes a few square matrices of their number in memory.

    `trusted` are the words of each message that no assistant wrote. The fit of a reply to a place is p(reply | place) /
    p(reply), both by Parzen windows over the other conversations: similar places have similar replies. A reply that
    was put there at random fits no better there than elsewhere, so its rank among all places is uniform, whatever it
    is about. Words carry this over to rare replies: those of another domain fit nowhere.
    """
    conversations = np.unique([place.key[0] for place in places], return_inverse=True)[1]
    apart = conversations[:, None] != conversations[None]
    others = np.maximum(apart.sum(axis=1), 1)
    replies = _kernel(_cosines([place.words for place in places]), _REPLY_WIDTH) * apart
    parts = ([place.structure for place in places], [place.before for place in places], [p.after for p in places])
    near = _kernel(np.mean([_cosines(bags) for bags in parts], axis=0), _PLACE_WIDTH) * apart
    at_places = replies @ (near / (near.sum(axis=1, keepdims=True) + _TINY)).T
    """Row: reply; column: place."""
    actual, usual = np.diag(at_places), replies.mean(axis=1)
    rank = ((at_places < actual[:, None]) & apart).sum(axis=1) / others
    logs = np.log(at_places + _TINY)
    mean = (logs * apart).sum(axis=1) / others
    spread = np.sqrt((((logs - mean[:, None]) ** 2) * apart).sum(axis=1) / others) + _SPREAD
    fit = np.log((actual + _TINY) / (usual + _TINY))
    present = _presence([place.words for place in places])
    word_rank, worst = _by_word(present, rank)
    everyone, known = np.ones(len(places)), task_words.union(*trusted)
    return {
        "rank": rank,
        "deviation": np.minimum((np.log(actual + _TINY) - mean) / spread, 4),
        "word_rank": word_rank,
        "worst_word_rank": worst,
        "word_fit": _by_word(present, fit)[0] / (np.median(fit) + 0.05),
        "rarity": _rarity(places, trusted, task_words),
        "strangers": np.array([min(_MAX_STRANGERS, len(place.strange_to(known))) for place in places]),
        "misfits": everyone * min(1.0, 2 * (rank < 0.5).mean()),
        "replies": everyone * np.log(len(places)),
        "usual": np.log(usual + _TINY),
    }


def _kernel(cosines: Matrix, width: float) -> Matrix:
    return np.asarray(np.exp((cosines - 1) / width), dtype=np.float32)


def _presence(bags: Sequence[Collection[str]]) -> Matrix:
    """Return which bag (row) holds which word (column); the words are all that two bags or more hold."""
    counts = Counter(word for bag in bags for word in bag)
    words = sorted(word for word, count in counts.items() if count >= _MIN_COUNT)
    columns = {word: column for column, word in enumerate(words)}
    present = np.zeros((len(bags), len(words)), dtype=np.float32)
    for row, bag in enumerate(bags):
        present[row, [columns[word] for word in bag if word in columns]] = 1
    return present


def _cosines(bags: Sequence[Collection[str]]) -> Matrix:
    """Return the cosines of all pairs of bags, words weighted by log(1 + n / document frequency)."""
    present = _presence(bags)
    weighted = present * np.log1p(len(bags) / np.maximum(present.sum(axis=0), 1))
    weighted /= np.linalg.norm(weighted, axis=1, keepdims=True) + _TINY
    return np.asarray(weighted @ weighted.T)


def _by_word(present: Matrix, values: Matrix) -> tuple[Matrix, Matrix]:
    """Return for each reply mean and minimum of its words' mean values in other replies."""
    average, count = values.mean(), present.sum(axis=0)
    total = present.T @ values + _PRIOR * average
    without = (total[None] - present * values[:, None]) / (count[None] + _PRIOR - present)
    held = present.sum(axis=1)
    mean = np.where(held > 0, (without * present).sum(axis=1) / np.maximum(held, 1), average)
    lowest = np.where(present > 0, without, np.inf).min(axis=1, initial=np.inf)
    return mean, np.where(held > 0, lowest, average)


def _rarity(places: Sequence[ReplyInContext], trusted: Sequence[frozenset[str]], task_words: frozenset[str]) -> Matrix:
    """Return how much commoner each reply's words are in replies than with users, tools and task: a mean log ratio."""
    said = Counter(word for place in places for word in place.plain_words)
    given = Counter(word for words in trusted for word in words)
    given.update(dict.fromkeys(task_words, _IN_TASK))
    ratio = {
        word: np.log((count + 0.5) / len(places)) - np.log((given[word] + 0.5) / max(len(trusted), 1))
        for word, count in said.items()
    }
    return np.array([np.mean([ratio[word] for word in sorted(place.plain_words)] or [0.0]) for place in places])
