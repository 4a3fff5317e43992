"""What the prompted roles share: a prompt with constants first, requests to one model, one outcome an item."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from harness import resources
from harness.curation.llm_roles.calls import definitions
from harness.data.records import Task
from harness.data.tools import Toolbox
from harness.models.chat.budget import CostEstimate
from harness.models.chat.chat_models import ChatModel
from harness.models.chat.json_answers import excerpt
from harness.models.chat.quoting import LAYOUT, MAX_CHARACTERS, escape, escape_strings
from harness.models.chat.records import ChatAnswer, ChatRequest

MAX_REASON = 300
"""Longest reason that is asked for, in characters."""
_SHARED = "conversation"
"""Folder of what all prompts of the pipeline say."""


class RolePrompt:
    """The prompt of one role for one task, from the templates in `eval/<role>` and `eval/conversation`."""

    def __init__(self, role: str, task: Task, toolbox: Toolbox) -> None:
        folder = resources.folder("eval")
        env = resources.templates(folder)
        tools = [escape_strings(json.dumps(tool, ensure_ascii=False)) for tool in definitions(task, toolbox)]
        self._system = env.get_template(f"{role}/system.txt.jinja").render(
            description=escape("\n".join(task.description.strip().splitlines()), keep=LAYOUT),
            tools=tools,
            reply={"tool": escape(toolbox.reply.tool), "argument": escape(toolbox.reply.argument)},
            max_reason=MAX_REASON,
        )
        self._user = env.get_template(f"{role}/user.txt.jinja")
        files = sorted([*(folder / _SHARED).glob("*.jinja"), *(folder / role).glob("*.jinja")])
        parts = [[path.name, path.read_text(encoding="utf-8")] for path in files]
        text = json.dumps([*parts, self._system, MAX_CHARACTERS])
        self.sha256 = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def messages(self, **case: Any) -> tuple[dict[str, str], ...]:
        """Return the system message, the same for all cases of the task, and the user message with this one."""
        return {"role": "system", "content": self._system}, {"role": "user", "content": self._user.render(**case)}


class PromptedRole:
    """A language model in one role."""

    role: str
    """Folder of its templates in `eval`."""

    def __init__(self, model: ChatModel, task: Task) -> None:
        self.toolbox = Toolbox(task.tools)
        self.prompt = RolePrompt(self.role, task, self.toolbox)
        self.model = model
        self.name = model.name
        self.settings: dict[str, Any] = {**model.settings, "prompt_sha256": self.prompt.sha256}

    def estimate(self, items: Sequence[Any]) -> CostEstimate:
        """Return what it would take to do the role's work on these items."""
        return self.model.estimate(self._requests(items))

    def _requests(self, items: Sequence[Any], /) -> list[ChatRequest]:
        """Return what is asked; the id of a request is the place of its item."""
        raise NotImplementedError


def problem_of(answer: ChatAnswer) -> str:
    """Return why there is no text."""
    tries = f" after {answer.attempts} tries" if answer.attempts > 1 else ""
    return f"no usable answer{tries}: {answer.error}"


def expect_keys(value: object, keys: Sequence[str], what: str) -> dict[str, Any]:
    """Return a JSON object that has exactly these keys; ValueError for anything else."""
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no object but {excerpt(value)}")
    if value.keys() != set(keys):
        found = ", ".join(excerpt(key) for key in sorted(value)) or "none"
        raise ValueError(f"{what} has the keys {found}; expected {', '.join(keys)}")
    return value


def expect_text(value: object, what: str) -> str:
    """Return a text; ValueError for anything else."""
    if not isinstance(value, str):
        raise ValueError(f"{what} is no text but {excerpt(value)}")
    return value
