"""Xorbs and drafts at the level of bytes: what large uploads go through."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from random import Random

import lz4.frame
import pytest

from harness.hubd.api.accounts import is_known
from harness.hubd.db import Database
from harness.hubd.errors import Refused
from harness.hubd.root import Root, open_root
from harness.hubd.storage.blobs import PARTS_AT_ONCE, SYNC_STEP, BlobStore, Draft
from harness.hubd.storage.xet_uploads import XetStore
from harness.hubd.storage.xorbs import GROUPED_LZ4, LZ4, PLAIN, READ_STEP, Segment, ShardFile, read_chunks, xorb_chunks


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


@pytest.fixture
def store(tmp_path: Path) -> Iterator[XetStore]:
    root = open_root(tmp_path / "root")
    yield XetStore(root, Database(root.database), BlobStore(root))
    root.close()


def upload(store: XetStore, tmp_path: Path, name: str, contents: list[bytes]) -> bool:
    """Upload a xorb of plain chunks; return whether it was needed."""
    path = tmp_path / "upload"
    path.write_bytes(b"".join(packed(content, PLAIN) for content in contents))
    return store.add_xorb("ada", name, Draft(path=path, file=path.open("rb"), hashed=False))


def file_of(segments: list[tuple[str, int, int]], contents: dict[str, list[bytes]], sha256: str = "") -> ShardFile:
    """Return a file made of `segments` (xorb, first, last), announced with its own hash or another."""
    parts = [b"".join(contents[xorb][first:last]) for xorb, first, last in segments]
    named = tuple(Segment(xorb=x, size=len(p), first=a, last=b) for (x, a, b), p in zip(segments, parts, strict=True))
    true = hashlib.sha256(b"".join(parts)).hexdigest()
    return ShardFile(sha256=sha256 or true, segments=named)


A, B = "a" * 64, "b" * 64
CHUNKS = {A: [bytes([n]) * 5000 for n in range(40)], B: [bytes([n]) * 6000 for n in range(40, 80)]}


@pytest.mark.parametrize(
    "segments",
    [
        [(A, 0, 40), (B, 0, 40)],
        [(B, 0, 40), (A, 0, 40), (B, 3, 9)],
        [(A, 0, 40), (A, 0, 40), (B, 5, 40), (B, 0, 5)],
        [(A, 0, 10), (B, 0, 40), (A, 10, 40)],
    ],
)
def test_xorbs_are_gone_once_all_of_them_is_in_a_file_and_other_files_find_them_there(store, tmp_path, segments):
    for name, contents in CHUNKS.items():
        upload(store, tmp_path, name, contents)
    name = store.name
    other = [(B, 7, 8), (A, 0, 40), (A, 39, 40)]
    files = [file_of(segments, CHUNKS), file_of(other, CHUNKS)]
    assert list(store.unpack_shard("ada", files)) == [file.sha256 for file in files]
    assert list(store.unpack_shard("ada", files)) == [file.sha256 for file in files]
    assert not list((tmp_path / "root" / "xorbs").iterdir())
    assert store.name == name
    assert not upload(store, tmp_path, A, CHUNKS[A]), "it is in a file"


def test_after_a_file_that_fails_no_client_refers_to_the_xorbs_that_were_used_up(store, tmp_path):
    for name, contents in CHUNKS.items():
        upload(store, tmp_path, name, contents)
    name = store.name
    segments = [(A, 0, 40), (B, 0, 20)]
    with pytest.raises(Refused, match="sha256"):
        list(store.unpack_shard("ada", [file_of(segments, CHUNKS, sha256="0" * 64)]))
    assert store.name != name, "clients remember what they uploaded under the store's name"
    with pytest.raises(Refused, match="upload it again"):
        list(store.unpack_shard("ada", [file_of(segments, CHUNKS)]))
    assert upload(store, tmp_path, A, CHUNKS[A])
    assert not upload(store, tmp_path, B, CHUNKS[B]), "only a part of it was used"
    assert len(list(store.unpack_shard("ada", [file_of(segments, CHUNKS)]))) == 1


def test_a_start_after_a_crash_while_xorbs_were_used_up_renames_the_store(store, tmp_path):
    name, folder = store.name, tmp_path / "root" / "xorbs"
    (folder / A).touch()  # used up for a file that never came to be
    root = Root(path=tmp_path / "root", key=b"", lock=None)
    assert XetStore(root, Database(root.database), BlobStore(root)).name != name
    assert not list(folder.iterdir())


def test_a_xorb_that_an_earlier_file_uses_in_part_outlives_a_file_that_fails(store, tmp_path):
    upload(store, tmp_path, A, CHUNKS[A])
    name = store.name
    list(store.unpack_shard("ada", [file_of([(A, 0, 10)], CHUNKS)]))
    with pytest.raises(Refused, match="sha256"):
        list(store.unpack_shard("ada", [file_of([(A, 0, 40)], CHUNKS, sha256="0" * 64)]))
    assert store.name == name
    assert len(list(store.unpack_shard("ada", [file_of([(A, 5, 40)], CHUNKS)]))) == 1


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
