"""The README of a foreign model stays as it is around the harness's block."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import DataError
from harness.reports import model_card as cards

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
    block = f"{cards.BEGIN}\nmeasured\n{cards.END}\n"
    once = cards.merge_readme(before, block)
    assert once.startswith(before)
    assert cards.merge_readme(once, block) == once
    longer = f"{once}{after}"
    newer = cards.merge_readme(longer, block.replace("measured", "again"))
    assert newer == longer.replace(f"{cards.BEGIN}\nmeasured\n", f"{cards.BEGIN}\nagain\n")


@pytest.mark.parametrize(
    "readme",
    [
        cards.BEGIN,
        cards.END,
        f"{cards.END}\n{cards.BEGIN}\n",
        f"{cards.BEGIN}\n{cards.END}\n{cards.BEGIN}\n{cards.END}",
    ],
)
def test_odd_marks_are_refused_rather_than_guessed_at(readme: str) -> None:
    with pytest.raises(DataError, match="marks"):
        cards.merge_readme(f"# Title\n{readme}\n", "block")


def test_marks_of_a_windows_file_are_found() -> None:
    block = f"{cards.BEGIN}\nnew\n{cards.END}\n"
    merged = cards.merge_readme(f"# T\r\n{cards.BEGIN}\r\nold\r\n{cards.END}\r\nrest\r\n", block)
    assert "old" not in merged
    assert merged.startswith("# T\r\n")
    assert merged.endswith("rest\r\n")
    assert cards.merge_readme(merged, block) == merged
