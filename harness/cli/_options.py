"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from functools import reduce
from pathlib import Path
from typing import Any

import click

from harness.errors import UsageError

Command = Callable[..., Any]


def add(*options: Command) -> Callable[[Command], Command]:
    """Return a decorator that adds options to a command; its help lists them in this order."""
    return lambda command: reduce(lambda decorated, option: option(decorated), reversed(options), command)


def write_commands(formatter: click.HelpFormatter, title: str, commands: Iterable[tuple[str, click.Command]]) -> None:
    """Write a section of help that lists commands, each with the whole first sentence of its own help."""
    with formatter.section(title):
        formatter.write_dl([(name, command.get_short_help_str(limit=500)) for name, command in commands])


class CommandGroup(click.Group):
    """A group whose help cuts no sentence off."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click's
        write_commands(formatter, "Commands", sorted(self.commands.items()))


hub = click.option(
    "--hub",
    "hub",
    metavar="URL",
    help="Hub to use: a URL, or `embedded` for a local one during this run. Default: HF_ENDPOINT.",
)
namespace = click.option(
    "--namespace", metavar="NAME", help="User or organisation that owns what is pushed. Default: the token's user."
)
sources = click.option(
    "--sources",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="TFT_SOURCES",
    help="Folder with the source files. Default: TFT_SOURCES, else the cache of `tft sources fetch`.",
)


def _day(_: click.Context, __: click.Parameter, text: str | None) -> date | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date() if text else None
    except ValueError as error:
        raise UsageError(f"--date {text!r} is not a day; write it as YYYY-MM-DD, such as 2026-01-31") from error


def day_option(default: str) -> Command:
    """Return the option `--date`; `default` says what is taken without it."""
    return click.option(
        "--date",
        "day",
        callback=_day,
        metavar="YYYY-MM-DD",
        help=f"What chat templates that ask for the date take for today. Default: {default}.",
    )


day = day_option("the day of the first run")

tools = click.option(
    "--tools",
    "tools_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="JSON with the tool schemas (a list, or an object with `tools`), which say what type an argument has where "
    "a notation writes bare text. Rows that carry `tools` of their own are read with those.",
)


def share_cores() -> None:
    """Let the threads of training sleep while they wait for one another: call it before torch is imported.

    Spinning, which is the default, makes two trainings on one machine many times slower than one after the other.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def set_values(pairs: Sequence[str]) -> dict[str, Any]:
    """Return what `--set KEY=VALUE` options say, values read as YAML; UsageError for one without a value."""
    from harness.data.formats.yaml_lines import read_yaml

    values = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--set {pair!r} has no value; write KEY=VALUE")
        try:
            values[key] = read_yaml(value)
        except ValueError as error:
            raise UsageError(f"the value of --set {key} cannot be read ({error}); expected YAML such as 0.5") from error
    return values


thresholds = click.option(
    "--thresholds",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    help="What makes training worth it, in place of the harness's datasets/verdict.yaml.",
)
allow_hosts = click.option(
    "--allow-host",
    "allow_hosts",
    metavar="NAME",
    multiple=True,
    help="Answer to this name too, e.g. a proxy's (repeatable). Default: names of this machine alone.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout.")
