"""A JSON document is read value by value, however it comes in pieces, and a value that cannot be held is lost alone."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.traces import json_document
from harness.data.traces.json_document import document
from harness.errors import DataError
from harness.hub import foreign_json

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
ROWS = VALUES.filter(lambda value: not json_document.is_message(value))


class Dripping(io.BytesIO):
    """A file of which a read returns a few bytes only, whatever was asked for."""

    def __init__(self, data: bytes, piece: int) -> None:
        super().__init__(data)
        self._piece = piece

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(self._piece, self._piece if size is None or size < 0 else size))


@given(st.lists(ROWS), st.integers(1, 9), st.booleans(), st.sampled_from([None, 0, 3]))
def test_an_array_gives_its_values_in_whatever_pieces_it_comes(
    rows: list[Any], piece: int, ascii: bool, indent: int | None
) -> None:
    data = json.dumps(rows, ensure_ascii=ascii, indent=indent).encode("utf-8", "surrogatepass")
    found = document(Path("a.json"), Dripping(data, piece))
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        with pytest.raises(DataError, match="not UTF-8"):
            list(found)
        return
    assert [one.value for one in found] == rows


@pytest.mark.parametrize(
    "bad", ["9" * 5000, "[" * 300 + "]" * 300, "[" * 200_000 + "]" * 200_000, '{"a":' * 9 + "[" * 99]
)
def test_a_value_that_cannot_be_held_is_lost_alone_with_its_line(bad: str) -> None:
    data = f'[{{"a": 1}},\n{{"b": {bad}}},\n"[\\"]"]'.encode()
    first, second, *rest = document(Path("a.json"), io.BytesIO(data))
    assert first.value == {"a": 1}
    assert second.line == 2
    assert second.problem
    ends = bad[-1] != "["  # else it takes the rest of the file
    assert [(one.value, one.line) for one in rest] == ([('["]', 3)] if ends else [])


@pytest.mark.parametrize(
    "bad", ['"' + "x" * 5000 + '"', "1" * 5000, '{"a": "' + "\\n" * 2000 + '"}', "[" + "1,\n" * 2000 + "1]"]
)
def test_a_value_larger_than_a_row_is_passed_over(bad: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_document, "LARGEST", 1000)
    monkeypatch.setattr(foreign_json, "LARGEST", 1000)
    monkeypatch.setattr(json_document, "_CHUNK", 100)
    data = f"[1,\n{bad},\n2]".encode()
    for piece in (7, 1 << 20):
        first, second, third = document(Path("a.json"), Dripping(data, piece))
        assert (first.value, third.value) == (1, 2)
        assert "MiB" in str(second.problem)
        assert (second.line, third.line) == (2, 3 + bad.count("\n"))


def test_so_many_brackets_are_read_in_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_document, "_CHUNK", 100)
    monkeypatch.setattr(foreign_json, "_MOST_PARTS", 1000)
    (one,) = document(Path("a.json"), io.BytesIO(b"[[" + b"[]," * 1001 + b"[]]]"))
    assert "1,000 parts" in str(one.problem)
