"""The options that say how models are asked, the same for all that are: roles, judges, and evaluated models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from harness.stages._asking import Asking

Command = Callable[..., Any]

_SHARED = [
    click.option(
        "--endpoints",
        type=click.Path(path_type=Path, dir_okay=False, exists=True),
        envvar="TFT_ENDPOINTS",
        help="YAML file of endpoints: model id -> base_url, key_variable, price, limits. Default: TFT_ENDPOINTS.",
    ),
    click.option(
        "--budget",
        type=click.FloatRange(min=0),
        metavar="USD",
        help="Send nothing more once so much is spent; answers of earlier runs that are used count too.",
    ),
]

_SHARED_NAMES = ("endpoints", "budget")


class AskingDefaults(NamedTuple):
    """What differs between the kinds of models that are asked."""

    models: str = "openai: models that --endpoints lacks"
    """Whose address `--base-url` is."""
    engine: str = "our own vLLM server"
    """What gets the arguments of `--engine-arg`."""
    max_tokens: int | None = None
    """None: what the role needs."""
    least_tokens: int = 16
    timeout: int = 120
    """Seconds, where neither the option nor the endpoints file says it."""


def shared(command: Command) -> Command:
    """Add the options that hold for all models that a command asks."""
    for option in reversed(_SHARED):
        command = option(command)
    return command


def options(prefix: str, usual: AskingDefaults) -> Callable[[Command], Command]:
    """Add the options about one kind of models, whose names begin with `prefix`."""
    longest = "Longest answer." if usual.max_tokens else "Longest answer. Default: what the role needs."
    every = [
        click.option(f"--{prefix}base-url", metavar="URL", help=f"Address of the endpoint of {usual.models}."),
        click.option(
            f"--{prefix}key-variable",
            default="OPENAI_API_KEY",
            show_default=True,
            help="Variable with that endpoint's key.",
        ),
        click.option(
            f"--{prefix}concurrency",
            type=click.IntRange(min=1),
            help="Most questions at once. Default: as --endpoints says, else 32.",
        ),
        click.option(
            f"--{prefix}max-tokens",
            type=click.IntRange(min=usual.least_tokens),
            default=usual.max_tokens,
            show_default=usual.max_tokens is not None,
            help=longest,
        ),
        click.option(
            f"--{prefix}timeout",
            type=click.FloatRange(min=0, min_open=True),
            metavar="SECONDS",
            help="Longest wait for one answer, before it is asked again. "
            f"Default: as --endpoints says, else {usual.timeout}.",
        ),
        click.option(
            f"--{prefix}engine-arg",
            f"{prefix.replace('-', '_')}engine_args",
            multiple=True,
            metavar="KEY=VALUE",
            help=f"Passed to {usual.engine}.",
        ),
        click.option(
            f"--{prefix}cache",
            type=click.Path(path_type=Path, file_okay=False),
            help="Folder of answers that were paid for already. Default: the user's cache.",
        ),
    ]

    def add(command: Command) -> Command:
        for option in reversed(every):
            command = option(command)
        return command

    return add


def taken(chosen: dict[str, Any], prefix: str = "", *, shared: bool = True) -> Asking:
    """Return what the options that begin with `prefix`, and those of `shared`, say, taken out of `chosen`."""
    from harness.stages._asking import Asking

    names = set(Asking.model_fields) - set(_SHARED_NAMES)
    said = {name: chosen.pop(prefix.replace("-", "_") + name) for name in names}
    return Asking(**said, **{name: chosen.pop(name) for name in _SHARED_NAMES if shared})
