"""`rules:labeler-state`: what each turn should have been, from the whole dialogue and the whole batch.

For example, a turn that the trace labels as a reply but that rows of restaurants follow becomes the search that returns
such rows, its arguments taken from the dialogue; a reply from another domain is composed anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from harness.data.events import events
from harness.data.pipeline_records import Rewrite
from harness.data.records import Conversation, Message, Task, ToolCall
from harness.data.tools import Toolbox
from harness.rules.labeler.argument_sources import Call
from harness.rules.labeler.arguments import LearnedArguments
from harness.rules.labeler.reply_phrases import compose
from harness.rules.labeler.response_fit import find_out_of_context
from harness.rules.labeler.schema import canonicalise
from harness.rules.labeler.surface_forms import SurfaceForms
from harness.rules.labeler.tool_classification import ToolClassifier
from harness.rules.labeler.turns import (
    Key,
    Label,
    LabelerDialogue,
    LabelerTurn,
    constants,
    dialogues_of,
    rewrite,
    turns_of,
)

NAME = "rules:labeler-state"
SHUFFLED = "the messages are in no order in which they can have been exchanged"


class ServiceCalls:
    """The service calls of a batch of traces: which turns are one, of which tool, with which arguments."""

    def __init__(self, dialogues: Sequence[LabelerDialogue], toolbox: Toolbox) -> None:
        self.turns = [turn for dialogue in dialogues if dialogue.in_order for turn in turns_of(dialogue)]
        self.names = ToolClassifier(self.turns, toolbox)
        self.tools = {turn.key: self.names.of(turn) for turn in self.turns}
        self.calls = [
            Call(turn=turn, tool=tool, known=constants(turn.rows))
            for turn in self.turns
            if (tool := self.tools[turn.key]) in toolbox.services and tool is not None
        ]
        self.arguments = LearnedArguments(self.calls, SurfaceForms(dialogues, self.turns, toolbox), toolbox)

    def label(self, call: Call) -> Label:
        """Return one service call, or None with the reason."""
        raw = call.turn.raw
        arguments = self.arguments.of(call.turn)
        if arguments is None:
            return None, f"calls {call.tool}, with arguments that neither the trace nor the dialogue gives"
        parts = [] if call.tool == raw.name else [f"what follows it is of {call.tool}"]
        if arguments != raw.arguments:
            parts.append("arguments from results and dialogue")
        return ToolCall(name=call.tool, arguments=arguments, id=raw.id), "; ".join(parts)


class StateLabeler:
    """The dialogue-state labeler as a member of the committee. Deterministic; learns from the batch, without labels."""

    name = NAME

    def __init__(self, task: Task) -> None:
        self._task = task
        self._toolbox = Toolbox(task.tools)
        self.settings: dict[str, Any] = {}

    def relabel(self, conversations: Sequence[Conversation], on_rewrite: Callable[[Rewrite], None]) -> None:
        """Call `on_rewrite` for each conversation, in order. A turn is None where nothing determines its label."""
        batch = _unique(canonicalise(conversations, self._task).conversations)
        foreign = find_out_of_context(batch, self._task)
        dialogues = dialogues_of(batch, self._toolbox, foreign)
        calls = ServiceCalls(dialogues, self._toolbox)
        services = {call.turn.key: calls.label(call) for call in calls.calls}
        for original, conversation, dialogue in zip(conversations, batch, dialogues, strict=True):
            if not dialogue.in_order:
                turns = len(turns_of(dialogue))
                on_rewrite(rewrite(original.id, NAME, [(None, SHUFFLED)] * turns))
                continue
            repaired = self._with_services(conversation, dialogue, services)
            labels = [
                services[turn.key] if turn.key in services else self._reply(turn, calls, repaired)
                for turn in turns_of(dialogue)
            ]
            on_rewrite(rewrite(original.id, NAME, labels))

    def _with_services(
        self, conversation: Conversation, dialogue: LabelerDialogue, services: dict[Key, Label]
    ) -> Conversation:
        """Return the conversation with its service calls mended, which replies are written from."""
        messages: list[Message] = list(conversation.messages)
        for turn in turns_of(dialogue):
            call, _ = services.get(turn.key, (None, ""))
            if call is not None:
                messages[turn.position] = self._toolbox.message_of(call, like=messages[turn.position])
        return replace(conversation, messages=tuple(messages))

    def _reply(self, turn: LabelerTurn, calls: ServiceCalls, repaired: Conversation) -> Label:
        if calls.tools[turn.key] is None:
            return None, "nothing follows that tells what it was"
        foreign = turn.position in turn.dialogue.distrusted
        text = self._toolbox.reply_text(turn.raw) if turn.raw_reply and not foreign else None
        reason = "what it says belongs elsewhere" if foreign else "speaks to the user: no result follows"
        if text is not None:
            reason = ""
        else:
            text = compose(events(repaired.messages, self._toolbox), turn.position, self._toolbox)
        if not text.strip():
            return None, reason
        reply = self._toolbox.reply
        return ToolCall(name=reply.tool, arguments={reply.argument: text}, id=turn.raw.id), reason


def _unique(conversations: Sequence[Conversation]) -> list[Conversation]:
    """Return the conversations with ids that differ, ids that are repeated with their number."""
    seen: Counter[str] = Counter()
    found = []
    for conversation in conversations:
        seen[conversation.id] += 1
        times = seen[conversation.id]
        found.append(conversation if times == 1 else replace(conversation, id=f"{conversation.id}#{times}"))
    return found
