"""Model names: `backend:id[@revision]`, and which backends there are."""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.errors import UsageError
from harness.hub.artifact import split_revision

DEFAULT_BACKEND = "vllm"


@cache
def known_backends() -> tuple[str, ...]:
    """Return what may stand before the colon: each backend, found by listing their folder, and `rules` for roles."""
    folder = Path(__file__).parent / "backends"
    found = sorted(module.name for module in pkgutil.iter_modules([str(folder)]))
    return (*(name for name in found if not name.startswith("_")), "rules")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelName:
    """A model as named on the command line: `backend:id[@revision]`; a bare id means `vllm:`."""

    backend: str
    id: str
    revision: str | None = None

    @property
    def repository(self) -> str | None:
        """Return its repository on the Hub; None for a model behind an endpoint, rules, or recorded answers."""
        return self.id if self.backend == DEFAULT_BACKEND else None

    @classmethod
    def parse(cls, text: str) -> ModelName:
        """Return the parsed name; UsageError for an unknown backend or an empty id."""
        backend, colon, rest = text.partition(":")
        known = known_backends()
        if not colon or backend not in known:
            if colon and "/" not in backend:
                raise UsageError(f"unknown backend {backend!r} in {text!r}; expected one of {', '.join(known)}")
            backend, rest = DEFAULT_BACKEND, text
        identifier, revision = split_revision(rest) if backend == DEFAULT_BACKEND else (rest, None)
        if not identifier:
            raise UsageError(f"no model id in {text!r}; expected backend:id, for example vllm:Qwen/Qwen3-1.7B")
        return cls(backend=backend, id=identifier, revision=revision)

    @property
    def public(self) -> str:
        """Return the name as it may be published: of a local file only its file name."""
        return f"{self.backend}:{Path(self.id).name}" if self.backend == "replay" else str(self)

    def __str__(self) -> str:
        return f"{self.backend}:{self.id}" + (f"@{self.revision}" if self.revision else "")
