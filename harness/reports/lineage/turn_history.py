"""What became of the turns of a relabelled row: the source's call, the trace's, what each member said, the result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from harness.data.annotations import TurnDecision
from harness.data.records import ToolCall
from harness.reports.lineage.row_history import RowHistory

_LONG = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStory:
    """One turn in words."""

    position: int
    """Of the assistant's message."""
    verdict: str
    """How it was decided, and whether that changed it."""
    calls: tuple[tuple[str, str], ...]
    """(who, call in words) from the source to the result; equal ones are told once."""
    reason: str = ""


def turns(history: RowHistory, clean: Mapping[int, ToolCall]) -> tuple[list[TurnStory], int]:
    """Return the turns worth reading (changed, disputed, or still not the source's), and how many others there are.

    `clean` are the calls of the source dialogue by position, none where it is not at hand.
    """
    members = member_names(history)
    told = [_turn(one, members, clean.get(one.position)) for one in history.turns if _is_worth_reading(one, clean)]
    return told, len(history.turns) - len(told)


def member_names(history: RowHistory) -> list[str]:
    """Return the committee's members in the order of the candidates."""
    record = history.node.record
    committee = record.lineage.config.get("committee") if record else None
    names = [str(one.get("name")) for one in committee or () if isinstance(one, Mapping)]
    widest = max((len(one.candidates) for one in history.turns), default=0)
    return names + [f"member {number + 1}" for number in range(len(names), widest)]


def say_call(call: ToolCall) -> str:
    """Return a call as `Tool(key="value", ...)`."""
    arguments = ", ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in call.arguments.items())
    text = f"{call.name}({arguments})"
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"


def _is_worth_reading(decision: TurnDecision, clean: Mapping[int, ToolCall]) -> bool:
    known = clean.get(decision.position)
    return bool(decision.changed or decision.method != "unanimous" or (known is not None and known != decision.call))


def _turn(decision: TurnDecision, members: list[str], clean: ToolCall | None) -> TurnStory:
    said = [(member, call) for member, call in zip(members, decision.candidates, strict=False)]
    calls: list[tuple[str, str]] = []
    if clean is not None and clean != decision.raw:
        calls.append(("source", say_call(clean)))
    calls.append(("trace", say_call(decision.raw)))
    for member, call in said:
        calls.append(("said", f"{member}: {_as_known(call, decision)}"))
    calls.append(("now", say_call(decision.call) if decision.call else "undecided, so it stays as it was"))
    return TurnStory(
        position=decision.position,
        verdict=_verdict(decision, clean),
        calls=tuple(calls),
        reason=decision.reason,
    )


def _as_known(call: ToolCall | None, decision: TurnDecision) -> str:
    if call is None:
        return "nothing"
    if call == decision.raw:
        return "as in the trace"
    return "as it is now" if call == decision.call else say_call(call)


def _verdict(decision: TurnDecision, clean: ToolCall | None) -> str:
    how = decision.method if decision.level is None else f"{decision.method}, where the {decision.level} differed"
    what = f"{decision.changed} changed" if decision.changed else "unchanged"
    text = f"{how}; {what}"
    if clean is None or decision.call is None:
        return text
    return f"{text}; {_against(decision.call, clean)}"


def _against(call: ToolCall, clean: ToolCall) -> str:
    if call == clean:
        return "as in the source"
    return "the source's tool, with other values" if call.name == clean.name else "another tool than the source's"
