"""Parse 100,000 arbitrary texts that mix the markers of every notation with anything else: no parser may raise.

Prints how many contained a call, and the seconds; a text that raises ends the run with its traceback.

    python tests/benchmarks/any_text.py [--cases 100000] [--seed 0]
"""

from __future__ import annotations

import argparse
import random
import time

from harness.models.parsing import canonical, families, read
from harness.models.parsing.strip_thinking import END_TOKENS, THINKING

PIECES = [
    *sorted({mark for family in families().values() for mark in family.markers}),
    *(mark for pair in THINKING for mark in pair),
    *END_TOKENS,
    *"{}[]()\"':,\\\n =a1-",
    *('"name": "a"', '"arguments": {', '{"name": "a", "arguments": {"x": 1}}', "[a(x=1)]", "a(x='1')", "[ARGS]"),
    *("<function=a>", "</function>", "</parameter>", "</arg_value>", "call:a{", "to=functions.a", "```json\n"),
    *("\ud800", "\\ud800", "\u2028", "\x00", "1e999", "NaN", "9" * 500),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw, names = random.Random(options.seed), sorted(families())
    start, calls = time.monotonic(), 0
    for _ in range(options.cases):
        text = "".join(piece(draw) for _ in range(draw.randint(0, 12)))
        family = draw.choice(names)
        for reading in (read(text), read(text, strict=True), read(text, family=family, strict=True)):
            if reading.call is not None:
                calls += 1
                if read(canonical(reading.call), strict=True).call != reading.call:
                    raise SystemExit(f"a call does not survive being written: {text!r}")
    print(f"{options.cases} texts, {calls} readings with a call, nothing raised, {time.monotonic() - start:.0f} s")


def piece(draw: random.Random) -> str:
    """Return a mark, or now and then some random characters."""
    if draw.random() < 0.8:
        return draw.choice(PIECES)
    return "".join(chr(draw.randint(1, 0x2FFF)) for _ in range(draw.randint(1, 8)))


if __name__ == "__main__":
    main()
