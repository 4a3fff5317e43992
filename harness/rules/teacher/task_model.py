"""The task model learned from accepted conversations: how tools are used, what they return, in which layout."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from harness.data.events import Event, events
from harness.data.records import Conversation
from harness.data.tools import Toolbox
from harness.rules.language.equivalence import truth
from harness.rules.language.lexicon import is_lookup
from harness.rules.teacher.exchanges import Exchange, ResultLayout, exchanges_of, layout_of, links_of
from harness.rules.teacher.lexicon import names
from harness.rules.teacher.slots import Slot, learn_slot, split_name
from harness.rules.teacher.values import Values, parse_day
from harness.rules.teacher.verbalisation import mention

_USUAL = 0.5
_LONG = 7
_YEAR = 2026
_LATER = 10
_RELATIVE = re.compile(r"\b(today|tonight|tomorrow)\b", re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUsage:
    """How one tool is used."""

    name: str
    lookup: bool
    """It changes nothing; other tools are confirmed before the call."""
    required: tuple[str, ...]
    optional: Mapping[str, float]
    """Optional argument -> share of calls that give it."""
    defaults: Mapping[str, tuple[Any, float]]
    """Optional argument -> the value it has where the user said none, and how often that is."""
    order: tuple[str, ...]
    """Arguments as they are written."""
    columns: tuple[str, ...]
    """Keys of its rows; empty where no result was ever seen and none can be guessed."""
    sizes: tuple[int, ...]
    """Rows of the results that were seen."""
    sort: str | None
    """Column that its rows are sorted by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskModel:
    """What is known of the task."""

    toolbox: Toolbox
    usages: Mapping[str, ToolUsage]
    slots: Mapping[str, Slot]
    values: Values
    links: Mapping[tuple[str, str], str]
    """Tool and argument -> the column of an earlier result under another name that it is taken from."""
    layout: ResultLayout
    sequences: tuple[tuple[int, tuple[str, ...]], ...]
    """Of each trace: messages, and the tools it calls, repetitions left out."""
    waits: tuple[int, ...]
    """Of each trace: what the user said before the first call, in messages."""
    histories: tuple[tuple[tuple[Event, ...], tuple[Exchange, ...]], ...]

    def entity(self, usage: ToolUsage) -> tuple[str, ...]:
        """Return the columns that identify a row of a lookup, starting with those that a later call needs."""
        wanted = [
            key
            for other in self.usages.values()
            if not other.lookup
            for key in other.required
            if key in usage.columns and key not in usage.required
        ]
        named = [key for key in usage.columns if self.slots[key].kind in ("title", "person") and key not in usage.order]
        found = list(dict.fromkeys([*wanted, *([] if wanted else named[:1])]))
        return tuple(sorted(found, key=lambda key: self.slots[key].kind not in ("title", "person"))[:2])


def learn_task_model(toolbox: Toolbox, conversations: Sequence[Conversation]) -> TaskModel:
    """Return the task model of these conversations; where they show nothing, the schema alone has to do."""
    spoken = [events([one for one in each.messages if one.role != "system"], toolbox) for each in conversations]
    histories = tuple((event, tuple(exchanges_of(event))) for event in spoken)
    exchanges = [exchange for _, found in histories for exchange in found if exchange.call.name in toolbox.services]
    slots = _slots(toolbox, exchanges)
    said = "\n".join(one.text for event in spoken for one in event if one.kind in ("user", "reply"))
    slots = {name: _with_currency(slot, said) for name, slot in slots.items()}
    values = Values(today=_today(slots, exchanges))
    usages = {name: _usage(toolbox, name, exchanges, slots, values) for name in toolbox.services}
    for key in (key for usage in usages.values() for key in usage.columns):
        slots.setdefault(key, learn_slot(key, {}, (), distinct=False))
    return TaskModel(
        toolbox=toolbox,
        usages=usages,
        slots=slots,
        values=values,
        links=links_of(histories),
        layout=layout_of(exchanges, conversations),
        sequences=tuple((len(event), _sequence(found, toolbox)) for event, found in histories if found),
        waits=tuple(
            sum(one.kind == "user" for one in event[: found[0].position]) for event, found in histories if found
        ),
        histories=histories,
    )


def _slots(toolbox: Toolbox, exchanges: Sequence[Exchange]) -> dict[str, Slot]:
    schemas: dict[str, Mapping[str, Any]] = {}
    for tool in toolbox.services:
        for name, parameter in toolbox.parameters(tool).items():
            if name not in schemas or ("enum" in parameter.schema and "enum" not in schemas[name]):
                schemas[name] = parameter.schema
    seen: dict[str, list[Any]] = defaultdict(list)
    varied: Counter[str] = Counter()
    for exchange in exchanges:
        for source in (exchange.call.arguments, *exchange.rows):
            for key, value in source.items():
                seen[key].append(value)
        for key in exchange.rows[0] if len(exchange.rows) > 1 else ():
            column = [str(row.get(key)) for row in exchange.rows]
            varied[key] += 1 if len(set(column)) > 0.9 * len(column) else -1
    return {
        name: learn_slot(name, schemas.get(name, {}), seen[name], distinct=varied[name] > 0, used=name in schemas)
        for name in [*schemas, *(key for key in seen if key not in schemas)]
    }


def _with_currency(slot: Slot, said: str) -> Slot:
    """Return an amount with the sign that people put before it in the traces."""
    if slot.kind != "number":
        return slot
    amounts = "|".join(re.escape(str(value)) for value in slot.values if str(value).isascii())
    found = re.search(rf"([$€£])(?:{amounts})(?!\d)", said) if amounts else None
    return replace(slot, unit=found[1]) if found else slot


