"""The header of a GGUF file, read under limits before any library opens the file.

Libraries believe the header: they allocate what its counts and sizes say, and take a tensor for whole whose data ends
before its shape does. So everything that a reader would compute with is checked here, against the size of the file.
The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from harness.errors import ModelError
from harness.models.engine.guard_child import doing, shown

Value = int | float | bool | str

_VERSIONS = (2, 3)
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""Types of metadata values that have one size, as `struct` writes them."""
_UINT32, _STRING, _ARRAY = 4, 8, 9
_ALIGNMENT = 32
"""Where the file states none."""

_MOST_BYTES = 128 << 20
"""Of the header: the largest vocabularies of today take a tenth."""
_MOST_KEYS = _MOST_TENSORS = 1 << 16
_MOST_ELEMENTS = 1 << 21
"""Elements of all arrays: tokens, their scores and types, merges."""
_MOST_TEXT, _MOST_NAME = 1 << 20, 256
"""Bytes of a text and of a name."""
_MOST_DIMENSIONS, _MOST_ALIGNMENT = 4, 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufTensor:
    """One tensor in the file."""

    name: str
    elements: int
    type: str
    """The name of its encoding, such as `Q4_1`."""
    start: int
    """Of its data, in bytes from the beginning of the file."""
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufHeader:
    """What a file says of itself; every tensor lies whole in the file, and no two share a byte."""

    values: dict[str, Value]
    """The metadata without its arrays."""
    arrays: dict[str, list[Value]]
    """The arrays that were asked for."""
    elements: int
    """Of all arrays together."""
    tensors: tuple[GgufTensor, ...]

    @property
    def parameters(self) -> int:
        """The number of weights."""
        return sum(tensor.elements for tensor in self.tensors)

    def text(self, key: str) -> str | None:
        """Return a text of the metadata, or None."""
        found = self.values.get(key)
        return found if isinstance(found, str) and found else None


def read_header(path: Path, name: str, arrays: Iterable[str] = ()) -> GgufHeader:
    """Return the header of a GGUF file; `arrays` are kept, others only counted.

    Raises ModelError with what is wrong: no GGUF, cut short, too large, or not true.
    """
    doing("the header")
    size = path.stat().st_size
    with path.open("rb") as file:
        return _Reader(file, size, name).header(frozenset(arrays))


