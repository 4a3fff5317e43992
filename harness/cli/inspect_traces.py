"""`tft inspect-traces`: what is in a file of traces, what looks wrong with it, and what to do next."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from harness.cli import _options
from harness.terminal import echo, progress


@click.command(
    name="inspect-traces",
    epilog="""\b
Examples:
  tft inspect-traces my-agent                    # a job folder: job_description.json and traces.jsonl
  tft inspect-traces traces.json --task job_description.json
  tft inspect-traces me/tft-benchmark-s3-traces --arm tft --task job_description.json --json
""",
)
@click.argument("source", metavar="DIR|FILE|REPO[@REV]")
@click.option(
    "--job",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Job folder with the task, for traces that lie elsewhere.",
)
@click.option(
    "--task",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Task definition with the tools. Default: the job folder's.",
)
@click.option("--arm", metavar="NAME", help="Which configuration of a dataset, where it has several: tft or direct.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N rows.")
@_options.hub
@_options.as_json
def command(
    *,
    source: str,
    job: Path | None,
    task: Path | None,
    arm: str | None,
    limit: int | None,
    hub: str | None,
    as_json: bool,
) -> None:
    """Survey traces: counts, tools called and tools defined, lengths, personal data, likely problems.

    Traces may come in any layout that the stages read: OpenAI messages, the benchmark's own, a Langfuse export, spans,
    Inspect logs, Parquet. Nothing is changed, and nothing is sent anywhere.
    """
    from contextlib import nullcontext
    from itertools import islice

    from harness.curation.inspection.advice import likely_problems, next_command
    from harness.curation.inspection.survey import survey
    from harness.curation.job_folder import TASK as TASK_FILE
    from harness.curation.job_folder import JobFolder
    from harness.data.formats.task import read_task
    from harness.data.traces.read import layout
    from harness.data.traces.trace_input import read_input
    from harness.hub.connect import connected
    from harness.reports.trace_survey import print_survey

    own = Path(source) if (Path(source) / TASK_FILE).is_file() else None
    described = job or own
    folder = JobFolder.open(described) if described else None
    place = str(folder.traces) if folder and own and not job else source
    with nullcontext(None) if Path(place).exists() else connected(hub) as opened:
        found = read_input(place, opened, arm=arm)
        words = layout(found.path)
        known = read_task(task) if task else folder.task.task if folder else None
        with progress("looking through the traces") as advance:
            parallel = known is not None and known.parallel_tool_calls
            rows = (advance() or row for row in islice(found.rows(parallel=parallel), limit))
            seen = survey(rows, known)
    then = next_command(seen, source, job=described, task=task)
    if as_json:
        problems = [asdict(one) for one in likely_problems(seen)]
        document = {"input": found.name, "layout": words, **asdict(seen), "likely_problems": problems, "next": then}
        echo(json.dumps(document, ensure_ascii=False))
    else:
        print_survey(seen, source=source, layout=words, advice=then)
