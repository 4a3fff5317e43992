"""Wordings of our own from `eval/teacher/phrases.yaml`, composed from parts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from random import Random
from typing import Any

import yaml

from harness.errors import DataError
from harness.resources import folder

_PART = re.compile(r"<(\w+)>")
_FIELD = re.compile(r"\{(\w+)\}")


@cache
def _declared() -> dict[str, Any]:
    path = folder("eval") / "teacher" / "phrases.yaml"
    declared: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return declared


def phrase(act: str, rng: Random, fields: Mapping[str, str]) -> str:
    """Return a wording of an act with its fields filled, a capital at the start of each sentence."""
    return sentence(part(act, rng, fields))


def part(act: str, rng: Random, fields: Mapping[str, str]) -> str:
    """Return a wording of an act with its fields filled, as part of a sentence.

    `<part>` in a wording is one of the part's own wordings, `{field}` a value. Wordings whose fields are not all
    given are left out. Raises DataError where none is left: that is a gap in the declaration.
    """
    wordings = [text for text in _declared()[act] if set(_FIELD.findall(text)) <= fields.keys()]
    if not wordings:
        raise DataError(f"eval/teacher/phrases.yaml has no wording of {act} with {sorted(fields)}; add one")
    text = rng.choice(wordings)
    while match := _PART.search(text):
        text = text[: match.start()] + rng.choice(_declared()["parts"][match[1]]) + text[match.end() :]
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