class _Reader:
    """Reads a header from its beginning, within the bytes that the file has and a header may have."""

    def __init__(self, file: BinaryIO, size: int, name: str) -> None:
        self._file, self._size, self._name = file, size, name
        self._position = self._elements = 0

    def header(self, wanted: frozenset[str]) -> GgufHeader:
        tensors, keys = self._counts()
        values: dict[str, Value] = {}
        arrays: dict[str, list[Value]] = {}
        seen: set[str] = set()
        for _ in range(keys):
            key = self._unused(self._text(_MOST_NAME), seen, "key")
            (kind,) = self._take("I")
            if kind == _ARRAY:
                found = self._array(key)
                arrays |= {key: found} if key in wanted else {}
            else:
                values[key] = self._value(kind, key)
            if key == "general.alignment" and kind != _UINT32:
                raise self._wrong("states its alignment in another type than a 32-bit number")
        listed = self._tensors(tensors, values.get("general.alignment", _ALIGNMENT))
        return GgufHeader(values=values, arrays=arrays, elements=self._elements, tensors=listed)

    def _counts(self) -> tuple[int, int]:
        if self._bytes(4) != b"GGUF":
            raise ModelError(f"{self._name} is no GGUF file (it does not begin with GGUF); give a .gguf file")
        (version,) = self._take("I")
        if version not in _VERSIONS:
            kind = "of big-endian machines" if version >> 16 in _VERSIONS or not version & 0xFFFF else str(version)
            raise ModelError(f"{self._name} is GGUF version {kind}, and 2 and 3 can be read; convert it again")
        tensors, keys = self._take("QQ")
        for count, most, what in ((tensors, _MOST_TENSORS, "tensors"), (keys, _MOST_KEYS, "keys")):
            if count > most:
                raise self._wrong(f"claims {count:,} {what}, and no more than {most:,} are read")
        return tensors, keys

    def _value(self, kind: int, key: str) -> Value:
        if kind == _STRING:
            return self._text(_MOST_TEXT)
        if kind not in _SCALARS:
            raise self._wrong(f"has a value of the unknown type {kind} as {shown(ValueError(repr(key)))}")
        found: Value = self._take(_SCALARS[kind])[0]
        if isinstance(found, float) and not math.isfinite(found):
            raise self._wrong(f"has {found} as {shown(ValueError(repr(key)))}")
        return found

    def _array(self, key: str) -> list[Value]:
        kind, count = self._take("IQ")
        self._elements += count
        if self._elements > _MOST_ELEMENTS:
            raise self._wrong(f"has arrays of more than {_MOST_ELEMENTS:,} elements, up to {shown(ValueError(key))}")
        if kind == _STRING:
            return [self._text(_MOST_TEXT) for _ in range(count)]
        if kind not in _SCALARS:
            what = "arrays within an array" if kind == _ARRAY else f"elements of the unknown type {kind}"
            raise self._wrong(f"has {what} as {shown(ValueError(repr(key)))}")
        return list(self._take(f"{count}{_SCALARS[kind]}"))

    def _tensors(self, count: int, alignment: Value) -> tuple[GgufTensor, ...]:
        if not isinstance(alignment, int) or alignment.bit_count() != 1 or not 8 <= alignment <= _MOST_ALIGNMENT:
            raise self._wrong(f"states an alignment of {alignment}, expected a power of two up to {_MOST_ALIGNMENT:,}")
        seen: set[str] = set()
        entries = [self._entry(seen) for _ in range(count)]
        if not entries:
            raise self._wrong("has no tensors")
        begin = -(-self._position // alignment) * alignment
        tensors, end, before = [], begin, ""
        for name, elements, (kind, size), offset in sorted(entries, key=lambda entry: entry[3]):
            start = begin + offset
            if offset % alignment or start < end:
                raise self._wrong(f"has the tensor {name} at an offset within {before or 'the header'}, or unaligned")
            end, before = start + size, name
            if end > self._size:
                raise self._wrong(
                    f"is cut short: {name} ends at byte {end:,}, and the file has {self._size:,}", "download it again"
                )
            tensors.append(GgufTensor(name=name, elements=elements, type=kind, start=start, size=size))
        return tuple(tensors)

    def _entry(self, seen: set[str]) -> tuple[str, int, tuple[str, int], int]:
        """Return a tensor's name, number of elements, encoding with size in bytes, and offset."""
        from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

        name = shown(ValueError(self._unused(self._text(_MOST_NAME), seen, "tensor")))
        (count,) = self._take("I")
        if not 1 <= count <= _MOST_DIMENSIONS:
            raise self._wrong(f"gives {name} {count:,} dimensions, expected 1 to {_MOST_DIMENSIONS}")
        shape = self._take(f"{count}Q")
        kind, offset = self._take("IQ")
        try:
            known = GGMLQuantizationType(kind)
        except ValueError:
            raise self._wrong(f"has {name} in the unknown encoding {kind}") from None
        block, stored = GGML_QUANT_SIZES[known]
        elements = math.prod(shape)
        if elements < 1 or shape[0] % block:
            raise self._wrong(f"gives {name} the shape {shape}, which its encoding {known.name} cannot have")
        return name, elements, (known.name, elements // block * stored), offset

    def _unused(self, text: str, seen: set[str], what: str) -> str:
        if text in seen:
            raise self._wrong(f"has the {what} {shown(ValueError(repr(text)))} twice")
        seen.add(text)
        return text

    def _text(self, most: int) -> str:
        (length,) = self._take("Q")
        if length > most:
            raise self._wrong(f"has a text of {length:,} bytes, and no more than {most:,} are read")
        try:
            return self._bytes(length).decode("utf-8")
        except UnicodeDecodeError:
            raise self._wrong("has a text that is not UTF-8") from None

    def _take(self, layout: str) -> tuple[int, ...]:
        return struct.unpack(f"<{layout}", self._bytes(struct.calcsize(f"<{layout}")))

    def _bytes(self, count: int) -> bytes:
        self._position += count
        if self._position > _MOST_BYTES:
            raise self._wrong(f"has a header of more than {_MOST_BYTES:,} bytes")
        found = self._file.read(count)
        if len(found) < count:
            raise self._wrong("is cut short: it ends within its header", "download it again")
        return found

    def _wrong(self, what: str, advice: str = "convert the model again") -> ModelError:
        return ModelError(f"{self._name} {what}; {advice}")
