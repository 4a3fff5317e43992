"""What decided about a stage's result, in words: models with their revisions and prompts, then the other settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.hub.artifact import parse_input
from harness.hub.lineage import LineageRecord

HASH = 12
"""Digits of a hash that are shown."""
_MODELS = ("teacher", "committee", "arbiter", "judges")
_LONG = 60


def models(record: LineageRecord) -> Iterator[tuple[str, str]]:
    """Yield (role, model in words) for each model that the stage has asked; a judge is recorded beside the settings."""
    for role in _MODELS:
        value = record.lineage.config.get(role) or record.lineage.extra.get(role)
        if isinstance(value, Mapping) and role == "judges":
            for name, settings in value.items():
                yield "judge", _model({"name": name, **(settings if isinstance(settings, Mapping) else {})})
        elif isinstance(value, Mapping):
            yield role, _model(value)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            for number, one in enumerate(value, start=1):
                if isinstance(one, Mapping):
                    yield f"member {number}", _model(one)


def settings(record: LineageRecord) -> list[str]:
    """Return what is set of a stage in words, `key value` each, in order; models are not among it."""
    config = {**record.lineage.config}
    if record.lineage.seed is not None:
        config["seed"] = record.lineage.seed
    return [f"{key} {in_words(value)}" for key, value in config.items() if key not in _MODELS and value is not None]


def short(text: str) -> str:
    """Return an input's name with its hash cut: `repo@commit`, `file@sha256:<hex>`."""
    found = parse_input(text)
    return found.short if found else text


def _model(settings: Mapping[str, Any]) -> str:
    """Return a model's name, and in brackets what it was: its commit, its prompt, and how it was asked."""
    rest = {key: value for key, value in settings.items() if key != "name" and value not in (None, [], {})}
    said = ", ".join(f"{_words(key)} {in_words(value)}" for key, value in rest.items())
    return f"{settings.get('name', 'a model without a name')}" + (f" ({said})" if said else "")


def _words(key: str) -> str:
    return key.removesuffix("_sha256")


def in_words(value: Any) -> str:
    """Return the value of a setting in a few words, hashes cut."""
    if isinstance(value, str):
        is_hash = len(value) in (40, 64) and not set(value) - set("0123456789abcdef")
        return value[:HASH] if is_hash else _cut(value)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key} {in_words(one)}" for key, one in value.items())
        return f"({_cut(inner)})"
    if isinstance(value, Sequence):
        plain = all(isinstance(one, str | int | float) for one in value)
        return _cut(", ".join(map(str, value)) or "none") if plain else f"({len(value)} entries)"
    return json.dumps(value) if isinstance(value, bool | None) else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"
