"""One score followed back and shown: the question, the answer, every metric and vote, and the run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.data.formats.jsonl import read_jsonl
from harness.data.tasks import PAIRS
from harness.errors import DataError, UsageError
from harness.evaluation.records import EvalRun
from harness.evaluation.results import ResultsDataset, config_name, rows_file
from harness.evaluation.scorecard import NULLS
from harness.hub.artifact import Artifact
from harness.hub.client import Hub
from harness.reports.lineage.chain import Node
from harness.reports.lineage.chain_view import HASH, in_words, line
from harness.reports.lineage.row_view import Labelled, block
from harness.reports.lineage.rows import no_row
from harness.statistics.formatting import cut, number

if TYPE_CHECKING:
    from rich.console import RenderableType


_BESIDE = {
    *("pair_id", "conversation", "turn", "reference", "raw", "prediction", "reason", "finish_reason", "usage", "error"),
    *("judge_reason", "judge_votes", "prompt_sha256", NULLS),
}
"""Columns of a row of results that are no metric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreHistory:
    """One turn's score, and what it was made from."""

    node: Node
    """The evaluation: its inputs are the model and the test set."""
    row: Mapping[str, Any]
    """As in the results dataset."""
    run: EvalRun
    pair: Mapping[str, Any] | None
    """The row of the test set's configuration `pairs`; None where the test set cannot be had."""
    problems: tuple[str, ...] = ()

    @property
    def metrics(self) -> dict[str, float | None]:
        """Return the scores by metric."""
        return {name: value for name, value in self.row.items() if name not in _BESIDE}


def split_id(results: Artifact, configs: Sequence[str], id: str) -> tuple[str, str]:
    """Return the configuration and the pair that `CONFIG/PAIR_ID` names; CONFIG may be the model's `owner/name`.

    Raises UsageError where it names none.
    """
    config, slash, pair = id.rpartition("/")
    if not configs:
        raise UsageError(f"{results} holds no results; `tft evaluate` pushes some")
    found = next((one for one in (config, config_name(config or "-")) if one in configs), None)
    if not slash or found is None:
        raise UsageError(
            f"a row of {results} is named CONFIG/PAIR_ID, got {id!r}; its configurations are {', '.join(configs)}"
        )
    return found, pair


def follow_score(hub: Hub, node: Node, pair_id: str) -> ScoreHistory:
    """Return the history of one pair's score in an evaluation.

    Raises UsageError for an unknown pair, DataError where the results cannot be read, HubError where they cannot be
    had.
    """
    artifact = node.artifact
    if artifact is None:
        raise UsageError(f"{node.name} is on no Hub")
    dataset, config = ResultsDataset(hub, artifact), str(node.config)
    rows = {row["pair_id"]: row for row in dataset.rows(config).get(config, ())}
    if pair_id not in rows:
        raise no_row(node, list(rows), pair_id, f"row of {node.config} for the pair")
    row, report = rows[pair_id], dataset.reports(config).get(config)
    if report is None:
        raise DataError(f"{artifact} has rows of {config} but no report of it; evaluate that model again")
    run = report.run
    pair = _pair(hub, node, run, pair_id)
    problems = [] if pair is None else _unlike(row, pair, node)
    if pair is None:
        problems = [f"the pair {pair_id} is not to be had from {run.test_set.short}"]
    return ScoreHistory(node=node, row=row, run=run, pair=pair, problems=tuple(problems))


def _pair(hub: Hub, node: Node, run: EvalRun, pair_id: str) -> Mapping[str, Any] | None:
    """Return the row of the test set, None where the lineage names none or it has no such row."""
    name = str(run.test_set)
    test_set = next((one for one in node.inputs if one.name == name and one.artifact), None)
    if test_set is None or test_set.artifact is None:
        return None
    path = hub.pull(test_set.artifact, [PAIRS]) / PAIRS
    if not path.is_file():
        return None
    return next((row for _, row in read_jsonl(path) if row.get("id") == pair_id), None)


