"""Exact and near duplicates among conversations, found as they come, by MinHash signatures of their words."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from harness.data.formats.message_reader import is_result
from harness.data.records import Conversation, ToolCall
from harness.errors import UsageError

if TYPE_CHECKING:
    from datasketch import MinHash
    from numpy import bool_, int32, int64, uint32, uint64
    from numpy.typing import NDArray

    Signature = NDArray[uint32]

THRESHOLD = 0.8
"""Above it two synthetic conversations say the same (Lee et al., Deduplicating training data, 2022, use 0.8)."""
_RECALL = 0.93
"""Least probability that two conversations at the threshold are compared at all; it rises steeply above."""
_MOST_PER_BAND = 256
"""Kept conversations of one band that a new one is compared with."""
_FIRST_SIZE = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What is kept of a conversation."""

    id: str
    digest: int
    """128-bit hash of all words."""
    signature: Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """A conversation that was there before."""

    id: str
    of: str
    """Id of the earlier one, the most similar that was found."""
    similarity: float
    """Estimated share of runs of five words that either has and both have (Jaccard); 1.0 for exact ones."""
    exact: bool
    """Whether all words are the same, in the same order."""


def fingerprint(conversation: Conversation) -> Fingerprint:
    """Return what duplicates are found by."""
    found = all_words(conversation)
    return Fingerprint(id=conversation.id, digest=digest(found), signature=signature(found))


class Duplicates:
    """Conversations seen so far, and whether a new one is much like any of them.

    Locality-sensitive hashing (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, chapter 3): a signature is
    cut into bands, and those that share a band are compared, of each band the latest 256 at most: where all follow one
    template, it is the template that they share. Per conversation it keeps 128 values, a link for each band and the
    id, about a kilobyte in arrays; datasketch's own index keeps sets in dictionaries.
    Raises UsageError for a threshold that is not a similarity.
    """

    def __init__(self, threshold: float = THRESHOLD) -> None:
        import numpy as np

        if not 0 < threshold <= 1:
            raise UsageError(f"a threshold for near duplicates lies above 0 and at most at 1, got {threshold}")
        self.threshold = threshold
        self._rows = _rows_per_band(threshold)
        self._bands = PERMUTATIONS // self._rows
        self._weights: NDArray[uint64] = np.random.default_rng(0).integers(
            1, 2**63, size=self._rows, dtype=np.uint64
        ) | np.uint64(1)
        self._ids: list[str] = []
        self._exact: dict[int, int] = {}
        self._allocate(_FIRST_SIZE)

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, conversation: Conversation) -> Duplicate | None:
        """Return which earlier conversation this one repeats; else keep it and return None."""
        return self.add_fingerprint(fingerprint(conversation))

    def add_fingerprint(self, new: Fingerprint) -> Duplicate | None:
        """Do what `add` does, with what was computed elsewhere."""
        found = self.find_fingerprint(new)
        if found is None:
            self._keep(new)
        return found

    def find(self, conversation: Conversation) -> Duplicate | None:
        """Return which kept conversation this one repeats; it is not kept itself."""
        return self.find_fingerprint(fingerprint(conversation))

    def find_fingerprint(self, new: Fingerprint) -> Duplicate | None:
        """Do what `find` does, with what was computed elsewhere."""
        position = self._exact.get(new.digest)
        if position is not None:
            return Duplicate(id=new.id, of=self._ids[position], similarity=1.0, exact=True)
        candidates = self._candidates(self._slots(new.signature))
        if not len(candidates):
            return None
        shares = (self._signatures[candidates] == new.signature).mean(axis=1)
        best = int(shares.argmax())
        if shares[best] < self.threshold:
            return None
        of = self._ids[int(candidates[best])]
        return Duplicate(id=new.id, of=of, similarity=float(shares[best]), exact=False)

    def _allocate(self, size: int) -> None:
        """Make room for `size` conversations, and enter those that are there anew."""
        import numpy as np

        kept = self._signatures[: len(self)] if self._ids else None
        self._signatures: NDArray[uint32] = np.zeros((size, PERMUTATIONS), dtype=np.uint32)
        self._heads: NDArray[int32] = np.full((self._bands, 2 * size), -1, dtype=np.int32)
        self._next: NDArray[int32] = np.full((size, self._bands), -1, dtype=np.int32)
        for position, values in enumerate(kept if kept is not None else ()):
            self._enter(position, values)

    def _slots(self, values: Signature) -> NDArray[int64]:
        """Return the slot of each band in its table; bands that differ may share one, which costs a comparison."""
        import numpy as np

        keys = (values.reshape(self._bands, self._rows).astype(np.uint64) * self._weights).sum(axis=1, dtype=np.uint64)
        slots: NDArray[int64] = ((keys >> np.uint64(20)) % np.uint64(self._heads.shape[1])).astype(np.int64)
        return slots

    def _candidates(self, slots: NDArray[int64]) -> NDArray[int32]:
        """Return the positions of those that share a band with these slots, each once, in order."""
        import numpy as np

        bands = np.arange(self._bands)
        current = self._heads[bands, slots]
        found: list[NDArray[int32]] = []
        for _ in range(_MOST_PER_BAND):
            open_bands: NDArray[bool_] = current >= 0
            if not open_bands.any():
                break
            bands, current = bands[open_bands], current[open_bands]
            found.append(current)
            current = self._next[current, bands]
        return np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.int32)

    def _keep(self, new: Fingerprint) -> None:
        if len(self) == len(self._signatures):
            self._allocate(2 * len(self))
        position = len(self)
        self._ids.append(new.id)
        self._exact[new.digest] = position
        self._enter(position, new.signature)

    def _enter(self, position: int, values: Signature) -> None:
        import numpy as np

        bands, slots = np.arange(self._bands), self._slots(values)
        self._signatures[position] = values
        self._next[position] = self._heads[bands, slots]
        self._heads[bands, slots] = position


