"""JSON schemas inferred from values that were seen: types, members, which are always there, few values seen often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_DEEPEST, _MOST_MEMBERS, _MOST_VALUES = 4, 200, 24
"""Levels, members of one object and different texts that are followed; what lies beyond has any value."""
_MOST_CHOICES, _LONGEST_CHOICE, _LEAST_EACH, _LEAST_ALL = 8, 40, 3, 20
"""An enumeration has 2 to 8 short texts, each seen three times or more, in twenty values or more of nothing else."""
_SHOWN = 3
_TYPES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}


@dataclass(slots=True)
class ValueShape:
    """What values were seen in one place. It grows with the kinds of values, not with their number."""

    seen: int = 0
    types: Counter[str] = field(default_factory=Counter)
    """JSON type -> values."""
    texts: Counter[str] = field(default_factory=Counter)
    """Short texts -> how often; empty from the first one on that is one too many, or too long."""
    open: bool = False
    """Whether there were texts too many, or too long, to be an enumeration."""
    objects: int = 0
    members: dict[str, ValueShape] = field(default_factory=dict)
    unfollowed: int = 0
    """Members beyond those that are followed."""
    items: ValueShape | None = None

    def add(self, value: Any, level: int = 0) -> None:
        """Count one value, with what is in it."""
        self.seen += 1
        self.types[_TYPES.get(type(value), "null")] += 1
        if isinstance(value, str):
            self._add_text(value)
        elif isinstance(value, Mapping):
            self.objects += 1
            for key, one in value.items():
                if level >= _DEEPEST or (key not in self.members and len(self.members) >= _MOST_MEMBERS):
                    self.unfollowed += 1
                    continue
                self.members.setdefault(key, ValueShape()).add(one, level + 1)
        elif isinstance(value, list) and level < _DEEPEST:
            self.items = self.items or ValueShape()
            for one in value:
                self.items.add(one, level + 1)

    def _add_text(self, text: str) -> None:
        if self.open:
            return
        if len(text) <= _LONGEST_CHOICE and (text in self.texts or len(self.texts) < _MOST_VALUES):
            self.texts[text] += 1
            return
        self.open = True
        self.texts.clear()

    @property
    def choices(self) -> dict[str, int]:
        """The values of an enumeration -> how often each was seen, most frequent first; empty where it is none."""
        counted = sorted(self.texts.items(), key=lambda item: (-item[1], item[0]))
        few = 2 <= len(counted) <= _MOST_CHOICES and set(self.types) == {"string"}
        often = few and counted[-1][1] >= _LEAST_EACH and self.seen >= _LEAST_ALL
        return dict(counted) if often else {}

    @property
    def required(self) -> list[str]:
        """The members that every object had."""
        return [key for key, one in self.members.items() if one.seen == self.objects]

    def schema(self, of: int | None = None) -> dict[str, Any]:
        """Return the JSON schema that all values satisfy; its description says how often they were seen, of `of`."""
        types = [kind for kind, _ in self.types.most_common()]
        if {"integer", "number"} <= set(types):
            types.remove("integer")
        found: dict[str, Any] = {"type": types[0] if len(types) == 1 else types} if types else {}
        if of is not None:
            found["description"] = self._draft(of)
        if choices := self.choices:
            found["enum"] = list(choices)
        if self.items is not None and self.items.seen:
            found["items"] = self.items.schema()
        if self.objects:
            found |= self.members_schema()
        return found

    def members_schema(self) -> dict[str, Any]:
        """Return `properties` and `required` of the objects that were seen."""
        properties = {key: one.schema(self.objects) for key, one in self.members.items()}
        found: dict[str, Any] = {"properties": properties, "required": self.required}
        return found | ({"additionalProperties": True} if self.unfollowed else {})

    def _draft(self, of: int) -> str:
        words = f"Draft: in {self.seen:,} of {of:,} calls"
        if choices := self.choices:
            return f"{words}; {', '.join(f'{value} ({count:,})' for value, count in choices.items())}."
        return f"{words}."
