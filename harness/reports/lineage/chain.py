"""The chain behind an artifact: `lineage.json` of a repository at a commit, then of each of its inputs, to the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from harness.data.sources import declared
from harness.data.tasks import TEST_SET_STAGES
from harness.errors import AccessDenied, DataError, RepoNotFound
from harness.evaluation.results import RESULTS, ResultsDataset, lineage_file
from harness.hub.artifact import Artifact, FileInput, RepoKind, parse_input, split_revision
from harness.hub.client import Hub
from harness.hub.lineage import LINEAGE, LineageRecord, read_lineage
from harness.hub.promotion.record import find_copy

Kind = Literal["model", "dataset", "results", "evaluation", "source", "file", "other", "missing"]
_OWN = "tft-benchmark-"
"""What names of the benchmark's repositories begin with: those are never without a lineage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One thing in the chain. The same thing is the same node, however many were made from it."""

    name: str
    """As lineages name it: `repo@commit`, `file@sha256:<hex>`, or a model that is no repository."""
    kind: Kind
    """Evaluation: one configuration of a results dataset, which is `results`. Source: where files were fetched."""
    artifact: Artifact | None = None
    """Where it is on the Hub, under another name where it was promoted; None where it is not."""
    config: str | None = None
    """Of an evaluation: its configuration in the results dataset."""
    record: LineageRecord | None = None
    """Its lineage; None for what has none."""
    tags: tuple[str, ...] = ()
    """Tags of the repository that mean this very commit."""
    inputs: tuple[Node, ...] = ()
    problems: tuple[str, ...] = ()
    """What is wrong with this node itself, in sentences."""

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return self.artifact.short if self.artifact else self.name

    @property
    def stage(self) -> str | None:
        """The stage that made it, where that is known."""
        return self.record.lineage.stage if self.record else None

    def training_data(self) -> list[Node]:
        """Return the datasets among its inputs that are no test sets."""
        return [one for one in self.inputs if one.kind == "dataset" and one.stage not in TEST_SET_STAGES]

    def walk(self) -> Iterator[Node]:
        """Yield this node and all behind it, each once, what was made before what it was made from."""
        seen: set[str] = set()
        waiting = [self]
        while waiting:
            node = waiting.pop(0)
            if node.name not in seen:
                seen.add(node.name)
                yield node
                waiting.extend(node.inputs)


def read_chain(hub: Hub, artifact: Artifact, config: str | None = None) -> Node:
    """Return the artifact with all that it was made from. What is wrong is in the nodes' `problems`.

    `config` names one evaluation of a results dataset, whose node is then returned. Raises HubUnreachable or HubError
    where the Hub does not answer: that says nothing about the chain.
    """
    reader = _Reader(hub)
    return reader.artifact(artifact) if config is None else reader.evaluation(artifact, config)


def is_results(artifact: Artifact) -> bool:
    """Return whether an artifact is a dataset of results."""
    return artifact.kind == "dataset" and artifact.repo_id.rpartition("/")[2] == RESULTS


