"""What a model of any provider has answered, as the raw text that is scored, and the tools it is shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.models.backends.openai import read_message
from harness.reports.inspect_logs import STOPS

if TYPE_CHECKING:
    from inspect_ai.model import ModelOutput
    from inspect_ai.tool import Tool

FAMILY = "family"
"""In the metadata of an answer of ours: the model's notation of tool calls. Other providers' answers have none."""
OWN = "tft"
"""In the metadata of an answer of ours: how it was made. Its text is the raw text, calls included."""
_VALUES = ("properties", "default", "enum", "const", "examples")
"""Words of JSON Schema below which stand names or values, and no schemas."""
_REASONS = {stop: reason for reason, stop in STOPS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class RawAnswer:
    """A raw text, or why there is none."""

    raw: str | None
    kind: str | None = None
    """Inspect's word for the failure."""
    problem: str | None = None


def raw_answer(output: ModelOutput) -> RawAnswer:
    """Return what is scored: our own models' text as it came, of other providers the first call, else the text."""
    if output.error or output.empty:
        return RawAnswer(raw=None, kind="no_response", problem=output.error or "no answer came")
    message = output.message
    if OWN in (output.metadata or {}):
        return RawAnswer(raw=message.text)
    calls = message.tool_calls or []
    if calls and calls[0].parse_error:  # Inspect keeps no arguments that it cannot parse
        return RawAnswer(raw=None, kind="invalid_response_format", problem=calls[0].parse_error)
    sent = [{"function": {"name": call.function, "arguments": call.arguments}} for call in calls]
    reason = _REASONS.get(output.stop_reason, output.stop_reason)
    read = read_message(json.dumps({"content": message.text, "tool_calls": sent, "finish_reason": reason}))
    return RawAnswer(raw=read.raw, kind=None if read.raw is not None else "no_response", problem=read.problem)


def shown_tools(tools: Sequence[dict[str, Any]]) -> list[Tool]:
    """Return the task's tools as Inspect offers them to a provider; nothing ever runs them."""
    from inspect_ai.tool import ToolDef, ToolParams

    made = []
    for tool in tools:
        function = tool["function"]
        parameters = ToolParams.model_validate(function.get("parameters") or {})
        name, description = function["name"], function.get("description") or function["name"]
        made.append(ToolDef(_never_run(), name=name, description=description, parameters=parameters).as_tool())
    return made


def not_shown(tools: Sequence[dict[str, Any]]) -> list[str]:
    """Return the words of JSON Schema in the task's tools for which Inspect has no place: `shown_tools` lacks them."""
    from inspect_ai.tool import ToolParams

    lost: set[str] = set()
    for tool in tools:
        schema = tool["function"].get("parameters") or {}
        kept = ToolParams.model_validate(schema).model_dump(exclude_none=True)
        lost |= _words(schema) - _words(kept)
    return sorted(lost)


def _words(schema: Any) -> set[str]:
    """Return the keys of a schema and of those in it; names of properties and what values hold are none."""
    if isinstance(schema, list):
        return set().union(*map(_words, schema))
    if not isinstance(schema, dict):
        return set()
    inner = [value for key, value in schema.items() if key not in _VALUES]
    properties = schema.get("properties")
    inner += [*properties.values()] if isinstance(properties, dict) else []
    return set(schema) | set().union(*map(_words, inner))


def _never_run() -> Callable[..., Any]:
    """Return a function of its own for each tool: Inspect writes the tool's name onto it."""

    async def never_run(**arguments: Any) -> str:
        raise NotImplementedError(f"the tools of the benchmark are only called, with {sorted(arguments)}")

    return never_run
