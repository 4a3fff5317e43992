"""Whoever else works on the machine reads nothing in the Hub's folder, and a damaged one says so in a sentence."""

from __future__ import annotations

import os
import stat

import pytest


def for_others(path) -> int:
    return stat.S_IMODE(path.stat().st_mode) & 0o077


@pytest.fixture
def usual_mask():
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_the_folder_is_its_owners_alone(start, tmp_path, usual_mask):
    with start(tmp_path / "new") as hub:
        assert for_others(hub.root) == 0
        assert for_others(hub.root / "files") == 0
        assert for_others(hub.root / "hub.db") == 0


def test_a_folder_that_was_open_is_closed_and_the_start_says_so(start, tmp_path, usual_mask):
    root = tmp_path / "old" / "root"
    with start(tmp_path / "old"):
        pass
    root.chmod(0o755)
    with start(tmp_path / "old") as hub:
        assert for_others(hub.root) == 0
        assert str(root) in (tmp_path / "old" / "log").read_text()


@pytest.mark.parametrize("damage", [b"this is no database" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
@pytest.mark.parametrize("command", ["serve", "gc"])
def test_a_damaged_database_is_one_sentence(tmp_path, tft, damage, command):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "hub.db").write_bytes(damage)
    options = ["--port", "0"] if command == "serve" else []
    done = tft("hub", command, "--root", tmp_path / "root", *options, timeout=60)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "hub.db" in done.stderr


@pytest.mark.parametrize("key", [b"", b"short"])
def test_links_are_never_signed_with_a_key_that_is_none(start, tmp_path, key):
    with start(tmp_path / "hub"):
        pass
    path = tmp_path / "hub" / "root" / "key"
    path.write_bytes(key)
    with start(tmp_path / "hub"):
        assert len(path.read_bytes()) >= 32
    assert "key" in (tmp_path / "hub" / "log").read_text()
