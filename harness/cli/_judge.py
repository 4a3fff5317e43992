"""The options about judges, for the verbs that judge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from harness.evaluation.judge.judges import JudgeConfig

Command = Callable[..., Any]
_JUDGE_OF_MODELS = "harness.judge_of_models"
ASKING = ("base_url", "key_variable", "concurrency", "max_tokens", "timeout", "engine_args", "cache")
"""What the options that begin with `--judge-` say of how judges are asked."""
_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)

_OPTIONS = [
    click.option(
        "--judge-base-url", metavar="URL", help="Address of the endpoint of openai: judges that --endpoints lacks."
    ),
    click.option(
        "--judge-key-variable", default="OPENAI_API_KEY", show_default=True, help="Variable with that endpoint's key."
    ),
    click.option(
        "--endpoints",
        type=_FILE,
        envvar="TFT_ENDPOINTS",
        help="YAML file of endpoints: model id -> base_url, key_variable, limits. Default: TFT_ENDPOINTS.",
    ),
    click.option("--ask-everything", is_flag=True, help="Ask the judge even what code can decide."),
    click.option(
        "--judge-concurrency",
        type=click.IntRange(min=1),
        help="Most questions at once. Default: as --endpoints says, else 32.",
    ),
    click.option(
        "--judge-max-tokens", type=click.IntRange(min=16), default=1024, show_default=True, help="Longest answer."
    ),
    click.option(
        "--judge-timeout",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="Longest wait for one answer, before it is asked again. Default: as --endpoints says, else 120.",
    ),
    click.option(
        "--judge-engine-arg", "judge_engine_args", multiple=True, metavar="KEY=VALUE", help="Passed to a judge's vLLM."
    ),
    click.option(
        "--judge-cache",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder of verdicts that were paid for already. Default: the user's cache.",
    ),
]


def _read_models(context: click.Context, option: click.Parameter, value: str | None) -> None:
    """Keep the judge that `--models` names for where `--judge` is not given."""
    del option
    if value is not None:
        from harness.models.roles import Roles

        context.meta[_JUDGE_OF_MODELS] = Roles.named(value).judge


def _or_of_models(context: click.Context, option: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    del option
    named = context.meta.get(_JUDGE_OF_MODELS)
    return value or ((named,) if named else ())


_JUDGES = (
    click.option(
        "--judge",
        "judges",
        multiple=True,
        metavar="MODEL",
        callback=_or_of_models,
        help="Who judges: rules:judge, openai:ID, or a model on the Hub. Several make a panel.",
    ),
    click.option(
        "--models",
        "role_models",
        metavar="rules|published|FILE",
        is_eager=True,
        expose_value=False,
        callback=_read_models,
        help="Let the judge of these roles judge, where --judge names nobody.",
    ),
)


def judge(command: Command) -> Command:
    """Add the options that say who judges; the command gets `judges`."""
    for option in reversed(_JUDGES):
        command = option(command)
    return command


def options(command: Command) -> Command:
    """Add the options to a command; `config` takes what they set."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def config(judges: tuple[str, ...], settings: dict[str, Any]) -> JudgeConfig:
    """Return the configuration, taking the options of this module out of `settings`."""
    from harness.evaluation.judge.judges import JudgeConfig
    from harness.models.chat.endpoints import Endpoints
    from harness.models.engine.server import split_engine_args

    taken = {
        name: settings.pop(name) for name in ("judge_base_url", "judge_key_variable", "endpoints", "judge_engine_args")
    }
    return JudgeConfig(
        judges=judges,
        endpoints=Endpoints(
            base_url=taken["judge_base_url"], key_variable=taken["judge_key_variable"], file=taken["endpoints"]
        ),
        engine_args=split_engine_args(taken["judge_engine_args"]),
        ask_everything=settings.pop("ask_everything"),
        concurrency=settings.pop("judge_concurrency"),
        max_tokens=settings.pop("judge_max_tokens"),
        timeout=settings.pop("judge_timeout"),
        cache=settings.pop("judge_cache"),
        labels=settings.pop("labels", None),
        label_column=settings.pop("label_column", "label"),
        baselines=settings.pop("judge_baselines", True),
    )
