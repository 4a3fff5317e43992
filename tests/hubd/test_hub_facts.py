"""What is known of files: their sizes, read from the heads of what git stored, loose or in packs."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from dulwich.objects import Blob

from harness.hubd.storage.git import GitRepo

SIZES = [0, 1, 15, 16, 299, 300, 301, 2047, 2048, 4095, 100_000, 3_000_000]


@pytest.mark.parametrize("packed", [False, True])
def test_a_size_is_that_of_the_blob(tmp_path: Path, packed: bool) -> None:
    GitRepo.create(tmp_path / "a.git")
    git = GitRepo(tmp_path / "a.git", threading.RLock())
    blobs = [Blob.from_string(bytes(size)) for size in SIZES]
    groups = [blobs] if packed else [[blob] for blob in blobs]
    if packed:
        blobs += [Blob.from_string(b"%d" % at * 400) for at in range(20)]
    for group in groups:
        git.write({blob.id.decode(): blob for blob in group})
    assert bool(list((tmp_path / "a.git" / "objects" / "pack").glob("*.pack"))) is packed
    for blob in blobs:
        assert git.facts(blob.id.decode()).size == len(blob.data)
        assert git.blob(blob.id.decode()) == blob.data
    with pytest.raises(KeyError):
        git.facts("0" * 40)
    assert not list((tmp_path / "a.git").glob("incoming-*"))
    git.close()
