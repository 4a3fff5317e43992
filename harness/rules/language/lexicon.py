"""The lexicon of the rules: kinds of food, names of places, ways of saying things. Data, read once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from typing import Any

import yaml

from harness.resources import folder

FILES = ("rules_judge/entities.yaml", "rules_judge/language.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """The data of `eval/rules_judge/`, with its patterns compiled."""

    version: int
    sha256: str
    today: date
    above: Mapping[str, frozenset[str]]
    """Kind -> all kinds that it is a kind of, at any distance."""
    siblings: tuple[frozenset[str], ...]
    places: Mapping[str, str]
    """Other name of a place -> its usual name."""
    price_levels: tuple[tuple[str, ...], ...]
    message_arguments: frozenset[str]
    lookup_verbs: frozenset[str]
    doubtful_verbs: frozenset[str]
    flags: Mapping[str, tuple[str, ...]]
    flag_affixes: frozenset[str]
    truths: Mapping[str, bool]
    no_preference: frozenset[str]
    no_names: frozenset[str]
    street_words: frozenset[str]
    people: tuple[str, ...]
    people_arguments: frozenset[str]
    phrases: Mapping[str, re.Pattern[str]]
    hypothetical: re.Pattern[str]
    examples: re.Pattern[str]
    open_question: re.Pattern[str]
    courtesies: re.Pattern[str]
    questions: Mapping[str, re.Pattern[str]]
    other_value: re.Pattern[str]

    def says(self, what: str, text: str) -> str | None:
        """Return the words of `text` (prepared by `text.plain`) that say `what`, a name under `phrases`, else None."""
        match = self.phrases[what].search(text)
        return match[0] if match else None


@lru_cache(maxsize=256)
def words(entries: tuple[str, ...]) -> re.Pattern[str]:
    """Return a pattern for any of these words, whole, longest first."""
    longest_first = sorted(set(entries), key=len, reverse=True)
    return re.compile(r"(?<!\w)(?:" + "|".join(re.escape(entry) for entry in longest_first) + r")(?!\w)")


@cache
def declared(name: str) -> Any:
    """Return what a YAML file below `eval/` holds. UsageError where the installation has no data."""
    return yaml.safe_load((folder("eval") / name).read_text(encoding="utf-8"))


@cache
def lexicon() -> Lexicon:
    """Return the lexicon. UsageError where the installation has no data."""
    contents = [(folder("eval") / name).read_bytes() for name in FILES]
    entities, language = map(declared, FILES)
    return _build(entities, language, hashlib.sha256(b"\0".join(contents)).hexdigest())


def first_verb(name: str) -> str:
    """Return the first word of a tool's name, in lower case."""
    first = re.match(r"[a-z]+|[A-Z][a-z]*", name)
    return first[0].lower() if first else ""


def is_lookup(name: str) -> bool:
    """Whether a tool only looks things up: its name starts with such a verb (`FindRestaurants`, `get_weather`)."""
    return first_verb(name) in lexicon().lookup_verbs


def _build(entities: dict[str, Any], language: dict[str, Any], sha256: str) -> Lexicon:
    return Lexicon(
        version=entities["version"] * 100 + language["version"],
        sha256=sha256,
        today=entities["today"],
        above=_ancestors(entities["kinds"]),
        siblings=tuple(frozenset(group) for group in entities["siblings"]),
        places={short: name for name, shorts in entities["places"].items() for short in (name, *shorts)},
        price_levels=tuple(tuple(level) for level in entities["price_levels"]),
        message_arguments=frozenset(language["message_arguments"]),
        lookup_verbs=frozenset(language["lookup_verbs"]),
        doubtful_verbs=frozenset(language["doubtful_verbs"]),
        flags={name: tuple(entries) for name, entries in language["flags"].items()},
        flag_affixes=frozenset(language["flag_affixes"]),
        no_names=frozenset(language["no_names"]),
        street_words=frozenset(language["street_words"]),
        truths={word: truth == "true" for truth, entries in language["truths"].items() for word in entries},
        no_preference=frozenset(language["whatever"]),
        people=tuple(language["people"]),
        people_arguments=frozenset(language["people_arguments"]),
        phrases={name: re.compile("|".join(entries)) for name, entries in language["phrases"].items()},
        hypothetical=words(tuple(language["hypothetical"])),
        examples=words(tuple(language["examples"])),
        open_question=words((*language["examples"], *language["open_question"])),
        courtesies=words(tuple(language["courtesies"])),
        questions={name: re.compile(pattern) for name, pattern in language["questions"].items()},
        other_value=words(tuple(language["other_value"])),
    )


def _ancestors(kinds: Mapping[str, list[str]]) -> dict[str, frozenset[str]]:
    parents: dict[str, set[str]] = {}
    for kind, subkinds in kinds.items():
        for subkind in subkinds:
            parents.setdefault(subkind, set()).add(kind)
    above: dict[str, frozenset[str]] = {}
    for kind in parents:
        found: set[str] = set()
        open_kinds = [kind]
        while open_kinds:
            new = parents.get(open_kinds.pop(), set()) - found
            found |= new
            open_kinds.extend(new)
        above[kind] = frozenset(found)
    return above
