"""YAML files that people write: their values, and the line that each key stands on, for errors that point at it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any, get_args

from harness.data.formats.json_texts import cannot_hold, read_text
from harness.errors import DataError

Keys = tuple[str, ...]
Lines = Mapping[Keys, int]
"""Where each key stands, by the keys that lead to it, from 1."""


_LARGEST = 1 << 20
"""Characters: the parser takes a second or two for this many."""
_MOST_NODES = 100_000
"""Values, each alias counted as all that it stands for: nine lines of aliases can stand for a billion."""
_ERRORS = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What PyYAML raises of odd texts, beside its own."""


def read_yaml(text: str) -> Any:
    """Return the value of YAML; ValueError says in one line why it cannot be read."""
    import yaml

    try:
        loader, node = _parsed(text)
        return loader.construct_document(node) if node is not None else None
    except (*_ERRORS, yaml.YAMLError) as error:
        raise ValueError(_why_not(error)) from error


def _parsed(text: str) -> tuple[Any, Any]:
    """Return a loader and the root of the text's nodes, None for an empty one; ValueError for what takes too much."""
    if len(text) > _LARGEST:
        raise ValueError(f"it has more than {_LARGEST:,} characters; expected a text that people write")
    loader = _loader()(text)
    node = loader.get_single_node()
    if node is not None and _weight(node, {}) > _MOST_NODES:
        raise ValueError(f"it stands for more than {_MOST_NODES:,} values; write them without aliases (*)")
    return loader, node


@cache
def _loader() -> Any:
    """Return PyYAML's safe loader without numbers to the base 60, which take it hours, and without explicit tags."""
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_yaml_int(self, node: Any) -> Any:
            return node.value if ":" in node.value else super().construct_yaml_int(node)

        def construct_yaml_float(self, node: Any) -> Any:
            return node.value if ":" in node.value else super().construct_yaml_float(node)

        def compose_node(self, parent: Any, index: Any) -> Any:
            event = self.peek_event()  # type: ignore[no-untyped-call]
            if getattr(event, "tag", None) is not None:
                problem = f"the tag {event.tag!r} stands here; write the value alone"
                raise yaml.composer.ComposerError(None, None, problem, event.start_mark)
            return super().compose_node(parent, index)

    Loader.add_constructor("tag:yaml.org,2002:int", Loader.construct_yaml_int)
    Loader.add_constructor("tag:yaml.org,2002:float", Loader.construct_yaml_float)
    return Loader


def _weight(node: Any, known: dict[int, int]) -> int:
    """Return how many values a node stands for; RecursionError where it is part of itself."""
    if node.id == "scalar":
        return 1
    if id(node) in known:
        if not known[id(node)]:
            raise RecursionError
        return known[id(node)]
    known[id(node)] = 0
    parts = node.value if node.id == "sequence" else [part for pair in node.value for part in pair]
    known[id(node)] = 1 + sum(_weight(part, known) for part in parts)
    return known[id(node)]


def _why_not(error: Exception) -> str:
    return f"YAML {words}" if (words := cannot_hold(error)) else " ".join(str(error).split())


def read_mapping(path: Path, expected: str) -> tuple[dict[str, Any], Lines]:
    """Return the file's mapping, all keys as texts, and its lines; `expected` is an example of what it should hold.

    Raises DataError where the file cannot be read, is not a mapping, or has a key twice, which YAML itself lets pass.
    """
    import yaml

    try:
        loader, node = _parsed(read_text(path))
        lines: dict[Keys, int] = {}
        document = _value(loader, node, path, lines, ()) if node is not None else None
    except (OSError, *_ERRORS, yaml.YAMLError) as error:
        raise DataError(f"cannot read {path} ({_why_not(error)}); expected YAML, `{expected}`") from error
    if not isinstance(document, dict) or not document:
        raise DataError(f"{path} holds no mapping; expected YAML, `{expected}`")
    return document, lines


