"""Tool calls to records: from objects in their many spellings, and from the text of a reference."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from harness.data.formats.json_texts import as_value, decoded, kind, shortened
from harness.data.records import ToolCall

NAME_KEYS = ("name", "toolName", "tool_name", "function_name")
ARGUMENT_KEYS = ("arguments", "parameters", "args", "input", "tool_kwargs")
"""In the plain layout: the first key of a name, the first two of arguments."""
_ID_KEYS = ("tool_call_id", "tool_use_id", "call_id", "toolCallId", "source_call_id", "id")
"""Where an item has an id of its own beside that of the call (the Responses API), results name the call's."""
_TAGGED = re.compile(r"\s*<tool_call>(.*)</tool_call>\s*", re.DOTALL)


def parse_call(value: Any, *, strict: bool = True) -> ToolCall:
    """Return the call in `{"name", "arguments"|"parameters"}` or `{"id", "function": {...}}`, else ValueError."""
    if not isinstance(value, Mapping):
        raise ValueError(f"a call must be an object with name and arguments, got {kind(value)}")
    function = value.get("function", value)
    inner: Mapping[str, Any] = function if isinstance(function, Mapping) else {} if strict else value
    names = NAME_KEYS[:1] if strict else NAME_KEYS
    name = function if isinstance(function, str) and not strict else _first(inner, names)
    if not isinstance(name, str) or not (name or strict):
        raise ValueError(f'a call needs a "name", got {shortened(dict(value))}')
    written = _first(inner, ARGUMENT_KEYS[:2] if strict else ARGUMENT_KEYS)
    found = value.get("id") if strict else call_id(value)
    return ToolCall(name=name, arguments=parse_arguments(written, name), id=None if found is None else str(found))


def parse_arguments(value: Any, tool: str) -> dict[str, Any]:
    """Return the arguments of a call of `tool` from JSON text or an object; ValueError for anything else."""
    blank = value is None or (isinstance(value, str) and not value.strip())
    value = {} if blank else decoded(value, f"the arguments of the call of {tool} are")
    if value is None:  # JSON's null
        return {}
    if not isinstance(value, dict):
        problem = f"are {kind(value)}: {shortened(value)}"
        raise ValueError(f"the arguments of the call of {tool} {problem}; expected a JSON object")
    return value


def parse_answer(answer: str) -> ToolCall | None:
    """Return the call that a reference states, plain or in `<tool_call>` tags; None for any other text."""
    tagged = _TAGGED.fullmatch(answer)
    value = as_value(tagged.group(1) if tagged else answer)
    if not isinstance(value, Mapping) or not ({"parameters", "arguments"} & value.keys()):
        return None
    try:
        return parse_call(value)
    except ValueError:
        return None


def call_id(value: Mapping[str, Any]) -> str | None:
    """Return the id by which a call and its result know each other, in whatever key a framework has it."""
    found = next((value[key] for key in _ID_KEYS if value.get(key)), None)
    return None if found is None else str(found)


def _first(value: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((value[key] for key in keys if key in value), None)
