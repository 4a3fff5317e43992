"""Words in the names of tools and arguments: split, abbreviations expanded, and how similar two names are.

For example, `numSeats` has the words of `number_of_seats` but one, and `town` is a synonym of `city`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from harness.data.canonical import plain_text
from harness.data.text import alike
from harness.rules.language.lexicon import declared

_SPLIT = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W\d_]+|\d+")
_SYNONYM, _SHORTENED, _MISSPELT = 0.75, 0.8, 0.8
_PREFIX = 3
_WEAK = 0.35
_BESIDE = 0.4
"""Weight of the likeness of names that share only weak words while one has others."""
_DESCRIBED = 0.5
"""A word of the description counts half as much as one of the name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The data of `eval/labeler/words.yaml`."""

    groups: Mapping[str, frozenset[int]]
    """Word -> numbers of the groups of synonyms that it is in."""
    short: Mapping[str, str]
    weak: frozenset[str]
    looks: frozenset[str]
    acts: frozenset[str]
    no_preference: frozenset[str]
    levels: tuple[Mapping[str, int], ...]
    """For each scale: words of a level -> its rank."""


@cache
def words() -> Words:
    """Return the data. UsageError where the installation has none."""
    data = declared("labeler/words.yaml")
    groups: dict[str, set[int]] = {}
    for number, group in enumerate(data["synonyms"]):
        for word in group:
            groups.setdefault(_stem(word), set()).add(number)
    return Words(
        groups={word: frozenset(numbers) for word, numbers in groups.items()},
        short=data["short"],
        weak=frozenset(map(_stem, data["weak"])),
        looks=frozenset(map(_stem, data["looks"])),
        acts=frozenset(map(_stem, data["acts"])),
        no_preference=frozenset(data["whatever"]),
        levels=tuple(
            {plain_text(word): rank for rank, level in enumerate(scale) for word in level} for scale in data["scales"]
        ),
    )


@cache
def name_words(name: str) -> tuple[str, ...]:
    """Return the words of a name in any case, lower and without endings, short forms written out."""
    found = (word.lower() for word in _WORD.findall(_SPLIT.sub(" ", name)))
    return tuple(_stem(words().short.get(word, word)) for word in found)


def text_words(text: str) -> tuple[str, ...]:
    """Return the distinct informative words of a description."""
    return tuple(dict.fromkeys(word for word in name_words(text) if word not in words().weak and len(word) > 1))


def likeness(old: str, new: str, description: str = "", shared: frozenset[str] = frozenset()) -> float:
    """Return how alike two names are, 0 to 1, from their words and those of the new one's description.

    Words that say little count less, `shared` ones too: the words that several of the new names have. The words of the
    old name have to be met; those of the new one should be.
    """
    a, b = name_words(old), name_words(new)
    if "".join(a) == "".join(b):
        return 1.0
    return _likeness(a, b, text_words(description), shared)


@cache
def _likeness(a: tuple[str, ...], b: tuple[str, ...], described: tuple[str, ...], shared: frozenset[str]) -> float:
    if not a or not b:
        return 0.0

    def weight(word: str) -> float:
        return _WEAK if word in shared else word_weight(word)

    best = {w: max(_best(w, b), _DESCRIBED * _best(w, described)) for w in a}
    met = sum(weight(w) * best[w] for w in a) / sum(map(weight, a))
    meets = sum(weight(w) * _best(w, a) for w in b) / sum(map(weight, b))
    strong = [best[w] for w in a if weight(w) == 1.0]
    beside = _BESIDE if strong and not any(strong) else 1.0
    return 0.95 * beside * (0.6 * met + 0.4 * meets)


def word_weight(word: str) -> float:
    """Return the weight of a word: low for words that occur in any name."""
    return _WEAK if word in words().weak or word.isdigit() else 1.0


def is_opaque(name: str) -> bool:
    """Whether a name is opaque: no word, weak ones aside, has more than a few letters."""
    return not any(len(word) > _PREFIX and word not in words().weak for word in name_words(name))


def verb_class(name: str) -> str:
    """Return `looks` or `acts` where the first verb of a tool's name says so, else an empty text."""
    for word in name_words(name):
        if word in words().looks:
            return "looks"
        if word in words().acts:
            return "acts"
    return ""


def _best(word: str, others: Iterable[str]) -> float:
    return max((word_likeness(word, other) for other in others), default=0.0)


@cache
def word_likeness(one: str, other: str) -> float:
    """Return 1.0 for the same word, less for synonyms, short forms and misspellings, 0.0 for different words."""
    if one == other:
        return 1.0
    groups = words().groups
    if groups.get(one, frozenset()) & groups.get(other, frozenset()):
        return _SYNONYM
    shorter, longer = sorted((one, other), key=len)
    if len(shorter) >= _PREFIX and longer.startswith(shorter):
        return _SHORTENED
    return _MISSPELT if len(shorter) > _PREFIX and alike(shorter, longer) else 0.0


def _stem(word: str) -> str:
    """Return a word without the endings of plurals, doers and deeds: `riders` and `riding` are `rid`."""
    word = str(word).lower()
    if len(word) > 4 and word.endswith("ies"):
        word = word[:-3] + "y"
    elif len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    return next((word[: -len(end)] for end in ("ing", "ed", "er") if word.endswith(end) and len(word) > 5), word)
