"""Where the folders beside the package are: in a checkout next to it, in an installed wheel inside it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from harness.errors import UsageError

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
