"""The folders of declarations, next to the package in a checkout and inside it in a wheel, and their templates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import UsageError

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

FolderName = Literal["datasets", "eval", "model_cards"]

_PACKAGE = Path(__file__).resolve().parent


def folder(name: FolderName) -> Path:
    """Return the absolute path of a folder of declarations.

    The wheel has the three folders under `harness/_resources`, which is checked first: next to an installed package
    is site-packages, where `datasets` is the library of that name. Raises UsageError if the folder is in neither place.
    """
    for candidate in (_PACKAGE / "_resources" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise UsageError(f"this installation has no folder {name}/ (looked beside {_PACKAGE}); install tft-harness again")


def templates(place: Path, *, finalize: Callable[[Any], Any] | None = None) -> ImmutableSandboxedEnvironment:
    """Return a sandboxed Jinja environment for the templates in `place`; an undefined variable is an error.

    For markup, `finalize` gets every printed value and escapes it unless it is `Markup` already. Without it, templates
    produce plain text.
    """
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(place),
        undefined=StrictUndefined,
        # Macros return Markup under autoescape, so that what they print is not escaped twice.
        autoescape=finalize is not None,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
