"""Whether the chain behind an artifact is whole: every input there, every record true, every tag where it belongs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.errors import DataError, UsageError
from harness.evaluation.records import EvalReport, EvalRun
from harness.evaluation.results import ResultsDataset, Rows, report_file, rows_file
from harness.hub.artifact import ATTRIBUTES, README, Artifact, RepoKind
from harness.hub.client import Hub
from harness.hub.promotion.record import RECORD
from harness.hub.repository import Tree
from harness.reports.lineage.chain import Node, read_chain
from harness.statistics.formatting import first_of, number

_TAGLESS = (("student", 1),)
"""Stages, with their versions, whose results have no tag."""
_CHANGED_LATER = (README, ATTRIBUTES, RECORD)
_OF_A_CARD = re.compile(r"\.eval_results/.+|plots/[^/]+\.png")
_FROM_NOTHING = ("student",)
"""Stages that need no input: a small model with random weights."""


def check_chain(hub: Hub, artifact: Artifact) -> list[str]:
    """Return what is wrong with the chain behind an artifact, one sentence each; empty for a whole one.

    Raises HubUnreachable or HubError where the Hub does not answer: that says nothing about the chain.
    """
    return read_checked(hub, artifact).sentences()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedChain:
    """A chain, and the problems of its nodes by name; a node without any is not in it."""

    root: Node
    problems: Mapping[str, tuple[str, ...]]

    def sentences(self) -> list[str]:
        """Return every problem once, those of the newest artifacts first."""
        return list(dict.fromkeys(problem for found in self.problems.values() for problem in found))


def read_checked(hub: Hub, artifact: Artifact, config: str | None = None) -> CheckedChain:
    """Return the chain behind an artifact, or one evaluation in it, with all that is wrong; see `check_chain`."""
    root = read_chain(hub, artifact, config)
    checks = _Checks(hub)
    found = {node.name: (*node.problems, *checks.of(node)) for node in root.walk()}
    return CheckedChain(root=root, problems={name: problems for name, problems in found.items() if problems})


class _Checks:
    """What is asked about each node."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._heads: dict[tuple[RepoKind, str], Artifact] = {}

    def of(self, node: Node) -> Iterator[str]:
        """Yield what is wrong with a node that the reading of the chain has not shown."""
        if node.artifact is None or node.record is None:
            return
        if node.kind == "evaluation":
            yield from self._evaluation(node, node.artifact)
        elif (node.stage, node.record.lineage.version) not in _TAGLESS:
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
        first, second = (stage_files(artifact.kind, self._hub.tree(artifact)) for artifact in (one, other))
        return sorted(path for path in first.keys() | second.keys() if first.get(path) != second.get(path))

    def _evaluation(self, node: Node, artifact: Artifact) -> Iterator[str]:
        """The report must be of the model and the test set that the lineage names, and add up from its rows."""
        dataset, config = ResultsDataset(self._hub, artifact), str(node.config)
        path = report_file(config)
        try:
            report = dataset.reports(config).get(config)
            if report is None:
                yield f"{artifact} has a lineage of {config} but no {path}"
                return
            about = _run_of(report.run)
        except (DataError, UsageError) as error:
            yield f"{path} of {artifact} cannot be read: {error}"
            return
        inputs = node.record.lineage.inputs if node.record else ()
        for what, pinned in about.items():
            if str(pinned) not in inputs:
                yield f"{path} of {artifact} is of the {what} {pinned}, which its lineage does not name"
        yield from _figures(dataset, config, report)
        yield from self._test_sets(node, report.run)
        yield from self._newer(node, artifact)

    def _newer(self, node: Node, results: Artifact) -> Iterator[str]:
        """The newest results must be of the newest weights; earlier results may be of earlier ones."""
        if self._head(results) != results:
            return
        for one in node.inputs:
            if one.kind != "model" or one.artifact is None or one.record is None:
                continue
            differing = self._differing(self._head(one.artifact), one.artifact)
            if differing:
                yield (
                    f"{node.config} was evaluated at commit {one.artifact.revision[:12]}, and the model has changed "
                    f"since: {_listed(differing)} not those of its main; evaluate it again"
                )

    def _head(self, artifact: Artifact) -> Artifact:
        """Return what main of an artifact's repository is now."""
        key = (artifact.kind, artifact.repo_id)
        if key not in self._heads:
            self._heads[key] = self._hub.resolve(*key)
        return self._heads[key]

    def _test_sets(self, node: Node, run: EvalRun) -> Iterator[str]:
        """What a model was kept clear of must be what it was tested on, at any commit."""
        tested = next((one for one in node.inputs if one.name == str(run.test_set)), None)
        if tested is None or tested.artifact is None:
            return
        for one in node.walk():
            if (
                one.artifact is None
                or one.artifact.repo_id != tested.artifact.repo_id
                or one.artifact == tested.artifact
            ):
                continue
            differing = [path for path in self._differing(one.artifact, tested.artifact) if path.startswith("data/")]
            if differing:
                yield (
                    f"{node.config} was tested on {tested.artifact}, and its data was made with {one.artifact}, whose "
                    f"{_listed(differing)} other ones"
                )


