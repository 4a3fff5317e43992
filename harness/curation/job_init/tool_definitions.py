"""The tools of a task from its traces: as they were defined there, else inferred from the calls, and which is which."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.curation.job_init.value_shapes import ValueShape
from harness.data.formats.task import row_tools
from harness.data.pipeline_records import TraceRow
from harness.data.records import Conversation, ToolCall
from harness.data.tools import function_of
from harness.errors import DataError

DRAFT_TOOL = "Draft, inferred from"
"""How the description of an inferred tool begins."""
_MOST_NAMES, _MOST_VERSIONS = 2_000, 200
"""Tools, and versions of one tool, that are kept apart; what lies beyond is counted."""
_SAME_VALUE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else")
"""Keys whose schemas look at the same value again, and not at a part of it."""


@dataclass(slots=True)
class _Version:
    """One wording of a tool's definition."""

    definition: dict[str, Any]
    seen: int = 0
    latest: str = ""
    """Time of the last trace that had it, empty where traces have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTool:
    """A tool of the task, and what it was made from."""

    name: str
    definition: dict[str, Any]
    """`{"type": "function", "function": {...}}`."""
    inferred: bool
    """Whether it was made from calls, since no trace defines it in a way that can be used."""
    calls: int
    defined: int = 0
    """Rows of the export that define it."""
    versions: int = 0
    """Definitions that differ, of which one was taken: the latest, or without times the most frequent."""
    chosen: str = ""
    """Why that one, where there are several."""
    unusable: str = ""
    """Why a definition was not taken."""
    arguments: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of an inferred tool: argument -> `seen`, `types` and `values`, each with how often."""


