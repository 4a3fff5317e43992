"""`rules:teacher` as the generator: one synthetic conversation per plan, without a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from harness.data.pipeline_records import ConversationPlan, Draft
from harness.data.records import Conversation, Task
from harness.data.tools import Toolbox
from harness.errors import DataError
from harness.rules.teacher.agenda import draw_agenda
from harness.rules.teacher.dialogue import Dialogue
from harness.rules.teacher.realisation import SurfaceRealiser
from harness.rules.teacher.task_model import TaskModel, learn_task_model
from harness.rules.teacher.templates import WordingTemplate, learn_templates

_VERSION = 1


class RulesWriter:
    """Simulates user and agent of any task, after the example of accepted conversations.

    `exemplars` are learned from, besides those of the plans. A conversation depends on its plan, the task and what
    was learned: give all accepted conversations here, and a plan has the same conversation in whatever batch it comes.
    """

    name = "rules:teacher"

    def __init__(self, task: Task, exemplars: Sequence[Conversation] = ()) -> None:
        self.settings: dict[str, Any] = {"version": _VERSION}
        self._toolbox = Toolbox(task.tools)
        self._exemplars = tuple(exemplars)

    def write(self, plans: Sequence[ConversationPlan], on_draft: Callable[[Draft], None]) -> None:
        """Call `on_draft` once for each plan, in order.

        A conversation has the plan's number of messages; an odd number cannot be (each turn of the user or of a service
        is answered by the agent), the next one above or below is taken. Raises DataError where the task has no service.
        """
        if not self._toolbox.services:
            raise DataError("the task has no tool but the one that speaks to the user; add the tools that do something")
        known = {one.id: one for one in (*self._exemplars, *(each for plan in plans for each in plan.exemplars))}
        model = learn_task_model(self._toolbox, [known[name] for name in sorted(known)])
        templates = learn_templates(model)
        for plan in plans:
            on_draft(_draft(plan, model, templates))


def _draft(plan: ConversationPlan, model: TaskModel, templates: dict[str, tuple[WordingTemplate, ...]]) -> Draft:
    rng = Random(f"{plan.seed}:{plan.id}")  # noqa: S311 - the same plan, the same conversation
    agenda = draw_agenda(model, plan.length, plan.complexity, rng)
    dialogue = Dialogue(plan.id, model, SurfaceRealiser(model, templates, rng, plan.complexity), rng)
    dialogue.write(agenda)
    goal = {
        "topic": plan.topic,
        "complexity": plan.complexity,
        "goal": [segment.tool for segment in agenda.segments],
        "calls": dialogue.calls,
    }
    problems = [
        problem
        for message in dialogue.messages
        for call in message.tool_calls
        for problem in model.toolbox.problems(call)
    ]
    if problems:
        return Draft(
            id=plan.id, conversation=None, plan=goal, error=f"the simulator wrote an invalid call: {problems[0]}"
        )
    conversation = Conversation(id=plan.id, messages=tuple(dialogue.messages), source=RulesWriter.name)
    return Draft(id=plan.id, conversation=conversation, plan=goal)
