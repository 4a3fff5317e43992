"""Keeps the logs and bars of the training libraries off the terminal."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_LOUD = ("transformers", "trl", "peft", "accelerate")


@contextmanager
def quiet() -> Iterator[None]:
    """Show errors of the libraries only, and no bars of theirs."""
    from transformers.utils import logging as transformers_logging

    levels = {name: logging.getLogger(name).level for name in _LOUD}
    bars = transformers_logging.is_progress_bar_enabled()
    try:
        for name in _LOUD:
            logging.getLogger(name).setLevel(logging.ERROR)
        transformers_logging.disable_progress_bar()
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        if bars:
            transformers_logging.enable_progress_bar()
