"""Which files are stored as large ones: .gitattributes, and what clients ask to ignore."""

from __future__ import annotations

import re
from fnmatch import translate
from functools import lru_cache

from ..errors import Refused

LARGE_SUFFIXES = (  # noqa: SIM905 - a list literal would take thirty lines
    "7z arrow bin bz2 ckpt ftz gz h5 joblib lfs.* mlmodel model msgpack npy npz onnx ot parquet pb pickle pkl pt pth "
    "rar safetensors tar tflite tgz wasm xz zip zst"
).split()
DEFAULT_ATTRIBUTES = "".join(f"*.{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in LARGE_SUFFIXES).encode()
RULES, RULES_TEXT = 1_000, 64 << 10  # of a .gitattributes or .gitignore: lines with a rule, and characters
LARGE_SIZE = 10 << 20  # bytes; at or above, a file is stored as a large one whatever its name


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))


def _fits(pattern: str, path: str) -> bool:
    if "/" in pattern.strip("/"):
        return bool(_compiled(pattern.lstrip("/")).match(path))
    return any(_compiled(pattern.strip("/")).match(name) for name in path.split("/"))


def _lines(text: str, name: str) -> list[str]:
    """Return the lines that hold a rule; raises Refused (413) if there are too many, or too long ones."""
    lines = [line for line in text[: RULES_TEXT + 1].splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if len(text) > RULES_TEXT or len(lines) > RULES:
        raise Refused(413, f"The {name} is larger than {RULES} rules in {RULES_TEXT >> 10} kB; make it shorter.")
    return lines


@lru_cache(maxsize=16)
def _large_rules(attributes: str) -> tuple[tuple[str, bool], ...]:
    """Return (pattern, whether it says filter=lfs) of the lines that say something about it."""
    rules = []
    for line in _lines(attributes, ".gitattributes"):
        pattern, *settings = line.split()
        if "filter=lfs" in settings:
            rules.append((pattern, True))
        elif "-filter" in settings or "!filter" in settings:
            rules.append((pattern, False))
    return tuple(rules)


@lru_cache(maxsize=16)
def _ignore_rules(ignore: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in _lines(ignore, ".gitignore"))


def is_large(attributes: str, path: str) -> bool:
    """Return whether the last matching line of a .gitattributes text says filter=lfs for `path`; raises Refused."""
    name = path.rsplit("/", maxsplit=1)[-1]
    for pattern, large in reversed(_large_rules(attributes)):
        if _fits(pattern, path if "/" in pattern.strip("/") else name):
            return large
    return False


def is_ignored(ignore: str, path: str) -> bool:
    """Return whether a .gitignore text leaves out `path` (later lines win, `!` takes back); raises Refused."""
    for pattern in reversed(_ignore_rules(ignore)):
        if _fits(pattern.removeprefix("!"), path) or path.startswith(f"{pattern.strip('/')}/"):
            return not pattern.startswith("!")
    return False
