"""Schema-Guided Dialogue files to records, and as a file of conversations that a small student is pretrained on.

A USER turn becomes a user message. A SYSTEM turn becomes one or two assistant calls: the service call
it makes, answered by a user message with its results, and then always `respond_to_user`.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data.formats.jsonl import write_jsonl
from harness.data.formats.messages import dump_conversation
from harness.data.records import Conversation, Message, ToolCall
from harness.data.sources import Sources
from harness.errors import DataError, SourceError, UsageError
from harness.statistics.formatting import most_common_first

REPLY_TOOL = "respond_to_user"
_ID_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A conversation with one service, as an agent in production would have logged it."""

    service: str
    conversation: Conversation

    @property
    def calls(self) -> Iterator[ToolCall]:
        """All assistant calls, in order."""
        return (call for message in self.conversation.messages for call in message.tool_calls)


def parse_dialogues(content: bytes, *, split: str, where: str) -> Iterator[Trace]:
    """Yield the single-service dialogues of one file, in file order; DataError names the file and dialogue."""
    try:
        dialogues = json.loads(content)
    except ValueError as error:
        raise DataError(f"{where} is not valid JSON ({error}); fetch it again") from error
    for position, dialogue in enumerate(dialogues):
        try:
            if len(dialogue["services"]) == 1:
                yield _trace(dialogue, split)
        except (KeyError, IndexError, TypeError) as error:
            raise DataError(f"{where}, dialogue {position}: not in SGD's layout ({error!r} on reading it)") from error


def _trace(dialogue: Mapping[str, Any], split: str) -> Trace:
    source = f"{split}/{dialogue['dialogue_id']}"
    messages: list[Message] = []
    calls = 0
    for turn in dialogue["turns"]:
        if turn["speaker"] == "USER":
            messages.append(Message(role="user", content=turn["utterance"]))
            continue
        frame = turn["frames"][0]
        if "service_call" in frame:
            service_call = frame["service_call"]
            messages.append(_call(source, calls, service_call["method"], service_call["parameters"]))
            messages.append(Message(role="user", content=json.dumps(frame["service_results"])))
            calls += 1
        messages.append(_call(source, calls, REPLY_TOOL, {"message": turn["utterance"]}))
        calls += 1
    conversation = Conversation(id=source, messages=tuple(messages), source=source)
    return Trace(service=dialogue["services"][0], conversation=conversation)


def _call(source: str, position: int, name: str, arguments: dict[str, Any]) -> Message:
    call = ToolCall(name=name, arguments=arguments, id=call_id(source, position))
    return Message(role="assistant", tool_calls=(call,))


def call_id(source: str, position: int) -> str:
    """Return the id of the assistant call at `position` (from 0) of dialogue `source` (`split/dialogue_id`).

    The published ids are random. These are the same on every build, and a call keeps its id through
    every corruption, so that a corrupted call can be traced to its original.
    """
    digest = hashlib.sha256(f"{source}#{position}".encode()).hexdigest()
    return f"call_{digest[:_ID_DIGITS]}"


OTHER_SERVICES = ("Restaurants",)
"""What is excluded where the benchmark's own domain is not to be seen."""
_SPLITS = ("train", "dev", "test")


def write_dialogues(sources: Sources, path: Path, *, exclude: Sequence[str] = ()) -> dict[str, int]:
    """Write the dialogues with one service as conversations, one per line, and return their number by service.

    `exclude` names services, `Restaurants_1` or all of a kind as `Restaurants`. Every SGD file in the folder of
    the sources is read, in the order of the splits; those that the benchmark declares are verified. Raises
    UsageError where `exclude` names no service or leaves none, SourceError and DataError where a file is damaged.
    """
    traces = list(read_all(sources))
    found = {trace.service for trace in traces}
    for name in exclude:
        if not any(_is_named(service, name) for service in found):
            raise UsageError(f"no dialogue is about the service {name!r}; there are {', '.join(sorted(found))}")
    kept = [trace for trace in traces if not any(_is_named(trace.service, name) for name in exclude)]
    if not kept:
        raise UsageError(f"no dialogues are left in {sources.folder / 'sgd'}; exclude fewer services")
    write_jsonl(path, (dump_conversation(trace.conversation) for trace in kept))
    return most_common_first(Counter(trace.service for trace in kept))


def _is_named(service: str, name: str) -> bool:
    return name in (service, service.rsplit("_", 1)[0])


def read_all(sources: Sources) -> list[Trace]:
    """Return the dialogues with one service of every SGD file in the sources, in the order of the splits."""
    traces: list[Trace] = []
    for split in _SPLITS:
        for file in sorted((sources.folder / "sgd" / split).glob("dialogues_*.json")):
            where = f"sgd/{split}/{file.name}"
            traces += parse_dialogues(_content(sources, where), split=split, where=where)
    return traces


def _content(sources: Sources, where: str) -> bytes:
    if where in sources.files:
        return sources.read(where)
    file = sources.folder / where
    try:
        return file.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot read {file} ({error.strerror}); make it readable, or remove it") from error
