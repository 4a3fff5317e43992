"""The base model that a repository's card names, and cards that name none."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.models.engine.model_files import base_model


@pytest.mark.parametrize(
    ("card", "base"),
    [
        ("---\nlicense: mit\nbase_model: a/b\n---\ntext", "a/b"),
        ("---\nbase_model:\n- a/b\n- c/d\n--- \ntext", "a/b"),
        ("\n---\r\nbase_model: a/b\r\n---\r\n", "a/b"),
        ("---\nbase_model: 3\n---\n", None),
        ("---\n- a/b\n---\n", None),
        ("---\n{: not YAML\n---\n", None),
        ("text\n---\nbase_model: a/b\n---\n", None),
        ("", None),
    ],
)
def test_a_card_that_names_no_base_model_refuses_no_model(card: str, base: str | None, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(card.encode())
    assert base_model(tmp_path / "README.md") == base
    assert base_model(tmp_path / "none.md") is None
