"""What a packed file may unfold to: far more than honest ones do, and nothing that fills memory or a day."""

from __future__ import annotations

from pathlib import Path

_ANY = 64 << 20
_TIMES = 200
"""Logs repeat themselves: what an agent was told is in every call of its model. Packed well, they shrink to a
fiftieth."""


def allowance(path: Path) -> int:
    """Return how many bytes of rows a packed file may hold, by its size."""
    return _ANY + _TIMES * path.stat().st_size
