"""The README of a foreign model stays as it is around the harness's block."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import DataError
from harness.reports import model_card

README = st.one_of(
    st.text(max_size=80),
    st.text(alphabet="<!->`#\r\n -", max_size=60),
    st.sampled_from(
        ["", "# Title\n", "---\nlicense: mit\ntags: [a]\n---\n\n# Title\n\ntext", "# CRLF\r\n\r\ntext\r\n"]
    ),
)


@given(README, README)
@settings(max_examples=200, deadline=None)
def test_a_foreign_readme_stays_whole_around_the_block(before: str, after: str) -> None:
    block = f"{model_card.BEGIN}\nmeasured\n{model_card.END}\n"
    once = model_card.merge_readme(before, block)
    assert once.startswith(before)
    assert model_card.merge_readme(once, block) == once
    longer = f"{once}{after}"
    newer = model_card.merge_readme(longer, block.replace("measured", "again"))
    assert newer == longer.replace(f"{model_card.BEGIN}\nmeasured\n", f"{model_card.BEGIN}\nagain\n")


@pytest.mark.parametrize(
    "readme",
    [
        model_card.BEGIN,
        model_card.END,
        f"{model_card.END}\n{model_card.BEGIN}\n",
        f"{model_card.BEGIN}\n{model_card.END}\n{model_card.BEGIN}\n{model_card.END}",
    ],
)
def test_odd_marks_are_refused_rather_than_guessed_at(readme: str) -> None:
    with pytest.raises(DataError, match="marks"):
        model_card.merge_readme(f"# Title\n{readme}\n", "block")


def test_marks_of_a_windows_file_are_found() -> None:
    block = f"{model_card.BEGIN}\nnew\n{model_card.END}\n"
    merged = model_card.merge_readme(f"# T\r\n{model_card.BEGIN}\r\nold\r\n{model_card.END}\r\nrest\r\n", block)
    assert "old" not in merged
    assert merged.startswith("# T\r\n")
    assert merged.endswith("rest\r\n")
    assert model_card.merge_readme(merged, block) == merged
