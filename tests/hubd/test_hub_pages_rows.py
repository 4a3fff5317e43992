"""Previews and diffs stay small: bombs, lies and slow inputs cost a bounded amount of memory and time."""

from __future__ import annotations

import io
import struct
import time
from pathlib import Path

import pytest
from dulwich.objects import Blob
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.hubd.pages.rows import first_rows
from harness.hubd.root import open_root
from harness.hubd.storage import diffs
from harness.hubd.storage.blobs import BlobStore
from harness.hubd.storage.commits import Author, Staging, record
from harness.hubd.storage.diffs import changes
from harness.hubd.storage.git import GitRepo
from harness.hubd.storage.trees import edited_tree


@pytest.fixture
def blobs(tmp_path):
    root = open_root(tmp_path / "root")
    yield BlobStore(root)
    root.close()


@pytest.fixture
def git(tmp_path: Path):
    GitRepo.create(tmp_path / "x.git")
    repo = GitRepo(tmp_path / "x.git")
    yield repo
    repo.close()


def save(git: GitRepo, files: dict[str, bytes], parent: str | None = None) -> str:
    staging = Staging(git)
    changed = {name: staging.add(Blob.from_string(data)) for name, data in files.items()}
    tree = edited_tree(git.tree, staging.add, git.commit(parent).tree if parent else None, changed)
    return record(staging, tree, [parent] if parent else [], Author(name="a", title="t"))


def rows_of(git: GitRepo, blobs: BlobStore, name: str, data: bytes):
    entry = git.entry(save(git, {name: data}), name)
    return first_rows(blobs, git, name, git.facts(entry.sha))


def parquet(table, **options) -> bytes:
    import pyarrow.parquet

    file = io.BytesIO()
    pyarrow.parquet.write_table(table, file, **options)
    return file.getvalue()


def test_json_columns_of_a_parquet_file_are_shown_as_what_they_say(git, blobs):
    import pyarrow as pa

    texts = pa.array(['{"a": [1, null]}', None, "no JSON", '"text"'], pa.string())
    found = rows_of(git, blobs, "j.parquet", parquet(pa.table({"j": texts.cast(pa.json_())})))
    assert found.rows == (('{"a": [1, null]}',), ("null",), ("no JSON",), ("text",))


def test_the_first_rows_of_a_parquet_file_with_any_types(git, blobs):
    import datetime

    import pyarrow as pa

    table = pa.table({
        "text": ["a<b>", None], "list": [list(range(500)), []], "struct": [{"x": 1, "y": [{"z": "deep"}]}, None],
        "bytes": [b"\0" * 9, b""], "day": [datetime.date(2026, 1, 31)] * 2, "nan": [float("nan"), 0.1],
        "when": [datetime.datetime(2026, 1, 31, tzinfo=datetime.UTC)] * 2, "long": ["x" * 10_000, "y"],
        "map": pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64())),
        "word": pa.array(["one", "two"]).dictionary_encode(),
    })  # fmt: skip
    found = rows_of(git, blobs, "a.parquet", parquet(table))
    assert found.problem == ""
    assert found.total == 2
    row = dict(zip(found.columns, found.rows[0], strict=True))
    assert row["text"] == "a<b>"
    assert row["list"].endswith('49, "… 450 more"]')
    assert row["struct"] == '{"x": 1, "y": [{"z": "deep"}]}'
    assert row["bytes"] == "<9 bytes>"
    assert row["day"] == '"2026-01-31"'
    assert row["word"] == "one"
    assert len(row["long"]) == 501
    assert found.rows[1][0] == "null"


def test_many_columns_and_rows_are_cut(git, blobs):
    import pyarrow as pa

    found = rows_of(git, blobs, "a.parquet", parquet(pa.table({f"c{at}": [at] * 1000 for at in range(300)})))
    assert (len(found.columns), len(found.rows), found.total) == (40, 25, 1000)
    assert found.note == "260 more columns are not shown"
    assert rows_of(git, blobs, "b.parquet", parquet(pa.table({"a": pa.array([], pa.int64())}))).rows == ()


@pytest.mark.slow
def test_a_bomb_whose_footer_is_honest_is_left_out_before_it_unfolds(git, blobs):
    import pyarrow as pa

    bomb = pa.table({"small": ["fine"], "bomb": ["x" * (200 << 20)]})
    data = parquet(bomb, compression="zstd", use_dictionary=False, write_statistics=False)
    assert len(data) < 1 << 20
    found = rows_of(git, blobs, "a.parquet", data)
    assert found.columns == ("small",)
    assert found.note == "1 columns are too large to be shown"


