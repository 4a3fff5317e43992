"""The generator's teacher as a language model: a plan and then a conversation, both in one answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from harness.curation.llm_roles.prompted_role import (
    OUT_OF_PLACE,
    SHORTEST_BOUND,
    PromptedRole,
    call_schema,
    expect_keys,
    expect_text,
    object_schema,
    problem_of,
    read_call,
)
from harness.data.events import events
from harness.data.formats.json_texts import as_value
from harness.data.formats.sgd import call_id
from harness.data.pipeline_records import ConversationPlan, Draft
from harness.data.records import Conversation, Message, Task, ToolCall
from harness.data.tools import Toolbox
from harness.models.chat.chat_models import ChatModel
from harness.models.chat.json_answers import clean, excerpt, read_object
from harness.models.chat.quoting import QuotedLine, lines, show
from harness.models.chat.records import ChatAnswer, ChatRequest, UnusableAnswer

TEMPERATURE = 0.7
_ROOM_BESIDE, _ROOM_PER_MESSAGE, _USUAL_PER_MESSAGE = 1024, 200, 60
_KINDS = ("user", "call", "result")


class LlmWriter(PromptedRole):
    """See `harness.data.pipeline_records.Writer`."""

    role = "synthesize"

    def __init__(self, model: ChatModel, task: Task, *, temperature: float = TEMPERATURE) -> None:
        super().__init__(model, task)
        self.settings["temperature"] = temperature
        self._temperature = temperature
        self._schema = _schema(call_schema(self.toolbox, 2 * SHORTEST_BOUND))

    def write(self, plans: Sequence[ConversationPlan], on_draft: Callable[[Draft], None]) -> None:
        """Ask for one conversation per plan. HarnessError where the model cannot be asked or the budget is spent."""

        def tell(answer: ChatAnswer) -> None:
            on_draft(self._draft(plans[int(answer.id)], answer))

        self._ask(self._requests(plans), tell)

    def _requests(self, plans: Sequence[ConversationPlan]) -> list[ChatRequest]:
        return [
            ChatRequest(
                id=str(place),
                messages=self.prompt.messages(
                    exemplars=[list(lines(one.messages)) for one in plan.exemplars],
                    context=[list(self._said(one)) for one in plan.context],
                    # Two plans that agree in all else are still two conversations, and two answers in the cache.
                    number=show(f"{plan.id}, {plan.seed}"),
                    length=plan.length,
                    topic=show(plan.topic) if plan.topic else None,
                    complexity=plan.complexity,
                ),
                schema=self._schema,
                max_tokens=self.model.room(_ROOM_BESIDE + plan.length * _ROOM_PER_MESSAGE),
                temperature=self._temperature,
                check=lambda text: read_conversation(text, self.toolbox),
                usual_tokens=plan.length * _USUAL_PER_MESSAGE,
            )
            for place, plan in enumerate(plans)
        ]

    def _said(self, conversation: Conversation) -> Iterator[QuotedLine]:
        """Yield the lines of what the user says: nothing else in an unlabelled trace is to be learnt from."""
        users = {event.position + 1 for event in events(conversation.messages, self.toolbox) if event.kind == "user"}
        return (line for line in lines(conversation.messages) if line.number in users)

    def _draft(self, plan: ConversationPlan, answer: ChatAnswer) -> Draft:
        if answer.text is None:
            return Draft(id=plan.id, conversation=None, error=problem_of(answer))
        found, steps = read_conversation(answer.text, self.toolbox)
        messages = tuple(_messages(plan.id, steps, self.toolbox, _result_role(plan, self.toolbox)))
        conversation = Conversation(id=plan.id, messages=messages, source=self.name)
        return Draft(id=plan.id, conversation=conversation, plan=found)


Step = str | ToolCall | list[Any] | dict[str, Any]
"""What a user says, what the assistant does, or what a tool returned."""


def read_conversation(text: str, toolbox: Toolbox) -> tuple[dict[str, Any], list[Step]]:
    """Return the plan and the steps of an answer; ValueError where a call is not valid or a step is out of order."""
    answer = expect_keys(read_object(text), ("plan", "messages"), "the answer")
    plan = expect_keys(answer["plan"], ("goal", "values", "results"), "the plan")
    if not isinstance(answer["messages"], list) or not answer["messages"]:
        raise ValueError("`messages` is not a list with messages")
    steps: list[Step] = []
    expected: tuple[str, ...] = ("user",)
    for number, message in enumerate(answer["messages"], start=1):
        what = f"message {number}"
        if not isinstance(message, dict) or len(message) != 1 or next(iter(message)) not in _KINDS:
            raise ValueError(f"{what} is {excerpt(message)}; expected an object with one of {', '.join(_KINDS)}")
        [(kind, value)] = message.items()
        if kind not in expected:
            found = f"{what} is of the kind {kind}; expected {' or '.join(expected)} at this place"
            raise UnusableAnswer(found, OUT_OF_PLACE)
        step = _step(kind, value, toolbox, what)
        speaks = isinstance(step, ToolCall) and step.name == toolbox.reply.tool
        expected = ("call",) if kind != "call" else ("user",) if speaks else ("result",)
        steps.append(step)
    if not isinstance(steps[-1], ToolCall):
        raise UnusableAnswer("the conversation does not end with a call of the assistant", OUT_OF_PLACE)
    return plan, steps


def _step(kind: str, value: object, toolbox: Toolbox, what: str) -> Step:
    if kind == "call":
        return read_call(value, toolbox, what)
    if kind == "user":
        said = clean(expect_text(value, what))
        if not said:
            raise ValueError(f"{what} says nothing")
        if as_value(said) is not None:
            raise ValueError(f"{what} is what tools return and no user says: {excerpt(said)}")
        return said
    if not isinstance(value, list | dict):
        raise ValueError(f"{what}, a result, is {excerpt(value)}; expected a list or an object")
    return value


def _result_role(plan: ConversationPlan, toolbox: Toolbox) -> Literal["user", "tool"]:
    """Return the role that results have in the exemplars; the benchmark's layout has them as user messages."""
    for exemplar in plan.exemplars:
        for event in events(exemplar.messages, toolbox):
            if event.kind == "result":
                return "tool" if exemplar.messages[event.position].role == "tool" else "user"
    return "user"


def _messages(
    source: str, steps: Sequence[Step], toolbox: Toolbox, result_role: Literal["user", "tool"]
) -> Iterator[Message]:
    identifier = None
    for number, step in enumerate(steps):
        if isinstance(step, ToolCall):
            identifier = call_id(source, number)
            yield toolbox.message_of(ToolCall(name=step.name, arguments=step.arguments, id=identifier))
        elif isinstance(step, str):
            yield Message(role="user", content=step)
        else:
            answered = identifier if result_role == "tool" else None
            yield Message(role=result_role, content=json.dumps(step), tool_call_id=answered)


def _schema(call: dict[str, Any]) -> dict[str, Any]:
    text = {"type": "string", "maxLength": 2 * SHORTEST_BOUND}
    row = {"type": "object", "additionalProperties": text}
    plan = {"goal": text, "values": row, "results": text}
    anything = {"type": "object"}  # what tools return has no schema
    result = {"anyOf": [{"type": "array", "items": anything}, anything]}
    kinds = {"user": text, "call": {"$ref": "#/$defs/call"}, "result": result}
    messages = {"type": "array", "items": {"anyOf": [object_schema({kind: kinds[kind]}) for kind in _KINDS]}}
    return {"$defs": {"call": call}, **object_schema({"plan": object_schema(plan), "messages": messages})}
