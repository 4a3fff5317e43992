"""The folders beside the package, in a checkout next to it, in an installed wheel inside it; and their templates."""

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

    The wheel carries the three folders under `harness/_resources`. That place is looked at first: next to
    an installed package lies site-packages, where `datasets` is the library of that name.
    Raises UsageError where neither place has the folder.
    """
    for candidate in (_PACKAGE / "_resources" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise UsageError(f"this installation has no folder {name}/ (looked beside {_PACKAGE}); install tft-harness again")


def templates(place: Path, *, finalize: Callable[[Any], Any] | None = None) -> ImmutableSandboxedEnvironment:
    """Return the sandboxed environment over the templates in `place`; an unknown name in one is an error.

    Where templates make markup, `finalize` gets every value that they print and escapes what is no `Markup` yet.
    Without it they make plain text.
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
