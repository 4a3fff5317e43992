"""Traces through the committee: votes, arbiter, decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.curation.committee.decide import TurnVerdict, decide, settle
from harness.data.events import callable_tools, events
from harness.data.pipeline_records import Arbiter, Labeler, Rewrite, Ruling, TurnDecision
from harness.data.records import Conversation
from harness.data.tools import Toolbox
from harness.terminal import Advance, progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Committee:
    """Who relabels."""

    members: tuple[Labeler, ...]
    arbiter: Arbiter | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Relabelled:
    """One conversation after the committee."""

    conversation: Conversation
    decisions: tuple[TurnDecision, ...]
    reason: str
    """Why it is dropped; empty for one that is kept."""


def relabel_conversations(
    conversations: Sequence[Conversation], committee: Committee, toolbox: Toolbox, *, seed: int = 0
) -> list[Relabelled]:
    """Return every conversation as the committee decides it, in order; see `Committee`."""
    rewrites = _rewrites(committee.members, conversations)
    verdicts = [
        decide(conversation, [by_id.get(conversation.id) for by_id in rewrites], toolbox, seed=seed)
        for conversation in conversations
    ]
    rulings = _rulings(committee.arbiter, verdicts)
    results = []
    for conversation, turns in zip(conversations, verdicts, strict=True):
        decisions = tuple(settle(verdict, rulings, toolbox) for verdict in turns)
        errors = [by_id[conversation.id].error for by_id in rewrites if conversation.id in by_id]
        results.append(_result(conversation, decisions, [error for error in errors if error], toolbox))
    return results


def _rewrites(members: Sequence[Labeler], conversations: Sequence[Conversation]) -> list[dict[str, Rewrite]]:
    """Return what each member makes of the conversations, by their ids."""
    rewrites: list[dict[str, Rewrite]] = []
    for member in members:
        found: dict[str, Rewrite] = {}
        with progress(f"{member.name} relabels", total=len(conversations)) as advance:

            def keep(rewrite: Rewrite, found: dict[str, Rewrite] = found, advance: Advance = advance) -> None:
                found[rewrite.id] = rewrite
                advance()

            member.relabel(conversations, keep)
        rewrites.append(found)
    return rewrites


def _rulings(arbiter: Arbiter | None, verdicts: Sequence[Sequence[TurnVerdict]]) -> dict[str, Ruling]:
    disputes = [verdict.dispute for turns in verdicts for verdict in turns if verdict.dispute is not None]
    found: dict[str, Ruling] = {}
    if arbiter is None or not disputes:
        return found
    with progress(f"{arbiter.name} decides", total=len(disputes)) as advance:

        def keep(ruling: Ruling) -> None:
            found[ruling.id] = ruling
            advance()

        arbiter.rule(disputes, keep)
    return found


def _result(
    conversation: Conversation, decisions: tuple[TurnDecision, ...], errors: Sequence[str], toolbox: Toolbox
) -> Relabelled:
    messages = list(conversation.messages)
    for decision in decisions:
        if decision.call is not None and decision.changed:
            messages[decision.position] = toolbox.message_of(decision.call, like=messages[decision.position])
    changed = replace(conversation, messages=tuple(messages))
    undecided = [decision for decision in decisions if decision.call is None]
    if not decisions:
        reason = "there is no assistant turn"
    elif undecided:
        cause = errors[0] if errors else undecided[0].reason
        reason = f"undecided turns: {len(undecided)}, the first in message {undecided[0].position} ({cause})"
    else:
        reason = _out_of_place(changed, decisions, toolbox)
    return Relabelled(conversation=changed, decisions=decisions, reason=reason)


def _out_of_place(conversation: Conversation, decisions: Sequence[TurnDecision], toolbox: Toolbox) -> str:
    """Return why a decided conversation cannot be: a call where the user answers, a message where a tool does."""
    tools = callable_tools(events(conversation.messages, toolbox), toolbox)
    for decision in decisions:
        if decision.call is not None and decision.call.name not in tools[decision.position]:
            what = f"message {decision.position} calls {decision.call.name}"
            return f"out of place: {what}, which does not fit what comes after it"
    return ""
