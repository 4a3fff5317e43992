"""Made-up names and composed phrases, from the parts in `eval/teacher/names.yaml` and `phrases.yaml`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

from harness.errors import DataError
from harness.rules.language.lexicon import declared

_PHRASES = "teacher/phrases.yaml"
_PART = re.compile(r"<(\w+)>")
_FIELD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NameParts:
    """Parts of names, and sets of values that are recognised by their members."""

    cities: tuple[str, ...]
    cities_by: tuple[str, ...]
    """Words in the name of a slot that make it a place."""
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]
    persons_by: tuple[str, ...]
    openers: tuple[str, ...]
    nouns: tuple[str, ...]
    streets: tuple[str, ...]
    suffixes: tuple[str, ...]
    people: tuple[str, ...]
    """Units that stand after `for`."""
    moments: tuple[str, ...]
    """Longer words that state a day or a time."""
    cuts: tuple[str, ...]
    """Words that end the part of a description that states a tool's purpose, except after one of `go_on`."""
    go_on: tuple[str, ...]
    sets: dict[str, tuple[str, ...]]
    units: dict[str, str]
    """Word in the name of a slot -> what it counts."""
    singular: dict[str, str]

    def person(self, rng: Random) -> str:
        """Return a person's full name."""
        return f"{rng.choice(self.first_names)} {rng.choice(self.last_names)}"

    def address(self, rng: Random) -> str:
        """Return a street address without the city."""
        return f"{rng.randint(1, 9899)} {rng.choice(self.streets)} {rng.choice(self.suffixes)}"

    def title(self, rng: Random, endings: Sequence[str] = ()) -> str:
        """Return the name of a place or thing; `endings` are last words observed in such names."""
        noun = rng.choice(self.nouns)
        form = rng.randrange(4)
        if form == 0:
            name = f"{rng.choice(self.openers)} {noun}"
        elif form == 1:
            name = f"{rng.choice(self.last_names)}'s {noun}"
        elif form == 2:
            name = f"{noun} and {rng.choice(self.nouns)}"
        else:
            name = f"The {rng.choice(self.openers)} {noun}"
        if endings and rng.random() < 0.6:
            return f"{name} {rng.choice(endings)}"
        return name


def like(value: str, rng: Random) -> str:
    """Return other digits in the same places: for phone numbers and codes. A number does not start with 0."""
    digits = iter([str(rng.randint(2, 9)), *(str(rng.randint(0, 9)) for _ in value)])
    return re.sub(r"\d", lambda _: next(digits), value)


@cache
def names() -> NameParts:
    """Read the declaration."""
    raw = declared("teacher/names.yaml")
    lists = {key: tuple(value) for key, value in raw.items() if isinstance(value, list)}
    sets = {key: tuple(value) for key, value in raw["sets"].items()}
    return NameParts(**lists, sets=sets, units=raw["units"], singular=raw["singular"])


def phrase(act: str, rng: Random, fields: Mapping[str, str]) -> str:
    """Return a wording of an act with its fields filled, a capital at the start of each sentence."""
    return sentence(part(act, rng, fields))


def part(act: str, rng: Random, fields: Mapping[str, str]) -> str:
    """Return a wording of an act with its fields filled, as part of a sentence.

    `<part>` in a wording is one of the part's own wordings, `{field}` a value. Wordings whose fields are not all
    given are left out. Raises DataError where none is left: that is a gap in the declaration.
    """
    wordings = [text for text in declared(_PHRASES)[act] if set(_FIELD.findall(text)) <= fields.keys()]
    if not wordings:
        raise DataError(f"eval/{_PHRASES} has no wording of {act} with {sorted(fields)}; add one")
    text = rng.choice(wordings)
    while match := _PART.search(text):
        text = text[: match.start()] + rng.choice(declared(_PHRASES)["parts"][match[1]]) + text[match.end() :]
    return fill(text, fields)


def fill(text: str, fields: Mapping[str, str]) -> str:
    """Return the text with its fields filled and tidied: one space, one article, no `on today`."""
    text = re.sub(r"\ban? \{(\w+)\}", lambda match: f"{_article(fields[match[1]])} {fields[match[1]]}", text)
    filled = _FIELD.sub(lambda match: fields[match[1]], text)
    filled = re.sub(r"\s+", " ", filled).strip()
    filled = re.sub(r" ([,.?!])", r"\1", filled)
    filled = re.sub(r"(?<!\.)\.\.(?!\.)", ".", filled)
    filled = re.sub(r"\b[Tt]he (?=[Tt]he )", "", filled)
    return re.sub(r"\bon (?=(?:today|tomorrow|the day after tomorrow|this)\b)", "", filled)


def _article(noun: str) -> str:
    return "an" if noun[:1].lower() in set("aeiou") else "a"


def sentence(text: str) -> str:
    """Return the text with a capital at the start of each sentence."""
    return re.sub(r"(^|(?<![ap]\.m)(?<!\bst)[.?!] )([a-z])", lambda match: match[1] + match[2].upper(), text)
