"""Prompts of single requests, rendered in guarded children that stay: the form of a task is chosen once and kept."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from harness.data.records import Message, Task, ToolCall, TurnPair
from harness.data.tools import Toolbox
from harness.errors import ModelError
from harness.models.engine.guard import Guard
from harness.models.prompts.calendar import Calendar
from harness.models.prompts.choose_form import whole_conversations, whole_renderer
from harness.models.prompts.form import with_tools_in_text
from harness.models.prompts.make_prompts import MODULES, TokenizerFiles, check_tokens, family_of, tokenizer_of
from harness.models.prompts.probe import steps
from harness.models.prompts.renderer import Renderer
from harness.models.serving.pieces import PieceEncoder
from harness.models.serving.words import SAMPLES

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

KEPT_TASKS, KEPT_FORMS = 8, 16
"""Tasks that are known at once, and kinds of conversations of one of them."""
IMPORTS = (*MODULES, "harness.models.serving.rendering")
_HELLO = Message(role="user", content="Hello.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedTask:
    """What a prompt is made for: a task, and conversations whose form its prompts have."""

    task: Task
    own_system: bool
    """Whether its system message is the task's; otherwise each request has its own."""
    pairs: tuple[TurnPair, ...] = ()
    """Of its test set: prompts have the form that `tft evaluate` chooses for these. Empty: that of a usual talk."""
    key: str = field(default="", compare=False)

    @classmethod
    def of(cls, task: Task, *, own_system: bool, pairs: Sequence[TurnPair] = ()) -> ServedTask:
        """Return a task with the key by which it is known."""
        parts = [task.tools, task.description, task.system_template, own_system, len(pairs)]
        text = json.dumps([*parts, True] if task.parallel_tool_calls else parts)
        key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        return cls(task=task, own_system=own_system, pairs=tuple(pairs), key=key)

    @classmethod
    def of_tools(cls, tools: tuple[dict[str, Any], ...]) -> ServedTask:
        """Return the task of a request that brings its own tools and system message."""
        return cls.of(
            Task(description="You are a helpful assistant.", tools=tools, system_template="{task_description}"),
            own_system=False,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedPrompt:
    """What is sent for a request, and how its answer is read."""

    token_ids: list[int]
    family: str | None
    written: tuple[str, str] | None = None
    """Two answers in which the model says `SAMPLES` to the user, as its template writes them; None where it cannot."""


class PromptRenderer:
    """Renders the prompts of one model under the limits of guards, one at a time in each child."""

    def __init__(self, files: TokenizerFiles, day: date | None, children: int = 1) -> None:
        """`day` is what chat templates take for today; None: the day of each request."""
        self._files = files
        self._day = day
        self._guards = [Guard(files.name) for _ in range(children)]
        self._idle = list(self._guards)
        self._free = asyncio.Semaphore(children)

    def start(self) -> None:
        """Start the children; what they import takes seconds."""
        for guard in self._guards:
            self._start(guard)

    def prepare(self, task: ServedTask) -> dict[str, Any]:
        """Choose the form of a task, and return it as a run records it; ModelError where there is none."""
        self.start()
        call = (prepare, self._files, task, self._now())
        found: list[dict[str, Any]] = [guard.call(*call, seconds=_seconds(task)) for guard in self._guards]
        return found[0]

    async def render(self, task: ServedTask, system: str | None, messages: tuple[Message, ...]) -> ServedPrompt:
        """Return the prompt for the turn after these messages; ModelError where the template does not take them.

        Waits where all children have one to render.
        """
        async with self._free:
            guard = self._idle.pop()  # the last used, which knows most
            try:
                found = await self._rendered(guard, task, system, messages)
            finally:
                self._idle.append(guard)
        written = found["written"]
        return ServedPrompt(**{**found, "written": written and tuple(written)})

    async def _rendered(
        self, guard: Guard, task: ServedTask, system: str | None, messages: tuple[Message, ...]
    ) -> dict[str, Any]:
        self._start(guard)
        now = self._now()
        call = (render, self._files, task.key, system, messages, now)
        found: dict[str, Any] | None = await guard.call_async(*call)
        if found is None:
            await guard.call_async(prepare, self._files, task, now, seconds=_seconds(task))
            found = await guard.call_async(*call)
        if found is None:
            raise ModelError(f"the form of a prompt for {self._files.name} was chosen, and forgotten at once")
        return found

    def close(self) -> None:
        """End the children."""
        for guard in self._guards:
            guard.close()

    def _start(self, guard: Guard) -> None:
        guard.start(*IMPORTS, torch=self._files.trust_remote_code)

    def _now(self) -> tuple[date, bool]:
        return self._day or date.today(), self._day is not None


def _seconds(task: ServedTask) -> float:
    """Return the seconds that the choice of a form may take beside those of any call."""
    return 0.1 * len(task.pairs)


# What follows runs in the child.


class _Forms:
    """One task in the child: the renderer of its usual conversations, and those of others that have come."""

    def __init__(self, files: TokenizerFiles, task: ServedTask, calendar: Calendar) -> None:
        self.task = task
        self._name = files.name
        self._tokenizer: PreTrainedTokenizerBase = tokenizer_of(files)
        self.encoder = PieceEncoder(self._tokenizer, files.name)
        self.family = family_of(self._tokenizer)
        self._calendar = calendar
        self._longest, self._like = whole_conversations(task.pairs) if task.pairs else _usual(task.task)
        self._written: dict[int, tuple[str, str] | None] = {}
        self._steps = set().union(*map(steps, self._like))
        self._others: OrderedDict[frozenset[tuple[str, str]], Renderer] = OrderedDict()
        self.usual = self._choose([])

    def _choose(self, further: list[tuple[Message, ...]]) -> Renderer:
        longest, like = [*self._longest, *further], [*self._like, *further]
        return whole_renderer(self._tokenizer, self.task.task, self._name, longest, like=like, calendar=self._calendar)

    def renderer(self, messages: tuple[Message, ...]) -> Renderer:
        """Return the renderer for a conversation: another one where it has an order of messages of its own."""
        further = frozenset(steps(messages) - self._steps)
        if not further:
            return self.usual
        if further in self._others:
            self._others.move_to_end(further)
            return self._others[further]
        self._others[further] = self._choose([messages])
        if len(self._others) > KEPT_FORMS:
            self._others.popitem(last=False)
        return self._others[further]

    def written(self, renderer: Renderer) -> tuple[str, str] | None:
        """Return how the template writes what is said to the user; see `ServedPrompt.written`."""
        if id(renderer) not in self._written:
            if len(self._written) > KEPT_FORMS:
                self._written.clear()
            self._written[id(renderer)] = _written(renderer, self.task.task)
        return self._written[id(renderer)]

    def system(self, renderer: Renderer, given: str | None) -> str | None:
        """Return the system message: the task's, or the request's, with the tools in it where the template has none."""
        if self.task.own_system:
            return renderer.system
        tools = self.task.task.tools
        if renderer.form.tools_in_template or not tools:
            return given
        return with_tools_in_text(given or "", tools, parallel=self.task.task.parallel_tool_calls).lstrip()


def _usual(task: Task) -> tuple[list[tuple[Message, ...]], list[tuple[Message, ...]]]:
    """Return a talk as most have it, without results of tools, whose role not every template knows."""
    box = Toolbox(task.tools)
    said = box.message_of(ToolCall(name=box.reply.tool, arguments={box.reply.argument: "Yes?"}, id="call00001"))
    talk = (_HELLO, said, _HELLO)
    if not box.services:
        return [talk], [(*talk, said)]
    call = ToolCall(name=box.services[0], arguments={}, id="call00002")
    return [talk], [(*talk, Message(role="assistant", tool_calls=(call,)))]


def _written(renderer: Renderer, task: Task) -> tuple[str, str] | None:
    """Return the answers that say `SAMPLES`, as the template writes them behind a prompt."""
    box = Toolbox(task.tools)
    if box.reply.plain or not task.tools:
        return None
    found = []
    try:
        prompt = renderer.text_below(None, (_HELLO,))
        for text in SAMPLES:
            call = ToolCall(name=box.reply.tool, arguments={box.reply.argument: text}, id="call00001")
            whole = renderer.bare((_HELLO, box.message_of(call)))
            parts = (place for place, (one, other) in enumerate(zip(prompt, whole, strict=False)) if one != other)
            shared = next(parts, min(len(prompt), len(whole)))
            start = shared if shared == len(prompt) else prompt.rfind("\n", 0, shared) + 1
            found.append(whole[start:])
    except ModelError:  # without a system message it renders nothing: then words are not sent before their end
        return None
    return found[0], found[1]


_FORMS: OrderedDict[str, _Forms] = OrderedDict()


def prepare(files: TokenizerFiles, task: ServedTask, now: tuple[date, bool]) -> dict[str, Any]:
    """Choose the form of a task in the child, and return its record."""
    day, named = now
    _FORMS.pop(task.key, None)
    _FORMS[task.key] = made = _Forms(files, task, Calendar(day, named=named))
    if len(_FORMS) > KEPT_TASKS:
        _FORMS.popitem(last=False)
    return dict(made.usual.form.record())


def render(
    files: TokenizerFiles, key: str, system: str | None, messages: tuple[Message, ...], now: tuple[date, bool]
) -> Mapping[str, Any] | None:
    """Return the fields of a `ServedPrompt` in the child; None where the task is not known there (any more)."""
    forms = _FORMS.get(key)
    if forms is None:
        return None
    _FORMS.move_to_end(key)
    renderer = forms.renderer(messages)
    renderer.calendar.day = now[0]
    text = renderer.text_below(forms.system(renderer, system), messages)
    if not text.strip():
        raise ModelError(f"the chat template of {files.name} renders nothing; use a model with another template")
    ids = forms.encoder.encode(text)
    check_tokens(files, [ids])
    tools_shown = bool(forms.task.task.tools) and renderer.form.tools_in_template
    family = forms.family if tools_shown else None
    return {"token_ids": ids, "family": family, "written": forms.written(renderer)}
