"""The options about judges, for the verbs that judge."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from harness.cli import _asking

if TYPE_CHECKING:
    from harness.evaluation.judge.judges import JudgeConfig

Command = Callable[..., Any]
_JUDGE_OF_MODELS = "harness.judge_of_models"
_USUAL = _asking.AskingDefaults(
    models="openai: judges that --endpoints lacks", engine="a judge's vLLM", max_tokens=1024
)

_everything = click.option("--ask-everything", is_flag=True, help="Ask the judge even what code can decide.")


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
    """Add the options about judging to a command that has those of `_asking.shared`; `config` takes what they set."""
    return _everything(_asking.options("judge-", _USUAL)(command))


def config(judges: tuple[str, ...], settings: dict[str, Any]) -> JudgeConfig:
    """Return the configuration, taking the options of this module and of `_asking.shared` out of `settings`."""
    from harness.evaluation.judge.judges import JudgeConfig

    asking = _asking.taken(settings, "judge-").settings()
    return JudgeConfig(judges=judges, asking=asking, ask_everything=settings.pop("ask_everything"))