def _today(slots: Mapping[str, Slot], exchanges: Sequence[Exchange]) -> date | None:
    """Return the day that the traces call today: the day of a call where that word is all that was said of it.

    No call is for a day before it.
    """
    votes: Counter[date] = Counter()
    days: set[date] = set()
    for exchange in exchanges:
        for key, value in exchange.call.arguments.items():
            slot = slots[key]
            day = parse_day(str(value), slot.format, _YEAR) if slot.kind == "date" else None
            if day is None:
                continue
            days.add(day)
            # Seen from days later, `today` and `tomorrow` mean other days, and `the 5th` still the same.
            said = mention(exchange.said, slot, value, Values(today=day + timedelta(days=_LATER)))
            words = [] if said else _RELATIVE.findall(f"{exchange.said}\n{exchange.heard}")
            if words:
                votes[day - timedelta(days=words[-1].lower() == "tomorrow")] += 1
    possible = [day for day in votes if day <= min(days)]
    return min(possible, key=lambda day: (-votes[day], day)) if possible else None


def _usage(
    toolbox: Toolbox, name: str, exchanges: Sequence[Exchange], slots: Mapping[str, Slot], values: Values
) -> ToolUsage:
    mine = [exchange for exchange in exchanges if exchange.call.name == name]
    parameters = toolbox.parameters(name)
    order = list(dict.fromkeys(key for exchange in mine for key in exchange.call.arguments if key in parameters))
    if exchanges and all(list(each.call.arguments) == sorted(each.call.arguments) for each in exchanges):
        order = sorted(parameters)
    order += [key for key in parameters if key not in order]
    given = Counter(key for exchange in mine for key in exchange.call.arguments)
    rows = [row for exchange in mine for row in exchange.rows]
    columns = tuple(dict.fromkeys(key for row in rows for key in row)) or _guess(name, toolbox, exchanges)
    optional = {key: given[key] / len(mine) if mine else 0.3 for key, each in parameters.items() if not each.required}
    return ToolUsage(
        name=name,
        lookup=_looks_up(name, mine, slots, values),
        required=tuple(key for key, parameter in parameters.items() if parameter.required),
        optional=optional,
        defaults={key: value for key, value in _defaults(mine, slots, values).items() if key in optional},
        order=tuple(order),
        columns=columns,
        sizes=tuple(len(exchange.rows) for exchange in mine),
        sort=_sorted_by(mine, slots),
    )


def _looks_up(name: str, exchanges: Sequence[Exchange], slots: Mapping[str, Slot], values: Values) -> bool:
    """Whether a tool is a lookup: it returns lists, or is named like one and is not confirmed before the call."""
    if any(len(exchange.rows) > 1 for exchange in exchanges):
        return True
    confirmed = [
        sum(mention(each.asked, slots[key], value, values) is not None for key, value in each.call.arguments.items())
        > 1
        for each in exchanges
    ]
    return is_lookup(name) and sum(confirmed) <= _USUAL * len(confirmed)


def _guess(name: str, toolbox: Toolbox, exchanges: Sequence[Exchange]) -> tuple[str, ...]:
    """Return likely columns of a tool without a seen result: its arguments, and the columns of tools that share one."""
    parameters = list(toolbox.parameters(name))
    related = [key for exchange in exchanges for row in exchange.rows if row.keys() & set(parameters) for key in row]
    return tuple(dict.fromkeys([*parameters, *related]))


def _defaults(exchanges: Sequence[Exchange], slots: Mapping[str, Slot], values: Values) -> dict[str, tuple[Any, float]]:
    unsaid: dict[str, list[Any]] = defaultdict(list)
    for exchange in exchanges:
        for key, value in exchange.call.arguments.items():
            slot = slots[key]
            if truth(value) is None and mention(exchange.said, slot, value, values) is None:
                unsaid[key].append(value)
    found = {}
    for key, seen in unsaid.items():
        value, times = Counter(map(str, seen)).most_common(1)[0]
        if times > 1 and times >= _USUAL * len(seen):
            found[key] = (next(one for one in seen if str(one) == value), times / len(exchanges))
    return found


def _sorted_by(exchanges: Sequence[Exchange], slots: Mapping[str, Slot]) -> str | None:
    longer = [exchange.rows for exchange in exchanges if len(exchange.rows) > 2]
    for key in longer[0][0] if longer else ():
        columns = [[str(row.get(key)) for row in rows] for rows in longer]
        if slots[key].kind == "title" and all(sorted(column) == column for column in columns):
            return str(key)
    return None


def _sequence(exchanges: Sequence[Exchange], toolbox: Toolbox) -> tuple[str, ...]:
    names = [exchange.call.name for exchange in exchanges if exchange.call.name in toolbox.services]
    return tuple(name for position, name in enumerate(names) if position == 0 or names[position - 1] != name)


def intent(model: TaskModel, tool: str) -> str:
    """Return a tool's purpose as a short infinitive: the start of its description, or its name in words."""
    first = model.toolbox.description(tool).split(".")[0].split(",")[0].split()
    end = next(
        (
            place
            for place, word in enumerate(first)
            if place > 1 and word.lower() in names().cuts and first[place - 1] not in names().go_on
        ),
        len(first),
    )
    if not 1 < end <= _LONG or not first[0].isalpha():
        return " ".join(split_name(tool))
    return " ".join([first[0].lower(), *first[1:end]])