class _Reader:
    """Reads each repository at each commit once."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._nodes: dict[str, Node] = {}
        self._tags: dict[tuple[RepoKind, str], dict[str, str]] = {}
        self._sources = {split_revision(file.repository)[0] for file in declared().files.values()}
        self._open: set[str] = set()

    def artifact(self, artifact: Artifact) -> Node:
        """Return the node of a repository at a commit that is there."""
        name = str(artifact)
        if name in self._nodes:
            return self._nodes[name]
        if name in self._open:  # no honest Hub can do this: a commit's hash covers what it names
            return Node(name=name, kind="missing", problems=(f"{artifact} names itself among its inputs",))
        self._open.add(name)
        node = self._results(name, artifact) if is_results(artifact) else self._made(name, artifact)
        self._open.remove(name)
        return self._nodes.setdefault(name, node)

    def _made(self, name: str, artifact: Artifact) -> Node:
        known = self._tags_of(artifact)
        record, problems = self._record(artifact, LINEAGE)
        if record is None and not problems and _should_have(artifact, known):
            problems = (f"{artifact} has no {LINEAGE}, which says what it was made from; push it again with its stage",)
        return Node(
            name=name,
            kind="model" if artifact.kind == "model" else "dataset",
            artifact=artifact,
            record=record,
            tags=tuple(sorted(tag for tag, commit in known.items() if commit == artifact.revision)),
            inputs=self._inputs(record, artifact),
            problems=problems,
        )

    def _results(self, name: str, artifact: Artifact) -> Node:
        """Return a results dataset, with a node for each configuration."""
        inputs = tuple(self.evaluation(artifact, config) for config in ResultsDataset(self._hub, artifact).configs())
        problems = () if inputs else (f"{artifact} holds no results",)
        return Node(name=name, kind="results", artifact=artifact, inputs=inputs, problems=problems)

    def evaluation(self, artifact: Artifact, config: str) -> Node:
        """Return the node of one configuration of a results dataset."""
        path = lineage_file(config)
        record, problems = self._record(artifact, path)
        if record is None and not problems:
            problems = (f"{artifact} has results of {config} but no {path}; evaluate that model again",)
        return Node(
            name=f"{artifact}:{config}",
            kind="evaluation",
            artifact=artifact,
            config=config,
            record=record,
            inputs=self._inputs(record, artifact),
            problems=problems,
        )

    def _record(self, artifact: Artifact, path: str) -> tuple[LineageRecord | None, tuple[str, ...]]:
        """Return the lineage in a file, None where there is none, and what is wrong with it."""
        try:
            record = read_lineage(self._hub, artifact, path)
        except DataError as error:
            return None, (str(error),)
        if record is None or record.lineage.fingerprint() == record.fingerprint:
            return record, ()
        computed = record.lineage.fingerprint()
        return record, (
            f"{path} of {artifact} was changed after it was written: it says that its fingerprint is "
            f"{record.fingerprint}, and its content has {computed}",
        )

    def _inputs(self, record: LineageRecord | None, made: Artifact) -> tuple[Node, ...]:
        """Return the nodes of the inputs of what was made, in order; one that is named twice is there once."""
        if record is None:
            return ()
        names = list(dict.fromkeys(record.lineage.inputs))
        return tuple(self._input(name, _kinds(record.lineage.stage, place), made) for place, name in enumerate(names))

    def _input(self, name: str, kinds: tuple[RepoKind, ...], made: Artifact) -> Node:
        found = parse_input(name)
        if isinstance(found, Artifact) and found.repo_id not in self._sources:
            if name not in self._nodes and name not in self._open:
                return self._repository(found, kinds, made.repo_id.partition("/")[0])
            return self._nodes.get(name) or Node(name=name, kind="missing", problems=(f"{name} names itself",))
        kind: Kind = "file" if isinstance(found, FileInput) else "source" if found else "other"
        return self._nodes.setdefault(name, Node(name=name, kind=kind))

    def _repository(self, found: Artifact, kinds: tuple[RepoKind, ...], owner: str) -> Node:
        """Return the node of a repository at a commit, or of its copy; what is wrong where there is neither."""
        name, refused = str(found), None
        for kind in kinds:
            try:
                return self.artifact(self._hub.resolve(kind, found.repo_id, found.revision))
            except RepoNotFound:
                continue
            except AccessDenied as error:
                refused = str(error)
        if copy := find_copy(self._hub, found, kinds, owner):
            return self._nodes.setdefault(name, replace(self.artifact(copy), name=name))
        problem = refused or self._why_missing(found, kinds)
        return self._nodes.setdefault(name, Node(name=name, kind="missing", problems=(problem,)))

    def _why_missing(self, found: Artifact, kinds: tuple[RepoKind, ...]) -> str:
        for kind in kinds:
            try:
                now = self._hub.resolve(kind, found.repo_id)
            except (RepoNotFound, AccessDenied):
                continue
            return (
                f"the {kind} {found.repo_id} has no commit {found.revision} (its main is {now.revision[:12]}): "
                "its history was rewritten, or the lineage was changed"
            )
        return f"{found.repo_id} is not on {self._hub.endpoint}, neither as a dataset nor as a model"

    def _tags_of(self, artifact: Artifact) -> dict[str, str]:
        key = (artifact.kind, artifact.repo_id)
        if key not in self._tags:
            self._tags[key] = self._hub.tags(*key)
        return self._tags[key]


def _kinds(stage: str, place: int) -> tuple[RepoKind, ...]:
    """Return the kinds of repository that an input may be, the likeliest first."""
    models_first = stage in ("train", "evaluate") and place == 0
    return ("model", "dataset") if models_first else ("dataset", "model")


def _should_have(artifact: Artifact, tags: dict[str, Any]) -> bool:
    """Whether a repository is the work of a stage, which writes its lineage: by its name, or by its tags."""
    return artifact.repo_id.rpartition("/")[2].startswith(_OWN) or any(tag.startswith("fp-") for tag in tags)
