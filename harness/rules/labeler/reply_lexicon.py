"""Phrases of our own, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from harness.errors import DataError
from harness.resources import folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """The data of `eval/labeler/phrases.yaml`."""

    replies: Mapping[str, str]
    pair: str
    join: str
    others: frozenset[str]
    ends: frozenset[str]
    corrections: frozenset[str]


@cache
def phrases() -> Phrases:
    """Return the phrases. DataError where the file lacks something."""
    import yaml

    path = folder("eval") / "labeler" / "phrases.yaml"
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        return Phrases(
            replies=data["replies"],
            pair=data["facts"]["pair"],
            join=data["facts"]["join"],
            others=frozenset(data["users"]["others"]),
            ends=frozenset(data["users"]["ends"]),
            corrections=frozenset(data["users"]["corrections"]),
        )
    except (KeyError, TypeError) as error:
        raise DataError(f"{path} lacks {error}; restore it from the repository") from error
