"""Text made comparable: plain lower case with number words as digits, sentences, names and their typos."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_NUMBERS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
]
_NUMBER_WORD = re.compile(r"\b(" + "|".join(_NUMBERS) + r")\b")
_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "‑": "-", "\u202f": " "})
_MARKUP = re.compile(r"[*`_#]+")
_SENTENCE_END = re.compile(r"(?<![.!])(?<![ap]\.m)(?<!e\.g)(?<!st)[.!]+(?=\s|$)|\?+|\n+")
_WORD = re.compile(r"[^\W_]+")
_STOP = frozenset(
    ["the", "a", "an", "of", "and", "at", "in", "on", "restaurant", "restaurants", "hotel", "cuisine", "city"]
)
_MORE_WORDS = 4
"""How many more words a long form of a name may have than its short form: a list of names is no name."""
_LONG_WORD, _LONGER_WORD, _LONGEST_WORD = 4, 8, 40


_REMEMBERED = 2000
"""Characters; the same messages and values are made comparable again and again, and longer ones are rare."""


def plain(text: str) -> str:
    """Return `text` in lower case without markup, quotes and dashes straightened, number words as digits."""
    return _plain(text) if len(text) <= _REMEMBERED else _plain.__wrapped__(text)


@lru_cache(maxsize=4096)
def _plain(text: str) -> str:
    lowered = _MARKUP.sub("", straight(text)).lower()
    return _NUMBER_WORD.sub(lambda match: str(_NUMBERS.index(match[0])), lowered)


def straight(text: str) -> str:
    """Return `text` in compatibility form (NFKC), quotes and dashes straightened."""
    return unicodedata.normalize("NFKC", text).translate(_QUOTES)


def sentences(text: str) -> list[str]:
    """Return the sentences and lines of `text`, questions with their mark."""
    parts, start = [], 0
    for match in _SENTENCE_END.finditer(text):
        parts.append(text[start : match.end()])
        start = match.end()
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def tokens(text: str) -> list[str]:
    """Return the words of `text`, plain and without accents."""
    found = plain(text).replace("'", "")
    if not found.isascii():
        decomposed = unicodedata.normalize("NFKD", found)
        found = "".join(char for char in decomposed if not unicodedata.combining(char))
    return _WORD.findall(found)


def alike(one: str, other: str) -> bool:
    """Whether two words are the same but for a typo: one edit from 4 letters on, two from 8 on. Digits are exact."""
    if one == other:
        return True
    short, long = sorted((one, other), key=len)
    allowed = 0 if len(short) < _LONG_WORD else 1 if len(short) < _LONGER_WORD else 2
    if not allowed or len(long) > _LONGEST_WORD or len(long) - len(short) > allowed or not short.isalpha():
        return False
    return _distance(short, long) <= allowed


def _distance(one: str, other: str) -> int:
    """Return the edit distance, a swap of neighbours counted once (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        last, row, older = row, [i], before
        for j, b in enumerate(other, 1):
            row.append(min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b)))
            if older and j > 1 and a == other[j - 2] and one[i - 2] == b:
                row[j] = min(row[j], older[j - 2] + 1)
        before = last
    return row[-1]


@lru_cache(maxsize=4096)
def same_name(one: str, other: str) -> bool:
    """Whether two names may mean the same: all words of one are in the other, typos and missing spaces allowed."""
    a, b = _name_words(one), _name_words(other)
    if not a or not b:
        return plain(one).strip() == plain(other).strip()
    if alike("".join(a), "".join(b)):
        return True
    few, many = sorted((a, b), key=len)
    return len(many) <= len(few) + _MORE_WORDS and all(
        any(alike(word, candidate) for candidate in many) for word in few
    )


def _name_words(name: str) -> tuple[str, ...]:
    found = tokens(name)
    return tuple(word for word in found if word not in _STOP) or tuple(found)
