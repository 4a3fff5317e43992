"""`tft judge`: an LLM, a panel of them, or rules say of each prediction whether it is good."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import _model_options, _options
from harness.terminal import echo, plain, say, show

if TYPE_CHECKING:
    from harness.evaluation.judge.judge_files import JudgedFile
    from harness.evaluation.judge.panel import Judged


@click.command(
    epilog="""\b
Examples:
  tft judge predictions.jsonl --judge rules:judge --out judged.jsonl
  tft judge predictions.jsonl --judge openai:gpt-oss-120b --judge-base-url https://host/v1 --out judged.jsonl
  tft judge a.jsonl b.jsonl --judge me/small-judge@v1 --task job_description.json --out judged/
  tft judge runs/v2/data/test.jsonl --dataset me/tft-benchmark-testset --judge openai:A --judge openai:B \\
      --judge rules:judge --endpoints endpoints.yaml --budget 5 --out judged.jsonl
"""
)
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False, exists=True)
)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Where to write: a file, or a folder for several."
)
@_model_options.judges
@click.option(
    "--task",
    "task_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Task definition with the rubric and the tools. Default: that of --dataset, else the harness's own rubric.",
)
@click.option("--dataset", metavar="REPO[@REV]", help="Test set of the results, for rows that name their pair only.")
@_model_options.endpoints
@_model_options.budget
@_model_options.judging
@_options.hub
@_options.as_json
def command(
    *,
    files: tuple[Path, ...],
    out: Path,
    task_file: Path | None,
    dataset: str | None,
    hub: str | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Judge each row of FILE and write it to OUT with `llm-as-a-judge` (1.0 good, 0.0 bad, null) and `judge_reason`.

    Rows are {question, answer, prediction, ...} or those of `tft evaluate` (then --dataset says what was asked).
    What FILE has in `llm-as-a-judge` already is kept as `label`, unless it has that too, so that
    `tft agreement OUT --label label` compares both. Verdicts are cached: a second run, or one after a kill or
    at the end of its budget, asks only for what is missing.
    """
    from harness.data.formats.task import read_task
    from harness.data.tasks import pull_test_set
    from harness.errors import UsageError
    from harness.evaluation.judge.judge_files import judge_files
    from harness.evaluation.judge.judges import JudgeConfig
    from harness.evaluation.run_folder import JUDGE_LOG
    from harness.hub.connect import connected

    judges = _model_options.named_judges(settings)
    if not judges:
        raise UsageError("no judge is named: add --judge rules:judge, --judge openai:ID or a model on the Hub")
    asking = _model_options.inference_options(settings, "judge_").settings()
    asking = replace(asking, log=out.parent / JUDGE_LOG)
    config = JudgeConfig(judges=judges, asking=asking, ask_everything=settings["ask_everything"])
    needs_hub = dataset is not None or any(not name.startswith(("rules:", "openai:")) for name in judges)
    with connected(hub) if needs_hub else nullcontext(None) as client:
        test_set = pull_test_set(client, dataset) if dataset and client else None
        task = read_task(task_file) if task_file else test_set.task if test_set else None
        judged, outcomes = judge_files(files, out, config, task=task, test_set=test_set, hub=client)
    if as_json:
        echo(json.dumps({"judges": _plain(judged.members), "files": _plain(outcomes)}, default=str))
    else:
        _print(judged, outcomes)


def _plain(values: Sequence[Any]) -> list[dict[str, Any]]:
    return [asdict(value) for value in values]


def _print(judged: Judged, outcomes: Sequence[JudgedFile]) -> None:
    from harness.reports.evaluation_tables import agreement_table, members_table, table
    from harness.statistics.formatting import short_interval

    scores = table("file", "llm-as-a-judge", "n", "unscored", "errors", "decided by code")
    for one in outcomes:
        counts = (one.score.n, one.score.unscored, one.score.errors, one.decided_by_code)
        scores.add_row(plain(one.source.name), short_interval(one.score), *map(str, counts))
    show([scores, members_table(judged.members)])
    for one in outcomes:
        if one.agreement:
            show([agreement_table(one.agreement)])
        say(f"written to {one.target}")
