"""The history of one score in a terminal: the question, the answer, every metric and vote, and the run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from harness.evaluation.results import rows_file
from harness.reports.lineage.chain_view import line
from harness.reports.lineage.row_view import Entry, block
from harness.reports.lineage.score_history import ScoreHistory
from harness.reports.lineage.settings import HASH, in_words
from harness.statistics.formatting import number

if TYPE_CHECKING:
    from rich.console import RenderableType

_LONG = 600
_NOTHING_SENT = hashlib.sha256(b"").hexdigest()
"""The hash over the prompts of a run that sent none."""


def score_story(history: ScoreHistory) -> Iterator[RenderableType]:
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


def _question(history: ScoreHistory) -> Iterator[Entry]:
    messages = (history.pair or {}).get("messages") or []
    if messages:
        last = messages[-1]
        yield "asked", f"{len(messages)} messages, the last one ({last.get('role')}): {_cut(last.get('content'))}", ""
    prompt = history.row.get("prompt_sha256")
    if history.run.prompt_sha256 == _NOTHING_SENT:
        yield "prompt", "none: the answers were recorded before, and nothing was sent", ""
    else:
        own = f"sha256 {prompt[:HASH]}" if isinstance(prompt, str) else "no hash is recorded with this row"
        yield "prompt", f"{own}; of all prompts of the run {history.run.prompt_sha256[:HASH]}", ""
    yield "reference", _cut(history.row.get("reference")), ""


def _answer(row: Mapping[str, Any]) -> Iterator[Entry]:
    raw = row.get("raw")
    yield "raw answer", _cut(raw) if raw is not None else f"none: {row.get('error')}", "bold" if raw else "yellow"
    if row.get("prediction") != raw:
        yield "read as", _cut(row.get("prediction")), ""
    if row.get("reason"):
        yield "reading", str(row["reason"]), ""
    usage = row.get("usage")
    if isinstance(usage, Mapping):
        tokens = f"{usage.get('prompt')} tokens in the prompt, {usage.get('completion')} in the answer"
        yield "tokens", f"{tokens}, which ended with {row.get('finish_reason')}", "dim"


def _scores(history: ScoreHistory) -> Iterator[Entry]:
    for metric, value in history.metrics.items():
        yield "score", f"{metric}: {number(value, missing='unscored')}", "yellow" if value is None else ""


def _votes(row: Mapping[str, Any]) -> Iterator[Entry]:
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


def _cut(text: object) -> str:
    said = str(text)
    return said if len(said) <= _LONG else f"{said[:_LONG]}… ({len(said) - _LONG:,} more characters)"
