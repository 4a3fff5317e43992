"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def sources() -> Path:
    """The folder of real input files; tests that need it are skipped without TFT_SOURCES."""
    folder = os.environ.get("TFT_SOURCES")
    if not folder:
        pytest.skip("needs the source files: set TFT_SOURCES, see `tft sources fetch`")
    return (ROOT / folder).resolve()
