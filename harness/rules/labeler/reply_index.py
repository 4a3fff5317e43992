"""Which places of a batch are like a given one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from harness.rules.labeler.foreign_text import ReplyInContext


class PlaceIndex:
    """Places as sparse rows of weighted words, a third of the weight each: what is around, before and after."""

    def __init__(self, places: Sequence[ReplyInContext]) -> None:
        self._counts = Counter(word for place in places for word in _features(place))
        self._columns = {word: column for column, word in enumerate(sorted(self._counts))}
        self._ids = [place.key[0] for place in places]
        self._rows = self._matrix(places)

    def nearest(self, place: ReplyInContext, count: int) -> list[tuple[int, float]]:
        """Return (number, likeness) of the `count` most similar places of other conversations, likeness 3 at most."""
        import numpy as np

        if not self._ids:
            return []
        likeness = (self._rows @ self._matrix([place]).T).toarray()[:, 0]
        best = np.argsort(-likeness, kind="stable").tolist()
        return [(row, float(likeness[row])) for row in best if self._ids[row] != place.key[0]][:count]

    def _matrix(self, places: Sequence[ReplyInContext]) -> Any:
        import numpy as np
        from scipy.sparse import csr_matrix

        rows, columns, values = [], [], []
        for row, place in enumerate(places):
            features = sorted(word for word in _features(place) if word in self._columns)
            for part in ("s", "b", "a"):
                words = [word for word in features if word[0] == part]
                weights = [float(np.log1p(len(self._ids) / self._counts[word])) for word in words]
                norm = float(np.linalg.norm(weights)) or 1.0
                rows += [row] * len(words)
                columns += [self._columns[word] for word in words]
                values += [weight / norm for weight in weights]
        return csr_matrix((values, (rows, columns)), shape=(len(places), len(self._columns)))


def _features(place: ReplyInContext) -> list[str]:
    """Return the words of a place, marked by where they are: around, before, after."""
    parts = (("s", place.structure), ("b", place.before), ("a", place.after))
    return [f"{mark} {word}" for mark, words in parts for word in words]
