"""Page: the first rows of a dataset, by configuration and split."""

from __future__ import annotations

import fnmatch
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from ..bounds import Budget, Cache
from ..errors import Refused
from .page import RepoPage, path, repo_page, segment
from .rows import first_rows, has_rows

FILES_LIMIT, SPLITS = 20_000, 300
SECONDS = 1.0  # of processor time for matching the patterns of a card with the files
_SPLIT = re.compile(r"(?:^|[-_./])(train|test|validation|valid|val|dev|eval)(?:[-_./]|$)")
_PLAIN_START = re.compile(r"[^*?\[]*")
_KNOWN: Cache[tuple[str, str], Splits] = Cache(16 << 20)  # by repository and commit
_CANONICAL = {"valid": "validation", "val": "validation", "dev": "validation", "eval": "test"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A split of a configuration: its first file, and how many there are."""

    config: str
    name: str
    first: str
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """The splits of a dataset; `cut`: not all files and patterns were looked at."""

    splits: tuple[Split, ...]
    cut: bool


@repo_page
def viewer(view: RepoPage) -> Response:
    """Show the first rows of a split: `/viewer[/config[/split]]`; without them the first one."""
    found = splits(view)
    chosen = _chosen(found.splits, view.call.segments)
    base = f"{path(view.repo.web_path)}/viewer"
    links: dict[str, list[tuple[Split, str]]] = {}
    for item in found.splits:
        links.setdefault(item.config, []).append((item, f"{base}/{segment(item.config)}/{segment(item.name)}"))
    preview = None
    if chosen is not None and (entry := view.git.entry(view.commit, chosen.first)) is not None:
        preview = first_rows(view.call.services.blobs, view.git, chosen.first, view.git.facts(entry.sha))
    return view.show(
        "viewer", "viewer", links=links, cut=found.cut, chosen=chosen, rows=preview,
        file=view.address("blob", chosen.first) if chosen is not None else "",
    )  # fmt: skip


def _chosen(found: Sequence[Split], segments: list[str]) -> Split | None:
    wanted = [part for part in segments if part]
    for item in found:
        if not wanted or [item.config, item.name][: len(wanted)] == wanted:
            return item
    if wanted:
        raise Refused(404, f"This dataset has no configuration or split {'/'.join(wanted)[:200]}.")
    return None


def splits(view: RepoPage) -> Splits:
    """Return the splits that the card declares; without any, those that the names of the files suggest."""
    key = (view.repo.id, view.commit)
    if (known := _KNOWN.get(key)) is not None:
        return known
    budget = Budget(SECONDS)
    files = _Files(budget)
    for number, (name, entry) in enumerate(view.git.walk(view.git.commit(view.commit).tree)):
        if number == FILES_LIMIT or budget.spent:
            files.cut = True
            break
        if not entry.is_folder and has_rows(name):
            files.names.append(name)
    files.names.sort()
    found: list[Split] = []
    for config in _dicts(view.metadata.get("configs")):
        found += _declared(config, files)
        if budget.spent or len(found) > SPLITS:
            break
    cut = files.cut or budget.spent or len(found) > SPLITS
    shown = Splits(splits=tuple((found or _guessed(files.names))[:SPLITS]), cut=cut)
    return _KNOWN.put(key, shown, 1000 + sum(400 + len(split.first) for split in shown.splits))


@dataclass(slots=True)
class _Files:
    """The names of files with rows, in order; `cut`: not all of them."""

    budget: Budget
    names: list[str] = field(default_factory=list)
    cut: bool = False

    def matching(self, patterns: list[str]) -> list[str]:
        """Return the names that a pattern fits; what the budget does not suffice for is left out."""
        found: set[str] = set()
        for option in _options(patterns):
            plain = _PLAIN_START.match(option)
            start = plain[0] if plain else ""
            fits = None if start == option else re.compile(fnmatch.translate(option)).match
            for at in range(bisect_left(self.names, start), len(self.names)):
                name = self.names[at]
                if not name.startswith(start) or (at % 64 == 0 and self.budget.spent):
                    break
                if name == option or (fits is not None and fits(name)):
                    found.add(name)
            if self.budget.spent:
                break
        return sorted(found)


def _options(patterns: list[str]) -> Iterator[str]:
    """Yield the patterns as they are matched: `**/x` also means x at the top; a star already crosses folders."""
    for pattern in patterns:
        for option in dict.fromkeys((pattern, pattern.replace("**/", ""))):
            if len(option) < 500 and option.count("*") < 6:
                yield option.removeprefix("./")


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _declared(config: dict[str, Any], files: _Files) -> list[Split]:
    name, data_files = str(config.get("config_name") or "default")[:200], config.get("data_files")
    items = _dicts(data_files)
    if not items:
        patterns = _patterns(data_files) or [f"{config['data_dir']}/**" if config.get("data_dir") else "**"]
        return _guessed(files.matching(patterns), name)
    found: list[Split] = []
    for item in items[: SPLITS + 1]:
        if some := files.matching(_patterns(item.get("path"))):
            found.append(_split(name, str(item.get("split") or "train")[:200], some))
    return found


def _patterns(value: Any) -> list[str]:
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)][:100]


def _split(config: str, name: str, files: list[str]) -> Split:
    return Split(config=config, name=name, first=files[0], files=len(files))


def _guessed(files: list[str], config: str = "default") -> list[Split]:
    groups: dict[str, list[str]] = {}
    for file in files:
        found = _SPLIT.search(file.lower())
        name = found[1] if found else "train"
        groups.setdefault(_CANONICAL.get(name, name), []).append(file)
    return [_split(config, name, groups[name]) for name in ("train", "validation", "test") if name in groups]