def _rows_per_band(threshold: float) -> int:
    """Return the most rows per band at which a pair at the threshold shares a band with the probability wanted.

    Two signatures of similarity s share one of b bands of r rows with probability 1 - (1 - s^r)^b.
    """
    for rows in (32, 16, 8, 4, 2):
        if 1 - (1 - threshold**rows) ** (PERMUTATIONS // rows) >= _RECALL:
            return rows
    return 1


SHINGLE = 5
PERMUTATIONS = 128
"""Values of a signature: similarities are estimated with a standard error of sqrt(s (1 - s) / 128), 0.035 at 0.8."""
SEED = 1
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\ua960-\ua97f\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
"""Scripts that put no space between words are taken letter by letter."""


def words(text: str) -> list[str]:
    """Return the words of a text without case, punctuation and forms of letters that only look different (NFKC)."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def all_words(conversation: Conversation) -> list[str]:
    """Return the words of a conversation in order: what was said, and calls with their arguments in order of names.

    Results are left out, because they follow from the calls, and so are ids, and system messages: an agent is told the
    same in all conversations, which would make them alike. A call whose only argument is a text is that text, so that
    replies are the same whether a tool speaks them or not.
    """
    found: list[str] = []
    for message in conversation.messages:
        if message.role not in ("system", "tool") and message.content and not is_result(message):
            found += words(message.content)
        for call in message.tool_calls:
            found += call_words(call)
    return found


def call_words(call: ToolCall) -> list[str]:
    """Return a call as words; two calls that differ in the order of their arguments only have the same."""
    if len(call.arguments) == 1 and isinstance(text := next(iter(call.arguments.values())), str):
        return words(text)
    return words(" ".join([call.name, *(f"{key} {as_text(value)}" for key, value in sorted(call.arguments.items()))]))


def as_text(value: Any) -> str:
    """Return an argument's value as text, objects with their keys in order."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def user_words(conversation: Conversation) -> list[str]:
    """Return the words that the user said, in order."""
    said = (message for message in conversation.messages if message.role == "user" and not is_result(message))
    return [word for message in said for word in words(message.content or "")]


def grams(sequence: Sequence[str], size: int) -> set[int]:
    """Return the CRC-32 of each run of `size` words; where there are fewer words, of one run of all."""
    starts = range(max(1, len(sequence) - size + 1))
    return {zlib.crc32(" ".join(sequence[start : start + size]).encode("utf-8", "surrogatepass")) for start in starts}


def signature(sequence: Sequence[str]) -> Signature:
    """Return the MinHash signature of the runs of five words: 128 values, uint32.

    Broder, On the resemblance and containment of documents (1997); datasketch computes it and mixes the CRC-32 again.
    """
    sketch = _empty_sketch().copy()
    sketch.update_batch(grams(sequence, SHINGLE))
    values: Signature = sketch.hashvalues.astype("uint32")
    return values


@cache
def _empty_sketch() -> MinHash:
    from datasketch import MinHash

    return MinHash(num_perm=PERMUTATIONS, seed=SEED, hashfunc=int)


def digest(sequence: Sequence[str]) -> int:
    """Return a 128-bit hash of words: equal for conversations that differ in case, punctuation and ids only."""
    text = " ".join(sequence).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "little")
