"""The options that say which model plays which role, and how models are asked: for the verbs of the pipeline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from harness.stages._asking import Asking

Command = Callable[..., Any]
_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)

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

_ASKING = [
    click.option(
        "--endpoints",
        type=_FILE,
        envvar="TFT_ENDPOINTS",
        help="YAML file of endpoints: model id -> base_url, key_variable, price, limits. Default: TFT_ENDPOINTS.",
    ),
    click.option("--base-url", metavar="URL", help="Address of the endpoint of openai: models that --endpoints lacks."),
    click.option(
        "--key-variable", default="OPENAI_API_KEY", show_default=True, help="Variable with that endpoint's key."
    ),
    click.option(
        "--budget",
        type=click.FloatRange(min=0),
        metavar="USD",
        help="Send nothing more once so much is spent; answers of earlier runs that are used count too.",
    ),
    click.option("--dry-run", is_flag=True, help="Only say how many questions, tokens and USD it would take."),
    click.option(
        "--concurrency",
        type=click.IntRange(min=1),
        help="Most questions at once. Default: as --endpoints says, else 32.",
    ),
    click.option(
        "--cache",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder of answers that were paid for already. Default: the user's cache.",
    ),
    click.option("--max-tokens", type=click.IntRange(min=16), help="Longest answer. Default: what the role needs."),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="Longest wait for one answer, before it is asked again. Default: as --endpoints says, else 120.",
    ),
    click.option(
        "--engine-arg", "engine_args", multiple=True, metavar="KEY=VALUE", help="Passed to our own vLLM server."
    ),
]


def options(*roles: Command) -> Callable[[Command], Command]:
    """Add `--models`, the options of these roles (`teacher`, `committee`, `arbiter`) and those about asking."""

    def add(command: Command) -> Command:
        for option in reversed([models, *roles, *_ASKING]):
            command = option(command)
        return command

    return add


def asking(chosen: dict[str, Any]) -> Asking:
    """Return what the options say of how models are asked, taking them out of `chosen`."""
    from harness.stages._asking import Asking

    return Asking(**{name: chosen.pop(name) for name in Asking.model_fields})
