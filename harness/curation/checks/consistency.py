"""Whether results fit the calls that they answer, and replies what the conversation knows by then."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

from harness.curation.checks.message_order import View
from harness.data.events import Event
from harness.data.pipeline_records import Finding
from harness.data.records import Case, Message, ToolCall
from harness.data.text import plain, tokens
from harness.rules.judge.bookings import find_booking_error
from harness.rules.judge.dialogue_state import DialogueState, dialogue_state
from harness.rules.judge.facts import find_contact_error, find_fact_error
from harness.rules.judge.grounding import find_place_error, find_quantity_error
from harness.rules.language.equivalence import same_value, show
from harness.rules.language.lexicon import is_lookup

_CAPITAL = re.compile(r"(?<![.!?\n] )(?<![\n])(?<!\A)\b[A-Z]\w*")
_NUMBERED = re.compile(r"(?<=\bmessage )\d+")
_SHOWN = 60
"""Characters of a value that a sentence quotes."""


def consistency(view: View) -> Iterator[Finding]:
    """`result-against-call`, `other-than-asked`, `contradicts-result`, `ungrounded-value`.

    A reply is read as `rules:judge` reads one, without a reference to excuse it: each value, place and name that it
    states must stand in what came before, and what it says of a result must be what the result says.
    """
    whole = _state(view)
    yield from _results(view, whole)
    words: set[str] = set()
    for event in view.events:
        if event.kind == "reply":
            yield from _reply(view, event, whole, words)
        words.update(tokens(_text(event)))


def _state(view: View) -> DialogueState:
    """Return the conversation as the rules see one; the names of its tools do not matter."""
    case = Case(
        id=view.conversation.id,
        conversation=view.conversation.id,
        prefix=tuple(map(_plain, view.events)),
        reference=ToolCall(name="", arguments={}),
        prediction="",
        call=None,
    )
    return dialogue_state(case, None)


def _plain(event: Event) -> Message:
    if event.kind == "call" and event.call is not None:
        return Message(role="assistant", tool_calls=(event.call,))
    if event.kind == "result":
        return Message(role="tool", content=event.text)
    if event.kind in ("reply", "empty"):
        return Message(role="assistant", content=event.text)
    return Message(role="system" if event.kind == "system" else "user", content=event.text)


def _text(event: Event) -> str:
    arguments = event.call.arguments.values() if event.kind == "call" and event.call else ()
    return " ".join([event.text, *map(show, arguments)])


def _results(view: View, whole: DialogueState) -> Iterator[Finding]:
    """Compare rows with the call before them.

    A search that returns what was not asked for has other arguments than the one that was made. A service that acts
    may return what it has in the place of what was asked for, and says so in its row.
    """
    for before, event in pairwise(view.events):
        if before.kind != "call" or before.call is None or event.kind != "result":
            continue
        difference = next(filter(None, (_difference(before.call.arguments, row, whole) for row in event.rows)), None)
        if difference is None:
            continue
        key, asked, got = (str(part)[:_SHOWN] for part in difference)
        if is_lookup(before.call.name):
            problem = f'{before.call.name} asked for {key} "{asked}", and a row of its result has "{got}"'
            yield view.found("result-against-call", "repairable", problem, before)
        else:
            problem = f'{before.call.name} was to be done with {key} "{asked}", and its result has "{got}"'
            yield view.found("other-than-asked", "note", problem, event)


def _difference(
    arguments: Mapping[str, Any], row: Mapping[str, Any], whole: DialogueState
) -> tuple[str, str, str] | None:
    for key, asked in arguments.items():
        if key in row and not same_value(key, asked, row[key], whole.today):
            return key, show(asked), show(row[key])
    return None


def _reply(view: View, event: Event, whole: DialogueState, words: set[str]) -> Iterator[Finding]:
    known = replace(whole, lines=tuple(line for line in whole.lines if line.number <= event.position))
    if fault := _contradiction(event.text, known):
        yield view.found("contradicts-result", "repairable", _from_zero(fault), event)
    fault = find_quantity_error(event.text, known)
    if fault is None and _brings_a_name(event.text, words):
        fault = find_place_error(event.text, known)
    if fault:
        yield view.found("ungrounded-value", "repairable", _from_zero(fault), event)


def _contradiction(text: str, known: DialogueState) -> str | None:
    """Return what the results contradict; nothing is asked whose answer can only be no."""
    fault = find_booking_error(text, known)
    if fault or not any(line.rows for line in known.lines):
        return fault
    has_number = any(character.isdigit() for character in plain(text))  # each phone number and address has one
    return find_fact_error(text, known) or (find_contact_error(text, known) if has_number else None)


def _brings_a_name(text: str, words: set[str]) -> bool:
    """Whether a capital letter within a sentence begins a word that is news; without one, no place is news either.

    Reading places asks for all that was ever said, which is most of the time that a reply takes.
    """
    return any(not words.issuperset(tokens(match[0])) for match in _CAPITAL.finditer(text))


def _from_zero(reason: str) -> str:
    """Return a sentence of the rules, which number messages from 1, with positions from 0 outside of quotations."""
    parts = reason.split('"')
    parts[::2] = [_NUMBERED.sub(lambda match: str(int(match[0]) - 1), part) for part in parts[::2]]
    return '"'.join(parts)
