"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """Connecting to a Hub sets variables that others read: no test sees those of another one, or of its fixtures."""
    before = dict(os.environ)
    try:
        return (yield)
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="session")
def sources() -> Path:
    """The folder of real input files; tests that need it are skipped without TFT_SOURCES."""
    folder = os.environ.get("TFT_SOURCES")
    if not folder:
        pytest.skip("needs the source files: set TFT_SOURCES, see `tft sources fetch`")
    return (ROOT / folder).resolve()
