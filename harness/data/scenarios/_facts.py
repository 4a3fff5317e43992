"""What is measured on the traces of a scenario, for cards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.data.formats.sgd import Trace
from harness.data.records import ToolCall
from harness.data.scenarios._base import CleanTraces


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceFacts:
    """Counts over the traces of one arm. A call is changed where it differs from the one in its dialogue."""

    conversations: int
    messages: int
    calls: int
    changed_calls: int
    changed_names: int
    """Changed calls whose function name is another one."""
    unchanged_conversations: int
    """Conversations that are word for word those of the source."""
    function_names: int
    parameter_names: int
    ending_with_user: int
    """Conversations whose last message is the user's, so that Direct training has no call to learn there."""


def original_calls(dialogues: CleanTraces) -> dict[str | None, ToolCall]:
    """Return the calls of all dialogues by id."""
    return {call.id: call for trace in _all(dialogues) for call in trace.calls}


def measure(traces: Sequence[Trace], dialogues: CleanTraces) -> TraceFacts:
    """Return the facts of a scenario's traces, compared with the dialogues they come from."""
    originals = original_calls(dialogues)
    sources = {(trace.service, trace.conversation.source): trace.conversation.messages for trace in _all(dialogues)}
    calls = [call for trace in traces for call in trace.calls]
    changed = [call for call in calls if call != originals[call.id]]
    return TraceFacts(
        conversations=len(traces),
        messages=sum(len(trace.conversation.messages) for trace in traces),
        calls=len(calls),
        changed_calls=len(changed),
        changed_names=sum(call.name != originals[call.id].name for call in changed),
        unchanged_conversations=sum(
            trace.conversation.messages == sources[trace.service, trace.conversation.source] for trace in traces
        ),
        function_names=len({call.name for call in calls}),
        parameter_names=len({key for call in calls for key in call.arguments}),
        ending_with_user=sum(trace.conversation.messages[-1].role == "user" for trace in traces),
    )


def transitions(traces: Sequence[Trace], dialogues: CleanTraces) -> list[tuple[str, str, int]]:
    """Return (function of the source, function now, changed calls), sorted by both names."""
    originals = original_calls(dialogues)
    counts = Counter(
        (originals[call.id].name, call.name) for trace in traces for call in trace.calls if call != originals[call.id]
    )
    return [(before, after, count) for (before, after), count in sorted(counts.items())]


def _all(dialogues: CleanTraces) -> tuple[Trace, ...]:
    return (*dialogues.held_out, *dialogues.restaurants, *dialogues.other_restaurants, *dialogues.hotels)
