"""Which span stands below which, of millions of them: twenty bytes each."""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

from harness.data.traces.beginnings import Numbers

_MOST_ABOVE = 1000


class SpanTree:
    """Spans by the digests of their ids, with their parents and the conversations that they name."""

    def __init__(self) -> None:
        self._ids, self._parents, self._named = array("q"), array("q"), array("i")
        self._numbers: dict[str, int] = {"": -1}
        self.names: list[str] = []
        """The conversations, as `place` numbers them."""

    def add(self, span: int, parent: int, conversation: str) -> None:
        """Take a span; `conversation` is empty where it names none."""
        number = self._numbers.get(conversation)
        if number is None:
            number = self._numbers[conversation] = len(self.names)
            self.names.append(conversation)
        self._ids.append(span)
        self._parents.append(parent)
        self._named.append(number)

    def place(self, spans: Numbers) -> tuple[Numbers, Numbers]:
        """Return of each span the conversation that it or the nearest one above it names, and how many are above it.

        The conversation is a place in `names`, -1 where none is named.
        """
        ids = np.array(self._ids, dtype=np.int64)
        order = np.argsort(ids, kind="stable")
        ids, parents = ids[order], np.array(self._parents, dtype=np.int64)[order]
        named = np.array(self._named, dtype=np.int64)[order]
        found, depth = np.full(len(spans), -1), np.zeros(len(spans), dtype=np.int64)
        current, alive = spans.copy(), np.arange(len(spans))
        for _ in range(_MOST_ABOVE):
            at = np.minimum(np.searchsorted(ids, current[alive]), max(len(ids) - 1, 0))
            there = ids[at] == current[alive]
            alive, at = alive[there], at[there]
            if not len(alive):
                break
            depth[alive] += 1
            found[alive] = np.where(found[alive] < 0, named[at], found[alive])
            current[alive] = parents[at]
        return found, depth

    def repeated(self, spans: Numbers) -> NDArray[np.bool_]:
        """Return of each span whether it was added more than once."""
        ids, counts = np.unique(np.array(self._ids, dtype=np.int64), return_counts=True)
        return np.isin(spans, ids[counts > 1])
