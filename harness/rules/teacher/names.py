"""Made-up entities: names, people, places, addresses and phone numbers, composed from `eval/teacher/names.yaml`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

import yaml

from harness.resources import folder


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
    """Longer words that tell a day or a time."""
    cuts: tuple[str, ...]
    """Words that end the part of a description that says what a tool does, except after one of `go_on`."""
    go_on: tuple[str, ...]
    sets: dict[str, tuple[str, ...]]
    units: dict[str, str]
    """Word in the name of a slot -> what it counts."""
    singular: dict[str, str]

    def city(self, rng: Random) -> str:
        """Return a city."""
        return rng.choice(self.cities)

    def person(self, rng: Random) -> str:
        """Return a person's full name."""
        return f"{rng.choice(self.first_names)} {rng.choice(self.last_names)}"

    def address(self, rng: Random) -> str:
        """Return a street address without the city."""
        return f"{rng.randint(1, 9899)} {rng.choice(self.streets)} {rng.choice(self.suffixes)}"

    def title(self, rng: Random, endings: Sequence[str] = ()) -> str:
        """Return the name of a place or thing; `endings` are last words that such names were seen to have."""
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
    raw: dict[str, Any] = yaml.safe_load((folder("eval") / "teacher" / "names.yaml").read_text(encoding="utf-8"))
    lists = {key: tuple(value) for key, value in raw.items() if isinstance(value, list)}
    sets = {key: tuple(value) for key, value in raw["sets"].items()}
    return NameParts(**lists, sets=sets, units=raw["units"], singular=raw["singular"])
