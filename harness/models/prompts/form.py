"""The forms in which conversations can be handed to a chat template: natively, or with parts of it rewritten.

Templates differ in what they read: some take content as a list of parts only, some show calls only where the content
is null, some want arguments as text or call ids of nine characters, some know neither tools nor a system role.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import product
from typing import Any

from harness import resources
from harness.data.formats.messages import dump_arguments, template_message
from harness.data.records import Message, Task
from harness.errors import UsageError

_SHORT = re.compile(r"[a-zA-Z0-9]{9}")
"""A call id as Mistral's templates want it."""
LEFT_OUT = "left_out_by_design"
"""In a run's record, where there is any: what the chat template drops on purpose of conversations that have it."""
_LONG_KNOWN = ("tools_in_template", "system_role")
"""Recorded even where they are native."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What a chat template takes as it is, and what has to be written otherwise for it. The default is native."""

    tools_in_template: bool = True
    """Tools go through `tools=` and calls through `tool_calls`; otherwise both are text."""
    calls_in_template: bool = True
    """Calls go through `tool_calls` where tools go through `tools=`; otherwise they alone are text."""
    system_role: bool = True
    """The system message has its own role; otherwise it opens the first user message."""
    content_parts: bool = False
    """Content is a list of parts, `[{"type": "text", "text": ...}]`."""
    null_content: bool = False
    """A message with nothing but calls has the content null instead of an empty text."""
    text_arguments: bool = False
    """Arguments are JSON text instead of an object."""
    short_ids: bool = False
    """Ids of calls have nine letters and digits."""
    flat_calls: bool = False
    """A call has its name and arguments beside `function` as well."""
    joined_users: bool = False
    """Messages of the user that follow one another are one: for templates that want the roles to alternate."""

    @property
    def calls_as_text(self) -> bool:
        """Whether calls stand in the content of their messages, one per line."""
        return not (self.tools_in_template and self.calls_in_template)

    def record(self) -> dict[str, bool]:
        """Return the form as a run records it: what is not native, and what was recorded from the beginning."""
        values = {field.name: bool(getattr(self, field.name)) for field in fields(self)}
        return {name: value for name, value in values.items() if name in _LONG_KNOWN or value != getattr(NATIVE, name)}

    def messages(self, system: str | None, prefix: Sequence[Message]) -> list[dict[str, Any]]:
        """Return a conversation below a system message, if there is one, as the chat template is given it."""
        said = [self._message(message) for message in prefix]
        if self.tools_in_template and self.short_ids:
            _shorten_ids(said)
        whole = said if system is None else [{"role": "system", "content": system}, *said]
        if system is not None and not self.system_role:
            whole = _without_system_role(whole)
        if self.joined_users:
            whole = list(_joined(whole))
        if self.content_parts:
            for message in whole:
                if message["content"] is not None:
                    message["content"] = [{"type": "text", "text": message["content"]}]
        return whole

    def _message(self, message: Message) -> dict[str, Any]:
        if not self.tools_in_template:
            return _in_text(message)
        if self.calls_as_text and message.tool_calls:
            return _call_in_text(message)
        out = template_message(message)
        if self.null_content and message.tool_calls and not message.content:
            out["content"] = None
        for call in out.get("tool_calls", ()):
            function = call["function"]
            if self.text_arguments:
                function["arguments"] = dump_arguments(function["arguments"])
            if self.flat_calls:
                call.update(function)
        return out


NATIVE = Form()


def native_forms() -> list[Form]:
    """Return the forms that leave tools to the template, and calls too but for the last; the least changed first."""
    switches = ("system_role", "short_ids", "null_content", "text_arguments", "content_parts", "flat_calls")
    found = []
    for changed in product((False, True), repeat=len(switches)):
        names = [name for name, one in zip(switches, changed, strict=True) if one]
        found.append((names, Form(**{name: not getattr(NATIVE, name) for name in names})))
    found.sort(key=lambda one: (len(one[0]), [*map(switches.index, one[0])]))
    calls_in_text = [
        Form(calls_in_template=False, system_role=system_role, content_parts=parts)
        for parts in (False, True)
        for system_role in (True, False)
    ]
    return [*(form for _, form in found), *calls_in_text]


def text_forms() -> list[Form]:
    """Return the forms that write tools and calls into messages, the least changed first."""
    return [
        Form(tools_in_template=False, system_role=system_role, content_parts=parts, joined_users=joined)
        for joined in (False, True)
        for parts in (False, True)
        for system_role in (True, False)
    ]


