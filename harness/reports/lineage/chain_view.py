"""A chain as a tree in a terminal: each artifact with its stage, models, settings and inputs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.hub.artifact import parse_input, split_revision
from harness.hub.lineage import LineageRecord
from harness.reports.lineage.chain import Node
from harness.reports.lineage.check import CheckedChain
from harness.statistics.formatting import first_of
from harness.terminal import one_line

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text
    from rich.tree import Tree


HASH = 12
"""Digits of a hash that are shown."""
_MODELS = ("teacher", "committee", "arbiter", "judges")
_LONG = 60


def models(record: LineageRecord) -> Iterator[tuple[str, str]]:
    """Yield (role, model in words) for each model that the stage has asked; a judge is recorded beside the settings."""
    for role in _MODELS:
        value = record.lineage.config.get(role) or record.lineage.extra.get(role)
        if isinstance(value, Mapping) and role == "judges":
            for name, settings in value.items():
                yield "judge", _model({"name": name, **(settings if isinstance(settings, Mapping) else {})})
        elif isinstance(value, Mapping):
            yield role, _model(value)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            for number, one in enumerate(value, start=1):
                if isinstance(one, Mapping):
                    yield f"member {number}", _model(one)


def settings(record: LineageRecord) -> list[str]:
    """Return what is set of a stage in words, `key value` each, in order; models are not among it."""
    config = {**record.lineage.config}
    if record.lineage.seed is not None:
        config["seed"] = record.lineage.seed
    return [f"{key} {in_words(value)}" for key, value in config.items() if key not in _MODELS and value is not None]


def short(text: str) -> str:
    """Return an input's name with its hash cut: `repo@commit`, `file@sha256:<hex>`."""
    found = parse_input(text)
    return found.short if found else text


def _model(settings: Mapping[str, Any]) -> str:
    """Return a model's name, and in brackets what it was: its commit, its prompt, and how it was asked."""
    rest = {key: value for key, value in settings.items() if key != "name" and value not in (None, [], {})}
    said = ", ".join(f"{key.removesuffix('_sha256')} {in_words(value)}" for key, value in rest.items())
    return f"{settings.get('name', 'a model without a name')}" + (f" ({said})" if said else "")


def in_words(value: Any) -> str:
    """Return the value of a setting in a few words, hashes cut."""
    if isinstance(value, str):
        is_hash = len(value) in (40, 64) and not set(value) - set("0123456789abcdef")
        return value[:HASH] if is_hash else _cut(value)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key} {in_words(one)}" for key, one in value.items())
        return f"({_cut(inner)})"
    if isinstance(value, Sequence):
        plain = all(isinstance(one, str | int | float) for one in value)
        return _cut(", ".join(map(str, value)) or "none") if plain else f"({len(value)} entries)"
    return json.dumps(value) if isinstance(value, bool | None) else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"


_FILES = 3
"""Files of a lineage that are shown by name."""
_PLAIN = ("file", "source", "other")
_WORDS = {
    "other": "no repository",
    "source": "where the source files come from",
    "missing": "not on the Hub",
}


def chain_tree(found: CheckedChain, depth: int | None = None) -> Tree:
    """Return the chain as a tree, `depth` levels below its root (None: all). What was shown already is not repeated."""
    from rich.tree import Tree

    tree = Tree(_label(found.root, found.problems), guide_style="dim")
    _grow(tree, found.root, found.problems, depth, {found.root.name})
    return tree


def _grow(tree: Tree, node: Node, problems: Mapping[str, Sequence[str]], depth: int | None, shown: set[str]) -> None:
    if depth is not None and depth <= 0:
        hidden = sum(1 for one in node.walk()) - 1
        if hidden:
            tree.add(line(f"… {hidden} more behind it; a larger --depth shows them", "dim"))
        return
    for child in node.inputs:
        if child.kind in _PLAIN:
            continue
        if child.name in shown:
            tree.add(line(f"{short(child.name)}  (see above)", "dim"))
            continue
        shown.add(child.name)
        branch = tree.add(_label(child, problems))
        _grow(branch, child, problems, None if depth is None else depth - 1, shown)
    for text in _plain_inputs(node):
        tree.add(text)


def _plain_inputs(node: Node) -> Iterator[Text]:
    """Yield what is no repository of ours: files in one line, and what else there is."""
    for one in node.inputs:
        if one.kind in ("source", "other"):
            yield line(f"{short(one.name)}  {_WORDS[one.kind]}")
    files = [short(one.name) for one in node.inputs if one.kind == "file"]
    if files:
        yield line(f"{len(files)} file{'s' if len(files) > 1 else ''}: {first_of(files, _FILES)}")


def _label(node: Node, problems: Mapping[str, Sequence[str]]) -> RenderableType:
    from rich.console import Group

    head = line(short(node.name), "bold")
    if node.kind == "evaluation" and node.artifact:
        head = line(f"evaluation {node.config}", "bold").append_text(line(f"  in {node.artifact.short}"))
    if node.artifact and node.kind != "evaluation" and split_revision(node.name)[0] != node.artifact.repo_id:
        head.append_text(line(f" here as {node.artifact.short}"))
    lines = [head, line(_what(node), "cyan")]
    if node.record is not None:
        lines += [line(f"{role}: {model}") for role, model in models(node.record)]
        lines.append(line(", ".join(settings(node.record)), "dim"))
    return Group(*lines, *(line(f"problem: {problem}", "bold red") for problem in problems.get(node.name, ())))


def _what(node: Node) -> str:
    """Return what made a node, and by what it is known."""
    if node.record is None:
        return _WORDS.get(node.kind) or f"{node.kind}, not made by this harness (no lineage.json)"
    lineage = node.record.lineage
    names = [tag for tag in node.tags if tag != node.record.tag]
    tags = f", tagged {', '.join(names)}" if names else ""
    made = f"stage {lineage.stage} v{lineage.version}, harness {node.record.harness}"
    kind = "" if node.kind == "evaluation" else f"{node.kind}, "
    return f"{kind}{made}, fingerprint {node.record.fingerprint}{tags}"


def line(text: object, style: str = "") -> Text:
    """Return text in a style that can neither style the terminal otherwise nor steer it."""
    from rich.text import Text

    return Text(one_line(text), style=style)
