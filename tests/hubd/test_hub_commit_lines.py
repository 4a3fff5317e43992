"""The lines of a commit: few values in each, whatever its texts are."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from harness.hubd.errors import Refused
from harness.hubd.storage import commits as lines
from harness.hubd.storage.trees import checked_path


def read(tmp_path: Path, *body: bytes) -> list[tuple[str, dict[str, object]]]:
    (tmp_path / "body").write_bytes(b"\n".join(body))
    return list(lines.lines_of(tmp_path / "body"))


@pytest.mark.parametrize("text", ['"' * 5000, "[{," * 5000, "\\" * 5001, "\n\t\0é\U0001f600" * 1000, "]}" * 5000, ""])
def test_any_text_may_be_content(tmp_path, text):
    for ascii_only in (True, False):
        value = {"path": "a", "content": text, "encoding": "utf-8"}
        line = json.dumps({"key": "file", "value": value}, ensure_ascii=ascii_only).encode()
        assert read(tmp_path, line) == [("file", value)]


def test_a_large_file_is_a_line(tmp_path):
    value = {"path": "a", "content": base64.b64encode(os.urandom(10 << 20)).decode(), "encoding": "base64"}
    assert read(tmp_path, json.dumps({"key": "file", "value": value}).encode())[0][1] == value


@pytest.mark.parametrize(
    "value",
    [b"[" * 5000 + b"]" * 5000, b"[" + b"[]," * 5000 + b"[]]", b"[" + b'"",' * 5000 + b'""]', b"9" * 5000,
     b'{"a":' * 5000 + b"1" + b"}" * 5000, b"[1,"+ b"1" * 5000 + b"]"],
)  # fmt: skip
def test_what_unfolds_is_refused(tmp_path, value):
    with pytest.raises(Refused) as refused:
        read(tmp_path, b'{"key": "file", "value": ' + value + b"}")
    assert refused.value.status in (400, 413)


def test_a_line_and_their_number_have_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "LINES_LIMIT", 3)
    line = b'{"key": "file", "value": {}}'
    assert len(read(tmp_path, *[line] * 3)) == 3
    with pytest.raises(Refused, match="more than 3 lines"):
        read(tmp_path, *[line] * 4)
    with pytest.raises(Refused, match="larger than 16 MiB"):
        read(tmp_path, b'"' + b"a" * lines.LINE_LIMIT + b'"')


def test_a_path_has_no_endless_folders():
    assert checked_path("a/" * 200 + "b")
    with pytest.raises(Refused, match="more than 200 folders"):
        checked_path("a/" * 201 + "b")
