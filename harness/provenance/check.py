"""Whether the chain behind an artifact is whole: every input there, every record true, every tag where it belongs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.hub import Hub
from harness.provenance.chain import Node, read_chain
from harness.records import Artifact
from harness.wire.reports import load_report

_TAGLESS = ("student", "evaluate")
"""Stages whose results carry no tag."""


def check_chain(hub: Hub, artifact: Artifact) -> list[str]:
    """Return what is wrong with the chain behind an artifact, a sentence each; empty for a whole one.

    Raises HubUnreachable or HubError where the Hub does not answer: that says nothing about the chain.
    """
    return checked(hub, artifact).sentences()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A chain, and the problems of its nodes by name; a node without any is not in it."""

    root: Node
    problems: Mapping[str, tuple[str, ...]]

    def sentences(self) -> list[str]:
        """Return every problem once, those of the newest artifacts first."""
        return list(dict.fromkeys(problem for found in self.problems.values() for problem in found))


def checked(hub: Hub, artifact: Artifact, config: str | None = None) -> Checked:
    """Return the chain behind an artifact, or one evaluation in it, with all that is wrong; see `check_chain`."""
    root = read_chain(hub, artifact, config)
    checks = _Checks(hub)
    found = {node.name: (*node.problems, *checks.of(node)) for node in root.walk()}
    return Checked(root=root, problems={name: problems for name, problems in found.items() if problems})


class _Checks:
    """What is asked about each node. The files of a commit are listed once."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._hashes: dict[Artifact, dict[str, str]] = {}

    def of(self, node: Node) -> Iterator[str]:
        """Yield what is wrong with a node that the reading of the chain has not shown."""
        if node.artifact is None or node.record is None:
            return
        if node.kind == "evaluation":
            yield from self._evaluation(node, node.artifact)
        elif node.stage not in _TAGLESS:
            yield from self._tag(node, node.artifact)
        yield from _own(node)

    def _tag(self, node: Node, artifact: Artifact) -> Iterator[str]:
        """The tag of the fingerprint must lead to the commit, or to one with the same files but for its card."""
        if node.record is None or node.record.tag in node.tags:
            return
        tagged = self._hub.find_tag(artifact.kind, artifact.repo_id, node.record.tag)
        if tagged is None:
            yield (
                f"{artifact.kind} {artifact.repo_id} has no tag {node.record.tag} for the fingerprint in its lineage: "
                "its push was interrupted, or the tag was removed"
            )
            return
        differing = self._differing(tagged, artifact)
        if differing:
            yield (
                f"the tag {node.record.tag} of {artifact.kind} {artifact.repo_id} points to commit "
                f"{tagged.revision[:12]}, whose {_listed(differing)} not those of {artifact.revision[:12]}"
            )

    def _differing(self, one: Artifact, other: Artifact) -> list[str]:
        """Return the files that a stage makes and that differ between two commits."""
        first, second = self._made(one), self._made(other)
        return sorted(path for path in first.keys() | second.keys() if first.get(path) != second.get(path))

    def _made(self, artifact: Artifact) -> dict[str, str]:
        if artifact not in self._hashes:
            self._hashes[artifact] = self._hub.hashes(artifact)
        return {path: found for path, found in self._hashes[artifact].items() if not _is_changed_later(path)}

    def _evaluation(self, node: Node, artifact: Artifact) -> Iterator[str]:
        """The report must be of the model and the test set that the lineage names."""
        path = f"reports/{node.config}.json"
        text = self._hub.read_at(artifact, path)
        if text is None:
            yield f"{artifact} has a lineage of {node.config} but no {path}"
            return
        try:
            run = _run_of(text)
        except ValueError as error:
            yield f"{path} of {artifact} cannot be read: {error}"
            return
        inputs = node.record.lineage.inputs if node.record else ()
        for what, pinned in run.items():
            if pinned not in inputs:
                yield f"{path} of {artifact} is of the {what} {pinned}, which its lineage does not name"


def _run_of(text: str) -> dict[str, str]:
    """Return what the report is about, as inputs of a lineage."""
    run = load_report(json.loads(text)).run
    found = {"test set": f"{run.dataset}@{run.dataset_revision}"}
    if run.model_revision:
        found["model"] = f"{run.model.partition(':')[2]}@{run.model_revision}"
    return found


def _is_changed_later(path: str) -> bool:
    """Whether later stages and people change a file beside the result: cards, scores, the record of a copy."""
    return path in ("README.md", ".gitattributes", ".promotion.json") or path.startswith(".eval_results/")


def _listed(paths: list[str]) -> str:
    shown = ", ".join(paths[:3])
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return f"{shown}{more} {'is' if len(paths) == 1 else 'are'}"


def _own(node: Node) -> Iterator[str]:
    """What a lineage says of itself: it has inputs, and what it says of a training is about them."""
    if node.record is None:
        return
    lineage = node.record.lineage
    if not lineage.inputs:
        yield f"the lineage of {node.artifact} names no input"
    training = lineage.extra.get("training")
    if isinstance(training, dict):
        for what in ("student", "dataset", "task"):
            if training.get(what) not in lineage.inputs:
                named = training.get(what)
                yield f"the lineage of {node.artifact} speaks of the {what} {named}, which is none of its inputs"
