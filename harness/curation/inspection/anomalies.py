"""What is unusual of a trace, whether it is trouble, and what can be done about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.data.events import Event
from harness.data.records import Message

Events = Sequence[Event]
Messages = Sequence[Message]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """One thing that may be unusual of a conversation."""

    name: str
    """Completes `conversations that ...`."""
    advice: str
    holds: Callable[[Events, Messages], bool]
    trouble: bool = True
    """False: worth knowing, and nothing has to be done."""


DUPLICATE, TOO_LONG = "repeat an earlier one exactly", "are longer than the limit"
ADVICE = {
    DUPLICATE: "`tft filter` keeps the first of them",
    TOO_LONG: "`tft filter` rejects them; raise `max_length`, or cut what tools return",
}


def _pairs(holds: Callable[[Event, Event], bool]) -> Callable[[Events, Messages], bool]:
    return lambda events, _: any(holds(one, after) for one, after in pairwise(events))


def _starts_with_agent(events: Events, _: Messages) -> bool:
    first = next((one.kind for one in events if one.kind != "system"), "user")
    return first not in ("user", "empty")


def _text(holds: Callable[[str], bool]) -> Callable[[Events, Messages], bool]:
    return lambda _, messages: any(holds(one.content) for one in messages if one.content)


def _has_controls(text: str) -> bool:
    return not text.isprintable() and any(char < " " and char not in "\t\n\r" for char in text)


SEVERAL_CALLS = "have several calls in one turn"
"""A sign only where the task does not allow them."""
SIGNS = (
    Sign(name="have no messages", advice="`tft filter` rejects them", holds=lambda events, _: not events),
    Sign(
        name="start with the agent",
        advice="messages may be shuffled or cut off at the front; `tft filter` rejects those out of order",
        holds=_starts_with_agent,
    ),
    Sign(
        name="end without the agent",
        advice="nothing is learned from what follows the agent's last turn; look whether answers are missing",
        holds=lambda events, _: bool(events) and not events[-1].is_turn,
    ),
    Sign(
        name=SEVERAL_CALLS,
        advice="their results do not all follow, so they cannot be put one after another; `tft filter` says where",
        holds=lambda _, messages: any(len(one.tool_calls) > 1 for one in messages),
    ),
    Sign(
        name="have two messages of the user in a row",
        advice="an agent's answer is missing, or the order is lost; `tft filter` decides which are of use",
        holds=_pairs(lambda one, after: one.kind == after.kind == "user"),
    ),
    Sign(
        name="have two turns of the agent in a row",
        advice="results may be missing from the export; log what tools return as tool messages",
        holds=_pairs(lambda one, after: one.is_turn and after.is_turn),
    ),
    Sign(
        name="have a call without its result",
        advice="results are missing, or calls are wrong: `tft relabel` mends wrong calls, not missing results",
        holds=_pairs(lambda one, after: one.kind == "call" and after.kind not in ("result", "reply", "call")),
    ),
    Sign(
        name="have a result without its call",
        advice="the agent's turn before it is probably wrong; `tft relabel` mends it",
        holds=_pairs(lambda one, after: after.kind == "result" and one.kind not in ("call", "result", "empty")),
    ),
    Sign(
        name="have a system message",
        advice="the task's own is used instead in training; put what matters of it into task_description",
        holds=lambda events, _: any(one.kind == "system" for one in events),
        trouble=False,
    ),
    Sign(
        name="hold control characters",
        advice="an export may have broken the text; `tft filter` says where",
        holds=_text(_has_controls),
    ),
    Sign(
        name="hold U+2028 or U+2029",
        advice="they are read as text here; other readers of JSON lines break at them",
        holds=_text(lambda text: "\u2028" in text or "\u2029" in text),
        trouble=False,
    ),
)
