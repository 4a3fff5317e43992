"""Conversations as words, runs of words and MinHash signatures: what duplicates and contamination are measured on."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
import zlib
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from harness.data.formats.json_texts import as_value
from harness.data.records import Conversation, Message, ToolCall

if TYPE_CHECKING:
    from datasketch import MinHash
    from numpy import uint32
    from numpy.typing import NDArray

    Signature = NDArray[uint32]

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

    Results are left out, because they follow from the calls, and so are ids. A call whose only argument is a text is
    that text, so that replies are the same whether a tool speaks them or not.
    """
    found: list[str] = []
    for message in conversation.messages:
        if message.role != "tool" and message.content and not is_result(message):
            found += words(message.content)
        for call in message.tool_calls:
            found += call_words(call)
    return found


def is_result(message: Message) -> bool:
    """Whether a message holds what a tool returned: the benchmark writes that as a user's JSON."""
    return message.role == "tool" or (message.role == "user" and as_value(message.content or "") is not None)


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
