"""Prompts as token ids: a conversation prefix through the model's own chat template.

Rendering here, and not in the server, fixes exactly what is sent: it is hashed, logged, and can be
compared token by token with what training saw.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import resources
from harness.errors import ModelError, UsageError
from harness.records import Message, Task, TurnPair
from harness.wire.messages import template_message

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


def prompts_sha256(prompts: Iterable[Prompt]) -> str:
    """Return one hash over all prompts, in their order."""
    digest = hashlib.sha256()
    for prompt in prompts:
        digest.update(prompt.sha256().encode())
    return digest.hexdigest()


class Renderer:
    """Renders conversation prefixes with one tokenizer for one task; thinking is off."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, task: Task, name: str) -> None:
        """`name` is the model's, for error messages. Raises ModelError where no chat template exists."""
        if not tokenizer.chat_template:
            raise ModelError(
                f"the tokenizer of {name} has no chat template, so its prompts cannot be built; "
                "use a chat or instruction-tuned model, or add chat_template.jinja to the repository"
            )
        self._tokenizer = tokenizer
        self._name = name
        self._tools = list(task.tools)
        self.system = system_message(task)
        self.tools_in_template = self._template_uses_tools()
        if not self.tools_in_template:
            self.system = with_tools_in_text(self.system, task.tools)

    def _text(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None) -> str:
        from jinja2 import TemplateError

        try:
            text: str = self._tokenizer.apply_chat_template(
                messages, tools=tools, add_generation_prompt=True, tokenize=False, enable_thinking=False
            )
        except (TemplateError, TypeError, ValueError, KeyError) as error:
            raise ModelError(
                f"the chat template of {self._name} cannot render this conversation ({error}); "
                "its template may not support tool calls or a system message"
            ) from error
        return text

    def _template_uses_tools(self) -> bool:
        probe = [{"role": "user", "content": _PROBE}]
        return self._text(probe, self._tools) != self._text(probe, None)

    def text(self, prefix: Sequence[Message]) -> str:
        """Return the prompt for the assistant turn after `prefix`, as text."""
        messages = [{"role": "system", "content": self.system}]
        for message in prefix:
            plain = template_message(message)
            if not self.tools_in_template and message.tool_calls:
                plain = {"role": "assistant", "content": _call_text(message)}
            messages.append(plain)
        return self._text(messages, self._tools if self.tools_in_template else None)

    def prompts(self, pairs: Sequence[TurnPair]) -> list[Prompt]:
        """Return one prompt a pair, in order. Special tokens come from the template alone."""
        texts = [self.text(pair.prefix) for pair in pairs]
        if not texts:
            return []
        encoded = self._tokenizer(texts, add_special_tokens=False)["input_ids"]
        return [Prompt(pair_id=pair.id, token_ids=tuple(ids)) for pair, ids in zip(pairs, encoded, strict=True)]


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
