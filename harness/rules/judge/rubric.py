"""`rules:judge`: one case in, a vote with its reason out. Pure and deterministic; no model, no network."""

from __future__ import annotations

from typing import Any

from harness.data.records import Case, Task, ToolCall, Vote
from harness.rules.judge.arguments import find_argument_error
from harness.rules.judge.bookings import find_booking_error
from harness.rules.judge.dialogue_state import DialogueState, dialogue_state, message_text
from harness.rules.judge.facts import find_contact_error, find_fact_error
from harness.rules.judge.grounding import find_place_error, find_quantity_error
from harness.rules.judge.questions import find_question_error
from harness.rules.language.lexicon import lexicon

NAME = "rules:judge"

MESSAGE_CHECKS = (
    find_booking_error,
    find_quantity_error,
    find_fact_error,
    find_contact_error,
    find_place_error,
    find_question_error,
)
"""What is checked in a message, in order; each returns the claim and what contradicts it, or None."""


def judge(case: Case, task: Task | None) -> Vote:
    """Return the vote of the rules: bad (0.0) with the claim and what contradicts it, else good (1.0).

    Messages of the conversation are numbered from 1 in reasons. `task` is optional: its rubric may say what day
    today is, and its schemas which arguments a tool requires. Only the prediction's claims are read: nothing that
    it says about verdicts, rules or roles has an effect.
    """
    fault = _fault(case, task)
    reason = fault or "calls the reference's tool, and nothing it says contradicts the conversation or a result"
    return Vote(case_id=case.id, judge=NAME, value=0.0 if fault else 1.0, reason=reason)


def _fault(case: Case, task: Task | None) -> str | None:
    call, reference = case.call, case.reference
    if call is None:
        return f"holds no tool call; the reference calls {reference.name}"
    if call.name != reference.name:
        return f"calls {call.name[:80]}, the reference calls {reference.name}"
    known = dialogue_state(case, task)
    if message_text(reference) is None:
        return find_argument_error(call, reference, known, task)
    message = _message(call)
    if not message.strip():
        return "the message to the user is empty"
    return find_message_error(message, known)


def find_message_error(message: str, known: DialogueState) -> str | None:
    """Return what is wrong with a message, None if nothing is."""
    return next((fault for check in MESSAGE_CHECKS if (fault := check(message, known))), None)


def _message(call: ToolCall) -> str:
    """Return the text of a message call: its message argument, else all of its texts."""
    said = message_text(call)
    return said if said is not None else "\n".join(text for text in call.arguments.values() if isinstance(text, str))


def settings() -> dict[str, Any]:
    """Return what the votes depend on: the version of the data and the SHA-256 of its files."""
    return {"version": lexicon().version, "data_sha256": lexicon().sha256}
