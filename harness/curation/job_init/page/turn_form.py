"""An assistant's turn as a form: its fields as texts, and the turn that filled-in fields are, checked by the tools."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.data.formats.json_texts import encodable
from harness.data.formats.message_reader import whole
from harness.data.records import Message, ToolCall
from harness.data.tools import Toolbox
from harness.hub.foreign_json import load_json
from harness.terminal import HIDDEN, visible

REPLY = ""
"""What the field `tool` has for a reply to the user; tools have names."""
LONGEST_RESULT = 100_000
"""Characters of a result that can be changed in a form."""
_SHOWN = 5
"""Problems of one call that are shown."""


class FieldProblem(ValueError):
    """A sentence about what is wrong with one field of a form."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnForm:
    """The fields of an assistant's turn as texts, with what is wrong, by field."""

    tool: str = REPLY
    text: str = ""
    """The reply."""
    arguments: str = "{}"
    """JSON of the call's arguments."""
    result: str | None = ""
    """What the tool returned, empty for nothing; None where that cannot be changed here."""
    errors: Mapping[str, str]

    @classmethod
    def of(cls, message: Message | None, results: Sequence[Message], toolbox: Toolbox) -> TurnForm:
        """Return the form of a turn with the results that follow it, or an empty one."""
        call = toolbox.call_of(message) if message is not None else None
        if call is None:
            return cls(text=(message.content or "") if message else "", errors={})
        texts = [one.content or "" for one in results] or [""]
        result = texts[0] if len(texts) == 1 and len(texts[0]) <= LONGEST_RESULT else None
        text = call.arguments.get(toolbox.reply.argument)
        if call.name == toolbox.reply.tool and isinstance(text, str) and len(call.arguments) == 1:
            return cls(text=text, result=result, errors={})
        arguments = json.dumps(call.arguments, ensure_ascii=False, indent=2)
        return cls(tool=call.name, arguments=arguments, result=result, errors={})

    @property
    def hides(self) -> bool:
        """Return whether the reply has characters that are spelled out when it is shown."""
        return bool(HIDDEN.search(self.text))

    @classmethod
    def filled(cls, fields: Mapping[str, str], errors: Mapping[str, str] = {}) -> TurnForm:
        """Return the form as it was sent; browsers send line ends as two characters."""
        texts = {
            name: encodable(fields[name]).replace("\r\n", "\n")
            for name in ("tool", "text", "arguments", "result")
            if name in fields
        }
        return cls(**texts, errors=errors)


def read_turn(form: TurnForm, toolbox: Toolbox, *, like: Message | None = None) -> Message:
    """Return the turn of a form, which keeps what else `like` has. Raises FieldProblem."""
    if form.tool == REPLY:
        if not form.text.strip():
            raise FieldProblem("text", "A reply needs a text; remove the turn if the assistant says nothing.")
        before = TurnForm.of(like, (), toolbox).text
        text = before if visible(before) == form.text else form.text  # shown with its hidden characters spelled out
        call = ToolCall(name=toolbox.reply.tool, arguments={toolbox.reply.argument: text})
        return toolbox.message_of(call, like=like)
    if form.tool not in toolbox.names:
        raise FieldProblem("tool", f"The task has no tool of this name; choose one of {', '.join(toolbox.names)}.")
    call = ToolCall(name=form.tool, arguments=_read_arguments(form.arguments))
    if problems := toolbox.problems(call):
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise FieldProblem("arguments", f"{'; '.join(problems[:_SHOWN])}{more}.")
    return toolbox.message_of(call, like=like)


def read_result(form: TurnForm, before: TurnForm) -> str | None:
    """Return what the tool returned by a form, None where it stays what it was `before`."""
    if form.tool == REPLY:
        return None if before.tool == REPLY else ""
    if before.result is None or visible(before.result) == form.result:
        return None
    return form.result


def _read_arguments(text: str) -> dict[str, Any]:
    try:
        value = load_json(text)
        whole(value, "a text")
        json.dumps(value, allow_nan=False)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        sentence = f"This is no JSON ({place}: {error.msg}); expected an object of arguments."
        raise FieldProblem("arguments", sentence) from error
    except ValueError as error:
        raise FieldProblem("arguments", f"This JSON cannot be used: {error}.") from error
    if not isinstance(value, dict):
        raise FieldProblem("arguments", 'The arguments must be a JSON object, such as {"name": "value"}.')
    return value
