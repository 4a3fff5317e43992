"""Training data: conversations from a dataset's commit or a local file, and what is unusual about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.data.records import Conversation, Message, Task
from harness.data.tools import Toolbox
from harness.data.traces.trace_input import read_input
from harness.errors import DataError
from harness.hub.client import Hub

REPLACED = "conversations with a system message of their own, in whose place the task's comes"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """Conversations to train on, as they came."""

    conversations: tuple[Conversation, ...]
    inputs: tuple[str, ...]
    """What they were read from: `repo@commit`, or `name@sha256:<hex>` for a file."""
    counts: dict[str, int]
    """What there is -> how many. What is unusual is there only where there is some, and is trained on all the same;
    what an earlier stage rejected is left out.
    """

    @property
    def replaced(self) -> int:
        """Conversations with a system message of their own, in whose place the task's comes."""
        return self.counts.get(REPLACED, 0)


def read_training_data(
    source: str, hub: Hub | None, *, arm: str | None, task: Task | None = None, limit: int | None = None
) -> TrainingData:
    """Return the conversations of a local file in any known layout, or of a dataset `owner/name[@revision]`.

    With `limit` only the first ones of those that are not left out.

    Which file of a repository is read says `data.traces.trace_input.choose_file`. With `task`, several calls of a turn
    stay together where it allows them, and calls that its tools do not allow are counted. Raises UsageError for a
    source that is neither, or several files and no `arm`; DataError for an empty dataset or a row that cannot be read;
    HubError where a repository cannot be had.
    """
    found = read_input(source, hub, arm=arm)
    conversations, rejected = [], 0
    parallel = task is not None and task.parallel_tool_calls
    for row in found.rows("row", parallel=parallel):
        if row.problem is not None:
            raise DataError(row.problem)
        if row.kept:
            conversations.append(row.conversation)
        else:
            rejected += 1
    every = len(conversations)
    conversations = conversations[:limit]
    if not any(message.role == "assistant" for one in conversations for message in one.messages):
        left = f" ({rejected} conversations were rejected by an earlier stage)" if rejected else ""
        raise DataError(f"{source} has no assistant turn to learn from{left}; expected one conversation per line")
    counts = count(conversations, task.tools if task else None)
    if every > len(conversations):
        counts["conversations left out, above the limit"] = every - len(conversations)
    if rejected:
        counts["conversations left out, rejected by an earlier stage"] = rejected
    return TrainingData(conversations=tuple(conversations), inputs=(found.name,), counts=counts)


def count(conversations: Sequence[Conversation], tools: Sequence[dict[str, Any]] | None = None) -> dict[str, int]:
    """Return the number of conversations, turns and calls, and of what is unusual where there is some."""
    messages = [message for conversation in conversations for message in conversation.messages]
    calls = [call for message in messages for call in message.tool_calls]
    usual = {
        "conversations": len(conversations),
        "assistant turns": sum(message.role == "assistant" for message in messages),
        "calls": len(calls),
    }
    odd: Counter[str] = Counter()
    for conversation in conversations:
        odd["conversations with roles out of order"] += not _in_order(conversation.messages)
        odd["conversations that end without an assistant turn"] += ends_open(conversation)
        odd[REPLACED] += any(m.role == "system" for m in conversation.messages)
    for message in messages:
        odd["messages without content"] += not message.tool_calls and not (message.content or "").strip()
        odd["turns with several calls"] += len(message.tool_calls) > 1
    if tools is not None:
        toolbox = Toolbox(tools)
        known = [call for call in calls if call.name in toolbox.names]
        odd["calls of unknown tools"] = len(calls) - len(known)
        odd["calls with unknown arguments"] = sum(
            not call.arguments.keys() <= toolbox.parameters(call.name).keys() for call in known
        )
    return usual | {what: number for what, number in odd.items() if number}


def ends_open(conversation: Conversation) -> bool:
    """Return whether the last message is no assistant's, so that there is nothing to learn after the last turn."""
    return not conversation.messages or conversation.messages[-1].role != "assistant"


def _in_order(messages: Sequence[Message]) -> bool:
    """Return whether user and assistant take turns, results of tools following calls, a system message first."""
    before = "start"
    for message in messages:
        after = {
            "system": ("start",),
            "user": ("start", "system", "assistant", "call"),
            "assistant": ("user", "tool"),
            "tool": ("call", "tool"),
        }[message.role]
        if before not in after:
            return False
        before = "call" if message.tool_calls else message.role
    return True
