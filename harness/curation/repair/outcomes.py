"""What became of each assistant turn: was it wrong, was it touched, is it right now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.curation.repair.ground_truth import Truth, Truths
from harness.data.canonical import canonical_call
from harness.data.pipeline_records import TurnDecision
from harness.data.records import Conversation, ToolCall
from harness.data.tools import Toolbox

CLEAN = "clean"
_OTHER = ("another name", "other keys", "other values")


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRepair:
    """One assistant turn. Calls are compared in canonical form (`canonical_call`) unless it says strictly."""

    conversation: str
    position: int
    kind: str
    """What was done to the call; `clean` where nothing was."""
    service: bool
    """The true call is one of a service, not a reply."""
    into_service: bool
    """The decided call is one of a service."""
    both_replies: bool
    """The raw call and the true one are replies."""
    undecided: bool
    """There is no call now."""
    changed: bool
    """Detected: the call is not the raw one, or there is none."""
    raw_name: bool
    """The raw call's name is right."""
    name_changed: bool
    name: bool
    """The name is right now."""
    keys: bool
    """Name and argument keys are right."""
    arguments: bool
    """The whole call is right."""
    strictly: bool
    """The whole call is right, character by character."""

    @property
    def damaged(self) -> bool:
        """Whether the raw call is not the true one."""
        return self.kind != CLEAN


def judge_turn(
    truth: Truth, position: int, raw: ToolCall, call: ToolCall | None, toolbox: Toolbox
) -> TurnRepair | None:
    """Return what became of the turn in message `position`; None where the truth has no call there."""
    messages = truth.conversation.messages
    true = toolbox.call_of(messages[position]) if 0 <= position < len(messages) else None
    if true is None or messages[position].role != "assistant":
        return None
    wanted, was = canonical_call(true, toolbox), canonical_call(raw, toolbox)
    now = None if call is None else canonical_call(call, toolbox)
    reply = toolbox.reply.tool
    return TurnRepair(
        conversation=truth.conversation.id,
        position=position,
        kind=CLEAN if was == wanted else truth.kinds.get(position) or _difference(was, wanted),
        service=true.name != reply,
        into_service=now is not None and now.name != reply,
        both_replies=true.name == raw.name == reply,
        undecided=now is None,
        changed=now != was,
        raw_name=raw.name == true.name,
        name_changed=now is not None and now.name != was.name,
        name=now is not None and now.name == wanted.name,
        keys=now is not None and _difference(now, wanted) not in _OTHER[:2],
        arguments=now == wanted,
        strictly=call == true,
    )


def _difference(one: ToolCall, other: ToolCall) -> str:
    if one.name != other.name:
        return _OTHER[0]
    return _OTHER[1] if one.arguments.keys() != other.arguments.keys() else _OTHER[2] if one != other else CLEAN


def compare_decisions(truth: Truth, decisions: Sequence[TurnDecision], toolbox: Toolbox) -> list[TurnRepair | None]:
    """Return one outcome per decision, None where the truth has no call at its place."""
    return [judge_turn(truth, one.position, one.raw, one.call, toolbox) for one in decisions]


def compare_calls(
    truths: Truths, raw: Sequence[Conversation], repaired: Sequence[Conversation], toolbox: Toolbox
) -> list[TurnRepair]:
    """Return one outcome for each assistant turn of the raw conversations that belong and have a truth.

    `repaired` is joined to `raw` by id and keeps its message positions; where a conversation, or the call at a
    position, is missing in it, the turn counts as undecided. Turns without a true call are left out.
    """
    by_id = {conversation.id: conversation for conversation in repaired}
    outcomes = []
    for conversation in raw:
        truth = truths.of(conversation)
        if truth is None or not truth.belongs:
            continue
        for position, was, now in _turns(conversation, by_id.get(conversation.id), toolbox):
            outcome = judge_turn(truth, position, was, now, toolbox)
            if outcome is not None:
                outcomes.append(outcome)
    return outcomes


def _turns(
    raw: Conversation, repaired: Conversation | None, toolbox: Toolbox
) -> Iterator[tuple[int, ToolCall, ToolCall | None]]:
    messages = repaired.messages if repaired else ()
    for position, message in enumerate(raw.messages):
        was = toolbox.call_of(message) if message.role == "assistant" else None
        if was is None:
            continue
        here = position < len(messages) and messages[position].role == "assistant"
        yield position, was, toolbox.call_of(messages[position]) if here else None
