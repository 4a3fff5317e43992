"""A header of others is believed in nothing: every claim is checked against the file, in bounded memory and time."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from harness.errors import ModelError
from harness.models.imports.gguf_header import read_header
from support.gguf_files import small_model, write_gguf

MAGIC, F32, Q4_0 = b"GGUF", 0, 2
STRING, ARRAY, UINT32 = 8, 9, 4


def text(value: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(value) if length is None else length) + value


def pair(key: bytes, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def tensor(name: bytes = b"a", shape: tuple[int, ...] = (32, 2), kind: int = F32, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def gguf(
    pairs: tuple[bytes, ...] = (),
    tensors: tuple[bytes, ...] = (tensor(),),
    *,
    version: int = 3,
    counts: tuple[int, int] | None = None,
    data: int = 256,
    alignment: int = 32,
) -> bytes:
    head = MAGIC + struct.pack("<IQQ", version, *(counts or (len(tensors), len(pairs)))) + b"".join((*pairs, *tensors))
    return head + bytes(-len(head) % alignment + data)


def array(kind: int, count: int, data: bytes = b"") -> bytes:
    return struct.pack("<IQ", kind, count) + data


HOSTILE = {
    "empty": (b"", "cut short"),
    "another format": (b"PK\x03\x04" + bytes(100), "no GGUF file"),
    "version 1": (gguf(version=1), "version 1"),
    "big-endian": (MAGIC + struct.pack(">IQQ", 3, 1, 0) + bytes(99), "big-endian"),
    "a billion tensors": (gguf(counts=(1 << 30, 0)), "1,073,741,824 tensors"),
    "endless keys": (gguf(counts=(1, (1 << 64) - 1)), "keys"),
    "more keys than there are": (gguf(counts=(1, 500)), ""),
    "a name of 2**63 bytes": (gguf((text(b"k", 1 << 63) + bytes(20),)), "no more than 256"),
    "a text of a gigabyte": (gguf((pair(b"k", STRING, text(b"", 1 << 30)),)), "1,073,741,824 bytes"),
    "a text beyond the end": (gguf((pair(b"k", STRING, text(b"", 5000)),)), "cut short"),
    "a text that is no UTF-8": (gguf((pair(b"k", STRING, text(b"\xff\xfe")),)), "not UTF-8"),
    "a key twice": (gguf((pair(b"k", UINT32, bytes(4)),) * 2), "the key 'k' twice"),
    "an unknown type": (gguf((pair(b"k", 77, bytes(8)),)), "unknown type 77"),
    "no number": (gguf((pair(b"k", 6, struct.pack("<f", float("nan"))),)), "nan as 'k'"),
    "arrays in arrays": (gguf((pair(b"k", ARRAY, array(ARRAY, 1, array(ARRAY, 1))),)), "arrays within an array"),
    "an endless array": (gguf((pair(b"k", ARRAY, array(STRING, 1 << 62)),)), "more than 2,097,152"),
    "a large array of nothing": (gguf((pair(b"k", ARRAY, array(12, 1 << 20)),)), "cut short"),
    "many arrays": (
        gguf(
            (pair(b"k", ARRAY, array(0, 1 << 20, bytes(1 << 20))),) * 1
            + tuple(pair(b"k%d" % one, ARRAY, array(0, 1 << 20, bytes(1 << 20))) for one in range(2))
        ),
        "more than 2,097,152",
    ),
    "alignment 0": (gguf((pair(b"general.alignment", UINT32, bytes(4)),)), "alignment of 0"),
    "alignment 24": (gguf((pair(b"general.alignment", UINT32, struct.pack("<I", 24)),)), "alignment of 24"),
    "alignment 2**31": (gguf((pair(b"general.alignment", UINT32, struct.pack("<I", 1 << 31)),)), "alignment of"),
    "alignment as text": (gguf((pair(b"general.alignment", STRING, text(b"32")),)), "another type"),
    "no tensors": (gguf(tensors=()), "no tensors"),
    "no dimensions": (gguf(tensors=(tensor(shape=()),)), "0 dimensions"),
    "a billion dimensions": (gguf(tensors=(text(b"a") + struct.pack("<I", 1 << 30),)), "1,073,741,824 dimensions"),
    "an empty tensor": (gguf(tensors=(tensor(shape=(32, 0)),)), "the shape (32, 0)"),
    "a huge tensor": (gguf(tensors=(tensor(shape=(1 << 40, 1 << 40)),)), "cut short"),
    "a product of 2**64": (gguf(tensors=(tensor(shape=(1 << 32, 1 << 32)),)), "cut short"),
    "half a block": (gguf(tensors=(tensor(shape=(33, 2), kind=Q4_0),)), "Q4_0"),
    "an unknown encoding": (gguf(tensors=(tensor(kind=99),)), "unknown encoding 99"),
    "data beyond the file": (gguf(tensors=(tensor(offset=1 << 40),)), "cut short"),
    "data at 2**64 - 32": (gguf(tensors=(tensor(offset=(1 << 64) - 32),)), "cut short"),
    "unaligned data": (gguf(tensors=(tensor(offset=8),), data=512), "unaligned"),
    "two tensors in one place": (gguf(tensors=(tensor(), tensor(b"b")), data=512), "within a"),
    "a tensor twice": (gguf(tensors=(tensor(), tensor(offset=256)), data=512), "the tensor 'a' twice"),
    "a byte too few": (gguf(data=255), "cut short"),
    "a name with an escape": (gguf(tensors=(tensor(b"\x1b[2J\n::error"),), data=1), "cut short"),
}


@pytest.mark.parametrize(("content", "words"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_header_is_refused_in_one_sentence(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        read_header(path, "hostile.gguf")
    said = str(caught.value)
    assert words in said
    assert said.startswith("hostile.gguf ")
    assert "\n" not in said
    assert len(said) < 600


def test_what_is_true_is_read(tmp_path: Path) -> None:
    path = tmp_path / "true.gguf"
    path.write_bytes(
        gguf(
            (
                pair(b"general.name", STRING, text("Größe".encode())),
                pair(b"t", ARRAY, array(8, 2, text(b"x") * 2)),
            ),
            (tensor(offset=64), tensor(b"b", (64,), Q4_0)),
            data=64 + 256,
        )
    )
    found = read_header(path, "true", ["t"])
    assert (found.text("general.name"), found.arrays, found.elements) == ("Größe", {"t": ["x", "x"]}, 2)
    assert [(one.name, one.elements, one.type, one.size) for one in found.tensors] == [
        ("b", 64, "Q4_0", 36),
        ("a", 64, "F32", 256),
    ]
    assert found.parameters == 128


@pytest.fixture(scope="module")
def whole(student: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A real file, its weights apart: mutations belong into the header."""
    path = tmp_path_factory.mktemp("whole") / "small.gguf"
    return write_gguf(path, small_model("qwen3", 609), student).read_bytes()


