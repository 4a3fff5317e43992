"""`rules:arbiter`: which of the committee's candidates the conversation supports, None where it does not say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.data.pipeline_records import Dispute, Ruling
from harness.data.records import Conversation, Task, ToolCall
from harness.data.tools import Toolbox
from harness.rules.labeler.response_fit import find_out_of_context
from harness.rules.labeler.schema import canonicalise
from harness.rules.labeler.state import ServiceCalls
from harness.rules.labeler.turns import OUT_OF_CONTEXT, LabelerTurn, dialogues_of

NAME = "rules:arbiter"
_SURE = 0.6
Place = tuple[str, int]


class RulesArbiter:
    """Decides by validity, by what follows the turn, by results and words. Deterministic.

    It learns from the conversations of the disputes that it is given at once: the more, the better it rules.
    """

    name = NAME

    def __init__(self, task: Task) -> None:
        self._task = task
        self._toolbox = Toolbox(task.tools)
        self.settings: dict[str, Any] = {}

    def rule(self, disputes: Sequence[Dispute], on_ruling: Callable[[Ruling], None]) -> None:
        """Call `on_ruling` for each dispute, in order."""
        raw = {dispute.conversation.id: dispute.conversation for dispute in disputes}
        conversations = canonicalise([raw[name] for name in sorted(raw)], self._task).conversations
        by_id = {conversation.id: conversation for conversation in conversations}
        calls = ServiceCalls(dialogues_of(conversations, self._toolbox), self._toolbox)
        turns = {(turn.dialogue.id, turn.position): turn for turn in calls.turns}
        strange = self._strange(disputes, by_id)
        for dispute in disputes:
            place = (dispute.conversation.id, dispute.position)
            if place not in turns:
                on_ruling(Ruling(id=dispute.id, call=None, reason="the messages are in no order that tells"))
                continue
            chosen, reason = self._choose(dispute, turns[place], calls, strange)
            call = None if chosen is None else dispute.candidates[chosen]
            on_ruling(Ruling(id=dispute.id, call=call, reason=reason, chosen=chosen))

    def _choose(
        self, dispute: Dispute, turn: LabelerTurn, calls: ServiceCalls, strange: Mapping[tuple[Place, int], float]
    ) -> tuple[int | None, str]:
        tool = calls.tools[turn.key]
        if tool is None or calls.names.certainty(turn) < _SURE:
            return None, "what follows does not tell which tool it is"
        valid = [
            number
            for number, call in enumerate(dispute.candidates)
            if call.name == tool and not self._toolbox.problems(call)
        ]
        if not valid:
            return None, f"no candidate is a valid call of {tool}"
        if tool == self._toolbox.reply.tool:
            place = (dispute.conversation.id, dispute.position)
            score, best = min((strange.get((place, number), 1.0), number) for number in valid)
            if score >= OUT_OF_CONTEXT and len(valid) > 1:
                return None, "no candidate fits its place"
            return best, "speaks to the user, and fits its place best"
        return self._by_arguments(dispute.candidates, valid, turn, calls)

    def _by_arguments(
        self, candidates: Sequence[ToolCall], valid: Sequence[int], turn: LabelerTurn, calls: ServiceCalls
    ) -> tuple[int | None, str]:
        expected = calls.arguments.of(turn)
        for number in valid:
            if candidates[number].arguments == expected:
                return number, "agrees with what was said and returned"
        weight, best = max((calls.arguments.weight(turn, candidates[number].arguments), -number) for number in valid)
        if weight <= 0:
            return None, "the arguments of no candidate agree with what was said and returned"
        return -best, "agrees best with what was said and returned"

    def _strange(
        self, disputes: Sequence[Dispute], by_id: Mapping[str, Conversation]
    ) -> dict[tuple[Place, int], float]:
        """Return, by place and number of the candidate, how likely its text does not belong there."""
        found: dict[tuple[Place, int], float] = {}
        for number in range(max((len(dispute.candidates) for dispute in disputes), default=0)):
            tried = dict(by_id)
            places: list[Place] = []
            for dispute in disputes:
                call = dispute.candidates[number] if number < len(dispute.candidates) else None
                if call is None or call.name != self._toolbox.reply.tool:
                    continue
                name = dispute.conversation.id
                messages = list(tried[name].messages)
                messages[dispute.position] = self._toolbox.message_of(call)
                tried[name] = replace(tried[name], messages=tuple(messages))
                places.append((name, dispute.position))
            scores = find_out_of_context([tried[name] for name in sorted(tried)], self._task) if places else {}
            found |= {(place, number): scores.get(place, 0.0) for place in places}
        return found