def _unlike(row: Mapping[str, Any], pair: Mapping[str, Any], node: Node) -> list[str]:
    """Return what of the row is not about the test set's pair."""
    from harness.data.formats.calls import parse_call
    from harness.models.parsing import canonical

    try:
        stated = pair["reference"]
        reference = canonical(*map(parse_call, stated if isinstance(stated, list) else [stated]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return [f"the reference of {pair.get('id')} in the test set cannot be read: {error!r}"]
    if row.get("reference") == reference:
        return []
    return [f"{row.get('pair_id')} in {node.name} was scored against {row.get('reference')}, not {reference}"]


_LONG = 600
_NOTHING_SENT = hashlib.sha256(b"").hexdigest()
"""The hash over the prompts of a run that sent none."""


def render_score(history: ScoreHistory) -> Iterator[RenderableType]:
    """Yield what is printed about a score; the chain behind its run is another matter (`chain_tree`)."""
    row, run = history.row, history.run
    yield line(f"score of {row.get('pair_id')} in {history.node.config}", "bold green")
    yield block(
        [
            ("results", f"{history.node.place}  {rows_file(str(history.node.config))}", ""),
            ("model", f"{run.model}{f'@{run.model_revision[:HASH]}' if run.model_revision else ''}", "bold"),
            (
                "test set",
                f"{run.test_set.short}, turn {row.get('turn')} of {row.get('conversation')}",
                "",
            ),
            ("run", f"{run.date}; {_run_settings(run.config)}", "dim"),
        ]
    )
    yield block(list(_question(history)))
    yield block(list(_answer(row)))
    yield block([*_scores(history), *_votes(row)])
    if history.problems:
        yield block([("problem", problem, "bold red") for problem in history.problems])


def _question(history: ScoreHistory) -> Iterator[Labelled]:
    messages = (history.pair or {}).get("messages") or []
    if messages:
        last = messages[-1]
        yield (
            "asked",
            f"{len(messages)} messages, the last one ({last.get('role')}): {cut(last.get('content'), _LONG)}",
            "",
        )
    prompt = history.row.get("prompt_sha256")
    if history.run.prompt_sha256 == _NOTHING_SENT:
        yield "prompt", "none: the answers were recorded before, and nothing was sent", ""
    else:
        own = f"sha256 {prompt[:HASH]}" if isinstance(prompt, str) else "no hash is recorded with this row"
        yield "prompt", f"{own}; of all prompts of the run {history.run.prompt_sha256[:HASH]}", ""
    yield "reference", cut(history.row.get("reference"), _LONG), ""


def _answer(row: Mapping[str, Any]) -> Iterator[Labelled]:
    raw = row.get("raw")
    yield "raw answer", cut(raw, _LONG) if raw is not None else f"none: {row.get('error')}", "bold" if raw else "yellow"
    if row.get("prediction") != raw:
        yield "read as", cut(row.get("prediction"), _LONG), ""
    if row.get("reason"):
        yield "reading", str(row["reason"]), ""
    usage = row.get("usage")
    if isinstance(usage, Mapping):
        tokens = f"{usage.get('prompt')} tokens in the prompt, {usage.get('completion')} in the answer"
        yield "tokens", f"{tokens}, which ended with {row.get('finish_reason')}", "dim"


def _scores(history: ScoreHistory) -> Iterator[Labelled]:
    for metric, value in history.metrics.items():
        yield "score", f"{metric}: {number(value, missing='unscored')}", "yellow" if value is None else ""


def _votes(row: Mapping[str, Any]) -> Iterator[Labelled]:
    votes = row.get("judge_votes")
    for judge, vote in votes.items() if isinstance(votes, Mapping) else ():
        if isinstance(vote, Mapping):
            said = {1.0: "good", 0.0: "bad"}.get(vote.get("value"), "no verdict")  # type: ignore[arg-type]
            yield "vote", f"{judge}: {said}, {vote.get('reason')}", ""
    if row.get("judge_reason") and not votes:
        yield "judge", str(row["judge_reason"]), ""


def _run_settings(config: Mapping[str, Any]) -> str:
    plain = {key: value for key, value in config.items() if isinstance(value, str | int | float | bool)}
    return ", ".join(f"{key} {in_words(value)}" for key, value in plain.items())
