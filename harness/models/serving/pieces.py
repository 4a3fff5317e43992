"""Token ids of texts that begin alike: a text is encoded piece by piece, and each piece once."""

from __future__ import annotations

import re
from collections import OrderedDict
from itertools import pairwise
from typing import TYPE_CHECKING

from harness.models.prompts.renderer import encode

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

KEPT = 1 << 21
"""Most characters whose token ids are kept: about a hundred bytes each."""
_COMPARED = 8
"""Texts with something new in them that are encoded as a whole, too, unless they are very long."""


class PieceEncoder:
    """Encodes prompts, of which most is known from the request before: tools, system message and earlier turns."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, name: str) -> None:
        """`name` is the model's, for messages."""
        self._tokenizer = tokenizer
        self._name = name
        self._starts = starts(tokenizer)
        self._known: OrderedDict[str, list[int]] = OrderedDict()
        self._size = 0
        self._compared = 0

    @property
    def in_pieces(self) -> bool:
        """Whether texts are taken apart."""
        return self._starts is not None

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text, as `harness.models.prompts.renderer.encode` does."""
        if self._starts is None:
            return self._whole([text])[0]
        pieces = _pieces(text, *self._starts)
        new = [piece for piece in dict.fromkeys(pieces) if piece not in self._known]
        for piece, ids in zip(new, self._whole(new) if new else (), strict=True):
            self._known[piece] = ids
            self._size += len(piece)
        found: list[int] = []
        for piece in pieces:
            self._known.move_to_end(piece)
            found += self._known[piece]
        while self._size > KEPT:
            self._size -= len(self._known.popitem(last=False)[0])
        compared = new and self._compared < _COMPARED and len(text) < KEPT // _COMPARED
        return self._checked(text, found) if compared else found

    def _checked(self, text: str, found: list[int]) -> list[int]:
        """Return the ids of the whole text; where those of its pieces are others, none is taken apart any more."""
        self._compared += 1
        [whole] = self._whole([text])
        if whole != found:
            self._starts = None
            self._known.clear()
        return whole

    def _whole(self, texts: list[str]) -> list[list[int]]:
        return encode(self._tokenizer, texts, self._name)


def starts(tokenizer: PreTrainedTokenizerBase) -> tuple[re.Pattern[str], frozenset[str]] | None:
    """Return what finds all special tokens, and those before which a text can be cut; None where it cannot.

    The library `tokenizers` first looks for added tokens that it does not normalise, the leftmost and of those the
    longest, and normalises, splits and encodes what stands between them each by itself. So nothing changes where a text
    is cut before such a token, unless the token takes the space before it, or a look at the letters around decides
    whether it is one.
    """
    if not tokenizer.is_fast or not type(tokenizer).__module__.startswith("transformers."):
        return None
    added = [token for token in tokenizer.added_tokens_decoder.values() if not token.normalized and token.content]
    if not added or any(token.single_word for token in added) or getattr(tokenizer, "split_special_tokens", False):
        return None
    longest_first = sorted((token.content for token in added), key=len, reverse=True)
    cut = frozenset(token.content for token in added if not token.lstrip)
    return re.compile("|".join(map(re.escape, longest_first))), cut


def _pieces(text: str, tokens: re.Pattern[str], cut: frozenset[str]) -> list[str]:
    places = [found.start() for found in tokens.finditer(text) if found.group() in cut]
    edges = [0, *places, len(text)]
    return [text[start:end] for start, end in pairwise(edges) if start < end]
