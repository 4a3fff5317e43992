"""Finds which sequences share a prefix, in time linear in their length."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any


class Prefixes:
    """Gives each beginning of what it is shown a number of its own, the same whenever it is shown again."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, Hashable], int] = {}

    def of(self, parts: Iterable[Any]) -> list[int]:
        """Return the numbers of the beginnings, from that of no part at all (0) to that of all of them."""
        found = [0]
        for part in parts:
            found.append(self._numbers.setdefault((found[-1], hashable(part)), len(self._numbers) + 1))
        return found


def hashable(value: Any) -> Hashable:
    """Return what is equal where values are equal, and can be looked up: of JSON values, tuples and dataclasses."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return Mapping, frozenset((key, hashable(one)) for key, one in value.items())
    if isinstance(value, list | tuple):
        return type(value), tuple(map(hashable, value))
    if is_dataclass(value):
        kind: Any = type(value)
        return kind, tuple(hashable(getattr(value, name)) for name in _compared(kind))
    found: Hashable = value
    return found


@cache
def _compared(kind: type[Any]) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind) if one.compare)
