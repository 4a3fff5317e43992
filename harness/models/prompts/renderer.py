"""Rendering with one tokenizer for one task, in one form."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from harness.data.formats.messages import without_system
from harness.data.records import Message, Task, TurnPair
from harness.errors import ModelError
from harness.models.engine.guard_child import doing, shown
from harness.models.parsing.strip_thinking import opens_thinking
from harness.models.prompts.calendar import Calendar
from harness.models.prompts.form import Form, system_message, with_tools_in_text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

THINKING_OFF: Mapping[str, Any] = MappingProxyType({"enable_thinking": False})
"""What templates are given where nothing is asked of their thinking: most that have a switch have this one."""
_PROBE = "probe"
_YEARS = timedelta(days=5 * 365 + 40)
LONGEST = 1 << 22
"""Most characters that a template may write for one conversation: no context is as long."""
_TOGETHER = 64
"""Texts that are encoded at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One prompt as sent."""

    pair_id: str
    token_ids: tuple[int, ...]
    opened: bool = False
    """Whether it ends in a block of thinking that it opens."""
    sample: int = 0
    """Which of several answers is asked for."""

    def sha256(self) -> str:
        """Return the SHA-256 of the token ids as little-endian 32-bit integers."""
        return hashlib.sha256(array("I", self.token_ids).tobytes()).hexdigest()


class Renderer:
    """Renders conversation prefixes with one tokenizer for one task; thinking is off unless it is asked for."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        task: Task,
        name: str,
        form: Form | None = None,
        *,
        calendar: Calendar | None = None,
        thinking: Mapping[str, Any] = THINKING_OFF,
    ) -> None:
        """`name` is the model's, for error messages; `form` defaults to what the template seems to take.

        `thinking` is what the template is told about thinking, by the names of its variables.

        Raises ModelError where the tokenizer has no chat template.
        """
        if not tokenizer.chat_template:
            raise ModelError(
                f"the tokenizer of {name} has no chat template, so its prompts cannot be built; "
                "use a chat or instruction-tuned model, or add chat_template.jinja to the repository"
            )
        self.calendar = calendar or Calendar()
        self._thinking = dict(thinking)
        self.left_out: tuple[str, ...] = ()
        """What the template leaves out by design, and a run records: see `fitting_renderer`."""
        self._tokenizer = tokenizer
        self.name = name
        self._task = task
        self._tools = list(task.tools)
        self.form = form or Form(tools_in_template=self.template_uses_tools())
        self.system = system_message(task)
        if not self.form.tools_in_template:
            self.system = with_tools_in_text(self.system, task.tools, parallel=task.parallel_tool_calls)

    def _render(
        self, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None, *, prompt: bool = True
    ) -> str:
        doing("the chat template")
        try:
            text: str = self._tokenizer.apply_chat_template(
                messages,
                tools=tools,
                add_generation_prompt=prompt,
                tokenize=False,
                **self._thinking,
                **self.calendar.variables(self._tokenizer.get_chat_template(tools=tools)),
            )
        except MemoryError:  # the limit of the child in which this runs: no other form will do either
            raise
        except Exception as error:  # a template is code of the repository: it may raise anything
            raise ModelError(
                f"the chat template of {self.name} cannot render these conversations ({shown(error)}); "
                "use a model whose template takes several turns"
            ) from error
        if len(text) > LONGEST:
            raise ModelError(
                f"the chat template of {self.name} writes {len(text):,} characters for one conversation, more than "
                f"the {LONGEST:,} that are taken; use a model with another template"
            )
        return text

    def in_form(self, form: Form) -> Renderer:
        """Return a renderer that differs in its form only."""
        name, calendar = self.name, self.calendar
        return Renderer(self._tokenizer, self._task, name, form, calendar=calendar, thinking=self._thinking)

    def template_uses_tools(self) -> bool:
        """Return whether tools change what the template writes; ModelError where it fails on a plain message."""
        first: ModelError | None = None
        for content in (_PROBE, [{"type": "text", "text": _PROBE}]):
            probe = [{"role": "user", "content": content}]
            try:
                return self._render(probe, self._tools) != self._render(probe, None)
            except ModelError as error:
                first = first or error
        raise first or ModelError(f"the chat template of {self.name} renders nothing")

    def asks_for_day(self, prefixes: Iterable[Sequence[Message]]) -> bool:
        """Return whether the template has asked for the day, or writes these conversations otherwise on another."""
        if self.calendar.formats or not self.calendar.named:
            return bool(self.calendar.formats)
        calendar, texts = self.calendar, []
        for day in (calendar.day, calendar.day - _YEARS):
            self.calendar = Calendar(day, named=True)
            texts.append([self.text(prefix) for prefix in prefixes])
        self.calendar = calendar
        return texts[0] != texts[1]

    def text(self, prefix: Sequence[Message]) -> str:
        """Return the prompt for the assistant turn after `prefix`, as text; ModelError where the template fails.

        The system message is the task's own; those of the conversation are ignored.
        """
        return self.text_below(self.system, without_system(prefix))

    def text_below(self, system: str | None, prefix: Sequence[Message]) -> str:
        """Return the prompt below another system message, or below none."""
        tools = self._tools if self.form.tools_in_template else None
        return self._render(self.form.messages(system, prefix), tools)

    def bare(self, messages: Sequence[Message]) -> str:
        """Return messages as text, without a system message, and with no prompt for an answer after them."""
        tools = self._tools if self.form.tools_in_template else None
        return self._render(self.form.messages(None, messages), tools, prompt=False)

    def prompts(self, pairs: Sequence[TurnPair]) -> list[Prompt]:
        """Return one prompt per pair, in order. Special tokens come from the template alone."""
        texts = [self.text(pair.prefix) for pair in pairs]
        if not texts:
            return []
        encoded = encode(self._tokenizer, texts, self.name)
        return [
            Prompt(pair_id=pair.id, token_ids=tuple(ids), opened=opens_thinking(text))
            for pair, ids, text in zip(pairs, encoded, texts, strict=True)
        ]


def encode(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], name: str) -> list[list[int]]:
    """Return the token ids of texts, without special tokens around them; ModelError where they cannot be had."""
    doing("the tokenizer")
    found: list[list[int]] = []
    try:
        for start in range(0, len(texts), _TOGETHER):
            some = list(texts[start : start + _TOGETHER])
            found += [list(ids) for ids in tokenizer(some, add_special_tokens=False)["input_ids"]]
    except MemoryError:
        raise
    except Exception as error:  # what a tokenizer does is decided by its files
        raise ModelError(f"the tokenizer of {name} cannot encode these conversations ({shown(error)})") from error
    return found


def load_tokenizer(folder: Path, name: str, *, trust_remote_code: bool = False) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a pulled model; ModelError where it cannot be loaded.

    An untrusted model is loaded and used only in the child process of `harness.models.engine.guard`.
    """
    from transformers import AutoTokenizer

    doing("the tokenizer")
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            str(folder), trust_remote_code=trust_remote_code, local_files_only=True
        )
    except MemoryError:
        raise
    except Exception as error:  # what a tokenizer does is decided by its files
        raise ModelError(f"the tokenizer of {name} does not load: {shown(error)}") from error
    return tokenizer
