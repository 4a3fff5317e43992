"""Schema-Guided Dialogue files to records.

A USER turn becomes a user message. A SYSTEM turn becomes one or two assistant calls: the service call
it makes, answered by a user message with its results, and then always `respond_to_user`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.data.records import Conversation, Message, ToolCall
from harness.errors import DataError

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
