"""What was asked about: an artifact, a training row or a score; and all that there is to say of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.data.sources import Sources
from harness.data.tasks import TEST_SET_STAGES
from harness.errors import RepoNotFound, UsageError
from harness.evaluation.results import RESULTS, ResultsDataset, config_name
from harness.hub.artifact import Artifact
from harness.hub.client import Hub
from harness.reports.lineage.chain import Node, is_results
from harness.reports.lineage.check import Checked, checked
from harness.reports.lineage.row_history import Historian, RowHistory
from harness.reports.lineage.rows import RowReader
from harness.reports.lineage.score_history import ScoreHistory, follow_score, split_id
from harness.reports.lineage.source_dialogue import DialogueReader
from harness.reports.lineage.to_json import row_problems

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageAnswer:
    """The answer: a chain, and the history of a row where one was asked for."""

    chain: Checked
    row: RowHistory | ScoreHistory | None = None
    example: str | None = None
    """An id that could be asked for; None where a row was, or there is none."""

    def problems(self) -> list[str]:
        """Return what is wrong, each sentence once."""
        return list(dict.fromkeys([*self.chain.sentences(), *(row_problems(self.row) if self.row else ())]))

    def story(self) -> Iterator[RenderableType]:
        """Yield what is printed about the row, nothing where none was asked for."""
        if isinstance(self.row, ScoreHistory):
            from harness.reports.lineage.score_view import score_story

            yield from score_story(self.row)
        elif self.row is not None:
            from harness.reports.lineage.row_view import row_story

            yield from row_story(self.row)


def ask(
    hub: Hub, artifact: Artifact, row: str | None, *, results: str | None, sources: Sources | None
) -> LineageAnswer:
    """Return the chain behind an artifact, and the history of its row `row`.

    `results` names the dataset with a model's scores, by default the model's owner's. Raises UsageError for an artifact
    without a lineage and for a row that it does not have.
    """
    shelf = RowReader(hub)
    if is_results(artifact) and row is not None:
        return _score(hub, artifact, *split_id(artifact, ResultsDataset(hub, artifact).configs(), row))
    if artifact.kind == "model" and row is not None:
        scores = _scores_of(hub, artifact, results)
        if scores is not None and ":" in row:
            return _score(hub, scores, config_name(artifact.repo_id), row)
    chain = checked(hub, artifact)
    _check_known(chain.root)
    if row is None:
        return LineageAnswer(chain=chain, example=_example(shelf, chain.root))
    historian = Historian(shelf=shelf, dialogues=DialogueReader(sources))
    node = _dataset(chain.root, row)
    if artifact.kind == "model" and ":" in row and shelf.find(node, row) is None:
        raise UsageError(
            f"{row!r} looks like a turn of the test set, and there are no scores of {artifact.repo_id} in "
            f"{_results_of(artifact)}; `tft evaluate` makes them, --results names another dataset that has them"
        )
    return LineageAnswer(chain=chain, row=historian.follow(node, shelf.expect(node, row)))


def _score(hub: Hub, results: Artifact, config: str, pair_id: str) -> LineageAnswer:
    chain = checked(hub, results, config)
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
    datasets = [one for one in root.inputs if one.kind == "dataset" and one.stage not in TEST_SET_STAGES]
    if not datasets:
        raise UsageError(f"{root.artifact} was trained on no dataset that is on the Hub, so it has no row {row!r}")
    return datasets[0]


def _example(shelf: RowReader, root: Node) -> str | None:
    """Return an id that `--row` takes."""
    if root.kind == "results":
        evaluation = next(iter(root.inputs), None)
        return f"{evaluation.config}/test-0000:0" if evaluation else None
    if root.kind == "model":
        datasets = [one for one in root.inputs if one.kind == "dataset" and one.stage not in TEST_SET_STAGES]
        root = datasets[0] if datasets else root
    return next(iter(shelf.rows(root)), None) if root.kind == "dataset" else None
