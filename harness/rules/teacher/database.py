"""The database behind a synthetic conversation: rows that match a query, the same ones when it is repeated."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from harness.rules.language.equivalence import truth
from harness.rules.teacher.task_model import TaskModel, ToolUsage

_PAGE = 10
_USUAL_SIZES = (1, 2, 3, 3, 4, 6)
Row = dict[str, Any]


class Database:
    """The services of one conversation. A narrower search finds among what the wider one found."""

    def __init__(self, model: TaskModel, rng: Random) -> None:
        self._model = model
        self._rng = rng
        self._searches: list[tuple[str, Row, list[Row]]] = []
        self._taken: set[str] = set()

    def search(
        self, usage: ToolUsage, arguments: Mapping[str, Any], facts: Mapping[str, Any], *, empty: bool
    ) -> list[Row]:
        """Return the rows for a lookup; `facts` is what the conversation has settled, for columns without argument."""
        wanted = {key: value for key, value in arguments.items() if not _any(value)}
        for name, before, rows in reversed(self._searches):
            if name == usage.name and before.items() <= wanted.items():
                found = [row for row in rows if matches(row, wanted)]
                break
        else:
            found = [] if empty else self._made(usage, wanted, facts)
        self._searches.append((usage.name, wanted, found))
        return found

    def change(self, usage: ToolUsage, arguments: Mapping[str, Any], row: Mapping[str, Any]) -> Row:
        """Return the one row of a transaction that worked: the entity's columns and what was asked for."""
        columns = usage.columns or tuple(dict.fromkeys([*arguments, *row]))
        facts = {**row, **arguments}
        return {key: self._cell(key, facts) for key in columns}

    def _made(self, usage: ToolUsage, wanted: Mapping[str, Any], facts: Mapping[str, Any]) -> list[Row]:
        entity = self._model.entity(usage)
        columns = usage.columns or tuple(usage.order)
        several = bool(entity) and usage.name not in self._model.layout.single
        number = min(_PAGE, self._rng.choice([size for size in usage.sizes if size] or _USUAL_SIZES)) if several else 1
        kept = {key: value for key, value in facts.items() if key not in entity and key in usage.order}
        rows: list[Row] = []
        for _ in range(number):
            row = {key: self._cell(key, {**kept, **wanted}) for key in columns}
            name = "|".join(str(row.get(key)) for key in entity)
            if not entity or name not in self._taken:
                rows.append(row)
                self._taken.add(name)
        column = usage.sort
        return sorted(rows, key=lambda row: str(row.get(column))) if column else rows

    def _cell(self, key: str, facts: Mapping[str, Any]) -> Any:
        slot = self._model.slots[key]
        if key in facts and not _any(facts[key]):
            return as_column(facts[key], slot.values)
        return self._model.values.draw(slot, self._rng)


def matches(row: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a row has every value that was asked for, in the columns that it has."""
    return all(key not in row or str(row[key]).lower() == str(value).lower() for key, value in wanted.items())


def as_column(value: Any, seen: tuple[Any, ...]) -> Any:
    """Return an argument in the type that a column was seen to have."""
    types = {type(one) for one in seen}
    if not types or type(value) in types:
        return value
    if types == {bool}:
        return truth(value) is True
    if types == {str}:
        return str(value)
    try:
        return int(value) if types == {int} else float(value) if types == {float} else value
    except (TypeError, ValueError):
        return value


def _any(value: Any) -> bool:
    return str(value).lower() == "dontcare"
