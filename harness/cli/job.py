"""`tft job`: a job folder made from an export of production traces, and what it still lacks."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import _options
from harness.errors import CheckFailed
from harness.terminal import echo, progress, reveal

_folder = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False, exists=True))


@click.group(cls=_options.CommandGroup, epilog="\b\nExample:\n  tft job check my-agent")
def command() -> None:
    """Make a job folder from an export of production traces, and get it ready for `tft benchmark --job`."""


@command.command(
    epilog="\b\nExamples:\n  tft job init langfuse-export/ --out my-agent\n"
    "  tft job init spans.jsonl --out my-agent --test 30 --tools tools.json"
)
@click.argument("export")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder to write; new or empty."
)
@click.option(
    "--test",
    type=click.IntRange(min=1),
    metavar="N",
    help="Conversations to hold out. Default: a fifth, between 10 and 40, at most half.",
)
@click.option("--seed", type=int, default=42, show_default=True, help="Which ones: the same with the same seed.")
@click.option(
    "--tools",
    "tools_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="JSON with the task's tools. Default: as the traces define them, else inferred from the calls.",
)
@click.option("--task", "description", metavar="TEXT", help="What the agent is told. Default: the system messages.")
@click.option("--redact", is_flag=True, help="Mask e-mail addresses, phone, card and account numbers everywhere.")
@click.option(
    "--parallel-tool-calls",
    "parallel",
    is_flag=True,
    help="Keep several calls of a turn together, and say in the task that there may be such turns.",
)
@click.option("--yes", is_flag=True, help="Take the test conversations as they were logged; the report says so.")
@_options.hub
@_options.as_json
def init(
    *,
    export: str,
    out: Path,
    test: int | None,
    seed: int,
    tools_file: Path | None,
    description: str | None,
    redact: bool,
    parallel: bool,
    yes: bool,
    hub: str | None,
    as_json: bool,
) -> None:
    """Make a job folder from EXPORT, a file or folder of traces in any layout that is read.

    Tools come from the definitions in the traces, else from the calls; the task's description from the system messages.
    Repeats and failed conversations are set aside with their reasons, and a test set is held out, which `tft job
    review` shows for approval. Nothing is sent anywhere.
    """
    import json
    import shlex
    from contextlib import nullcontext

    from harness.curation.job_init.make import InitRequest, make_job, refuse_files
    from harness.curation.job_init.record import dump_record, notes
    from harness.data.formats.task import read_tools
    from harness.data.traces.trace_input import read_input
    from harness.hub.connect import connected

    refuse_files(out, Path(export))
    tools = read_tools(tools_file) if tools_file else None
    with nullcontext(None) if Path(export).exists() else connected(hub) as opened:
        request = InitRequest(
            source=read_input(export, opened),
            out=out,
            test=test,
            seed=seed,
            tools=tools,
            description=description,
            redact=redact,
            parallel=parallel,
            decided_by="--yes" if yes else None,
        )
        with progress("reading the export") as advance:
            record = make_job(request, advance=advance)
    review = [] if yes or not record.test else [["tft", "job", "review", str(out)]]
    compare = [["tft", "benchmark", "--job", str(out), "--preset", "tiny"]] if record.test else []
    commands = list(map(shlex.join, [*review, ["tft", "job", "check", str(out)], *compare]))
    if as_json:
        document = {"folder": str(out), **dump_record(record), "notes": list(notes(record)), "next": commands}
        echo(json.dumps(document, ensure_ascii=False))
        return
    echo(
        f"{out}  {record.rows:,} rows: {record.traces:,} traces, {record.test:,} for the test, "
        f"{record.set_aside:,} set aside; {len(record.tools)} tools"
    )
    for line in (*(f"  {note}" for note in notes(record)), "next:", *(f"  {command}" for command in commands)):
        echo(line)


@command.command(epilog="\b\nExamples:\n  tft job check my-agent\n  tft job check my-agent --json")
@_folder
@_options.as_json
def check(*, folder: Path, as_json: bool) -> None:
    """Say what is missing or odd in a job folder, each with what to do.

    Exits with 1 where something is missing without which the comparison cannot be run or trusted.
    """
    import json
    from dataclasses import asdict

    from harness.curation.job_init.check import check_job

    found = check_job(folder)
    missing = [one for one in found if one.missing]
    if as_json:
        echo(json.dumps({"ok": not missing, "findings": [asdict(one) for one in found]}, ensure_ascii=False))
    else:
        for one in found:
            echo(f"{'missing' if one.missing else 'note':<8} {one.what}: {one.advice}")
    if missing:
        raise CheckFailed(f"{folder} lacks {len(missing)} of what a comparison needs; each is listed with what to do")


@command.command(
    epilog="\b\nExamples:\n  tft job review my-agent\n  tft job review my-agent --no-browser --port 8123\n"
    "  tft job review my-agent --yes"
)
@_folder
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 takes a free one.")
@click.option("--no-browser", is_flag=True, help="Print the address only.")
@click.option("--yes", is_flag=True, help="Take all that are pending without a look; reports then say so.")
def review(*, folder: Path, port: int, no_browser: bool, yes: bool) -> None:
    """Approve the held-out test conversations on a page, until Ctrl-C: accept, correct or drop each, by keyboard.

    The page is served to this machine only, under an address with a secret in it, and sends nothing anywhere.
    Decisions are written to `test.todo.md`, which an editor can change as well, corrections to `test.jsonl`.
    """
    from harness.curation.job_init.page.serve import serve_review
    from harness.curation.job_init.review import read_review, take_pending

    if yes:
        found = take_pending(folder)
    else:
        serve_review(folder, port=port, browser=not no_browser, say=lambda url: reveal(f"Review page: {url}"))
        found = read_review(folder)
    counts = found.counts
    echo(
        f"{folder}: {counts.looked_at} of {counts.conversations} looked at ({counts.corrected} corrected, "
        f"{counts.dropped} dropped), {counts.taken} taken without a look, {counts.pending} to do"
    )
