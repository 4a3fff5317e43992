"""Page: the first rows of a dataset, by configuration and split."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from ..api.request import Call
from ..errors import Refused
from .repo_page import RepoPage, moved, open_page
from .rows import first_rows, has_rows
from .view import path, segment

FILES_LIMIT = 20_000
CONFIGS = 100
_SPLIT = re.compile(r"(?:^|[-_./])(train|test|validation|valid|val|dev|eval)(?:[-_./]|$)")
_CANONICAL = {"valid": "validation", "val": "validation", "dev": "validation", "eval": "test"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A split of a configuration, and its files in order."""

    config: str
    name: str
    files: tuple[str, ...]


def viewer(call: Call) -> Response:
    """Show the first rows of a split: `/viewer[/config[/split]]`; without them the first one."""
    if (away := moved(call)) is not None:
        return away
    view = open_page(call)
    found = splits(view)
    chosen = _chosen(found, call.segments)
    base = f"{path(view.repo.web_path)}/viewer"
    links: dict[str, list[tuple[Split, str]]] = {}
    for item in found:
        links.setdefault(item.config, []).append((item, f"{base}/{segment(item.config)}/{segment(item.name)}"))
    preview = entry = None
    if chosen is not None and chosen.files:
        entry = view.git.entry(view.commit, chosen.files[0])
        preview = (
            first_rows(call.services.blobs, view.git, chosen.files[0], view.git.facts(entry.sha)) if entry else None
        )
    return view.show(
        "viewer", "viewer", links=links, chosen=chosen, rows=preview,
        file=view.address("blob", chosen.files[0]) if chosen is not None and chosen.files else "",
    )  # fmt: skip


def _chosen(found: list[Split], segments: list[str]) -> Split | None:
    wanted = [part for part in segments if part]
    for item in found:
        if not wanted or [item.config, item.name][: len(wanted)] == wanted:
            return item
    if wanted:
        raise Refused(404, f"This dataset has no configuration or split {'/'.join(wanted)[:200]}.")
    return None


def splits(view: RepoPage) -> list[Split]:
    """Return the splits that the card declares; without any, those that the names of the files suggest."""
    files: list[str] = []
    for number, (name, entry) in enumerate(view.git.walk(view.git.commit(view.commit).tree)):
        if number == FILES_LIMIT:
            break
        if not entry.is_folder and has_rows(name):
            files.append(name)
    declared = view.metadata.get("configs")
    found = [split for config in _dicts(declared)[:CONFIGS] for split in _declared(config, files)]
    return found or _guessed(files)


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _declared(config: dict[str, Any], files: list[str]) -> list[Split]:
    name, data_files = str(config.get("config_name") or "default")[:200], config.get("data_files")
    items = _dicts(data_files)
    if not items:
        patterns = _patterns(data_files) or [f"{config['data_dir']}/**" if config.get("data_dir") else "**"]
        matching = [file for file in files if _matches(file, patterns)]
        return [Split(config=name, name=split.name, files=split.files) for split in _guessed(matching)]
    found = [(item, tuple(file for file in files if _matches(file, _patterns(item.get("path"))))) for item in items]
    return [
        Split(config=name, name=str(item.get("split") or "train")[:200], files=some) for item, some in found if some
    ]


def _patterns(value: Any) -> list[str]:
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)][:100]


def _matches(file: str, patterns: list[str]) -> bool:
    # `**/x` also means x at the top; fnmatch's star already crosses folders.
    options = [option.removeprefix("./") for pattern in patterns for option in (pattern, pattern.replace("**/", ""))]
    return any(len(option) < 500 and option.count("*") < 6 and fnmatch.fnmatchcase(file, option) for option in options)


def _guessed(files: list[str]) -> list[Split]:
    groups: dict[str, list[str]] = {}
    for file in files:
        found = _SPLIT.search(file.lower())
        name = found[1] if found else "train"
        groups.setdefault(_CANONICAL.get(name, name), []).append(file)
    order = ["train", "validation", "test"]
    return [Split(config="default", name=name, files=tuple(groups[name])) for name in order if name in groups]
