"""The schemas of Every Eval Ever, in the package's wheel: the package itself needs other versions of what we need."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

WHEELS = Path(__file__).resolve().parents[2] / "wheels"


def schema(name: str) -> dict[str, Any]:
    """Return the schema `eval` or `instance_level_eval`; without the wheel, the test is skipped."""
    wheels = sorted(WHEELS.glob("every_eval_ever-*.whl"))
    if not wheels:
        pytest.skip("needs the wheel of every-eval-ever in the folder wheels, see CONTRIBUTING.md")
    found: dict[str, Any] = json.loads(zipfile.ZipFile(wheels[-1]).read(f"every_eval_ever/schemas/{name}.schema.json"))
    return found
