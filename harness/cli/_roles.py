"""The options that say which model plays which role, and how models are asked: for the verbs of the pipeline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from harness.cli import _asking

Command = Callable[..., Any]

models = click.option(
    "--models",
    metavar="rules|published|FILE",
    default="rules",
    show_default=True,
    help="Which model plays which role: rules without weights or network, the benchmark's models, or a YAML file.",
)
teacher = click.option(
    "--teacher", metavar="MODEL", help="Who rates and writes: openai:ID, a model on the Hub, rules:teacher."
)
committee = click.option(
    "--committee", multiple=True, metavar="MODEL", help="A member of the committee; give it once for each member."
)
arbiter = click.option("--arbiter", metavar="MODEL", help="Who decides where the committee does not agree.")

_dry_run = click.option("--dry-run", is_flag=True, help="Only say how many questions, tokens and USD it would take.")


def options(*roles: Command) -> Callable[[Command], Command]:
    """Add `--models`, the options of these roles (`teacher`, `committee`, `arbiter`) and those about asking."""

    def add(command: Command) -> Command:
        asking = _asking.options("", _asking.AskingDefaults())
        every: list[Command] = [models, *roles, _asking.shared, _dry_run, asking]
        for option in reversed(every):
            command = option(command)
        return command

    return add
