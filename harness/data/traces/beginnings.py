"""Which of a million sequences are the beginning of another one, in a few bytes for each of their parts."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
_AT_ONCE = 1_000_000
"""Parts that are held before those are dropped which others continue."""


def chain(digests: Iterable[int]) -> list[int]:
    """Return a number for each beginning of a sequence of digests, the same for the same parts."""
    number, found = 0, []
    for digest in digests:
        number = hash((number, digest))
        found.append(number)
    return found


class Beginnings:
    """Sequences in groups, with numbers that say what they are; those that others of their group continue are dropped.

    Of equal ones the first stays, and one that is cut before one that is whole.
    """

    def __init__(self) -> None:
        self._facts, self._chains = array("q"), array("q")
        self._width = 0
        self._most = _AT_ONCE

    def add(self, group: int, parts: Sequence[int], facts: Sequence[int], *, cut: bool = False) -> None:
        """Take a sequence, as `chain` of its parts, at least one; all have as many `facts`, which `left` returns."""
        self._facts.extend((len(parts), group, cut, *facts))
        self._width = 3 + len(facts)
        self._chains.extend(parts)
        if len(self._chains) > self._most:
            self._drop()
            self._most = max(_AT_ONCE, 2 * len(self._chains))

    def left(self) -> Numbers:
        """Return the facts of those that are left, one row each, in the order in which they came."""
        self._drop()
        return self._table()[:, 3:].copy()

    def _table(self) -> Numbers:
        return np.array(self._facts, dtype=np.int64).reshape(-1, self._width or 3)

    def _drop(self) -> None:
        table, chains = self._table(), np.array(self._chains, dtype=np.int64)
        if not len(table):
            return
        lengths = table[:, 0]
        ends = np.cumsum(lengths) - 1
        mixed = chains ^ np.repeat(table[:, 1], lengths)
        order = np.argsort(-table[:, 2], kind="stable")
        first = order[np.unique(mixed[ends][order], return_index=True)[1]]
        kept = np.zeros(len(table), dtype=bool)
        kept[first] = True
        kept &= ~_among(np.delete(mixed, ends), mixed[ends])
        self._facts = array("q", table[kept].tobytes())
        self._chains = array("q", chains[np.repeat(kept, lengths)].tobytes())


def _among(many: Numbers, few: Numbers) -> NDArray[np.bool_]:
    """Return of each of a few numbers whether it is among many: `numpy.isin`, in a twentieth of its time."""
    if not len(many):
        return np.zeros(len(few), dtype=bool)
    many = np.sort(many)
    found: NDArray[np.bool_] = many[np.minimum(np.searchsorted(many, few), len(many) - 1)] == few
    return found
