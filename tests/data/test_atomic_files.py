"""A result takes its place whole, by the umask, and a kill at any moment leaves the old one or the new one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.data.atomic_files import atomic_file, replace_folder, scratch_folder, settle
from harness.data.formats.jsonl import write_atomic

_KILLED = """
import os, shutil, sys
from pathlib import Path
from harness.data import atomic_files
left = int(sys.argv[1])

def dying(real):
    def step(*given, **named):
        global left
        left -= 1
        if left < 0:
            os._exit(9)
        return real(*given, **named)
    return step

for owner, name in ((Path, "rename"), (shutil, "move"), (shutil, "rmtree"), (Path, "write_text"), (Path, "mkdir")):
    setattr(owner, name, dying(getattr(owner, name)))
place = Path(sys.argv[2])
if sys.argv[3] == "inside":
    os.chdir(place)
with atomic_files.scratch_folder(place) as folder:
    for name in ("new", "both"):
        (folder / name).open("w").write("new")
    atomic_files.replace_folder(folder, place)
"""


def content(place: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in place.iterdir()}


OLD, NEW = {"old": "old", "both": "old"}, {"new": "new", "both": "new"}


@pytest.mark.parametrize("where", ["beside", "inside"])
def test_a_kill_at_any_step_leaves_the_old_result_or_the_new_one(where: str, tmp_path: Path) -> None:
    seen = []
    for step in range(40):
        place = tmp_path / f"made{step}"
        place.mkdir()
        for name, text in OLD.items():
            (place / name).write_text(text)
        command = [sys.executable, "-c", _KILLED, str(step), str(place), where]
        status = subprocess.run(command, check=False).returncode
        settle(place)
        seen.append(content(place))
        assert seen[-1] in (OLD, NEW), step
        assert not list(tmp_path.glob(f".made{step}.*")), step
        if status == 0:
            break
    assert seen[0] == OLD
    assert seen[-1] == NEW
    assert len(seen) > 4


def test_a_failure_brings_the_old_result_back(tmp_path: Path) -> None:
    place = tmp_path / "made"
    place.mkdir()
    (place / "old").write_text("old")
    with pytest.raises(OSError, match="nothing"):
        replace_folder(tmp_path / "nothing", place)
    assert content(place) == {"old": "old"}
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


@pytest.fixture(params=[0o077, 0o022, 0o002])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_modes_follow_the_umask(umask: int, tmp_path: Path) -> None:
    write_atomic(tmp_path / "file", ["text"])
    with scratch_folder(tmp_path / "folder") as made:
        replace_folder(made, tmp_path / "folder")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o666 & ~umask
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o777 & ~umask


def test_files_of_killed_processes_go_and_those_of_others_stay(tmp_path: Path) -> None:
    place = tmp_path / "file"
    others = [tmp_path / name for name in (".file.swp", ".file.backup", ".other.tft-0a0a0a0a")]
    for path in (*others, tmp_path / ".file.tft-0b0b0b0b"):
        path.write_text("mine")
    with atomic_file(place) as stream:
        stream.write("one")
        write_atomic(place, ["two"])  # another one at the same time: it leaves what is held
        assert place.read_text() == "two"
    assert place.read_text() == "one"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["file", *(path.name for path in others)])


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    def half() -> Iterator[str]:
        yield "half"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a" / "file", half())
    assert list((tmp_path / "a").iterdir()) == []