_WORDS = {
    "tools_in_template": "tools, calls and their results as text",
    "calls_in_template": "calls as text",
    "system_role": "the system message at the head of the first user message",
    "content_parts": "content as a list of parts",
    "null_content": "null as the content of calls",
    "text_arguments": "arguments as JSON text",
    "short_ids": "call ids of nine characters",
    "flat_calls": "name and arguments of a call beside its function",
    "joined_users": "messages of the user in a row as one",
}


def form_notes(record: Mapping[str, Any]) -> list[str]:
    """Return, in words, what is not native in a form as `Form.record` wrote it, and what else a template leaves out."""
    changed = [name for name in _WORDS if record.get(name, getattr(NATIVE, name)) != getattr(NATIVE, name)]
    return [*(_WORDS[name] for name in changed), *(f"without the {what}" for what in record.get(LEFT_OUT, ()))]


def _in_text(message: Message) -> dict[str, Any]:
    """Return a message for a template that knows no tools, and may drop a role that it does not know."""
    if message.tool_calls:
        return _call_in_text(message)
    role = "user" if message.role == "tool" else message.role
    return {"role": role, "content": message.content or ""}


def _call_in_text(message: Message) -> dict[str, Any]:
    """Return a message with its calls as text, one per line."""
    calls = ({"name": call.name, "parameters": call.arguments} for call in message.tool_calls)
    text = "\n".join(json.dumps(call, ensure_ascii=False) for call in calls)
    return {"role": "assistant", "content": f"{message.content}\n{text}" if message.content else text}


def _without_system_role(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the messages with the system text at the head of the first user message."""
    system, *rest = messages
    for position, message in enumerate(rest):
        if message["role"] == "user":
            opened = {**message, "content": f"{system['content']}\n\n{message['content']}"}
            return [*rest[:position], opened, *rest[position + 1 :]]
    return [{**system, "role": "user"}, *rest]


def _joined(messages: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the messages, those of the user in a row as one."""
    before: dict[str, Any] | None = None
    for message in messages:
        if before and before["role"] == message["role"] == "user":
            before = {**before, "content": f"{before['content']}\n\n{message['content']}"}
            continue
        if before:
            yield before
        before = message
    if before:
        yield before


def _shorten_ids(messages: Sequence[dict[str, Any]]) -> None:
    """Give each call an id of nine letters and digits, its own where that is one, and its result the same."""
    waiting: deque[str] = deque()
    """Ids of the last calls, for results that do not say which call they answer."""
    for place, message in enumerate(messages):
        if calls := message.get("tool_calls"):
            waiting.clear()
            for number, call in enumerate(calls):
                call["id"] = _short(call["id"] or f"{place}/{number}")
                waiting.append(call["id"])
        elif message["role"] == "tool":
            known = message.get("tool_call_id")
            if known:
                message["tool_call_id"] = _short(known)
            elif waiting:
                message["tool_call_id"] = waiting.popleft()


def _short(id: str) -> str:
    return id if _SHORT.fullmatch(id) else hashlib.sha256(id.encode("utf-8", "surrogatepass")).hexdigest()[:9]


def system_template(task: Task) -> str:
    """Return the task's own template of the system message where it has one, else the harness's wording."""
    if task.system_template is not None:
        return task.system_template
    return _wording("system_template", parallel=task.parallel_tool_calls)


def tools_template(*, parallel: bool) -> str:
    """Return how tools are listed behind `{system}`, for chat templates that ignore `tools=`."""
    return _wording("tools_template", parallel=parallel)


def _wording(name: str, *, parallel: bool) -> str:
    """Return the harness's own wording; `parallel` is that for tasks whose turns may have several calls."""
    return (resources.folder("eval") / f"{name}{'_parallel' * parallel}.txt").read_text(encoding="utf-8").rstrip("\n")


def system_message(task: Task) -> str:
    """Return the system message of a task.

    The template names the place of the task description as `{task_description}`; other braces are text.
    Raises UsageError for a template without that place.
    """
    template = system_template(task)
    if "{task_description}" not in template:
        raise UsageError("the task's system_template lacks {task_description}; add it where the description belongs")
    return template.replace("{task_description}", task.description)


def with_tools_in_text(system: str, tools: Sequence[dict[str, Any]], *, parallel: bool) -> str:
    """Return a system message that lists the tools, for chat templates that ignore `tools=`."""
    lines = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools)
    return tools_template(parallel=parallel).format(system=system, tools=lines)