@pytest.mark.slow
def test_a_bomb_whose_footer_lies_ends_its_own_process_only(git, blobs):
    """25 rows that share one entry of a dictionary, declared to be small, would unfold to 2.5 GB."""
    import resource

    import pyarrow as pa
    import pyarrow.parquet

    values = pa.DictionaryArray.from_arrays(pa.array([0] * 25, pa.int32()), pa.array(["x" * (100 << 20)]))
    data = parquet(pa.table({"bomb": values}), compression="zstd", store_schema=False, write_statistics=False)
    column = pyarrow.parquet.ParquetFile(io.BytesIO(data)).metadata.row_group(0).column(0)
    honest = varint(2 * column.total_uncompressed_size)
    small = bytes([0x80 | 100, *[0x80] * (len(honest) - 2), 0])
    assert honest in data[-2000:]
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    started = time.monotonic()
    found = rows_of(git, blobs, "a.parquet", data[:-2000] + data[-2000:].replace(honest, small))
    assert time.monotonic() - started < 15
    assert found.problem == "its first rows need more memory or time than a page may use"
    # In kB, of all children so far: those of other tests may have been larger, and a child counts its parent's pages
    # until it is another program.
    parent = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= max(1_600_000, before, parent)


def varint(number: int) -> bytes:
    parts = []
    while number > 0x7F:
        parts.append(0x80 | number & 0x7F)
        number >>= 7
    return bytes([*parts, number])


def broken() -> dict[str, bytes]:
    import pyarrow as pa

    good = parquet(pa.table({"a": [1, 2, 3], "b": ["x", "y", "z"]}))
    return {
        "empty": b"", "short": b"PAR1PAR1", "no magic": good[:-4], "text": b"hello\n" * 100,
        "cut": good[: len(good) // 2],
        "footer longer than the file": good[:-8] + struct.pack("<I4s", 1 << 30, b"PAR1"),
        "footer shorter": good[:-8] + struct.pack("<I4s", 5, b"PAR1"),
        "encrypted": good[:-4] + b"PARE",
        "zeros in the footer": good[:-60] + b"\0" * 52 + good[-8:],
        "flipped": bytes(byte ^ 0xFF for byte in good[:-8]) + good[-8:],
    }  # fmt: skip


@pytest.mark.parametrize("name", ["empty", "short", "no magic", "text", "cut", "footer longer than the file",
                                  "footer shorter", "encrypted", "zeros in the footer", "flipped"])  # fmt: skip
def test_a_broken_parquet_file_is_a_sentence(git, blobs, name):
    found = rows_of(git, blobs, "a.parquet", broken()[name])
    assert found.problem
    assert "Traceback" not in found.problem


def test_equal_content_is_read_once(git, blobs):
    import pyarrow as pa

    data = parquet(pa.table({"a": [time.time()]}))
    first = rows_of(git, blobs, "a.parquet", data)
    assert rows_of(git, blobs, "b.parquet", data) is first


TEXTS = st.lists(st.sampled_from(["a", "b", "c", "", "long line"]), max_size=40)


@given(TEXTS, TEXTS)
@settings(max_examples=300, deadline=None)
def test_a_diff_holds_all_that_changed_with_right_numbers(old, new):
    lines = list(diffs._compare(old, new))
    kept = [(line.old, line.new) for line in lines if line.sign == " "]
    assert all(old[a - 1] == new[b - 1] for a, b in kept)
    removed = {line.old for line in lines if line.sign == "-"}
    added = {line.new for line in lines if line.sign == "+"}
    # What is neither removed nor added is the same text in both.
    rest = [text for at, text in enumerate(old, 1) if at not in removed]
    assert rest == [text for at, text in enumerate(new, 1) if at not in added]
    assert all(old[line.old - 1] == line.text for line in lines if line.sign == "-")
    assert all(new[line.new - 1] == line.text for line in lines if line.sign == "+")
    shown = [line.old for line in lines if line.old]
    assert shown == sorted(set(shown))


def test_what_changed_between_two_commits_by_kind(git):
    one = save(git, {"same": b"s", "gone": b"g", "deep/er/file": b"1\n", "swap": b"file", "bin": b"\0"})
    tree = edited_tree(git.tree, lambda item: git.write({item.id.decode(): item}) or item.id.decode(),
                       git.commit(one).tree, {"gone": None, "swap": None})  # fmt: skip
    middle = record(Staging(git), tree, [one], Author(name="a", title="t"))
    two = save(git, {"deep/er/file": b"2\n", "deep/new": b"n", "swap/inside": b"i", "bin": b"\0\0"}, middle)
    found = {file.path: file for file in changes(git, one, two).files}
    kinds = {path: file.status for path, file in found.items()}
    assert kinds == {"gone": "deleted", "deep/er/file": "changed", "deep/new": "added", "swap": "deleted",
                     "swap/inside": "added", "bin": "changed"}  # fmt: skip
    assert found["bin"].why == "not text"
    assert [line.sign for line in found["deep/er/file"].lines] == ["-", "+"]


def test_diffs_made_to_be_slow_or_large_are_cut(git):
    old = "\n".join(f"{at % 70}" for at in range(3000)).encode()
    new = "\n".join(f"{at * 7 % 70}" for at in range(3000)).encode()
    one = save(git, {f"f{at}": old for at in range(150)})
    two = save(git, {f"f{at}": new for at in range(150)} | {"big": b"y\n" * 200_000}, one)
    started = time.process_time()
    found = changes(git, one, two)
    assert time.process_time() - started < 5
    assert len(found.files) == 100
    assert found.more == 51
    assert all(len(file.lines) <= diffs.LINES_SHOWN for file in found.files)
    assert next(file for file in found.files if file.path == "big").why == "too large to compare"
