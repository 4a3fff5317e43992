"""Which files are stored as large ones: .gitattributes, and what clients ask to ignore."""

from __future__ import annotations

import re
from fnmatch import translate
from functools import lru_cache

LARGE_SUFFIXES = (  # noqa: SIM905 - a list literal would take thirty lines
    "7z arrow bin bz2 ckpt ftz gz h5 joblib lfs.* mlmodel model msgpack npy npz onnx ot parquet pb pickle pkl pt pth "
    "rar safetensors tar tflite tgz wasm xz zip zst"
).split()
DEFAULT_ATTRIBUTES = "".join(f"*.{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in LARGE_SUFFIXES).encode()
LARGE_SIZE = 10 << 20  # bytes; at or above, a file is stored as a large one whatever its name


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))


def _fits(pattern: str, path: str) -> bool:
    if "/" in pattern.strip("/"):
        return bool(_compiled(pattern.lstrip("/")).match(path))
    return any(_compiled(pattern.strip("/")).match(name) for name in path.split("/"))


def is_large(attributes: str, path: str) -> bool:
    """Return whether the last matching line of a .gitattributes text says filter=lfs for `path`."""
    large = False
    for line in attributes.splitlines():
        pattern, *settings = line.split() or [""]
        if not settings or pattern.startswith("#"):
            continue
        names_file = "/" in pattern.strip("/")
        if _fits(pattern, path if names_file else path.rsplit("/", maxsplit=1)[-1]):
            if "filter=lfs" in settings:
                large = True
            elif "-filter" in settings or "!filter" in settings:
                large = False
    return large


def is_ignored(ignore: str, path: str) -> bool:
    """Return whether a .gitignore text leaves out `path` (later lines win, `!` takes back)."""
    ignored = False
    for line in ignore.splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        if _fits(pattern.removeprefix("!"), path) or path.startswith(f"{pattern.strip('/')}/"):
            ignored = not pattern.startswith("!")
    return ignored
