"""The attributes of a span in any form: flat or nested, as OTLP types them, with numbers in their names, as events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from operator import itemgetter
from typing import Any

from harness.data.formats.json_texts import json_value
from harness.data.traces.span_names import LISTED, NAMES

_DEEPEST = 16
"""Dots of an attribute's name that are looked at: the longest known one has nine."""
_VALUES = ("boolValue", "doubleValue", "bytesValue")
_EVENT_ROLES = {f"gen_ai.{role}.message": role for role in ("system", "user", "assistant", "tool")}


class Attributes:
    """The attributes of a span, found by name, whether names have dots or stand for objects in objects."""

    __slots__ = ("_flat", "_listed", "_root", "_there")

    def __init__(self, flat: Mapping[str, Any]) -> None:
        self._flat, self._listed = _by_number(flat)
        self._there = _may_be_in((*self._flat, *self._listed))
        self._root: Mapping[str, Any] | None = None

    def get(self, name: str) -> Any:
        """Return what stands under a name, in objects that may be JSON texts; None where that is nothing."""
        if value := self._flat.get(name):
            return _lists(value) if isinstance(value, _Node) else value
        if name in self._listed:
            return [one for _, one in sorted(self._listed[name], key=itemgetter(0))]
        if self._root is None:
            self._root = nested(self._flat)
        return _at(self._root, name) or None

    def first(self, names: Iterable[str]) -> Any:
        """Return the first thing that stands under one of the names, of those in `span_names.py`."""
        for name in names:
            if name in self._there and (found := self.get(name)):
                return found
        return None


@lru_cache(1 << 10)
def _may_be_in(keys: tuple[str, ...]) -> frozenset[str]:
    """Return the known names under which something may stand: a key, part of a key, or in what a key holds."""
    return frozenset(
        name
        for name in NAMES
        if any(name == key or name.startswith(f"{key}.") or key.startswith(f"{name}.") for key in keys)
    )


class _Node(dict[str, Any]):
    """An object that the dots of names made, not one that was a value."""


def _by_number(flat: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, list[tuple[int, Any]]]]:
    """Return attributes without those of numbered messages and tools (`gen_ai.prompt.0.content`), and these as lists.

    Their fields keep their dots: most of a file may be such names, and few messages are read.
    """
    plain: dict[str, Any] = {}
    found: dict[tuple[str, int] | None, dict[str, Any]] = {None: plain}
    last, fields = None, plain
    for name, value in flat.items():
        holder, field = _numbered(name)
        if holder is not last:
            last, fields = holder, found.setdefault(holder, {})
        fields[field] = value
    listed: dict[str, list[tuple[int, Any]]] = {}
    for holder, fields in found.items():
        if holder:
            whole = fields.pop("", None)  # a message that is one attribute
            listed.setdefault(holder[0], []).append((holder[1], fields or whole))
    return plain, listed


@lru_cache(1 << 16)
def _numbered(name: str) -> tuple[tuple[str, int] | None, str]:
    """Return what is numbered with the number, and the rest of a name; None and the name for any other."""
    of = next((of for of in LISTED if name.startswith(f"{of}.")), None)
    if of is None:
        return None, name
    number, _, field = name[len(of) + 1 :].partition(".")
    return (_holder(of, int(number)), field) if number.isdecimal() and len(number) < 10 else (None, name)


@lru_cache(1 << 14)
def _holder(of: str, number: int) -> tuple[str, int]:
    """Return both, as the same object each time, which is quickly compared."""
    return of, number


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


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object whose names with dots have become objects in objects; values stay as they are."""
    root = _Node()
    _put(root, flat)
    return root


def undotted(flat: Mapping[str, Any]) -> Any:
    """Return the same with lists in the place of objects whose names are numbers."""
    return _lists(nested(flat))


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
        with suppress(LookupError, TypeError, AttributeError):  # as OTLP is, quickly
            return {str(one["key"]): one["value"].get("stringValue") or _typed(one["value"]) for one in value}
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
