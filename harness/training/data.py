"""Training data: conversations from a dataset's commit or a local file, and what is unusual about them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from harness.errors import DataError, UsageError
from harness.hub import Hub
from harness.records import Conversation, Message, Task, ToolCall
from harness.wire.published import read_conversations


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """Conversations to train on, as they came."""

    conversations: tuple[Conversation, ...]
    inputs: tuple[str, ...]
    """What they were read from: `repo@commit`, or `name@sha256:<hex>` for a file."""
    counts: dict[str, int]
    """What there is -> how many; what is unusual is there only where there is some, and is trained on all the same."""


def read_training_data(source: str, hub: Hub | None, *, arm: str | None, task: Task | None = None) -> TrainingData:
    """Return the conversations of a local file in any known layout, or of a dataset `owner/name[@revision]`.

    Of a repository `data/<arm>/train.jsonl` is read, else the one JSON lines file below `data/`. With `task`, calls
    that its tools do not allow are counted. Raises UsageError for a source that is neither, or several files and no
    `arm`; DataError for an empty dataset or a row that cannot be read; HubError where a repository cannot be had.
    """
    path = Path(source)
    if path.is_file():
        if arm is not None:
            raise UsageError(f"--arm {arm} is for dataset repositories, and {source} is a file; leave it out")
        conversations = read_conversations(path)
        inputs = f"{path.name}@sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    elif hub is None or "/" not in source:
        raise UsageError(f"{source!r} is neither a file nor a dataset repository (owner/name); check the name")
    else:
        conversations, inputs = _pull(source, hub, arm)
    if not any(message.role == "assistant" for one in conversations for message in one.messages):
        raise DataError(f"{source} has no assistant turn to learn from; expected one conversation a line")
    return TrainingData(
        conversations=tuple(conversations), inputs=(inputs,), counts=count(conversations, task.tools if task else None)
    )


def _pull(source: str, hub: Hub, arm: str | None) -> tuple[list[Conversation], str]:
    repo_id, _, revision = source.partition("@")
    artifact = hub.resolve("dataset", repo_id, revision or None)
    chosen = _choose(hub.files(artifact), str(artifact), arm)
    folder = hub.pull(artifact, [chosen])
    try:
        conversations = read_conversations(folder / chosen)
    except DataError as error:  # its place on the Hub says more than the one in the cache
        problem = str(error).replace(f"{folder}/", "")
        raise DataError(f"dataset {artifact}: {problem}; correct it there and push it again") from error
    return conversations, f"{artifact.repo_id}@{artifact.revision}"


def _choose(files: Sequence[str], dataset: str, arm: str | None) -> str:
    """Return the file of a dataset repository to train on."""
    below = [file for file in sorted(files) if file.startswith("data/") and file.endswith(".jsonl")]
    arms = {PurePosixPath(file).parent.name: file for file in below if PurePosixPath(file).match("data/*/train.jsonl")}
    if arm is not None:
        if arm not in arms:
            raise UsageError(
                f"dataset {dataset} has no arm {arm!r}; it has {', '.join(arms) or 'no arms: leave it out'}"
            )
        return arms[arm]
    choice = list(arms.values()) or below
    if not choice:
        raise DataError(f"dataset {dataset} has no .jsonl file below data/; expected one conversation a line in one")
    if len(choice) > 1:
        advice = "choose one with --arm" if arms else "download the right one and give its path"
        raise UsageError(f"dataset {dataset} has several files ({', '.join(arms or choice)}); {advice}")
    return choice[0]


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
        odd["conversations with a system message of their own"] += any(
            m.role == "system" for m in conversation.messages
        )
    for message in messages:
        odd["messages without content"] += not message.tool_calls and not (message.content or "").strip()
        odd["turns with several calls"] += len(message.tool_calls) > 1
    if tools is not None:
        odd.update(_unknown(calls, tools))
    return usual | {what: number for what, number in odd.items() if number}


def _unknown(calls: Sequence[ToolCall], tools: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Return how many calls the schema does not know; one without `properties` knows no arguments."""
    functions = [tool.get("function", tool) for tool in tools]
    known = {one["name"]: (one.get("parameters") or {}).get("properties") or {} for one in functions}
    return {
        "calls of unknown tools": sum(call.name not in known for call in calls),
        "calls with unknown arguments": sum(
            call.name in known and not call.arguments.keys() <= known[call.name].keys() for call in calls
        ),
    }


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