def _figures(dataset: ResultsDataset, config: str, report: EvalReport) -> Iterator[str]:
    """Each figure of the model must be the mean of its column in the rows."""
    try:
        rows = dataset.rows(config).get(config)
    except DataError as error:
        yield f"the rows of {config} in {dataset.artifact} cannot be read: {error}"
        return
    if rows is None:
        yield f"{dataset.artifact} has a report of {config} but no {rows_file(config)}"
        return
    for metric, n, mean in mismatched_means(report, rows):
        one = report.rows["model"][metric]
        yield (
            f"the report of {config} in {dataset.artifact} has {metric} {_figure(one.value)} of {one.n} pairs, "
            f"and its rows have {_figure(mean)} of {n}"
        )


def mismatched_means(report: EvalReport, rows: Rows) -> Iterator[tuple[str, int, float | None]]:
    """Yield each metric of the model whose count or mean differs from its rows, with those of the rows."""
    for metric, one in report.rows["model"].items():
        values = [row[metric] for row in rows if row.get(metric) is not None]
        mean = sum(values) / len(values) if values else None
        # The order of adding up does not matter.
        same = mean == one.value or (mean is not None and one.value is not None and math.isclose(mean, one.value))
        if len(values) != one.n or not same:
            yield metric, len(values), mean


def _figure(value: float | None) -> str:
    return number(value, digits=4, missing="none")


def _run_of(run: EvalRun) -> dict[str, Artifact]:
    """Return what the report is about."""
    model = run.model_artifact
    return {"test set": run.test_set, **({"model": model} if model else {})}


def stage_files(kind: RepoKind, tree: Tree) -> dict[str, str]:
    """Return path -> hash of the files that a stage makes.

    Cards and the record of a copy come later; to models, scores and the plots of their cards, too.
    """
    later = {path for path in tree if kind == "model" and _OF_A_CARD.fullmatch(path)}
    return {path: tree[path].hash for path in tree if path not in _CHANGED_LATER and path not in later}


def _listed(paths: list[str]) -> str:
    return f"{first_of(paths, 3)} {'is' if len(paths) == 1 else 'are'}"


def _own(node: Node) -> Iterator[str]:
    """What a lineage says of itself: it has inputs, and what it says of a training is about them."""
    if node.record is None:
        return
    lineage = node.record.lineage
    if not lineage.inputs and lineage.stage not in _FROM_NOTHING:
        yield f"the lineage of {node.artifact} names no input"
    training = lineage.extra.get("training")
    if isinstance(training, dict):
        for what in ("student", "dataset", "task"):
            if training.get(what) not in lineage.inputs:
                named = training.get(what)
                yield f"the lineage of {node.artifact} speaks of the {what} {named}, which is none of its inputs"
