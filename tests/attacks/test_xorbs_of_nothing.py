"""Uploads in the Xet format that say much and hold little: they take no memory, time or disk beyond their size."""

from __future__ import annotations

import struct
import time

import lz4.frame
import pytest

SHARD_TAG, BOOKEND = b"HFRepoMetaDa", b"\xff" * 32


def xorb(*chunks: bytes) -> bytes:
    """Return a xorb of plain chunks."""
    sizes = [len(chunk).to_bytes(3, "little") for chunk in chunks]
    return b"".join(b"\0" + size + b"\0" + size + chunk for size, chunk in zip(sizes, chunks, strict=True))


def raw(name: str) -> bytes:
    """Return the 32 bytes of a Xet hash that is written as 64 hex digits."""
    return struct.pack("<4Q", *(int(name[at : at + 16], 16) for at in range(0, 64, 16)))


def shard(*files: tuple[str, list[tuple[int, int, int]]]) -> bytes:
    """Return a shard: each file is made of segments of one xorb, (bytes, first chunk, last chunk) each."""
    parts = [SHARD_TAG, bytes(36)]
    for name, segments in files:
        parts += [raw(name), struct.pack("<IIQ", 0, len(segments), 0)]
        parts += [raw(name) + struct.pack("<IIII", 0, *segment) for segment in segments]
    return b"".join([*parts, BOOKEND, bytes(16)])


class Uploads:
    """Mallory's uploads to a repository of her own."""

    def __init__(self, hub) -> None:
        self.client = hub.client("mallory")
        made = self.client.post("/api/repos/create", json={"name": "own"})
        assert made.status_code in (200, 409)
        self.cas = self.client.get("/api/models/mallory/own/xet-write-token/main").json()

    def send(self, path: str, body: bytes) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {self.cas['accessToken']}"}
        answer = self.client.post(f"{self.cas['casUrl']}/{path}", content=body, headers=headers)
        return answer.status_code, answer.text

    def put(self, name: str, body: bytes) -> int:
        return self.send(f"v1/xorbs/default/{name}", body)[0]

    def make(self, *files: tuple[str, list[tuple[int, int, int]]]) -> bool:
        status, text = self.send("v1/shards", shard(*files))
        return status == 200 and "error" not in text


@pytest.fixture(scope="module")
def uploads(hub) -> Uploads:
    return Uploads(hub)


def test_an_honest_upload_is_taken(uploads):
    assert uploads.put("1" * 64, xorb(b"a" * 9000, b"b" * 9000)) == 200
    assert uploads.make(("1" * 64, [(18_000, 0, 2), (9000, 1, 2)]))


def test_a_xorb_of_empty_chunks_is_refused_and_nothing_is_kept_of_it(hub, uploads):
    before, started = hub.memory, time.monotonic()
    status = uploads.put("2" * 64, xorb(b"") * (2 << 20))
    assert hub.memory - before < 60 << 20
    assert time.monotonic() - started < 10
    assert status == 400


@pytest.mark.parametrize("chunks", [[b"a" * 9000, b""], [b"x"] * 10_000], ids=["one-empty", "too-many"])
def test_no_client_makes_such_chunks(uploads, chunks):
    assert uploads.put("3" * 64, xorb(*chunks)) == 400


def test_a_file_of_no_chunks_is_none(uploads):
    assert uploads.put("4" * 64, xorb(b"a" * 9000)) == 200
    assert not uploads.make(("4" * 64, [(0, 0, 0)] * 1000))


def test_a_few_bytes_fill_no_disk(hub, uploads):
    packed = lz4.frame.compress(bytes(4 << 20))
    header = b"\0" + len(packed).to_bytes(3, "little") + b"\1" + (4 << 20).to_bytes(3, "little")
    assert uploads.put("6" * 64, header + packed) == 200
    sent, size = len(packed), 0
    for number in range(1, 8):  # one file of many copies, then many files
        segments = [(4 << 20, 0, 1)] * (40 if number == 1 else 6)
        uploads.make(("6" * 64, segments), *[("6" * 64, segments[:extra]) for extra in range(1, number)])
        sent += 100 * len(segments)
        size = sum(path.stat().st_size for path in (hub.root / "files").rglob("*") if path.is_file())
    assert size < (140 << 20) + 64 * sent


def test_noting_where_chunks_lie_takes_no_more_than_they_do(hub, uploads):
    """A few hundred files of the same small chunks, each in other ranges."""
    assert uploads.put("5" * 64, xorb(*[b"%d" % (number % 10) for number in range(8000)])) == 200
    database = hub.root / "hub.db"

    def size() -> int:
        return sum(path.stat().st_size for path in (database, database.with_name("hub.db-wal")))

    before = size()
    files = [("5" * 64, [(8000 - number, number, 8000)]) for number in range(300)]
    uploads.make(*files)
    assert size() - before < 2 << 20