def _cut(content: bytearray, random: Random) -> None:
    del content[random.randrange(len(content)) :]


def _flip(content: bytearray, random: Random) -> None:
    for _ in range(random.randint(1, 8)):
        content[random.randrange(min(len(content), 40_000))] = random.choice(
            (0, 1, 127, 128, 255, random.randrange(256))
        )


def _number(content: bytearray, random: Random) -> None:
    place = random.randrange(4, min(len(content), 40_000) - 8)
    content[place : place + 8] = struct.pack("<Q", random.choice((0, 1 << 31, 1 << 40, (1 << 64) - 1)))


def _move(content: bytearray, random: Random) -> None:
    start = random.randrange(min(len(content), 40_000))
    content[start:start] = content[start : start + random.randrange(64)]


@pytest.mark.parametrize("change", [_cut, _flip, _number, _move])
def test_whatever_is_changed_it_is_read_or_refused(
    change: Callable[[bytearray, Random], Any], whole: bytes, tmp_path: Path
) -> None:
    path, refused = tmp_path / "changed.gguf", 0
    for seed in range(150):
        content = bytearray(whole)
        change(content, Random(f"{change.__name__}:{seed}"))
        path.write_bytes(content)
        try:
            found = read_header(path, "changed")
        except ModelError:
            refused += 1
        else:
            assert all(one.start + one.size <= len(content) for one in found.tensors)
    assert refused > 50 or change is _flip
