"""A chain as a tree in a terminal: each artifact with its stage, its models and settings, and what it was made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from harness.hub.artifact import split_revision
from harness.reports.lineage.chain import Node
from harness.reports.lineage.check import Checked
from harness.reports.lineage.settings import models, settings, short
from harness.terminal import one_line

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text
    from rich.tree import Tree

_FILES = 3
"""Files of a lineage that are shown by name."""
_PLAIN = ("file", "source", "other")
_WORDS = {
    "other": "no repository",
    "source": "where the source files come from",
    "missing": "not on the Hub",
}


def chain_tree(found: Checked, depth: int | None = None) -> Tree:
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
        more = f" and {len(files) - _FILES} more" if len(files) > _FILES else ""
        yield line(f"{len(files)} file{'s' if len(files) > 1 else ''}: {', '.join(files[:_FILES])}{more}")


def _label(node: Node, problems: Mapping[str, Sequence[str]]) -> RenderableType:
    from rich.console import Group

    return Group(*_lines(node, problems))


def _lines(node: Node, problems: Mapping[str, Sequence[str]]) -> Iterator[Text]:
    head = line(short(node.name), "bold")
    if node.kind == "evaluation" and node.artifact:
        head = line(f"evaluation {node.config}", "bold").append_text(line(f"  in {node.artifact.short}"))
    if node.artifact and node.kind != "evaluation" and split_revision(node.name)[0] != node.artifact.repo_id:
        head.append_text(line(f" here as {node.artifact.short}"))
    yield head
    yield line(_what(node), "cyan")
    if node.record is not None:
        for role, model in models(node.record):
            yield line(f"{role}: {model}")
        yield line(", ".join(settings(node.record)), "dim")
    for problem in problems.get(node.name, ()):
        yield line(f"problem: {problem}", "bold red")


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
