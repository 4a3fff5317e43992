"""Maps values of an old schema to the task's: spelling, numbers, flags, levels of another scale, types.

For example, `cheap` becomes `inexpensive` where the task's members are inexpensive, moderate and expensive, `low` where
they are low, medium and high; `six` becomes 6 for an integer.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from harness.data.canonical import canonical_value, number_of, plain_text
from harness.data.tools import Parameter
from harness.rules.labeler.schema_words import name_words, word_likeness, word_weight, words

_ALIKE = 0.7


def into_choices(values: Sequence[str], choices: Sequence[str]) -> dict[str, str]:
    """Return the member that each value means, as the task writes it; a value without one is left out.

    Tried in turn: the same but for spelling; the same level of a known scale; the same words. Two values never become
    one member by likeness of words, and a member that is itself a value is not taken by another.
    """
    return dict(_into_choices(tuple(values), tuple(choices)))


@lru_cache(maxsize=1 << 16)
def _into_choices(values: tuple[str, ...], choices: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    members = {plain_text(choice): choice for choice in choices}
    parameter = Parameter(name="", description="", required=False, choices=choices, schema={})
    for value in values:
        text = canonical_value(value, parameter)
        if text in members:
            found[value] = members[text]
    rest = [value for value in values if value not in found]
    for value in rest:
        level = _by_level(value, members)
        if level is not None:
            found[value] = level
    taken = set(found.values())
    for value in rest:
        if value not in found and (member := _by_words(value, members, taken)) is not None:
            found[value] = member
    return found


def _by_level(value: str, members: dict[str, str]) -> str | None:
    """Return the member of the same rank on a scale that knows the value and all members, each at a rank of its own."""
    for scale in words().levels:
        ranks = {scale[text]: choice for text, choice in members.items() if text in scale}
        rank = scale.get(plain_text(value))
        if rank is not None and len(ranks) == len(members):
            return ranks.get(rank)
    return None


def _by_words(value: str, members: dict[str, str], taken: set[str]) -> str | None:
    scores = sorted(((_shared(value, text), text) for text in members), reverse=True)
    if not scores or scores[0][0] < _ALIKE or (len(scores) > 1 and scores[1][0] >= scores[0][0]):
        return None
    choice = members[scores[0][1]]
    return None if choice in taken else choice


def _shared(one: str, other: str) -> float:
    """Return how much of the words of two values is the same, by the shorter one."""
    a, b = sorted((name_words(one), name_words(other)), key=len)
    if not a:
        return 0.0
    best = [word_weight(word) * max((word_likeness(word, w) for w in b), default=0.0) for word in a]
    return sum(best) / sum(map(word_weight, a)) - 0.02 * (len(b) - len(a))


def says_nothing(value: Any) -> bool:
    """Whether a value is one of the words for no preference."""
    return value is None or (isinstance(value, str) and plain_text(value) in words().no_preference)


def fitted(value: Any, parameter: Parameter) -> Any:
    """Return a value as the parameter's schema wants it: a member, or of its type; as it is where that is not known."""
    if parameter.choices:
        return _member(value, parameter)
    wanted = parameter.schema.get("type")
    if wanted == "string":
        return str(value) if isinstance(value, bool | int | float) else value
    text = canonical_value(value, parameter)
    if wanted == "boolean":
        return {"true": True, "false": False}.get(text, value)
    if wanted in ("integer", "number") and isinstance(value, str):
        number = number_of(text)
        return value if number is None else int(number) if "." not in number else float(number)
    return value


def _member(value: Any, parameter: Parameter) -> Any:
    members = parameter.schema.get("enum") or parameter.choices
    if value in members:
        return value
    text = canonical_value(value, None)
    choice = into_choices([text], parameter.choices).get(text)
    return next((member for member in members if str(member) == choice), value)
