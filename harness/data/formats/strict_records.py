"""Frozen records that refuse unknown keys: the base of pydantic models, and dataclasses from JSON values."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict


class FrozenModel(BaseModel):
    """A pydantic model that is frozen, and for which an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _load(expected: Any, value: Any, where: str) -> Any:
    """Return `value` as the type `expected`, an annotation of a record; `where` is the path for messages."""
    origin, inner = get_origin(expected), get_args(expected)
    if expected is Any:
        return value
    if origin in (Union, types.UnionType):
        return None if value is None else _load(next(one for one in inner if one is not type(None)), value, where)
    if origin in (dict, tuple):
        return _load_collection(origin, inner, value, where)
    if origin is Literal:
        _require(value in inner, where, f"one of {', '.join(inner)}", value)
        return value
    if dataclasses.is_dataclass(expected):
        return load_record(expected, value, where)
    return _load_plain(expected, value, where)


def _load_plain(expected: Any, value: Any, where: str) -> Any:
    if expected is float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        _require(number and math.isfinite(value), where, "a finite number", value)
        return value
    exact = isinstance(value, expected) and (expected is bool or not isinstance(value, bool))
    _require(exact, where, {int: "a whole number", str: "text"}.get(expected, expected.__name__), value)
    return value


def _load_collection(origin: Any, inner: tuple[Any, ...], value: Any, where: str) -> Any:
    if origin is tuple:
        _require(isinstance(value, list | tuple), where, "a list", value)
        return tuple(_load(inner[0], item, f"{where}[{place}]") for place, item in enumerate(value))
    _require(isinstance(value, Mapping), where, "an object", value)
    return {key: _load(inner[1], item, f"{where}.{key}") for key, item in value.items()}


def load_record(record: Any, value: Any, where: str) -> Any:
    """Return the dataclass `record` from JSON values; ValueError names the first missing, unknown or mistyped key."""
    _require(isinstance(value, Mapping), where, "an object", value)
    hints = get_type_hints(record)
    fields = dataclasses.fields(record)
    names = [field.name for field in fields]
    # What has a default came later than the first reports: older ones are read without it.
    needed = [field.name for field in fields if field.default is field.default_factory is dataclasses.MISSING]
    missing = [name for name in needed if name not in value]
    unknown = [key for key in value if key not in names]
    if missing or unknown:
        problem = f"has no {missing[0]!r}" if missing else f"has an unknown key {unknown[0]!r}"
        raise ValueError(f"{where} {problem}; its keys are {', '.join(names)}")
    return record(**{name: _load(hints[name], value[name], f"{where}.{name}") for name in names if name in value})


def _require(holds: bool, where: str, expected: str, value: Any) -> None:
    if not holds:
        raise ValueError(f"{where} should be {expected}, got {value!r:.80}")
