"""Replies and their contexts as bags of words, and which contexts of a batch are similar.

For example, `How about Seapot in Reno at 7?` becomes the words how, about, <restaurant_name>, in, <city>, at, <number>,
and the pairs of neighbours among them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from harness.data.events import Event, events
from harness.data.records import Conversation
from harness.data.text import tokens
from harness.data.tools import Toolbox

_ISO_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_RAW_WORD = re.compile(r"[^\W_]+(?:'[a-z]+)?")
_SENTENCE_START = re.compile(r"(?:^|[.!?:]\s+|\n)\W*$")
_FLAGS = frozenset(["true", "false", "none", "null", "yes", "no"])
_SHORT_VALUE, _LONG_VALUE = 3, 80
_AHEAD = 3
"""Number of user and tool messages after a reply that describe its context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyInContext:
    """A reply and where it stands. All words are plain (see `harness.data.text.tokens`)."""

    key: tuple[str, int]
    """Id of the conversation, position of the message."""
    words: frozenset[str]
    """Words and pairs of neighbouring words of the reply, values as `<key>`."""
    strange: tuple[str, ...]
    """Names and numbers, as written, that nothing else in the conversation mentions."""
    structure: frozenset[str]
    """Kinds of the users' and tools' messages around it: nothing that an assistant could have got wrong."""
    before: frozenset[str]
    """Words of what came just before, as said by the user or as keys of a result."""
    after: frozenset[str]
    """Words of what came just after."""

    @property
    def plain_words(self) -> frozenset[str]:
        """The single words of the reply, without values."""
        return frozenset(word for word in self.words if " " not in word and not word.startswith("<"))

    def strange_to(self, known: frozenset[str]) -> list[str]:
        """Return those of `strange` that have a word that is not in `known` either."""
        return [word for word in self.strange if any(part not in known for part in tokens(word))]


def replies_in_context(conversations: Sequence[Conversation], toolbox: Toolbox) -> list[ReplyInContext]:
    """Return the non-empty replies that are not followed by a result."""
    return [place for conversation in conversations for place in _places(conversation, toolbox)]


def trusted_words(conversations: Sequence[Conversation], toolbox: Toolbox) -> Iterator[frozenset[str]]:
    """Yield the words of each message that no assistant wrote."""
    for conversation in conversations:
        for event in events(conversation.messages, toolbox):
            if event.kind in ("user", "result"):
                yield _text_words(event.text)


def _places(conversation: Conversation, toolbox: Toolbox) -> Iterator[ReplyInContext]:
    sequence = events(conversation.messages, toolbox)
    for index, event in enumerate(sequence):
        following = sequence[index + 1] if index + 1 < len(sequence) else None
        if event.kind == "reply" and event.text.strip() and not (following and following.kind == "result"):
            yield context_at(conversation.id, sequence, event.position)


def context_at(id: str, sequence: Sequence[Event], position: int) -> ReplyInContext:
    """Return the place of the message at `position`, with the words of the reply where one stands there."""
    given = [event for event in sequence if event.kind in ("user", "result")]
    values = _values(given)
    text = next((event.text for event in sequence if event.position == position and event.kind == "reply"), "")
    earlier = [event for event in given if event.position < position]
    later = [event for event in given if event.position > position]
    return ReplyInContext(
        key=(id, position),
        words=_bag(slotted(text, values)),
        strange=tuple(strangers(text, _known_words(given))),
        structure=_structure(earlier, later),
        before=_bag(_heard(earlier[-1], values) if earlier else ["<start>"]),
        after=_bag(_heard(later[0], values) if later else ["<end>"]),
    )


def _bag(words: Sequence[str]) -> frozenset[str]:
    return frozenset(words) | frozenset(f"{one} {other}" for one, other in pairwise(words))


def _structure(earlier: Sequence[Event], later: Sequence[Event]) -> frozenset[str]:
    shapes_before = [_shape(event) for event in reversed(earlier)]
    shapes_after = [_shape(event) for event in later]
    found = {f"-{n} {shape}" for n, shape in enumerate([*shapes_before, "start"][:_AHEAD])}
    found |= {f"+{n} {shape}" for n, shape in enumerate([*shapes_after, "end"][:_AHEAD])}
    seen = [shape for shape in shapes_before if shape != "user"]
    ahead = [shape for shape in shapes_after if shape != "user"]
    found.add(f"last {seen[0] if seen else None}")
    found.add(f"next {ahead[0] if ahead else None}")
    found.add(f"turns {min(len(earlier), 4)}")
    found.add(f"left {min(len(later), 4)}")
    return frozenset(found)