class ToolTally:
    """What traces say of tools, counted row by row."""

    def __init__(self) -> None:
        self._versions: dict[str, dict[str, _Version]] = {}
        self._calls: dict[str, ValueShape] = {}
        self.overlooked = 0
        """Definitions and calls beyond the number of tools that are kept apart."""
        self.rows_with_tools = 0
        self._last: tuple[Any, list[tuple[str, str, dict[str, Any]]]] = (None, [])

    def add_definitions(self, row: TraceRow) -> None:
        """Count the definitions of a row."""
        defined = self._definitions(row.columns)
        self.rows_with_tools += bool(defined)
        time = row.columns.get("time")
        for name, digest, definition in defined:
            versions = self._versions.get(name)
            if versions is None and len(self._versions) < _MOST_NAMES:
                versions = self._versions.setdefault(name, {})
            if versions is None or (digest not in versions and len(versions) >= _MOST_VERSIONS):
                self.overlooked += 1
                continue
            one = versions.setdefault(digest, _Version(definition))
            one.seen += 1
            one.latest = max(one.latest, time if isinstance(time, str) else "")

    def add_calls(self, conversation: Conversation) -> None:
        """Count the calls of a conversation."""
        for message in conversation.messages:
            for call in message.tool_calls:
                self._add_call(call)

    def _definitions(self, columns: Mapping[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
        """Return name, hash and definition of each tool of a row; most rows have those of the row before."""
        if columns.get("tools") != self._last[0]:
            self._last = (columns.get("tools"), list(_defined(row_tools(columns))))
        return self._last[1]

    def _add_call(self, call: ToolCall) -> None:
        shape = self._calls.get(call.name)
        if shape is None and call.name and len(self._calls) < _MOST_NAMES:
            shape = self._calls.setdefault(call.name, ValueShape())
        if shape is None:
            self.overlooked += 1
        else:
            shape.add(call.arguments)

    def tools(self) -> list[FoundTool]:
        """Return the tools: those that traces define, most often defined first, then those that are only called."""
        by_use = sorted(self._versions, key=lambda name: -sum(one.seen for one in self._versions[name].values()))
        defined = [found for name in by_use if (found := self._defined_tool(name))]
        names = {one.name for one in defined}
        called = sorted(self._calls, key=lambda name: -self._calls[name].seen)
        return [*defined, *(self._inferred_tool(name) for name in called if name not in names)]

    def _defined_tool(self, name: str) -> FoundTool | None:
        """Return the tool by its definition, None where none of them can be used and calls have to say what it is."""
        versions = list(self._versions[name].values())
        usable = [one for one in versions if not why_unusable(one.definition)]
        unusable = next(filter(None, (why_unusable(one.definition) for one in versions)), "")
        if not usable and name in self._calls:
            return None
        timed = all(one.latest for one in usable)
        best = max(usable, key=lambda one: (one.latest if timed else "", one.seen), default=None)
        seen = sum(one.seen for one in versions)
        definition = best.definition if best else _function(name, "", {"type": "object", "properties": {}})
        chosen = ""
        if best and len(usable) > 1:
            chosen = f"the latest, of {best.latest}" if timed else f"the most frequent, in {best.seen:,} of {seen:,}"
        return FoundTool(
            name=name,
            definition=definition,
            inferred=best is None,
            calls=self._calls[name].seen if name in self._calls else 0,
            defined=seen,
            versions=len(usable),
            chosen=chosen,
            unusable=unusable,
        )

    def _inferred_tool(self, name: str) -> FoundTool:
        shape = self._calls[name]
        draft = f"{DRAFT_TOOL} {shape.seen:,} calls in the traces; say here what {name} does."
        versions = self._versions.get(name, {}).values()
        return FoundTool(
            name=name,
            definition=_function(name, draft, {"type": "object", **shape.members_schema()}),
            inferred=True,
            calls=shape.seen,
            defined=sum(one.seen for one in versions),
            unusable=next((why_unusable(one.definition) for one in versions), ""),
            arguments={
                key: {"seen": one.seen, "types": dict(one.types), "values": one.choices}
                for key, one in shape.members.items()
            },
        )


def as_given(tools: Iterable[Mapping[str, Any]], found: Iterable[FoundTool]) -> Iterator[FoundTool]:
    """Yield the tools that a person gave, each with how often traces call it; DataError for one that cannot be used."""
    calls = {one.name: one.calls for one in found}
    for name, _, definition in _defined(tools):
        if why := why_unusable(definition):
            raise DataError(f"the tool {name} that was given cannot be used, {why}; correct its definition")
        yield FoundTool(name=name, definition=definition, inferred=False, calls=calls.get(name, 0), chosen="as given")


def _defined(tools: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for tool in tools:
        function = function_of(tool)
        if function is None or not function["name"]:
            continue
        text = json.dumps(function, sort_keys=True, ensure_ascii=False)
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        yield function["name"], digest, {"type": "function", "function": dict(function)}


def _function(name: str, description: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def why_unusable(definition: Mapping[str, Any]) -> str:
    """Return why calls cannot be checked against a definition, in words; empty where they can."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    parameters = (function_of(definition) or {}).get("parameters")
    if parameters is None:
        return ""
    if not isinstance(parameters, Mapping):
        return "its parameters are no JSON schema"
    away = next((ref for ref in _references(parameters) if _place(ref, parameters) is None), None)
    if away is not None:
        return f"its parameters refer to {away!r:.200}, which is not in them"
    try:
        Draft202012Validator.check_schema(parameters)
        Draft202012Validator(parameters).is_valid({})
        if _circles(parameters):
            raise RecursionError
    except SchemaError as error:
        return f"its parameters are no JSON schema: {error.message[:200]}"
    except RecursionError:
        return "its parameters refer to themselves without end, or are nested too deeply to be read"
    return ""


def _references(schema: Any) -> Iterator[Any]:
    stack = [schema]
    while stack:
        value = stack.pop()
        if isinstance(value, Mapping):
            for key, one in value.items():
                if key in ("$ref", "$dynamicRef") and isinstance(one, str):
                    yield one
                else:
                    stack.append(one)
        elif isinstance(value, list):
            stack += value


def _circles(root: Mapping[str, Any]) -> bool:
    """Return whether a value is checked by some place in a schema that leads back to itself with the same value."""
    open_: set[int] = set()
    done: set[int] = set()

    def leads_back(schema: Any) -> bool:
        if not isinstance(schema, Mapping) or id(schema) in done:
            return False
        if id(schema) in open_:
            return True
        open_.add(id(schema))
        same = [schema[key] for key in _SAME_VALUE if key in schema]
        same += [_place(schema[key], root) for key in ("$ref", "$dynamicRef") if isinstance(schema.get(key), str)]
        found = any(leads_back(one) for each in same for one in (each if isinstance(each, list) else [each]))
        open_.discard(id(schema))
        done.add(id(schema))
        return found

    return any(leads_back(_place(reference, root)) for reference in _references(root))


def _place(reference: str, schema: Any) -> Mapping[str, Any] | bool | None:
    """Return the place in the schema that a reference points at, None for any other: nothing is ever fetched."""
    if not reference.startswith("#") or (reference != "#" and not reference.startswith("#/")):
        return None
    for part in filter(None, reference[1:].split("/")):
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(schema, list) and name.isdecimal() and int(name) < len(schema):
            schema = schema[int(name)]
        elif isinstance(schema, Mapping) and name in schema:
            schema = schema[name]
        else:
            return None
    return schema if isinstance(schema, Mapping | bool) else None
