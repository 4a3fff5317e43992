"""Options about models: which one plays which role or judges, and how they are asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from harness.cli import _options
from harness.cli._options import Command

if TYPE_CHECKING:
    from harness.stages._requests import InferenceOptions

endpoints = click.option(
    "--endpoints",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    envvar="TFT_ENDPOINTS",
    help="YAML file of endpoints: model id -> base_url, key_variable, price, limits. Default: TFT_ENDPOINTS.",
)
budget = click.option(
    "--budget",
    type=click.FloatRange(min=0),
    metavar="USD",
    help="Send nothing more once so much is spent; answers of earlier runs that are used count too.",
)
teacher = click.option(
    "--teacher", metavar="MODEL", help="Model that rates and writes: openai:ID, one on the Hub, or rules:teacher."
)
committee = click.option("--committee", multiple=True, metavar="MODEL", help="A member of the committee; repeatable.")
arbiter = click.option("--arbiter", metavar="MODEL", help="The model that decides where the committee disagrees.")


class InferenceDefaults(NamedTuple):
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


def inference(prefix: str, usual: InferenceDefaults) -> Callable[[Command], Command]:
    """Add the options that say how one kind of models is asked; their names begin with `prefix`."""
    longest = "Maximum tokens per answer." + ("" if usual.max_tokens else " Default: what the role needs.")
    return _options.add(
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
            help="Maximum concurrent requests. Default: as --endpoints says, else 32.",
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
            help="Wait at most this long for an answer, then retry. "
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
            help="Folder where answers are cached. Default: the user's cache.",
        ),
    )


def roles(*named: Command) -> Callable[[Command], Command]:
    """Add `--models`, the options of these roles (`teacher`, `committee`, `arbiter`) and those about inference."""
    return _options.add(
        click.option(
            "--models",
            metavar="rules|published|FILE",
            default="rules",
            show_default=True,
            help="Which model plays which role: rules without weights or network, the benchmark's models, or a YAML "
            "file.",
        ),
        *named,
        endpoints,
        budget,
        click.option("--dry-run", is_flag=True, help="Only estimate requests, tokens and USD; send nothing."),
        inference("", InferenceDefaults()),
    )


judges = _options.add(
    click.option(
        "--judge",
        "judges",
        multiple=True,
        metavar="MODEL",
        help="The judge: rules:judge, openai:ID, or a model on the Hub. Several form a panel.",
    ),
    click.option(
        "--models",
        "role_models",
        metavar="rules|published|FILE",
        help="Roles whose judge is used if --judge is not given.",
    ),
)
"""Who judges; `named_judges` reads them."""
judging = _options.add(
    click.option("--ask-everything", is_flag=True, help="Ask the judge even what code can decide."),
    inference(
        "judge-",
        InferenceDefaults(models="openai: judges that --endpoints lacks", engine="a judge's vLLM", max_tokens=1024),
    ),
)
"""How judges are asked."""


def named_judges(chosen: dict[str, Any]) -> tuple[str, ...]:
    """Return who judges, taken out of `chosen`: those of `--judge`, else the judge of the roles in `--models`."""
    from harness.models.roles import Roles

    named, role_models = chosen.pop("judges"), chosen.pop("role_models")
    by_role = () if role_models is None else (Roles.named(role_models).judge,)
    return named or by_role


def inference_options(chosen: dict[str, Any], prefix: str = "", *, shared: bool = True) -> InferenceOptions:
    """Return what the options say whose names begin with `prefix`, and the shared ones, taken out of `chosen`."""
    from harness.stages._requests import InferenceOptions

    common = {"endpoints", "budget"}
    said = {name: chosen.pop(prefix + name) for name in set(InferenceOptions.model_fields) - common}
    return InferenceOptions(**said, **{name: chosen.pop(name) for name in common if shared})
