"""`rules:labeler-neighbour`: each turn gets the label of the most similar turns of the batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from harness.data.events import Event, events
from harness.data.pipeline_records import Rewrite
from harness.data.records import Conversation, Message, Task, ToolCall
from harness.data.tools import Toolbox
from harness.rules.labeler.neighbour_arguments import ConsistentCalls, agrees
from harness.rules.labeler.replies import Replies
from harness.rules.labeler.reply_context import ContextIndex, ReplyInContext, context_at
from harness.rules.labeler.reply_state import known_words
from harness.rules.labeler.response_fit import find_out_of_context
from harness.rules.labeler.schema import canonicalise
from harness.rules.labeler.turns import Label, LabelerDialogue, rewrite

NAME = "rules:labeler-neighbour"
_NEIGHBOURS = 15
_OWN = 0.3
"""What the trace says counts as much as this share of the neighbours, where it may be true."""
_CUT = 0.5


class NeighbourLabeler:
    """The nearest-neighbour labeler as a member of the committee. Deterministic."""

    name = NAME

    def __init__(self, task: Task, *, trusted: Sequence[Conversation] | None = None) -> None:
        """`trusted` are conversations to learn from; without them, it learns from those turns that look consistent."""
        self._task = task
        self._toolbox = Toolbox(task.tools)
        self._trusted = trusted
        self.settings: dict[str, Any] = {"trusted": None if trusted is None else len(trusted)}

    def relabel(self, conversations: Sequence[Conversation], on_rewrite: Callable[[Rewrite], None]) -> None:
        """Call `on_rewrite` for each conversation, in order. A turn is None where no neighbour determines its label."""
        batch = [
            replace(conversation, id=f"{number:06d}")
            for number, conversation in enumerate(canonicalise(conversations, self._task).conversations)
        ]
        foreign = find_out_of_context(batch, self._task)
        if self._trusted is None:
            source, scores = batch, foreign
        else:
            source = [replace(one, id=f"trusted {number}") for number, one in enumerate(self._trusted)]
            scores = dict.fromkeys(((one.id, at) for one in source for at in range(len(one.messages))), 0.0)
        labels = _Labels(source, self._toolbox, foreign, Replies.learn(source, self._task, foreign=scores))
        for original, conversation in zip(conversations, batch, strict=True):
            on_rewrite(rewrite(original.id, NAME, labels.of(conversation)))


class _Labels:
    """What the batch teaches, applied to one conversation at a time."""

    def __init__(
        self,
        source: Sequence[Conversation],
        toolbox: Toolbox,
        foreign: dict[tuple[str, int], float],
        replies: Replies,
    ) -> None:
        self._toolbox, self._foreign, self._replies = toolbox, foreign, replies
        self._examples = ConsistentCalls(toolbox)
        places: list[ReplyInContext] = []
        self._names: list[str] = []
        ends: list[bool] = []
        for conversation in source:
            sequence = events(conversation.messages, toolbox)
            for event, following in zip_longest(sequence, sequence[1:]):
                if following is None and event.is_turn:
                    ends.append(event.kind == "reply")
                call = event.call if event.kind == "call" and following and following.kind == "result" else None
                words = known_words(sequence[: event.position])
                if call is None or following is None or not self._may_be(call, following, words):
                    continue
                places.append(context_at(conversation.id, sequence, event.position))
                self._names.append(call.name)
                self._examples.add(call, following.rows)
        self._index = ContextIndex(places)
        self._ends_with_reply = sum(ends) * 2 >= len(ends)

    def of(self, conversation: Conversation) -> list[Label]:
        """Return the labels of a conversation's turns, in order, with reasons."""
        sequence = events(conversation.messages, self._toolbox)
        turns = [event for event in sequence if event.is_turn]
        if not LabelerDialogue(number=0, id=conversation.id, events=sequence).in_order:
            return [(None, "the messages are out of order")] * len(turns)
        services = {event.position: self._service(conversation.id, sequence, event) for event in turns}
        messages: list[Message] = list(conversation.messages)
        for position, label in services.items():
            if label is not None and label[0] is not None:
                messages[position] = self._toolbox.message_of(label[0], like=messages[position])
        repaired = replace(conversation, messages=tuple(messages))
        return [services[event.position] or self._reply(repaired, event) for event in turns]

    def _service(self, id: str, sequence: Sequence[Event], event: Event) -> Label | None:
        """Return the service call of a turn, None where the turn addresses the user."""
        following = sequence[event.position + 1] if event.position + 1 < len(sequence) else None
        raw = event.call
        if raw is None or following is None or following.kind != "result":
            keeps = event.kind == "call" and (following.kind != "user" if following else not self._ends_with_reply)
            return (raw, "no result tells what it was") if keeps else None
        votes: dict[str, float] = defaultdict(float)
        for row, likeness in self._index.nearest(context_at(id, sequence, event.position), _NEIGHBOURS):
            votes[self._names[row]] += likeness**4
        words = known_words(sequence[: event.position])
        fits = event.kind == "call" and self._may_be(raw, following, words)
        if fits:
            votes[raw.name] += _OWN * (sum(votes.values()) or 1.0)
        if not votes:
            return None, "no similar turn tells what it was"
        name = max(sorted(votes), key=lambda known: votes[known])
        if fits and name == raw.name:
            return raw, ""
        renamed = replace(raw, name=name)
        if event.kind == "call" and self._may_be(renamed, following, words):
            return renamed, "similar turns call it so"
        arguments = self._examples.arguments(name, sequence, event)
        if arguments is None:
            return None, f"calls {name} as similar turns do, with arguments that nothing tells"
        return ToolCall(name=name, arguments=arguments, id=raw.id), "name and arguments as similar turns have them"

    def _may_be(self, call: ToolCall, result: Event, words: frozenset[str]) -> bool:
        return not self._toolbox.problems(call) and agrees(call, result.rows, words)

    def _reply(self, repaired: Conversation, event: Event) -> Label:
        raw = event.call
        score = self._foreign.get((repaired.id, event.position), 0.0)
        if event.kind == "reply" and score < _CUT:
            return raw, ""
        text = self._replies.retrieve(repaired, event.position)
        reply = self._toolbox.reply
        call = ToolCall(name=reply.tool, arguments={reply.argument: text}, id=raw.id if raw else None)
        return call, "what it says belongs elsewhere" if event.kind == "reply" else "no result follows: a reply"
