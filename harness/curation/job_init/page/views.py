"""What a page shows of a conversation: its messages, calls argument by argument, and what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.curation.job_init.corrections import ReviewedConversation, is_result
from harness.data.formats.json_texts import as_value
from harness.data.records import Message, ToolCall
from harness.data.tools import Toolbox

LONGEST = 20_000
"""Characters of one text that are shown."""
FEW = 300
"""Characters of a tool's result that are shown unfolded."""
WORDS = {"pending": "to do", "accepted": "accepted", "corrected": "corrected", "dropped": "dropped"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TextView:
    """A text, as much of it as is shown."""

    text: str
    left_out: int
    """Characters that are not shown."""

    @classmethod
    def of(cls, text: str | None) -> TextView:
        """Return a text's beginning."""
        whole = text or ""
        return cls(text=whole[:LONGEST], left_out=max(0, len(whole) - LONGEST))


@dataclass(frozen=True, slots=True, kw_only=True)
class CallView:
    """A call: its arguments as (name, JSON or text), and what is wrong with it by the task's tools."""

    name: str
    reply: TextView | None
    """What it says to the user, where it is the task's way to speak and takes nothing else."""
    arguments: tuple[tuple[str, TextView], ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageView:
    """One message; `position` is its place in the conversation, from 0."""

    position: int
    role: str
    """`tool` for a result, whichever role it has."""
    text: TextView
    calls: tuple[CallView, ...]
    folded: bool
    """Whether a long result, of which the first words are shown."""
    editable: bool
    is_new: bool
    """Whether the log has no such message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedView:
    """A conversation in the list of all."""

    number: int
    id: str
    state: str
    words: str
    taken: bool
    """By `--yes`: nobody looked."""


def listed(conversations: Sequence[ReviewedConversation]) -> list[ListedView]:
    """Return the list of all conversations, numbered from 1."""
    return [
        ListedView(
            number=number,
            id=one.decision.id,
            state=one.decision.state,
            words="not looked at" if one.decision.by == "--yes" else WORDS[one.decision.state],
            taken=one.decision.by == "--yes",
        )
        for number, one in enumerate(conversations, start=1)
    ]


def messages_of(messages: Sequence[Message], toolbox: Toolbox, logged: Sequence[Message] | None) -> list[MessageView]:
    """Return the messages of a conversation; those that the log does not have are marked."""
    known = None if logged is None else {_key(message) for message in logged}
    return [
        MessageView(
            position=position,
            role="tool" if is_result(message) else message.role,
            text=TextView.of(_readable(message)),
            calls=tuple(_call(call, toolbox) for call in message.tool_calls),
            folded=is_result(message) and len(message.content or "") > FEW,
            editable=message.role == "assistant",
            is_new=known is not None and _key(message) not in known,
        )
        for position, message in enumerate(messages)
    ]


def parameters_of(toolbox: Toolbox) -> list[dict[str, Any]]:
    """Return what each tool is for and takes, for whoever writes a call."""
    return [
        {
            "name": name,
            "description": toolbox.description(name)[:LONGEST],
            "parameters": [
                {
                    "name": parameter.name,
                    "kind": _kind(parameter.schema, parameter.choices),
                    "required": parameter.required,
                    "description": parameter.description[:LONGEST],
                }
                for parameter in toolbox.parameters(name).values()
            ],
        }
        for name in toolbox.names
    ]


def _kind(schema: Any, choices: Sequence[str]) -> str:
    if choices:
        return "one of " + ", ".join(choices)[:LONGEST]
    kind = schema.get("type", "any value")
    return kind if isinstance(kind, str) else json.dumps(kind, ensure_ascii=False)[:FEW]


def _call(call: ToolCall, toolbox: Toolbox) -> CallView:
    shown = tuple(
        (name, TextView.of(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)))
        for name, value in call.arguments.items()
    )
    said = call.arguments.get(toolbox.reply.argument) if call.name == toolbox.reply.tool else None
    reply = TextView.of(said) if isinstance(said, str) and len(call.arguments) == 1 else None
    return CallView(name=call.name, reply=reply, arguments=shown, problems=tuple(toolbox.problems(call)))


def _readable(message: Message) -> str | None:
    """Return a message's text; JSON that a tool returned gets line breaks."""
    value = as_value(message.content or "") if is_result(message) else None
    return message.content if value is None else json.dumps(value, ensure_ascii=False, indent=2)


def _key(message: Message) -> str:
    calls = [(call.name, call.arguments) for call in message.tool_calls]
    return json.dumps([message.role, message.content, calls], sort_keys=True)
