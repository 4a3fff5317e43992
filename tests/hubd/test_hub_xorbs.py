"""Xorbs and drafts at the level of bytes: what large uploads go through."""

from __future__ import annotations

import hashlib
from pathlib import Path
from random import Random

import lz4.frame
import pytest

from harness.hubd.blobs import PARTS_AT_ONCE, SYNC_STEP, Draft
from harness.hubd.errors import Refused
from harness.hubd.licences import is_known
from harness.hubd.xorbs import GROUPED_LZ4, LZ4, PLAIN, READ_STEP, read_chunks, xorb_chunks


def packed(content: bytes, scheme: int) -> bytes:
    """Return a chunk as a client writes it: header and packed bytes."""
    if scheme == GROUPED_LZ4:
        body = lz4.frame.compress(b"".join(content[position::4] for position in range(4)))
    else:
        body = content if scheme == PLAIN else lz4.frame.compress(content)
    return b"\0" + len(body).to_bytes(3, "little") + bytes([scheme]) + len(content).to_bytes(3, "little") + body


def test_chunks_of_every_scheme_and_size_come_back_in_order(tmp_path: Path):
    random = Random("chunks")
    sizes = [
        1,
        2,
        3,
        5,
        65_536,
        131_072,
        READ_STEP - 8,
        READ_STEP,
        READ_STEP + 1,
        *random.choices(range(1, 9000), k=50),
    ]
    random.shuffle(sizes)
    contents = [random.randbytes(size) for size in sizes]
    schemes = random.choices((PLAIN, LZ4, GROUPED_LZ4), k=len(contents))
    path = tmp_path / "xorb"
    path.write_bytes(b"".join(map(packed, contents, schemes)))
    chunks = xorb_chunks(path)
    # A view is good until the next ones are asked for, so each is copied at once.
    assert [bytes(item) for items in read_chunks(path, chunks) for item in items] == contents
    assert [bytes(item) for items in read_chunks(path, chunks[7:9]) for item in items] == contents[7:9]
    assert list(read_chunks(path, [])) == []


def test_a_chunk_that_unpacks_to_more_than_it_says_is_refused(tmp_path: Path):
    chunk = bytearray(packed(bytes(50_000), LZ4))
    chunk[5:8] = (40_000).to_bytes(3, "little")
    (tmp_path / "xorb").write_bytes(chunk)
    with pytest.raises(Refused, match="another size"):
        list(read_chunks(tmp_path / "xorb", xorb_chunks(tmp_path / "xorb")))


def test_a_draft_of_many_parts_is_their_concatenation_and_knows_its_hash(tmp_path: Path):
    parts = [bytes([number % 256]) * (number % 7) for number in range(3 * PARTS_AT_ONCE)]
    draft = Draft(path=tmp_path / "draft", file=(tmp_path / "draft").open("w+b", buffering=0))
    draft.write(parts)
    draft.write([])
    draft.write([bytes(SYNC_STEP)])
    draft.sync()
    expected = b"".join(parts) + bytes(SYNC_STEP)
    assert (draft.size, draft.sha256) == (len(expected), hashlib.sha256(expected).hexdigest())
    assert draft.path.read_bytes() == expected
    draft.discard()
    assert not draft.path.exists()


def test_what_cannot_be_written_is_an_error_and_the_draft_can_still_be_discarded(tmp_path: Path):
    (tmp_path / "draft").touch()
    draft = Draft(path=tmp_path / "draft", file=(tmp_path / "draft").open("rb", buffering=0))
    with pytest.raises(OSError, match="Bad file descriptor"):
        draft.write([b"content"])
    draft.discard()
    assert not draft.path.exists()


def test_licences_are_the_hubs_and_their_later_versions():
    assert all(map(is_known, ("apache-2.0", "mit", "cc-by-sa-4.0", "llama3.3", "llama9", "openrail++", "other")))
    assert not any(map(is_known, ("asdf", "Apache 2.0", "apache", "asdf-2.0", "2.0", "")))
