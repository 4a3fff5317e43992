"""`rules:judge`: one case in, a vote with its reason out. Pure and deterministic; no model, no network."""

from __future__ import annotations

from typing import Any

from harness.data.records import Case, Task, ToolCall, Vote
from harness.rules.judge.arguments import fault_in_arguments
from harness.rules.judge.bookings import fault_in_booking
from harness.rules.judge.facts import fault_in_facts
from harness.rules.judge.owners import fault_in_owners
from harness.rules.judge.places import fault_in_places
from harness.rules.judge.quantities import fault_in_quantities
from harness.rules.judge.questions import fault_in_questions
from harness.rules.judge.scene import JudgeScene, message_text, scene
from harness.rules.language.lexicon import lexicon

NAME = "rules:judge"

MESSAGE_CHECKS = (
    fault_in_booking,
    fault_in_quantities,
    fault_in_facts,
    fault_in_owners,
    fault_in_places,
    fault_in_questions,
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
    known = scene(case, task)
    if message_text(reference) is None:
        return fault_in_arguments(call, reference, known, task)
    message = _message(call)
    if not message.strip():
        return "the message to the user is empty"
    return fault_in_message(message, known)


def fault_in_message(message: str, known: JudgeScene) -> str | None:
    """Return what is wrong with a message, None if nothing is."""
    return next((fault for check in MESSAGE_CHECKS if (fault := check(message, known))), None)


def _message(call: ToolCall) -> str:
    """Return the text of a message call: its message argument, else all of its texts."""
    said = message_text(call)
    return said if said is not None else "\n".join(text for text in call.arguments.values() if isinstance(text, str))


def settings() -> dict[str, Any]:
    """Return what the votes depend on: the version of the data and the SHA-256 of its files."""
    return {"version": lexicon().version, "data_sha256": lexicon().sha256}
