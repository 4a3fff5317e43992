"""The user's goal in a synthetic conversation: the arguments of each call, and where each comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from harness.data.tools import Parameter
from harness.rules.teacher.database import Row, as_column
from harness.rules.teacher.task_model import TaskModel, ToolUsage

_TRIES = 20
_SURPRISE = 0.25
"""How often a wish is drawn without a look at what there is."""
_CHANGE = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """The arguments of a call that changes something."""

    arguments: Row
    told: Row
    """Those that the user has to say."""


class UserGoals:
    """Draws goals for one conversation."""

    def __init__(self, model: TaskModel, rng: Random) -> None:
        self._model = model
        self._rng = rng

    def lookup(self, usage: ToolUsage, settled: Mapping[str, Any], row: Mapping[str, Any]) -> Row:
        """Return the arguments of a search: about the row that was chosen where it needs one of its columns.

        What is settled by earlier calls stays so more often than not.
        """
        arguments: Row = {}
        for key in self._given(usage):
            chosen = self._of_row(usage, key, row) if key in usage.required and key not in settled else None
            if chosen is not None:
                arguments[key] = chosen
            elif key in settled and self._fits(usage, key, settled[key]) and self._rng.random() > _CHANGE:
                arguments[key] = settled[key]
            elif key in usage.defaults and self._rng.random() < usage.defaults[key][1]:
                arguments[key] = usage.defaults[key][0]
            else:
                arguments[key] = self._draw(usage, key, arguments)
        return self.ordered(usage, self._in_sequence(usage, arguments))

    def transaction(self, usage: ToolUsage, row: Mapping[str, Any], settled: Mapping[str, Any]) -> Transaction:
        """Return the arguments of a transaction on the row that was chosen."""
        arguments: Row = {}
        told: list[str] = []
        for key in self._given(usage):
            known = self._of_row(usage, key, row)
            known = settled.get(key) if known is None else known
            if known is not None and self._fits(usage, key, known):
                arguments[key] = known
            elif key in usage.defaults and self._rng.random() < usage.defaults[key][1]:
                arguments[key] = usage.defaults[key][0]
            else:
                arguments[key] = self._draw(usage, key, arguments)
                told.append(key)
        arguments = self.ordered(usage, self._in_sequence(usage, arguments, only=told))
        return Transaction(arguments=arguments, told={key: arguments[key] for key in told})

    def asked(self, keys: Sequence[str], number: int, usage: ToolUsage) -> list[str]:
        """Return which arguments the user leaves open at first, in the order in which the agent asks."""
        chosen = set(self._rng.sample(list(keys), min(number, len(keys))))
        listed = [key for key in (*usage.required, *usage.optional) if key in chosen]
        if len(listed) > 1 and self._rng.random() < 0.5:
            self._rng.shuffle(listed)
        return listed

    def refine(self, usage: ToolUsage, arguments: Row, rows: Sequence[Row]) -> Row:
        """Return one argument that the user adds or changes; an added one mostly finds some of the rows."""
        free = [key for key in usage.optional if key not in arguments]
        if rows and free and self._rng.random() > _CHANGE:
            key = self._rng.choice(free)
            there = [row[key] for row in rows if key in row]
            if there and self._rng.random() > _SURPRISE:
                slot = self._model.slots[key]
                value = as_argument(self._rng.choice(there), self._parameter(usage, key), slot.values)
                if self._fits(usage, key, value):
                    return {key: value}
            return {key: self._draw(usage, key, arguments)}
        return self.change(usage, arguments, list(arguments) or free)

    def change(self, usage: ToolUsage, arguments: Row, keys: Sequence[str]) -> Row:
        """Return one of the arguments with another value."""
        known = [key for key in dict.fromkeys(keys) if key in usage.order] or list(arguments) or list(usage.order)
        order = list(known)
        self._rng.shuffle(order)
        for key in order:
            for _ in range(_TRIES):
                value = self._draw(usage, key, {})
                changed = {**arguments, key: value}
                if str(value) != str(arguments.get(key)) and self._in_sequence(usage, changed) == changed:
                    return {key: value}
        return {order[0]: self._draw(usage, order[0], {})}

    def ordered(self, usage: ToolUsage, arguments: Mapping[str, Any]) -> Row:
        """Return arguments in the order in which the traces write them."""
        return {key: arguments[key] for key in usage.order if key in arguments}

    def _of_row(self, usage: ToolUsage, key: str, row: Mapping[str, Any]) -> Any:
        """Return the argument as a row has it, in the column that the traces take it from; None where it has none."""
        source = self._model.links.get((usage.name, key), key)
        if row.get(source) is None:
            return None
        value = as_argument(row[source], self._parameter(usage, key), self._model.slots[key].values)
        return value if self._fits(usage, key, value) else None

    def _given(self, usage: ToolUsage) -> list[str]:
        optional = [key for key, share in usage.optional.items() if self._rng.random() < share]
        return [*usage.required, *optional]

    def _draw(self, usage: ToolUsage, key: str, others: Mapping[str, Any]) -> Any:
        """Return a new value, not the same as that of another argument of its kind (from and to)."""
        slot = self._model.slots[key]
        alike = {str(value) for other, value in others.items() if self._model.slots[other].kind == slot.kind}
        schema = self._parameter(usage, key).schema
        for _ in range(_TRIES):
            value = self._model.values.draw(slot, self._rng, schema=schema)
            if slot.kind not in ("city", "person") or str(value) not in alike:
                break
        return value

    def _in_sequence(self, usage: ToolUsage, arguments: Row, only: Sequence[str] | None = None) -> Row:
        """Put dates in the order of the schema: a journey begins before it ends."""
        dates = [
            key
            for key in self._model.toolbox.parameters(usage.name)
            if key in arguments and self._model.slots[key].kind == "date" and (only is None or key in only)
        ]
        days = {key: self._model.values.day_of(self._model.slots[key], arguments[key]) for key in dates}
        if len(dates) < 2 or not all(days.values()):
            return arguments
        by_day = sorted(dates, key=lambda key: str(days[key]))
        return {**arguments, **{key: arguments[other] for key, other in zip(dates, by_day, strict=True)}}

    def _fits(self, usage: ToolUsage, key: str, value: Any) -> bool:
        parameter = self._parameter(usage, key)
        return value is not None and (not parameter.choices or str(value) in parameter.choices)

    def _parameter(self, usage: ToolUsage, key: str) -> Parameter:
        return self._model.toolbox.parameters(usage.name)[key]


def as_argument(value: Any, parameter: Parameter, seen: tuple[Any, ...]) -> Any:
    """Return a column's value in the type of the argument."""
    declared = parameter.schema.get("type")
    if declared == "string":
        return value if isinstance(value, str) else str(value)
    example: tuple[Any, ...] = {"integer": (0,), "number": (0.0,), "boolean": (True,)}.get(str(declared), seen)
    return as_column(value, example)
