"""The kind of value of each argument and result column of a task: from the schema, its name, and values seen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harness.rules.language.dates_and_times import TIME_FORMATS, parse_as
from harness.rules.language.equivalence import truth
from harness.rules.teacher.lexicon import names

Kind = Literal[
    "flag", "choice", "date", "time", "count", "number", "phone", "address", "city", "person", "title", "word", "list",
    "object",
]  # fmt: skip
DATE_FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%B %d, %Y", "%B %d", "%d %B %Y", "%b %d")
_INTEGER = re.compile(r"\d{1,9}")
_NUMBER = re.compile(r"\D{0,4}\d+(?:,\d{3})*(?:\.\d+)?\D{0,4}")
_PHONE = re.compile(r"(?=(?:\D*\d){7})[\d\s()+./-]{7,20}")
_ADDRESS = re.compile(r"\d+\w* .*[A-Za-z]{3}.*")
_CODES = frozenset(["id", "code", "reference"])
_NEARLY = 0.8
_SMALL = 20
"""Counts end here: larger whole numbers are amounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """An argument or result column, shared by all tools that have it."""

    name: str
    kind: Kind
    label: str
    """The name in words, without `number of` and the like."""
    unit: str
    """What is counted, in the plural; the currency sign of an amount. Empty where unknown."""
    values: tuple[Any, ...]
    """Values seen, distinct, the choices of the schema first."""
    schema: Mapping[str, Any]
    format: str = ""
    """Of dates and times, for `strptime`."""


def split_name(name: str) -> list[str]:
    """Return the words in the name of a slot or tool, in lower case: `checkInDate`, `check_in_date`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", re.sub(r"[_\-.]+", " ", name))
    return spaced.lower().split()


def learn_slot(name: str, schema: Mapping[str, Any], seen: Sequence[Any], *, distinct: bool, used: bool = True) -> Slot:
    """Return the slot for a name.

    `distinct`: its values differ from row to row of one result, as names do. `used`: a tool takes it as an argument.
    """
    choices = tuple(schema.get("enum") or ())
    values = _distinct([*choices, *seen])
    words = split_name(name)
    kind, form = _kind(words, schema, values, distinct=distinct, used=used)
    return Slot(
        name=name,
        kind=kind,
        label=_label(words, kind),
        unit=_unit(words) if kind == "count" else "",
        values=values,
        schema=schema,
        format=form,
    )


def _distinct(values: Iterable[Any]) -> tuple[Any, ...]:
    found: dict[str, Any] = {}
    for value in values:
        if value is not None and str(value).lower() not in ("dontcare", ""):
            found.setdefault(f"{type(value).__name__}:{value}", value)
    return tuple(found.values())


def _kind(  # noqa: PLR0911 - one kind a line
    words: list[str], schema: Mapping[str, Any], values: Sequence[Any], *, distinct: bool, used: bool
) -> tuple[Kind, str]:
    declared = schema.get("type")
    if declared == "array" or any(isinstance(value, list) for value in values):
        return "list", ""
    if declared == "object" or any(isinstance(value, dict) for value in values):
        return "object", ""
    if declared == "boolean" or (values and all(truth(value) is not None for value in values)):
        return "flag", ""
    texts = [str(value) for value in values]
    whole = bool(texts) and all(_INTEGER.fullmatch(text) and int(text) <= _SMALL for text in texts)
    if schema.get("enum"):
        return ("count" if whole else "choice"), ""
    kind, form = _dated(words, schema, texts)
    if kind:
        return kind, form
    if whole or (declared == "integer" and not texts):
        return "count", ""
    return (_by_values(words, texts, distinct=distinct, used=used) if texts else _by_name(words, declared)), ""


def _dated(words: list[str], schema: Mapping[str, Any], texts: list[str]) -> tuple[Kind | None, str]:
    for kind, formats in (("date", DATE_FORMATS), ("time", TIME_FORMATS)):
        fitting = [form for form in formats if texts and _fits(texts, form)]
        if fitting:
            return kind, fitting[0]  # type: ignore[return-value]
    if not texts and schema.get("type", "string") == "string":
        if schema.get("format") == "date" or words[-1:] == ["date"]:
            return "date", DATE_FORMATS[0]
        if schema.get("format") == "time" or words[-1:] == ["time"]:
            return "time", TIME_FORMATS[0]
    return None, ""


def _fits(texts: list[str], form: str) -> bool:
    """Whether nearly all values have the format: there is always a 24:00."""
    return sum(parse_as(text, form) is not None for text in texts) >= _NEARLY * len(texts)


def _by_values(  # noqa: PLR0911 - one kind a line
    words: list[str], texts: list[str], *, distinct: bool, used: bool
) -> Kind:
    if all(_PHONE.fullmatch(text) for text in texts):
        return "phone"
    if all(_NUMBER.fullmatch(text) for text in texts):
        return "number"
    if "address" in words or (distinct and all(_ADDRESS.fullmatch(text) for text in texts)):
        return "address"
    if _named(words, names().persons_by):
        return "person"
    place = _share(texts, names().cities)
    if place >= 0.5 or (place > 0 and _named(words, names().cities_by)):
        return "city"
    if _share([text.split()[0] for text in texts if text.split()], names().first_names) >= 0.5:
        return "person"
    if any(_share(texts, members) >= 0.5 for members in names().sets.values()):
        return "word"
    if _named(words, names().cities_by) and used and not any(re.search(r"\d", text) for text in texts):
        return "city"
    # The same few values again and again are categories. Whatever else is made up by its own pattern.
    return "title" if distinct or words[-1] in ("name", "title") else "word"


def _by_name(words: list[str], declared: Any) -> Kind:
    if declared == "number":
        return "number"
    if "phone" in words or words[-1] in _CODES:
        return "phone"
    if "address" in words:
        return "address"
    if _named(words, names().persons_by):
        return "person"
    if _named(words, names().cities_by):
        return "city"
    return "title"


def _named(words: list[str], by: Sequence[str]) -> bool:
    return any(f" {word} " in f" {' '.join(words)} " for word in by)


def _share(texts: Sequence[str], members: Sequence[str]) -> float:
    known = {member.lower() for member in members}
    return sum(text.lower() in known for text in texts) / len(texts) if texts else 0.0


def _label(words: list[str], kind: Kind) -> str:
    if kind in ("title", "person") and len(words) > 1 and words[-1] == "name":
        words = words[:-1]
    if words[:2] == ["number", "of"] or words[:1] == ["num"]:
        words = ["number", "of", *words[2 if words[0] == "number" else 1 :]]
    if len(words) > 1 and words[0] in ("has", "is"):
        words = words[1:]
    return " ".join(words)


def _unit(words: list[str]) -> str:
    if words[:2] == ["number", "of"]:
        return " ".join(words[2:])
    if words[:1] == ["num"]:
        return " ".join(words[1:])
    known = [names().units[word] for word in words if word in names().units]
    if known:
        return known[0]
    return words[-1] if words[-1].endswith("s") and not words[-1].endswith("ss") and len(words) == 1 else ""