def _shape(event: Event) -> str:
    if event.kind == "user":
        return "user"
    keys = sorted({key for row in event.rows for key in row})
    return f"{'one' if len(event.rows) == 1 else 'many' if event.rows else 'none'} {' '.join(keys)}"


def _heard(event: Event, values: Sequence[tuple[str, str]]) -> list[str]:
    if event.kind == "user":
        return slotted(event.text, values)
    return _shape(event).split()


def _values(given: Sequence[Event]) -> list[tuple[str, str]]:
    """Return (plain value, key) of all results, longest first."""
    found: dict[str, str] = {}
    for event in given:
        for row in event.rows:
            for key, value in row.items():
                if isinstance(value, (str, int, float)) and not isinstance(value, bool):
                    plain_value = plain_line(str(value))
                    if _SHORT_VALUE <= len(plain_value) <= _LONG_VALUE and plain_value not in _FLAGS:
                        found.setdefault(plain_value, key)
    return sorted(found.items(), key=lambda item: (-len(item[0]), item))


def slotted(text: str, values: Sequence[tuple[str, str]]) -> list[str]:
    """Return the words of `text`, known values replaced by `<key>`, other numbers by `<number>`."""
    line = f" {plain_line(text)} "
    for value, key in values:
        if f" {value} " in line:
            line = line.replace(f" {value} ", f" <{key}> ")
    return ["<number>" if word[0].isdigit() else word for word in line.split()]


def _known_words(given: Sequence[Event]) -> frozenset[str]:
    """Return the words that users and tools of a conversation use; dates also in spoken form."""
    found: set[str] = set()
    for event in given:
        found.update(_text_words(event.text))
        for year, month, day in _ISO_DATE.findall(event.text):
            found.update(_spoken(int(year), int(month), int(day)))
    for word in list(found):
        if word[:-2].isdigit() and word[-2:] in ("st", "nd", "rd", "th", "am", "pm"):
            found.add(word[:-2])
    return frozenset(found | {word.lstrip("0") for word in found if word.isdigit()})


@lru_cache(maxsize=1 << 16)
def plain_line(text: str) -> str:
    """Return the words of a text, as `harness.data.text.tokens` reads them, with a space between."""
    return " ".join(tokens(text))


@lru_cache(maxsize=1 << 16)
def _text_words(text: str) -> frozenset[str]:
    return frozenset(tokens(text.replace("_", " ")))


def _spoken(year: int, month: int, day: int) -> list[str]:
    try:
        when = date(year, month, day)
    except ValueError:
        return []
    return [str(day), *(f"{day}{end}" for end in ("st", "nd", "rd", "th")), *f"{when:%B %b %A}".lower().split()]


def strangers(text: str, known: frozenset[str]) -> Iterator[str]:
    """Yield the names (capitalised within a sentence) and numbers of `text` whose words are not known."""
    for match in _RAW_WORD.finditer(text):
        word = match[0]
        named = word[0].isupper() and word.split("'")[0] != "I" and not _SENTENCE_START.search(text[: match.start()])
        if not named and not word[0].isdigit():
            continue
        plain_words = tokens(word)
        if plain_words and not any(_is_known(part, known) for part in plain_words):
            yield word


def _is_known(word: str, known: frozenset[str]) -> bool:
    if word in known or (word.endswith("s") and word[:-1] in known):
        return True
    if not word[0].isdigit():
        return False
    digits = re.match(r"\d+", word)
    number = int(digits[0]) if digits else 0
    return str(number) in known or str(number + 12) in known


class ContextIndex:
    """Places as sparse rows of weighted words, a third of the weight each: what is around, before and after."""

    def __init__(self, places: Sequence[ReplyInContext]) -> None:
        self._counts = Counter(word for place in places for word in _features(place))
        self._columns = {word: column for column, word in enumerate(sorted(self._counts))}
        self._ids = [place.key[0] for place in places]
        self._rows = self._matrix(places)

    def nearest(self, place: ReplyInContext, count: int) -> list[tuple[int, float]]:
        """Return (number, likeness) of the `count` most similar places of other conversations, likeness 3 at most."""
        if not self._ids:
            return []
        likeness = (self._rows @ self._matrix([place]).T).toarray()[:, 0]
        best = np.argsort(-likeness, kind="stable").tolist()
        return [(row, float(likeness[row])) for row in best if self._ids[row] != place.key[0]][:count]

    def _matrix(self, places: Sequence[ReplyInContext]) -> Any:
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
