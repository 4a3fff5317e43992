"""Training examples: token ids, and which of them carry loss."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One sequence to learn from."""

    input_ids: tuple[int, ...]
    turns: tuple[tuple[int, int], ...]
    """Spans [start, end) of the tokens that carry loss, one for each learned turn, its end token included."""
    source: str
    """The conversation, or `conversation:turn`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """What a dataset gives, and what it does not."""

    items: tuple[Example, ...]
    skipped: dict[str, int]
    """Reason -> number of conversations or turns; the reason says which."""
