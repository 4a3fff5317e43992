"""Answer `tft lineage`: the chain behind an artifact, the history of a row or a score, and both as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.data.formats.messages import dump_conversation
from harness.data.sources import Sources
from harness.errors import RepoNotFound, UsageError
from harness.evaluation.results import RESULTS, ResultsDataset, config_name
from harness.hub.artifact import Artifact
from harness.hub.client import Hub
from harness.reports.lineage.chain import Node, is_results
from harness.reports.lineage.check import CheckedChain, read_checked
from harness.reports.lineage.row_history import RowHistory, RowTracer
from harness.reports.lineage.row_view import member_names, render_row
from harness.reports.lineage.rows import DialogueReader, RowReader, SourceDialogue, StoredRow
from harness.reports.lineage.score_history import ScoreHistory, follow_score, render_score, split_id

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageAnswer:
    """The answer: a chain, and the history of a row where one was asked for."""

    chain: CheckedChain
    row: RowHistory | ScoreHistory | None = None
    example: str | None = None
    """An id that could be asked for; None where a row was, or there is none."""

    def problems(self) -> list[str]:
        """Return what is wrong, each sentence once."""
        return list(dict.fromkeys([*self.chain.sentences(), *(row_problems(self.row) if self.row else ())]))

    def render(self) -> Iterator[RenderableType]:
        """Yield what is printed about the row, nothing where none was asked for."""
        if isinstance(self.row, ScoreHistory):
            yield from render_score(self.row)
        elif self.row is not None:
            yield from render_row(self.row)


def ask(
    hub: Hub, artifact: Artifact, row: str | None, *, results: str | None, sources: Sources | None
) -> LineageAnswer:
    """Return the chain behind an artifact, and the history of its row `row`.

    `results` names the dataset with a model's scores, by default the model's owner's. Raises UsageError for an artifact
    without a lineage and for a row that it does not have.
    """
    reader = RowReader(hub)
    if is_results(artifact) and row is not None:
        return _score(hub, artifact, *split_id(artifact, ResultsDataset(hub, artifact).configs(), row))
    if artifact.kind == "model" and row is not None:
        scores = _scores_of(hub, artifact, results)
        if scores is not None and ":" in row:
            return _score(hub, scores, config_name(artifact.repo_id), row)
    chain = read_checked(hub, artifact)
    _check_known(chain.root)
    if row is None:
        return LineageAnswer(chain=chain, example=_example(reader, chain.root))
    node = _dataset(chain.root, row)
    if artifact.kind == "model" and ":" in row and reader.find(node, row) is None:
        raise UsageError(
            f"{row!r} looks like a turn of the test set, and there are no scores of {artifact.repo_id} in "
            f"{_results_of(artifact)}; `tft evaluate` makes them, --results names another dataset that has them"
        )
    return LineageAnswer(
        chain=chain,
        row=RowTracer(reader=reader, dialogues=DialogueReader(sources)).follow(node, reader.expect(node, row)),
    )


def _score(hub: Hub, results: Artifact, config: str, pair_id: str) -> LineageAnswer:
    chain = read_checked(hub, results, config)
    return LineageAnswer(chain=chain, row=follow_score(hub, chain.root, pair_id))


def _scores_of(hub: Hub, model: Artifact, named: str | None) -> Artifact | None:
    """Return the results dataset that has scores of a model; None where none has and none was named."""
    try:
        dataset = ResultsDataset.at(hub, named or _results_of(model))
    except RepoNotFound:
        if named:
            raise
        return None
    if config_name(model.repo_id) in dataset.configs():
        return dataset.artifact
    if named:
        raise UsageError(
            f"{dataset.artifact} has no scores of {model.repo_id}; `tft evaluate {model.repo_id}` makes them"
        )
    return None


def _results_of(model: Artifact) -> str:
    return f"{model.repo_id.partition('/')[0]}/{RESULTS}"


def _check_known(root: Node) -> None:
    """Raise UsageError for a repository that no stage has made: there is nothing to follow."""
    if root.record is None and not root.problems and root.kind != "results":
        raise UsageError(
            f"{root.artifact} has no lineage.json, so nothing is known of where it comes from; the stages of the "
            "pipeline, `tft train` and `tft evaluate` write one, at the commits that they push"
        )


def _dataset(root: Node, row: str) -> Node:
    """Return the dataset that the row is in: the root, or what a model was trained on."""
    if root.kind != "model":
        return root
    if datasets := root.training_data():
        return datasets[0]
    raise UsageError(f"{root.artifact} was trained on no dataset that is on the Hub, so it has no row {row!r}")


def _example(reader: RowReader, root: Node) -> str | None:
    """Return an id that `--row` takes."""
    if root.kind == "results":
        evaluation = next(iter(root.inputs), None)
        return f"{evaluation.config}/test-0000:0" if evaluation else None
    if root.kind == "model":
        root = next(iter(root.training_data()), root)
    return next(iter(reader.rows(root)), None) if root.kind == "dataset" else None


def as_document(found: CheckedChain, row: RowHistory | ScoreHistory | None = None) -> dict[str, Any]:
    """Return the chain, its problems (those of the row with them), and the row's history where there is one."""
    history = None if row is None else _score_document(row) if isinstance(row, ScoreHistory) else _row(row)
    of_row = [] if row is None else row_problems(row)
    return {
        "root": found.root.name,
        "whole": not found.problems and not of_row,
        "problems": [*found.sentences(), *of_row],
        "nodes": [_node(node, found) for node in found.root.walk()],
        "row": history,
    }


def row_problems(row: RowHistory | ScoreHistory) -> list[str]:
    """Return what is wrong with the history of a row, each sentence once."""
    every = row.problems if isinstance(row, ScoreHistory) else [p for one in row.walk() for p in one.problems]
    return list(dict.fromkeys(every))


def _node(node: Node, found: CheckedChain) -> dict[str, Any]:
    record = node.record
    return {
        "name": node.name,
        "kind": node.kind,
        "repo": node.artifact and node.artifact.repo_id,
        "revision": node.artifact and node.artifact.revision,
        "config_name": node.config,
        "tags": list(node.tags),
        "inputs": [one.name for one in node.inputs],
        "lineage": record and record.lineage.dump() | {"harness": record.harness, "packages": dict(record.packages)},
        "fingerprint": record and record.fingerprint,
        "problems": list(found.problems.get(node.name, ())),
    }


def _row(history: RowHistory) -> dict[str, Any]:
    return {
        "id": history.row.id,
        "part": history.part,
        "dataset": history.node.name,
        "stage": history.node.stage,
        "members": member_names(history),
        **_stored(history.row),
        "rejected_tries": [_stored(one) for one in history.tries],
        "source": _source(history.source),
        "earlier": [_row(one) for one in history.earlier],
        "problems": list(history.problems),
    }


def _stored(row: StoredRow) -> dict[str, Any]:
    return {"file": row.file, "values": dict(row.values)}


def _source(source: SourceDialogue | None) -> dict[str, Any] | None:
    if source is None:
        return None
    conversation = dump_conversation(source.conversation) if source.conversation else None
    return {"name": source.name, "file": source.file, "repository": source.repository, "conversation": conversation}


def _score_document(history: ScoreHistory) -> dict[str, Any]:
    return {
        "id": history.row.get("pair_id"),
        "evaluation": history.node.name,
        "values": dict(history.row),
        "scores": history.metrics,
        "run": dataclasses.asdict(history.run),
        "pair": dict(history.pair) if history.pair else None,
        "problems": list(history.problems),
    }
