"""`tft job`: a job folder made from an export of production traces, and what it still lacks."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import _options
from harness.errors import CheckFailed
from harness.terminal import echo

_folder = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False, exists=True))


@click.group(cls=_options.CommandGroup, epilog="\b\nExample:\n  tft job check my-agent")
def command() -> None:
    """Make a job folder from an export of production traces, and get it ready for `tft benchmark --job`."""


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
