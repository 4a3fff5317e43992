"""A conversation as events: user messages, replies, tool calls and tool results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harness.data.formats.json_texts import as_value
from harness.data.records import Message, ToolCall
from harness.data.tools import Toolbox

Kind = Literal["system", "user", "reply", "call", "result", "empty"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One message."""

    position: int
    """Of the message in the conversation, from 0."""
    kind: Kind
    """`reply` and `call` are the assistant's; `empty` is an assistant message with several calls, or with nothing."""
    text: str = ""
    """What was said, or a result as it was written."""
    call: ToolCall | None = None
    """Of a reply (written as a call, see `Toolbox.call_of`) or a service call."""
    rows: tuple[dict[str, Any], ...] = ()
    """The objects of a result."""
    value: Any = None
    """A result as a JSON value; its text where it is none."""

    @property
    def number(self) -> int:
        """Place of the message in the conversation, from 1, as reasons name it."""
        return self.position + 1

    @property
    def is_turn(self) -> bool:
        """Whether the assistant acts here, so that there is something to label."""
        return self.kind in ("reply", "call")

    @property
    def action(self) -> ToolCall:
        """The call of an assistant turn; ValueError for other events."""
        if self.call is None:
            raise ValueError(f"message {self.position} is no assistant turn but {self.kind}")
        return self.call


def events(messages: Sequence[Message], toolbox: Toolbox) -> tuple[Event, ...]:
    """Return one event for each message, in order.

    A result is a tool message, or a user message that is a JSON list or object: the benchmark's layout. That does not
    depend on the message before it, because in corrupted traces the call may have been replaced.
    """
    return tuple(_event(position, message, toolbox) for position, message in enumerate(messages))


def _event(position: int, message: Message, toolbox: Toolbox) -> Event:
    text = message.content or ""
    if message.role == "assistant":
        call = toolbox.call_of(message)
        if call is None:
            return Event(position=position, kind="empty", text=text)
        said = toolbox.reply_text(call)
        return Event(position=position, kind="call" if said is None else "reply", text=said or "", call=call)
    if message.role == "system":
        return Event(position=position, kind="system", text=text)
    value = as_value(text)
    if message.role == "tool" or value is not None:
        return Event(
            position=position, kind="result", text=text, rows=_rows(value), value=text if value is None else value
        )
    return Event(position=position, kind="user", text=text)


def callable_tools(conversation: Sequence[Event], toolbox: Toolbox) -> dict[int, tuple[str, ...]]:
    """Return, by the position of each assistant turn, the tools that can have been called there, by what follows it.

    A turn before a result called a service, and one before a user's words spoke to the user. Before anything else, and
    in conversations whose results were not logged, it can be any tool.
    """
    logged = any(event.kind == "result" for event in conversation)
    every = (*toolbox.services, toolbox.reply.tool)
    by_next = {"result": toolbox.services, "user": (toolbox.reply.tool,)} if logged and toolbox.services else {}
    following = [*(event.kind for event in conversation[1:]), ""]
    return {
        event.position: by_next.get(after, every)
        for event, after in zip(conversation, following, strict=True)
        if event.is_turn
    }


def _rows(value: Any) -> tuple[dict[str, Any], ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(row for row in values if isinstance(row, dict))
