"""GGUF files with bytes changed at random, converted under limits: each is imported, or refused in one sentence.

    python tests/benchmarks/hostile_gguf.py [--files N]

None takes more than 30 s or the child process with it. The changes are in the header, where everything is decided.
"""

from __future__ import annotations

import argparse
import shutil
import struct
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.errors import ModelError
from harness.models.engine.guard import Guard
from harness.models.imports.convert import ToConvert, convert
from harness.models.imports.gguf_header import read_header
from harness.training.small_model import create_student, sample_texts
from support.gguf_files import small_model, write_gguf

LONGEST, MEMORY = 30.0, 1 << 30
SETTINGS, HEADER = 700, 25_000
"""Bytes from the beginning: the settings, and the whole header."""


def main() -> int:
    """Convert the files, print what became of them, and return 1 where one was not dealt with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200)
    count = parser.parse_args().files
    with tempfile.TemporaryDirectory() as place, Guard("changed.gguf") as guard:
        folder = Path(place)
        create_student(folder / "student", texts=sample_texts(), parameters=400_000, vocabulary=600, context=4096)
        whole = write_gguf(folder / "whole.gguf", small_model("llama", 600), folder / "student").read_bytes()
        ended, longest = Counter[str](), 0.0
        for number in range(count):
            (folder / "changed.gguf").write_bytes(changed(whole, Random(f"gguf:{number}")))
            began = time.monotonic()
            ended[end(folder, guard)] += 1
            longest = max(longest, time.monotonic() - began)
    print(f"{count} files: {dict(ended)}; {longest:.1f} s at most")
    return int(longest > LONGEST or "several lines" in ended)


def changed(whole: bytes, random: Random) -> bytes:
    """Return a file with one to three places changed."""
    content = bytearray(whole)
    last = random.choice((SETTINGS, HEADER)) - 8
    for _ in range(random.randint(1, 3)):
        place = random.randrange(24, last)
        if random.random() < 0.3:
            number = random.choice((0, 1, 2, 3, 100, 65_535, 1 << 31, (1 << 32) - 1))
            content[place : place + 4] = struct.pack("<I", number)
        else:
            content[place] = random.choice((random.randrange(256), content[place] ^ 1 << random.randrange(8)))
    return bytes(content)


def end(folder: Path, guard: Guard) -> str:
    """Return how a file ended: imported, refused by its header or later, or with an error of several lines."""
    source, out = folder / "changed.gguf", folder / "out"
    try:
        read_header(source, source.name)
    except ModelError as error:
        return "several lines" if "\n" in str(error) else "refused by its header"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    guard.start("harness.models.imports.convert", torch=True)
    try:
        what = ToConvert(source=source, name=source.name, out=out, dtype="auto")
        guard.call(convert, what, seconds=LONGEST, memory=MEMORY)
    except ModelError as error:
        return "several lines" if "\n" in str(error) else "refused later"
    return "imported"


if __name__ == "__main__":
    sys.exit(main())
