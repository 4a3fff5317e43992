"""What a span says, whichever tool wrote it: its attributes in any form, found by the names in `span_names.py`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from harness.data.formats.exchanges import exchange, listed_messages
from harness.data.formats.json_texts import decoded, json_value
from harness.data.formats.reading_notes import ReadingNotes
from harness.data.records import Message
from harness.data.traces.parted_messages import parted_messages
from harness.data.traces.span_names import AGENTS, COLUMNS, CONVERSATIONS, FAMILIES, KINDS, MODELS, NAMES

_DEEPEST = 16
"""Dots of an attribute's name that are looked at: the longest known one has nine."""
_JSON = re.compile(r'\s*[\[{]\s*["\[{]')
_VALUES = ("boolValue", "doubleValue", "bytesValue")
_EVENT_ROLES = {f"gen_ai.{role}.message": role for role in ("system", "user", "assistant", "tool")}


class Attributes:
    """The attributes of a span, found by name, whether names have dots or stand for objects in objects."""

    __slots__ = ("_flat", "_root")

    def __init__(self, flat: Mapping[str, Any]) -> None:
        self._flat = flat
        self._root: Mapping[str, Any] | None = None

    def get(self, name: str) -> Any:
        """Return what stands under a name, in objects that may be JSON texts; None where that is nothing."""
        if value := self._flat.get(name):
            return _lists(value) if isinstance(value, _Node) else value
        if self._root is None:
            self._root = nested(self._flat) if _lead_inside(tuple(self._flat)) else {}
        return (_at(self._root, name) or None) if self._root else None

    def first(self, names: Iterable[str]) -> Any:
        """Return the first thing that stands under one of the names."""
        for name in names:
            if found := self.get(name):
                return found
        return None


@lru_cache(1 << 10)
def _lead_inside(keys: tuple[str, ...]) -> bool:
    """Return whether a known name may stand in what one of the keys holds, or a key in what a name does."""
    return any(name.startswith(f"{key}.") or key.startswith(f"{name}.") for name in NAMES for key in keys)


class _Node(dict[str, Any]):
    """An object that the dots of names made, not one that was a value."""


def attributes(span: Mapping[str, Any]) -> Attributes:
    """Return the attributes of a span, with those of its events that hold messages."""
    if "run_type" in span:
        run = {key: span[key] for key in ("run_type", "inputs", "outputs", "extra") if key in span}
        return Attributes(run)
    flat = _flat(span.get("attributes", span.get("tags")))
    if not span.get("events"):
        return Attributes(flat)
    flat = dict(flat)
    asked: list[dict[str, Any]] = []
    answered: list[dict[str, Any]] = []
    for event in objects(span.get("events")):
        name, of_event = str(event.get("name") or event.get("event_name")), _flat(event.get("attributes"))
        if name in _EVENT_ROLES:
            asked.append({"role": _EVENT_ROLES[name], **_event(of_event)})
        elif name == "gen_ai.choice":
            answered.append(_event(of_event))
        elif name.startswith("gen_ai."):
            flat |= of_event
    found = Attributes(flat)
    if (asked or answered) and not found.get("gen_ai.input.messages"):
        return Attributes(flat | {"gen_ai.input.messages": asked, "gen_ai.output.messages": answered})
    return found


def _event(held: Mapping[str, Any]) -> dict[str, Any]:
    said = {key: one for key, one in held.items() if not key.startswith(("gen_ai.", "event."))}
    return {key: one if key == "content" else json_value(one) for key, one in said.items()}


def kind_of(root: Attributes) -> str | None:
    """Return what a span is of, in lower case, by any family's name for it."""
    found = root.first(KINDS)
    return found.strip('"').lower() if isinstance(found, str) else None


def conversation_of(root: Attributes) -> str:
    """Return the id of the conversation that a span names, empty where it names none."""
    found = root.first(CONVERSATIONS)
    return str(found) if isinstance(found, str | int) else ""


def is_agent(kind: str | None) -> bool:
    """Whether a span is that of an agent, which may say what its models' spans say in parts."""
    return kind in AGENTS


def sides(root: Attributes, kind: str | None) -> tuple[Any, Any] | None:
    """Return what a model, or an agent, was sent and what it sent back, as logged; None for other spans."""
    for family in FAMILIES:
        if kind not in MODELS and not (family.own and (kind is None or kind in AGENTS)):
            continue
        asks, answers = root.first(family.input), root.first(family.output)
        if asks or answers:
            return asks, answers
    return None


def conversation(root: Attributes, notes: ReadingNotes) -> tuple[Message, ...]:
    """Return what a model, or an agent, was sent, and behind it what it sent back; nothing for other spans.

    Raises ValueError for what cannot be read: an unknown form, JSON that is cut off, an answer to nothing.
    """
    asks, answers = sides(root, kind_of(root)) or (None, None)
    asks, answers = _loaded(asks, "user"), _loaded(answers, "model")
    before, after = parted_messages(asks), parted_messages(answers)
    if before and after:
        return after if after[: len(before)] == before else before + after
    asked, answered = _messages(asks, "user", notes), _messages(_answer_of_ai_sdk(answers), "assistant", notes)
    if not asked and answered:
        raise ValueError("the span has an answer and nothing that was asked; expected the messages that were sent")
    return exchange(asked, answered, notes)


def columns(root: Attributes) -> dict[str, Any]:
    """Return what a span says of tools, instructions, model and user, as it was logged."""
    found = {column: root.first(names) for column, names in COLUMNS.items()}
    return {**found, "tools": tools_of(root), "session_id": conversation_of(root)}


