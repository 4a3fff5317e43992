"""Prompts as token ids: a conversation prefix through the model's own chat template.

Rendering here, and not in the server, fixes exactly what is sent: it is hashed, logged, and can be
compared token by token with what training saw.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import resources
from harness.data.formats.messages import template_message
from harness.data.records import Message, Task, TurnPair
from harness.errors import ModelError, UsageError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_PROBE = "probe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One prompt as sent."""

    pair_id: str
    token_ids: tuple[int, ...]

    def sha256(self) -> str:
        """Return the SHA-256 of the token ids as little-endian 32-bit integers."""
        return hashlib.sha256(array("I", self.token_ids).tobytes()).hexdigest()


def system_template(task: Task) -> str:
    """Return the task's own template of the system message where it has one, else the harness's wording."""
    if task.system_template is not None:
        return task.system_template
    return (resources.folder("eval") / "system_template.txt").read_text().rstrip("\n")


def system_message(task: Task) -> str:
    """Return the system message of a task.

    The template names the place of the task description as `{task_description}`; other braces are text.
    Raises UsageError for a template without that place.
    """
    template = system_template(task)
    if "{task_description}" not in template:
        raise UsageError("the task's system_template lacks {task_description}; add it where the description belongs")
    return template.replace("{task_description}", task.description)


def with_tools_in_text(system: str, tools: Sequence[dict[str, Any]]) -> str:
    """Return a system message that lists the tools, for chat templates that ignore `tools=`."""
    template = (resources.folder("eval") / "tools_template.txt").read_text().rstrip("\n")
    lines = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools)
    return template.format(system=system, tools=lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What a chat template takes as it is, and what has to be written into messages for it."""

    tools_in_template: bool = True
    """Tools go through `tools=` and calls through `tool_calls`; otherwise both are text."""
    system_role: bool = True
    """The system message has its own role; otherwise it opens the first user message."""


class Renderer:
    """Renders conversation prefixes with one tokenizer for one task; thinking is off."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, task: Task, name: str, form: Form | None = None) -> None:
        """`name` is the model's, for error messages; `form` defaults to what the template seems to take.

        Raises ModelError where the tokenizer has no chat template.
        """
        if not tokenizer.chat_template:
            raise ModelError(
                f"the tokenizer of {name} has no chat template, so its prompts cannot be built; "
                "use a chat or instruction-tuned model, or add chat_template.jinja to the repository"
            )
        self._tokenizer = tokenizer
        self._name = name
        self._tools = list(task.tools)
        self.form = form or Form(tools_in_template=self._template_uses_tools())
        self.system = system_message(task)
        if not self.form.tools_in_template:
            self.system = with_tools_in_text(self.system, task.tools)

    def _render(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None) -> str:
        try:
            text: str = self._tokenizer.apply_chat_template(
                messages, tools=tools, add_generation_prompt=True, tokenize=False, enable_thinking=False
            )
        except Exception as error:  # a template is code of the repository: it may raise anything
            raise ModelError(
                f"the chat template of {self._name} cannot render these conversations ({error}); "
                "use a model whose template takes several turns"
            ) from error
        return text

    def _template_uses_tools(self) -> bool:
        probe = [{"role": "user", "content": _PROBE}]
        return self._render(probe, self._tools) != self._render(probe, None)

    def text(self, prefix: Sequence[Message]) -> str:
        """Return the prompt for the assistant turn after `prefix`, as text; ModelError where the template fails."""
        messages = [{"role": "system", "content": self.system}, *map(self._message, prefix)]
        if not self.form.system_role:
            messages = _without_system_role(messages)
        return self._render(messages, self._tools if self.form.tools_in_template else None)

    def _message(self, message: Message) -> dict[str, Any]:
        if message.tool_calls and not self.form.tools_in_template:
            return {"role": "assistant", "content": _call_text(message)}
        if message.role == "tool" and not self.form.tools_in_template:  # a role that such a template may drop
            return {"role": "user", "content": message.content or ""}
        return template_message(message)

    def prompts(self, pairs: Sequence[TurnPair]) -> list[Prompt]:
        """Return one prompt a pair, in order. Special tokens come from the template alone."""
        texts = [self.text(pair.prefix) for pair in pairs]
        if not texts:
            return []
        encoded = self._tokenizer(texts, add_special_tokens=False)["input_ids"]
        return [Prompt(pair_id=pair.id, token_ids=tuple(ids)) for pair, ids in zip(pairs, encoded, strict=True)]


def fitting_renderer(tokenizer: PreTrainedTokenizerBase, task: Task, name: str, pairs: Sequence[TurnPair]) -> Renderer:
    """Return a renderer whose form the chat template takes for these pairs, the most native one.

    Some templates refuse a system role, or user messages with nothing but calls between them. The last
    pair of each conversation is tried. Raises ModelError, with the template's own reason, where none fits.
    """
    native = Renderer(tokenizer, task, name)
    longest = {pair.conversation: pair for pair in pairs}.values()
    first_error: ModelError | None = None
    for tools_in_template in (True, False) if native.form.tools_in_template else (False,):
        for system_role in (True, False):
            form = Form(tools_in_template=tools_in_template, system_role=system_role)
            renderer = Renderer(tokenizer, task, name, form)
            try:
                for pair in longest:
                    renderer.text(pair.prefix)
            except ModelError as error:
                first_error = first_error or error
                continue
            return renderer
    raise first_error or ModelError(f"the chat template of {name} renders nothing")


def _without_system_role(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the messages with the system text at the head of the first user message."""
    system, *rest = messages
    for position, message in enumerate(rest):
        if message["role"] == "user":
            opened = {**message, "content": f"{system['content']}\n\n{message['content']}"}
            return [*rest[:position], opened, *rest[position + 1 :]]
    return [{**system, "role": "user"}, *rest]


def _call_text(message: Message) -> str:
    call = message.tool_calls[0]
    return json.dumps({"name": call.name, "parameters": call.arguments}, ensure_ascii=False)


def load_tokenizer(folder: Path, name: str, *, trust_remote_code: bool = False) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a pulled model; ModelError where it cannot be loaded."""
    from transformers import AutoTokenizer

    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            str(folder), trust_remote_code=trust_remote_code, local_files_only=True
        )
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise ModelError(f"the tokenizer of {name} does not load: {str(error).strip().splitlines()[0]}") from error
    return tokenizer
