"""`tft skill`: instructions for coding agents, from an export of traces to a verdict."""

from __future__ import annotations

from pathlib import Path

import click

from harness.terminal import echo, say, write

NAME = "tft-harness"
"""The skill's folder, which has to be its name."""
_FILE = "SKILL.md"


@click.command(
    epilog="\b\nExamples:\n  tft skill | less\n  tft skill --install .claude/skills\n"
    "  tft skill --install .agents/skills --replace"
)
@click.option(
    "--install",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help=f"Write the skill into this folder of skills, as {NAME}/{_FILE}. Default: print it.",
)
@click.option("--replace", is_flag=True, help="Write over a file that differs: of another version, or changed by hand.")
def command(install: Path | None, replace: bool) -> None:
    """Print or install a skill that leads a coding agent from an export of traces to a verdict.

    It follows the Agent Skills format: a folder with a SKILL.md, which an agent reads when its description fits the
    task.
    """
    from harness.data.formats.jsonl import write_atomic
    from harness.errors import UsageError

    text = Path(__file__).with_name(_FILE).read_text(encoding="utf-8")
    if install is None:
        if replace:
            raise UsageError("--replace goes with --install DIR, the folder of skills to write into")
        write(text, nl=False)
        return
    place = install / NAME / _FILE
    if place.is_file() and (known := place.read_text(encoding="utf-8", errors="replace")) != text:
        if not replace:
            raise UsageError(
                f"{place} differs from the skill of this version ({len(known.splitlines())} lines, here "
                f"{len(text.splitlines())}); add --replace to write over it"
            )
        say(f"replaced: {place}")
    place.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(place, [text])
    echo(place)
