"""The judge's prompt: constants first, then the case, in which every text that others wrote is one line of JSON.

The invariant, for any texts: a text of others stands inside the JSON strings of one line that the templates begin, so
it can neither end its line nor begin one, and the prompt reads back as exactly one conversation, one reference and one
prediction, with every text in its place (one that is JSON as its value). In those strings every character that could
be part of a control token of a chat template, and every one that does not show or reorders what does, is written as a
JSON escape. A text over `MAX_CHARACTERS` is cut in the middle, and the note that says so stands outside the quotes,
where no text can put it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from harness import resources
from harness.records import Case, Message, Task, ToolCall

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_CHARACTERS = 8000
"""Longest text of others as it stands in the prompt, escapes included; a longer one loses its middle."""
MAX_REASON = 300
"""Longest reason that a judge is asked for, in characters."""

_SYSTEM, _USER, _RUBRIC = "system.txt.jinja", "user.txt.jinja", "rubric.txt"

# Brackets of every kind that control tokens are written with, those that Unicode normalisation turns into them or
# into quotes; then what does not show or reorders text, and private use, where some tokenizers have their tokens.
_ESCAPED = re.compile(
    "[<>\\[\\]\u25c1\u25b7\ufe64\ufe65\uff02\uff1c\uff1e\uff3b\uff3d\uff5c"
    "\u0000-\u001f\u007f-\u009f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160"
    "\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ud800-\uf8ff\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\uffff\U000110bd\U000110cd\U00013430-\U0001345f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U0010ffff]"
)
_LAYOUT = frozenset("\n\t")
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A text as it stands in the prompt: one JSON value, or what is left of it as two strings with a gap between."""

    head: str
    left_out: int = 0
    """Characters of the text that are not shown."""
    tail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the conversation. A message with text and calls has several lines under one number."""

    number: int
    kind: Literal["system", "user", "assistant", "tool", "call", "result"]
    """The message's role, `call` for a call, `result` for JSON in a user message that answers a call."""
    text: Shown


class JudgePrompt:
    """Builds the messages that ask a judge about one case of a task."""

    def __init__(self, task: Task | None) -> None:
        """The rubric and the tools are the task's; without a rubric of its own the default one is taken."""
        folder = resources.folder("eval") / "judge"
        system, user, default = ((folder / name).read_text(encoding="utf-8") for name in (_SYSTEM, _USER, _RUBRIC))
        env = _environment()
        own = task.rubric.strip() if task is not None and task.rubric else ""
        self.rubric_source: Literal["task", "default"] = "task" if own else "default"
        rubric = "\n".join((own or default.strip()).splitlines())
        tools = [_escape_strings(json.dumps(tool, ensure_ascii=False)) for tool in (task.tools if task else ())]
        self.schema: dict[str, Any] = verdict_schema()
        self._user = env.from_string(user)
        # The rubric instructs the judge, so it stands as it is; but it too must not end the message it is part of.
        self._system = env.from_string(system).render(
            rubric=_escape(rubric, keep=_LAYOUT), tools=tools, max_reason=MAX_REASON
        )
        parts = [system, user, rubric, tools, self.schema, MAX_CHARACTERS]
        self.sha256 = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def messages(self, case: Case) -> tuple[dict[str, str], ...]:
        """Return the system message, the same for every case of the task, and the user message with the case.

        The user message begins with the conversation, so that a later turn's begins with an earlier turn's text.
        """
        user = self._user.render(
            conversation=list(_lines(case.prefix)),
            reference=_show_call(case.reference),
            prediction=_show(case.prediction) if case.call is None else _show_call(case.call),
            has_call=case.call is not None,
        )
        return {"role": "system", "content": self._system}, {"role": "user", "content": user}


def verdict_schema() -> dict[str, Any]:
    """Return the JSON schema of a verdict: the reason comes first, so that the verdict follows from it."""
    return {
        "type": "object",
        "properties": {
            "reason": {"type": "string", "maxLength": MAX_REASON},
            "verdict": {"type": "string", "enum": ["good", "bad"]},
        },
        "required": ["reason", "verdict"],
        "additionalProperties": False,
    }


def _environment() -> ImmutableSandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,  # plain text; what is printed has been encoded by `_show`
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _lines(messages: Sequence[Message]) -> Iterator[Line]:
    """Yield the conversation's lines. No line depends on a later message, so a longer prefix begins with a shorter."""
    after_call = False
    for number, message in enumerate(messages, start=1):
        if message.content is not None or not message.tool_calls:
            # In the published layout a tool's result is a user message that holds JSON.
            is_result = after_call and message.role == "user" and _as_value(message.content or "") is not None
            kind = "result" if is_result else message.role
            yield Line(number=number, kind=kind, text=_show(message.content))
        for call in message.tool_calls:
            yield Line(number=number, kind="call", text=_show_call(call))
        after_call = bool(message.tool_calls)


def _show(text: str | None) -> Shown:
    """Return a text as a JSON string, a missing one as null, and one that is a JSON object or list as that value."""
    if text is None:
        return Shown(head="null")
    value = _as_value(text)
    if value is not None and len(value) <= MAX_CHARACTERS:
        return Shown(head=value)
    quoted = _quoted(text)
    return Shown(head=quoted) if len(quoted) <= MAX_CHARACTERS else _ends(text)


def _show_call(call: ToolCall) -> Shown:
    text = json.dumps({"name": call.name, "parameters": call.arguments}, ensure_ascii=False)
    value = _escape_strings(text)
    return Shown(head=value) if len(value) <= MAX_CHARACTERS else _ends(text)


def _as_value(text: str) -> str | None:
    """Return a JSON object or list in one spelling; None for other text, and where the value would say less."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return _escape_strings(
            json.dumps(json.loads(text, object_pairs_hook=_unique), ensure_ascii=False, allow_nan=False)
        )
    except (ValueError, RecursionError):
        return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def _ends(text: str) -> Shown:
    """Return the beginning and the end of a text that is too long, each quoted in half the room."""
    room = MAX_CHARACTERS // 2
    head = text[: _count_fitting(text[:room], room)]
    tail = text[len(text) - _count_fitting(reversed(text[-room:]), room) :]
    return Shown(head=_quoted(head), left_out=len(text) - len(head) - len(tail), tail=_quoted(tail))


def _count_fitting(characters: Iterable[str], room: int) -> int:
    """Return how many of the characters have at most `room` characters together when quoted."""
    length = len('""')
    count = 0
    for character in characters:
        length += len(_quoted(character)) - len('""')
        if length > room:
            break
        count += 1
    return count


def _quoted(text: str) -> str:
    return _escape_strings(json.dumps(text, ensure_ascii=False))


def _escape_strings(document: str) -> str:
    """Return JSON text with the characters of `_ESCAPED` in its strings written as escapes: the same value."""
    return _STRING.sub(lambda string: _escape(string[0]), document)


def _escape(text: str, keep: frozenset[str] = frozenset()) -> str:
    return _ESCAPED.sub(lambda found: found[0] if found[0] in keep else _spelled(found[0]), text)


def _spelled(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))
