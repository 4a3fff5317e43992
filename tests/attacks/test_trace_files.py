"""Files of traces that others made: a small one must not fill the memory, and what cannot be read is one sentence."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TALK = [{"role": "user", "content": "Anything open in Ulm?"}, {"role": "assistant", "content": "Nothing, sorry."}]
ROW = json.dumps({"messages": TALK})
SAMPLE = json.dumps({"id": 1, "epoch": 1, "input": "Hi", "messages": TALK})
MEMORY = 500 << 20
Watched = Callable[..., Any]


def archive(path: Path, content: str = SAMPLE, **changed: int) -> Path:
    """Write an Inspect log of one sample; `changed`: fields of its entry that are not as they should be."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        out.writestr("samples/1_epoch_1.json", content)
    data = path.read_bytes()
    for name, (local, central) in {"flags": (6, 8), "method": (8, 10)}.items():
        if name in changed:
            value = changed[name].to_bytes(2, "little")
            for at in (local, data.index(b"PK\x01\x02") + central):
                data = data[:at] + value + data[at + 2 :]
    path.write_bytes(data)
    return path


def is_one_sentence(ended: Any) -> bool:
    """Whether a command that could not read its input said so as people can use it."""
    lines = ended.said.strip().splitlines()
    return ended.status == 2 and [line.startswith("error: ") for line in lines].count(True) == 1 and len(lines) < 3


def test_a_small_archive_does_not_fill_the_memory(watched: Watched, tmp_path: Path) -> None:
    """One sample of 300 MB, which is 1.3 MB packed."""
    log = archive(tmp_path / "a.eval", SAMPLE.replace("Hi", "a" * (300 << 20)))
    assert log.stat().st_size < 3 << 20
    ended = watched("inspect-traces", log, memory=MEMORY)
    assert ended.memory < MEMORY
    assert is_one_sentence(ended), ended


def test_a_small_parquet_file_does_not_fill_the_memory(watched: Watched, tmp_path: Path) -> None:
    """A text of 4 MB that stands in the file once, and in each of its 200 rows."""
    import pyarrow
    from pyarrow import parquet

    texts = [pyarrow.array([text]) for text in (json.dumps(TALK), "a" * (4 << 20))]
    columns = [pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 200, pyarrow.int32()), one) for one in texts]
    file = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table({"messages": columns[0], "note": columns[1]}), file, compression="gzip")
    assert file.stat().st_size < 50_000
    ended = watched("inspect-traces", file, memory=MEMORY)
    assert ended.memory < MEMORY
    assert is_one_sentence(ended), ended


@pytest.mark.parametrize("bad", ["9" * 5000, "[" * 100_000 + "]" * 100_000, "[" * 800 + "]" * 800])
def test_one_row_that_cannot_be_held_is_lost_alone(watched: Watched, tmp_path: Path, bad: str) -> None:
    for name, text in {
        "rows.jsonl": f'{ROW}\n{ROW[:-1]}, "x": {bad}}}\n{ROW}\n',
        "rows.json": f'[{ROW},\n{ROW[:-1]}, "x": {bad}}},\n{ROW}]',
    }.items():
        (tmp_path / name).write_text(text)
        ended = watched("inspect-traces", name)
        assert ended.status == 0, (name, ended.said[-500:])
        assert "Traceback" not in ended.said


@pytest.mark.parametrize(
    "what",
    [{"content": "[" * 100_000}, {"flags": 1}, {"method": 99}, {"method": 12}],
    ids=["deep", "encrypted", "unknown method", "wrong method"],
)
def test_an_archive_that_cannot_be_read_is_one_sentence(watched: Watched, tmp_path: Path, what: Any) -> None:
    ended = watched("inspect-traces", archive(tmp_path / "a.eval", **what))
    assert is_one_sentence(ended), ended.said[-500:]


def test_a_session_logged_with_many_turns_is_read_in_the_time_that_its_length_takes(
    watched: Watched, tmp_path: Path
) -> None:
    """Turns of one session that do not continue each other: whoever compares each with all others takes a day."""
    turn = {"type": "GENERATION", "traceId": "t", "sessionId": "s", "startTime": "2026-01-01"}
    turns = ({**turn, "id": str(one), "input": f"Question {one}", "output": f"Answer {one}"} for one in range(16_000))
    (tmp_path / "session.jsonl").write_text("".join(json.dumps(one) + "\n" for one in turns))
    ended = watched("inspect-traces", "session.jsonl", timeout=25)
    assert ended.status == 0, ended


def test_rows_of_nothing_are_not_all_looked_at(watched: Watched, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("{}\n" * 2_500_000)
    ended = watched("inspect-traces", "rows.jsonl", timeout=15)
    assert is_one_sentence(ended), ended


def test_a_line_without_end_is_given_up(watched: Watched) -> None:
    ended = watched("compare", "/dev/zero", "/dev/zero", timeout=15)
    assert is_one_sentence(ended), ended
