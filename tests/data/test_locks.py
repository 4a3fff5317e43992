"""Folders that one process at a time may write to, and what killed processes leave."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.__main__ import tft
from harness.data.atomic_files import scratch_folder
from harness.data.locks import locked
from harness.errors import UsageError

HOLD = "import sys, time; from pathlib import Path; from harness.data.atomic_files import scratch_folder\n"
HOLD += "from harness.data.locks import locked\n"


@contextmanager
def _holder(code: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Have a process hold what `code` opens, and wait until it does; it is killed in the end."""
    program = f"{HOLD}with {code}: print('held', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_folder_is_free_again_when_its_process_has_ended_however(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    with (
        _holder("locked(Path(sys.argv[1]))", folder),
        pytest.raises(UsageError, match="another process writes to"),
        locked(folder),
    ):
        pass
    with locked(folder):
        (folder / "file").write_text("")
    assert [one.name for one in folder.iterdir()] == ["file"]


def test_a_folder_made_for_a_lock_alone_goes_with_it(tmp_path: Path) -> None:
    with locked(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ["train", "traces.jsonl", "--student", "me/student", "--task", "task.json", "--to", "me/m", "--out", "used"],
        ["train", "traces.jsonl", "--student", "me/s", "--task", "t.json", "--to", "me/m", "--out", "used", "--resume"],
        ["student", "create", "me/student", "--work", "used", "--no-push", "--out", "made"],
    ],
    ids=["train", "resumed", "student"],
)
def test_a_second_run_in_a_folder_in_use_is_refused_at_once_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("traces.jsonl").write_text("")
    with _holder("locked(Path(sys.argv[1]))", tmp_path / "used"):
        before = {one: one.stat().st_mtime_ns for one in tmp_path.rglob("*")}
        done = CliRunner().invoke(tft, [*words, "--hub", "embedded"])
        assert str(done.exception) == "another process writes to used; wait for it, or give another folder"
        assert {one: one.stat().st_mtime_ns for one in tmp_path.rglob("*")} == before


def test_scratch_folders_of_killed_processes_go_and_those_of_others_stay(tmp_path: Path) -> None:
    out = tmp_path / "out"
    own = tmp_path / ".out.backup1"
    own.mkdir()
    with _holder("scratch_folder(Path(sys.argv[1]))", out):
        with _holder("scratch_folder(Path(sys.argv[1]))", out):
            assert len(list(tmp_path.glob(".out.tft-*"))) == 2
        assert len(list(tmp_path.glob(".out.tft-*"))) == 2
        with scratch_folder(out) as mine:
            left = set(tmp_path.glob(".out.tft-*")) - {mine}
            assert len(left) == 1
        assert set(tmp_path.iterdir()) == left | {own}
