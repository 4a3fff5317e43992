"""Exports are read from any file and folder, packed or not; what is none is named with the way out."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.data.formats.messages import dump_conversation
from harness.data.sample import sample_conversations
from harness.data.traces.read import layout, read_traces
from harness.data.traces.trace_input import read_input
from harness.errors import DataError

SAMPLE = sample_conversations(4)
ROWS = [dump_conversation(one) for one in SAMPLE]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
DOCUMENT = json.dumps(ROWS, indent=1).encode()


def zstandard(data: bytes) -> bytes:
    import pyarrow

    return bytes(pyarrow.compress(data, "zstd", asbytes=True))


def parquet(rows: list[dict[str, Any]]) -> bytes:
    import pyarrow
    from pyarrow import parquet

    sink = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.Table.from_pylist(rows), sink)
    return bytes(sink.getvalue().to_pybytes())


def zipped(path: Path, **members: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("_", "."), data)


FORMS: dict[str, bytes] = {
    "t.jsonl": LINES,
    "t.json": DOCUMENT,
    "bom.jsonl": b"\xef\xbb\xbf" + LINES,
    "t.jsonl.gz": gzip.compress(LINES),
    "parts.jsonl.gz": gzip.compress(LINES[:100]) + gzip.compress(LINES[100:]),
    "t.json.gz": gzip.compress(DOCUMENT),
    "t.jsonl.zst": zstandard(LINES),
    "t.json.zst": zstandard(DOCUMENT),
    "t.parquet": parquet(ROWS),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_file_is_read_in_any_form(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FORMS[name])
    assert [row.conversation for row in read_traces(tmp_path / name)] == list(SAMPLE)
    assert layout(tmp_path / name) == "messages"


def test_a_zip_file_is_read_member_by_member(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "export.zip"
    first, second, third, fourth = ROWS
    zipped(
        path,
        a_jsonl=json.dumps(first).encode(),
        b_json=json.dumps([second], indent=1).encode(),
        c_parquet=parquet([third]),
        d_jsonl_gz=gzip.compress(json.dumps(fourth).encode()),
        README_md=b"# About",
    )
    found = read_input(str(path), None)
    assert [row.conversation.messages for row in found.rows()] == [one.messages for one in SAMPLE]
    assert "left out: export.zip/README.md" in capsys.readouterr().err


def folder(path: Path, **files: bytes) -> Path:
    path.mkdir(exist_ok=True)
    for name, data in files.items():
        (path / name.replace("_", ".")).write_bytes(data)
    return path


def test_a_folder_of_exports_is_one_input_and_what_lies_beside_them_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    halves = LINES.splitlines(keepends=True)
    files = {"b_jsonl_gz": gzip.compress(b"".join(halves[2:])), "a_jsonl": b"".join(halves[:2])}
    others = {"README_md": b"# About", "x_png": b"\x89PNG\r\n", "t_csv": b"id,text\n1,Hi\n", "_hidden": b"no"}
    path = folder(tmp_path / "exports", **files, **others)
    found = read_input(str(path), None)
    assert [row.conversation for row in found.rows()] == list(SAMPLE)
    said = capsys.readouterr().err
    assert "left out: README.md (text), t.csv (CSV), x.png (a PNG picture)" in said
    assert found.name == read_input(str(path), None).name
    assert found.name.startswith("exports@sha256:")
    folder(path, a_jsonl=halves[0])
    assert read_input(str(path), None).name != found.name


def test_the_same_conversation_in_two_files_is_read_once_and_another_one_with_its_id_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = {**ROWS[1], "id": ROWS[0]["id"]}
    path = folder(tmp_path / "exports", a_jsonl=LINES + json.dumps(other).encode(), c_json=DOCUMENT)
    with pytest.raises(DataError, match="both rows have the id"):
        list(read_traces(path))  # in one file
    folder(path, a_jsonl=LINES, b_jsonl=json.dumps(other).encode())
    rows = list(read_traces(path))
    assert [row.conversation.id for row in rows] == [*(one.id for one in SAMPLE), f"{SAMPLE[0].id}-2"]
    assert "4 conversations stand in several of its files" in capsys.readouterr().err


REFUSED: dict[str, tuple[bytes, str]] = {
    "t.csv": (b"id,input,output\n1,Hi,Hello\n", "is CSV; export JSON.*pandas.read_csv"),
    "page.json": (b"<!DOCTYPE html><html>", "is an HTML or XML page; expected JSON"),
    "empty.jsonl": (b"", "is empty; expected JSON"),
    "picture.json": (b"\x89PNG\r\n\x1a\n", "is a PNG picture"),
    "some.bin": (b"abc\0def", "is a binary file"),
    "t.tar": (b"x" * 257 + b"ustar" + b"\0" * 300, "is a tar archive"),
    "utf16.json": ("\ufeff" + "[]").encode("utf-16-le") and ("[]".encode("utf-16"), "this is UTF-16"),
    "latin.json": ('[{"messages": [\n"Grüße"'.encode("latin-1"), "line .*not UTF-8"),
    "latin.jsonl": ('{"messages": "Grüße"}\n'.encode("latin-1"), "line 1: not UTF-8"),
    "cut.gz": (gzip.compress(LINES)[:-40], "damaged"),
    "cut.zst": (zstandard(LINES)[:-40], "damaged"),
    "bomb.gz": (gzip.compress(b"[" + b" " * (120 << 20)), "unfolds to more than"),
    "bomb.zst": (zstandard(b"[" + b" " * (120 << 20)), "unfolds to more than"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_export_is_named(tmp_path: Path, name: str) -> None:
    data, words = REFUSED[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=words):
        list(read_traces(tmp_path / name))


def test_a_zip_file_without_an_export_is_named(tmp_path: Path) -> None:
    zipped(tmp_path / "t.zip", README_md=b"# About")
    with pytest.raises(DataError, match=r"holds no export: it has t.zip/README.md"):
        list(read_traces(tmp_path / "t.zip"))
    with pytest.raises(DataError, match="holds no export: it has no file"):
        list(read_traces(folder(tmp_path / "nothing")))


@pytest.mark.parametrize("cut", [LINES[:-50], DOCUMENT[:-50], DOCUMENT[:-2]], ids=["lines", "array", "bracket"])
def test_of_a_file_that_is_cut_off_the_rest_is_read(tmp_path: Path, cut: bytes) -> None:
    (tmp_path / "cut.json").write_bytes(cut)
    rows = list(read_traces(tmp_path / "cut.json"))
    good = [row.conversation for row in rows if row.problem is None]
    assert good == list(SAMPLE[: len(good)])
    assert len(good) >= 3
    assert "not valid JSON" in str(rows[-1].problem)


def spans_of_a_trace() -> list[bytes]:
    pairs = (("user", "Hi"), ("assistant", "Hello"), ("user", "Ho"))
    said = [{"role": role, "content": content} for role, content in pairs]
    runs = [
        {"id": f"r{end}", "trace_id": "t", "run_type": "llm", "inputs": {"messages": said[:end]}, "outputs": said[1]}
        for end in (1, 3)
    ]
    return [json.dumps(run).encode() + b"\n" for run in runs]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard], ids=["plain", "gz", "zst"])
def test_spans_of_a_trace_in_several_files_are_one_conversation(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    first, second = spans_of_a_trace()
    path = folder(tmp_path / "hours", a=pack(second), b=pack(first), c=pack(second))
    (row,) = read_traces(path)
    assert [one.content for one in row.conversation.messages] == ["Hi", "Hello", "Ho", "Hello"]
    assert [one.check for one in row.findings] == ["exported-twice"]
