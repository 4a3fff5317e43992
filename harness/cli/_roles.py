"""The options that say which model plays which role, and how models are asked: for the verbs of the pipeline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from harness.models.chat.chat_models import ChatSettings
    from harness.models.roles import Roles

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


class ChosenRoles(NamedTuple):
    """What the options of this module say."""

    roles: Roles
    asking: ChatSettings
    dry_run: bool


def options(*roles: Command) -> Callable[[Command], Command]:
    """Add `--models`, the options of these roles (`teacher`, `committee`, `arbiter`) and those about asking."""

    def add(command: Command) -> Command:
        for option in reversed([models, *roles, *_ASKING]):
            command = option(command)
        return command

    return add


def roles_of(settings: dict[str, Any], *, log: Path | None = None) -> ChosenRoles:
    """Return what was chosen, taking the options of this module out of `settings`.

    `log`: where the output of our own engines goes. Raises HarnessError for models or files that cannot be used.
    """
    from harness.models.chat.budget import Budget
    from harness.models.chat.chat_models import ChatSettings
    from harness.models.chat.endpoints import Endpoints
    from harness.models.engine.server import split_engine_args
    from harness.models.roles import Roles

    chosen = Roles.named(settings.pop("models")).changed(
        teacher=settings.pop("teacher", None),
        committee=tuple(settings.pop("committee", ())),
        arbiter=settings.pop("arbiter", None),
    )
    endpoints = Endpoints(
        base_url=settings.pop("base_url"), key_variable=settings.pop("key_variable"), file=settings.pop("endpoints")
    )
    budget = settings.pop("budget")
    asking = ChatSettings(
        endpoints=endpoints,
        concurrency=settings.pop("concurrency"),
        timeout=settings.pop("timeout"),
        max_tokens=settings.pop("max_tokens"),
        engine_args=split_engine_args(settings.pop("engine_args")),
        cache=settings.pop("cache"),
        log=log,
        budget=None if budget is None else Budget(budget),
    )
    return ChosenRoles(chosen, asking, settings.pop("dry_run"))
