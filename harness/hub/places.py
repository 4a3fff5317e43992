"""Folders of this machine: found in texts that leave it, and taken out of what is recorded.

They are the home folder and the working folder, those of this Python and of caches, and those that the command line and
the variables of `tft` name. Folders at the top (`/tmp`, `/root`) and those of the system tell nothing of this one.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

HIDDEN = "[folder]"
"""What stands for a folder of this machine."""
_LEAST = 3
"""Parts of a path that tells something of this machine, the root counted."""
_SYSTEM = ("usr", "lib", "bin", "etc", "proc", "dev")
"""What lies below these is the same on many machines."""
_CACHES = ("HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME", "VIRTUAL_ENV", "RUNNER_TEMP", "GITHUB_WORKSPACE")
_ABSOLUTE = re.compile(r"(?<![\w.:/~-])(?:~|/[\w.@+~-]+(?=/))(?:/[\w.@+~-]+)+/?")


def find_place(text: str) -> str | None:
    """Return the first folder of this machine that a text names, None where it names none."""
    pattern = _pattern()
    found = pattern.search(text) if pattern else None
    return found[0] if found else None


def without_places(text: str) -> str:
    """Return a text with `HIDDEN` in the place of the folders of this machine."""
    pattern = _pattern()
    return pattern.sub(HIDDEN, text) if pattern else text


def without_paths(text: str) -> str:
    """Return a setting with the last part alone of every absolute path in it."""
    if text.startswith(("/", "~/")):
        return text.rstrip("/").rpartition("/")[2]
    return _ABSOLUTE.sub(lambda found: found[0].rstrip("/").rpartition("/")[2], text)


def _pattern() -> re.Pattern[str] | None:
    return _compiled(tuple(dict.fromkeys(_places())))


@lru_cache(maxsize=8)
def _compiled(places: tuple[str, ...]) -> re.Pattern[str] | None:
    if not places:
        return None
    longest = sorted(places, key=len, reverse=True)
    return re.compile(rf"(?<![\w.~-])(?:{'|'.join(map(re.escape, longest))})(?![\w.-]*[\w-])")


def _places() -> Iterator[str]:
    home = Path.home()
    named = [str(home), str(home / ".cache"), str(Path.cwd()), sys.prefix, str(Path(__file__).parents[2])]
    named += [os.environ.get(name, "") for name in _CACHES]
    words = [*sys.argv[1:], *(value for name, value in os.environ.items() if name.startswith("TFT_"))]
    for word in words:
        path = word[word.find("/") :] if word.partition("/")[0].endswith((":", "=", "")) and "/" in word else ""
        named += [path, str(Path(path).parent)] if path and "://" not in word and Path(path).parent.is_dir() else []
    for name in named:
        if name.startswith("/"):
            folders = (Path(name), Path(name).resolve())
            yield from (str(one) for one in folders if len(one.parts) >= _LEAST and one.parts[1] not in _SYSTEM)
