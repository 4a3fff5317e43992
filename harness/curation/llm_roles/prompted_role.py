"""What the prompted roles share: the prompt, calls in prompts and answers, and one outcome per item."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from harness import resources
from harness.curation.llm_roles.answer_counts import AnswerCounts, AnswerTally
from harness.data.formats.json_texts import encodable_value
from harness.data.records import Task, ToolCall
from harness.data.tools import Toolbox
from harness.models.chat.budget import BudgetSpent, CostEstimate
from harness.models.chat.chat_models import ChatModel
from harness.models.chat.json_answers import excerpt
from harness.models.chat.quoting import LAYOUT, MAX_CHARACTERS, escape, escape_strings
from harness.models.chat.records import ChatAnswer, ChatRequest, UnusableAnswer

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
        self._tally = AnswerTally()

    def estimate(self, items: Sequence[Any]) -> CostEstimate:
        """Return what it would take to do the role's work on these items."""
        return self.model.estimate(self._requests(items))

    def answer_counts(self) -> AnswerCounts:
        """Return what has become of all questions so far."""
        return self._tally.counts(self.role, self.name)

    def _ask(self, requests: Sequence[ChatRequest], on_answer: Callable[[ChatAnswer], None]) -> None:
        """Ask and count; HarnessError where the model cannot be asked or the budget is spent."""

        def tell(answer: ChatAnswer) -> None:
            self._tally.add(answer)
            on_answer(answer)

        start = time.monotonic()
        try:
            stats = self.model.ask(requests, tell)
        except BudgetSpent:
            self._tally.add_run(None, time.monotonic() - start)
            raise
        self._tally.add_run(stats, time.monotonic() - start)

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
        raise ValueError(f"{what} is not an object but {excerpt(value)}")
    if value.keys() != set(keys):
        found = ", ".join(excerpt(key) for key in sorted(value)) or "none"
        raise ValueError(f"{what} has the keys {found}; expected {', '.join(keys)}")
    return value


def expect_text(value: object, what: str) -> str:
    """Return a text; ValueError for anything else."""
    if not isinstance(value, str):
        raise ValueError(f"{what} is not text but {excerpt(value)}")
    return value


INVALID_CALL, OUT_OF_PLACE = "invalid call", "out of place"
"""Kinds of unusable answers, see `answer_counts.REASONS`."""
SHORTEST_BOUND = 300
"""Characters; the least room for a text in an answer."""
_UNBOUNDED = ("enum", "const", "maxLength", "pattern", "format")


def definitions(task: Task, toolbox: Toolbox) -> list[Mapping[str, Any]]:
    """Return the task's tools, and one for replies where the task has none: answers are calls throughout."""
    found: list[Mapping[str, Any]] = list(task.tools)
    if toolbox.reply.plain:
        parameters = object_schema({toolbox.reply.argument: {"type": "string"}})
        function = {"name": toolbox.reply.tool, "description": "Says something to the user.", "parameters": parameters}
        found.append({"type": "function", "function": function})
    return found


def call_schema(toolbox: Toolbox, longest: int, names: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the JSON schema of one call, of any tool or of these; texts without a bound have `longest` characters.

    The bound is for engines that write by the schema: a small model may never end a text by itself.
    """
    calls = []
    for name in names or (*toolbox.services, toolbox.reply.tool):
        parameters = toolbox.parameters(name)
        properties = {key: _bounded(parameter.schema, longest) for key, parameter in parameters.items()}
        required = [key for key, parameter in parameters.items() if parameter.required]
        if toolbox.reply.plain and name == toolbox.reply.tool:
            required = [toolbox.reply.argument]
            properties = {toolbox.reply.argument: {"type": "string", "maxLength": longest}}
        values = {"name": {"type": "string", "enum": [name]}, "parameters": object_schema(properties, required)}
        calls.append(object_schema(values))
    return {"anyOf": calls}


def object_schema(properties: Mapping[str, Any], required: Iterable[str] | None = None) -> dict[str, Any]:
    """Return the JSON schema of an object with these properties and no others; all are required unless said."""
    needed = list(properties if required is None else required)
    return {"type": "object", "properties": dict(properties), "required": needed, "additionalProperties": False}


def _bounded(schema: Any, longest: int) -> Any:
    """Return a schema whose texts have an end; one with references is left out, as they point into the whole."""
    if isinstance(schema, list):
        return [_bounded(item, longest) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    if "$ref" in schema:
        return {}
    found = {key: _bounded(value, longest) for key, value in schema.items() if key != "description"}
    kinds = schema.get("type")
    text = kinds == "string" or (isinstance(kinds, list) and "string" in kinds)
    return {**found, "maxLength": longest} if text and not any(key in schema for key in _UNBOUNDED) else found


def read_call(value: object, toolbox: Toolbox, what: str) -> ToolCall:
    """Return the call that a JSON value is; UnusableAnswer where it is none, or not valid by the tool's schema."""
    if not isinstance(value, dict) or value.keys() != {"name", "parameters"}:
        raise ValueError(f'{what} is {excerpt(value)}; expected an object with "name" and "parameters"')
    name, parameters = value["name"], value["parameters"]
    if not isinstance(name, str) or not isinstance(parameters, dict):
        raise ValueError(f"{what} has a name that is not text, or parameters that are not an object")
    call = ToolCall(name=name, arguments=encodable_value(parameters))
    problems = toolbox.problems(call)
    if problems:
        raise UnusableAnswer(f"{what} is not valid: {problems[0]}", INVALID_CALL)
    return call
