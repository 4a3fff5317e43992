"""job_description.json to a Task, and back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.data.formats.json_texts import read_json
from harness.data.records import Task
from harness.data.tools import function_of
from harness.errors import DataError
from harness.hub.foreign_json import load_json

PARALLEL = "parallel_tool_calls"
"""Key of a task whose agent may make several calls in one turn, by the name that it has in OpenAI's API."""
_TASK_KEYS = ("task_description", "tools")


def read_task(path: Path) -> Task:
    """Return the task of a `job_description.json`; DataError says what is missing. Unknown keys are ignored."""
    document = read_json(path, f"an object with {' and '.join(_TASK_KEYS)}")
    if not isinstance(document, Mapping) or any(not document.get(key) for key in _TASK_KEYS):
        raise DataError(f"{path} is not a task definition: it needs {' and '.join(_TASK_KEYS)}")
    if not isinstance(document["tools"], list):
        raise DataError(f"{path}: tools must be a list of function definitions")
    return Task(
        description=_text(path, document, "task_description") or "",
        tools=tuple(_tool(path, position, tool) for position, tool in enumerate(document["tools"])),
        rubric=_text(path, document, "llm_as_a_judge_instructions"),
        system_template=_text(path, document, "system_template"),
        parallel_tool_calls=_flag(path, document, PARALLEL),
    )


def read_tools(path: Path) -> tuple[dict[str, Any], ...]:
    """Return the tool schemas of a JSON file: a list of them, or an object with `tools`, as a task definition has."""
    value = read_json(path, "a list of tool schemas")
    tools = value.get("tools") if isinstance(value, dict) else value
    if not isinstance(tools, list) or not tools or not all(map(function_of, tools)):
        raise DataError(
            f'{path} holds no tool schemas; expected a list of {{"name", "parameters"}}, or {{"tools": [...]}}'
        )
    return tuple(tools)


def row_tools(row: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """Return the tools that a row carries, in OpenAI form; what is there and defines no function declares none.

    They are a list or its JSON text, or a list of such texts: in Parquet, columns of the type `Json()` are texts.
    """
    value = _unpacked(row.get("tools"))
    tools = map(_unpacked, value) if isinstance(value, list) else ()
    return tuple(_in_openai_form(tool) for tool in tools if function_of(tool))


def _unpacked(value: Any) -> Any:
    try:
        return load_json(value) if isinstance(value, str) else value
    except ValueError:
        return None


def _in_openai_form(tool: Mapping[str, Any]) -> dict[str, Any]:
    return dict(tool) if "function" in tool else {"type": "function", "function": dict(tool)}


def dump_task(task: Task) -> dict[str, Any]:
    """Return the document of a `job_description.json` that reads back as the task."""
    document = {
        "task_description": task.description,
        "llm_as_a_judge_instructions": task.rubric,
        "tools": list(task.tools),
        "system_template": task.system_template,
        PARALLEL: task.parallel_tool_calls or None,
    }
    return {key: value for key, value in document.items() if value is not None}


def _text(path: Path, document: Mapping[str, Any], key: str) -> str | None:
    value = document.get(key)
    if value is not None and not isinstance(value, str):
        raise DataError(f"{path}: {key} must be text, got {type(value).__name__}")
    return value


def _flag(path: Path, document: Mapping[str, Any], key: str) -> bool:
    value = document.get(key)
    if value is not None and not isinstance(value, bool):
        raise DataError(f"{path}: {key} must be true or false, got {type(value).__name__}")
    return bool(value)


def _tool(path: Path, position: int, tool: Any) -> dict[str, Any]:
    """Return the tool as `{"type": "function", "function": {...}}`, wrapped where it is bare."""
    if function_of(tool) is None:
        raise DataError(f"{path}: tool {position} has no name; expected a JSON-schema function definition")
    return _in_openai_form(tool)
