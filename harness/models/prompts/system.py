"""The system message of a task."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from harness import resources
from harness.data.records import Task
from harness.errors import UsageError


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
