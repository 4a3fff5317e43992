"""YAML files that people write: their values, and the line that each key stands on, for errors that point at it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.data.formats.json_texts import cannot_hold, read_text
from harness.errors import DataError

Keys = tuple[str, ...]
Lines = Mapping[Keys, int]
"""Where each key stands, by the keys that lead to it, from 1."""


def read_yaml(text: str) -> Any:
    """Return the value of YAML; ValueError says in one line why it cannot be read."""
    import yaml

    try:
        return yaml.safe_load(text)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise ValueError(_why_not(error)) from error


def _why_not(error: Exception) -> str:
    return f"YAML {words}" if (words := cannot_hold(error)) else " ".join(str(error).split())


def read_mapping(path: Path, expected: str) -> tuple[dict[str, Any], Lines]:
    """Return the file's mapping, all keys as texts, and its lines; `expected` is an example of what it should hold.

    Raises DataError where the file cannot be read, is no mapping, or has a key twice, which YAML itself lets pass.
    """
    import yaml

    try:
        loader = yaml.SafeLoader(read_text(path))
        node = loader.get_single_node()
        lines: dict[Keys, int] = {}
        document = _value(loader, node, path, lines, ()) if node is not None else None
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
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
            problem = f"{key.value!r} stands here for the second time" if key.id == "scalar" else "a key is no text"
            raise DataError.at(path, line, f"{problem}; expected each name once")
        lines[(*keys, key.value)] = line
        found[key.value] = _value(loader, value, path, lines, (*keys, key.value))
    return found


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