def tools_of(root: Attributes) -> list[Any]:
    """Return the definitions of the tools that a model was given, as they were logged."""
    names = (family.tools for family in FAMILIES)
    found = next((json_value(one) for one in (root.first(name) for name in names) if one), None)
    return [*map(_tool, found)] if isinstance(found, list) else []


def _tool(value: Any) -> Any:
    inner = _undotted(json_value(value), "tool")
    return json_value(inner["json_schema"]) if isinstance(inner, Mapping) and "json_schema" in inner else inner


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object whose names with dots have become objects in objects; values stay as they are."""
    root = _Node()
    _put(root, flat)
    return root


def _put(root: dict[str, Any], flat: Mapping[str, Any]) -> None:
    for name, value in flat.items():
        *path, last = str(name).split(".", _DEEPEST)
        node = root
        for part in path:
            inner = node.get(part)
            if not isinstance(inner, _Node):
                inner = node[part] = _Node(inner if isinstance(inner, dict) else {})
            node = inner
        if not isinstance(node.get(last), _Node):
            node[last] = value
        elif isinstance(value, dict):
            node[last] |= value


def _lists(value: Any) -> Any:
    """Return a value with the objects that dots made, and whose names are numbers, as lists."""
    if not isinstance(value, _Node):
        return value
    if value and all(name.isdecimal() and len(name) < 10 for name in value):
        return [_lists(value[name]) for name in sorted(value, key=int)]
    return {name: _lists(one) for name, one in value.items()}


@lru_cache(1 << 10)
def _path(name: str) -> tuple[str, ...]:
    return tuple(name.split("."))


def _at(root: Mapping[str, Any], name: str) -> Any:
    """Return what stands under a name, in objects that may be JSON texts; None where nothing does."""
    found: Any = root
    for part in _path(name):
        if not isinstance(found, dict):
            found = json_value(found)
            if not isinstance(found, Mapping):
                return None
        if (found := found.get(part)) is None:
            return None
    return _lists(found)


def _flat(value: Any) -> Mapping[str, Any]:
    """Return attributes as an object: OTLP writes them as a list of keys and values."""
    value = json_value(value)
    if isinstance(value, list):
        return {str(one.get("key")): _typed(one.get("value")) for one in objects(value)}
    return value if isinstance(value, Mapping) else {}


def _typed(value: Any) -> Any:
    """Return the value that OTLP wraps with its type."""
    if not isinstance(value, dict):
        return value
    if (text := value.get("stringValue")) is not None:
        return text
    if "arrayValue" in value:
        return [_typed(one) for one in _held(value["arrayValue"])]
    if "kvlistValue" in value:
        return _flat(_held(value["kvlistValue"]))
    if "intValue" in value:
        number = str(value["intValue"])
        return int(number) if len(number) < 30 and number.lstrip("-").isdecimal() else number
    return next((value[key] for key in _VALUES if key in value), None)


def _held(value: Any) -> list[Any]:
    values = value.get("values") if isinstance(value, Mapping) else None
    return values if isinstance(values, list) else []


def objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a list; it and they may be JSON texts."""
    value = json_value(value)
    for one in value if isinstance(value, list) else ():
        if isinstance(one, dict):  # the usual case, quickly
            yield one
        elif isinstance(found := json_value(one), Mapping):
            yield found


def _loaded(value: Any, side: str) -> Any:
    """Return what a side holds, decoded where it is JSON; ValueError where that is cut off."""
    return (
        decoded(value, f"what the {side}'s side holds is") if isinstance(value, str) and _JSON.match(value) else value
    )


def _messages(value: Any, role: str, notes: ReadingNotes) -> list[Any]:
    if isinstance(value, list):
        value = [_undotted(one, "message") for one in value]
    return [_message(one) for one in listed_messages(value, role, any_object=False, notes=notes)]


def _answer_of_ai_sdk(value: Any) -> Any:
    """Return what the AI SDK has under several names as one message; any other value as it is."""
    if not isinstance(value, Mapping):
        return value
    own = {"text", "toolCalls"} & value.keys() or isinstance(json_value(value.get("object")), Mapping | list)
    if not own or {"role", "choices", "output", "candidates", "content"} & value.keys():  # an API names its own kind
        return value
    text = value.get("text") or value.get("object")
    calls = [{"type": "tool-call", **call} for call in objects(value.get("toolCalls"))]
    return {"role": "assistant", "content": [*([{"type": "text", "text": text}] if text else []), *calls]}


def _message(value: Any) -> Any:
    """Return a message without what OpenInference wraps its parts with, its content decoded where it is JSON."""
    if not isinstance(value, Mapping):
        return value
    out = dict(value)
    contents = [_undotted(one, "message_content") for one in objects(out.pop("contents", None))]
    if contents:
        out["content"] = contents
    calls = out.get("tool_calls")
    if isinstance(calls, list):
        out["tool_calls"] = [_undotted(one, "tool_call") for one in calls]
    content = out.get("content")
    blocks = json_value(content) if isinstance(content, str) and out.get("role") != "tool" else None
    if isinstance(blocks, list) and blocks and all(isinstance(one, Mapping) and "type" in one for one in blocks):
        out["content"] = blocks
    return out


def _undotted(value: Any, wrapper: str) -> Any:
    """Return what OpenInference wraps in an object of one name, be it nested or with dots."""
    if not isinstance(value, Mapping):
        return value
    if any(str(name).startswith(f"{wrapper}.") for name in value):
        value = _lists(nested(value))
    inner = value.get(wrapper)
    return inner if isinstance(inner, Mapping) else value
