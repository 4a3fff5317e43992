"""The README of a foreign model stays as it is around the harness's block."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import DataError
from harness.reports.card_block import BEGIN, END, merge_readme

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
    block = f"{BEGIN}\nmeasured\n{END}\n"
    once = merge_readme(before, block)
    assert once.startswith(before)
    assert merge_readme(once, block) == once
    longer = f"{once}{after}"
    newer = merge_readme(longer, block.replace("measured", "again"))
    assert newer == longer.replace(f"{BEGIN}\nmeasured\n", f"{BEGIN}\nagain\n")


@pytest.mark.parametrize(
    "readme",
    [
        BEGIN,
        END,
        f"{END}\n{BEGIN}\n",
        f"{BEGIN}\n{END}\n{BEGIN}\n{END}",
    ],
)
def test_odd_marks_are_refused_rather_than_guessed_at(readme: str) -> None:
    with pytest.raises(DataError, match="marks"):
        merge_readme(f"# Title\n{readme}\n", "block")


def test_marks_of_a_windows_file_are_found() -> None:
    block = f"{BEGIN}\nnew\n{END}\n"
    merged = merge_readme(f"# T\r\n{BEGIN}\r\nold\r\n{END}\r\nrest\r\n", block)
    assert "old" not in merged
    assert merged.startswith("# T\r\n")
    assert merged.endswith("rest\r\n")
    assert merge_readme(merged, block) == merged