def _value(loader: Any, node: Any, path: Path, lines: dict[Keys, int], keys: Keys) -> Any:
    """Return a node's value, and put the lines of its keys into `lines`."""
    if node.id == "sequence":
        return [_value(loader, item, path, lines, (*keys, str(i))) for i, item in enumerate(node.value)]
    if node.id != "mapping":
        return loader.construct_object(node)
    found: dict[str, Any] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if key.id != "scalar" or key.value in found:
            problem = f"{key.value!r} stands here for the second time" if key.id == "scalar" else "a key is not text"
            raise DataError.at(path, line, f"{problem}; expected each name once")
        lines[(*keys, key.value)] = line
        found[key.value] = _value(loader, value, path, lines, (*keys, key.value))
    return found


_SHOULD = {
    **dict.fromkeys(("model_type", "dict_type", "model_attributes_type"), "a mapping"),
    **dict.fromkeys(("int_type", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "finite_number"), "a number"),
    **dict.fromkeys(("list_type", "tuple_type"), "a list"),
    "string_type": "a text",
    "string_too_short": "a text, not empty",
    "too_short": "a list of at least one",
}
"""Kind of pydantic's error -> what was expected, in words; for others pydantic's own are used."""


def read_model(path: Path, kind: Any, expected: str) -> tuple[Any, Lines]:
    """Return the file's mapping as a type of pydantic models that forbid unknown keys, and its lines.

    Raises DataError as `read_mapping` does, and with the line of what the type does not allow. What a field is for
    comes from its description (`use_attribute_docstrings`).
    """
    from pydantic import TypeAdapter, ValidationError

    document, lines = read_mapping(path, expected)
    try:
        return TypeAdapter(kind).validate_python(document), lines
    except ValidationError as error:
        found = error.errors()
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    keys = tuple(map(str, first["loc"]))
    known = next((keys[:end] for end in range(len(keys), 0, -1) if keys[:end] in lines), ())
    problem = _problem(kind, keys, found, first)
    if first["type"] == "missing" or _SHOULD.get(first["type"], "").startswith(("a mapping", "a text", "a list")):
        problem += f"; expected YAML, `{expected}`"
    raise DataError.at(path, lines[known], problem) if known else DataError(f"{path}: {problem}")


def _problem(kind: Any, keys: Keys, found: list[Any], first: Any) -> str:
    """Return in words what is wrong with the value at `keys`, and what it is for."""
    inside = keys if first["type"] not in ("missing", "extra_forbidden") else keys[:-1]
    purpose = None
    for key in inside:
        field = getattr(_model(kind), "model_fields", {}).get(key)
        kind, purpose = (field.annotation, field.description or purpose) if field else (_model(kind), purpose)
    place = ".".join(inside) or "the file"
    meant = f" ({purpose[0].lower()}{purpose[1:].rstrip('.')})" if purpose else ""
    if first["type"] == "extra_forbidden":
        return f"{place} has the unknown key {keys[-1]!r}; known are {', '.join(_model(kind).model_fields)}"
    if first["type"] == "missing":
        missing = [one["loc"][-1] for one in found if one["type"] == "missing" and one["loc"][:-1] == first["loc"][:-1]]
        return f"{place} has no {', no '.join(missing)}{meant}"
    should = _SHOULD.get(first["type"])
    words = f"should be {should}" if should else first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    # A number is shown; anything else may hold a password or a key, in whatever place it was put by mistake.
    got = f", got {first['input']!r:.80}" if isinstance(first["input"], int | float) else ""
    return f"{place} {words}{meant}{got}" if words.startswith("should") else f"{place}: {words}"


def _model(kind: Any) -> Any:
    """Return the model in an optional one, or in a mapping or sequence of models."""
    inner = [one for one in get_args(kind) if one not in (str, NoneType)]
    return _model(inner[0]) if inner else kind


def refuse_unknown(path: Path, lines: Lines, keys: Keys, entry: object, known: tuple[str, ...]) -> dict[str, Any]:
    """Return the mapping at `keys`; DataError where it is none, or has a key that is not known."""
    where = ".".join(keys)
    if not isinstance(entry, dict):
        raise DataError.at(path, lines[keys], f"{where} should be a mapping with {', '.join(known)}")
    for key in entry:
        if key not in known:
            problem = f"{where} has the unknown key {key!r}; known are {', '.join(known)}"
            raise DataError.at(path, lines[(*keys, key)], problem)
    return entry
