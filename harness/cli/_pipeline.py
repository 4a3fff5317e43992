"""What the verbs of the pipeline share: their options as a request, and what is shown of the result."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from harness.cli import _asking, _options, _roles
from harness.errors import UsageError
from harness.terminal import echo, say

if TYPE_CHECKING:
    from harness.hub.client import Hub
    from harness.stages._inputs import PipelineRequest
    from harness.stages._result import Place, StageResult

Command = Callable[..., Any]
Request = TypeVar("Request", bound="PipelineRequest")
_BENCHMARK = re.compile(r"tft-benchmark-s(\d+)-")
_STAGE_NAME = re.compile(r"-(traces|filtered|relabelled|synthetic)$")

_OPTIONS = [
    click.argument("source", metavar="[INPUT]", required=False),
    click.option(
        "--job",
        type=click.Path(path_type=Path, file_okay=False, exists=True),
        help="Job folder: task, traces, test set and settings of your own. INPUT is then its traces, unless given.",
    ),
    click.option(
        "--task",
        metavar="FILE|REPO[@REV]",
        help="Task definition with the tools. Default: the job's, else <namespace>/tft-benchmark-testset.",
    ),
    click.option("--arm", metavar="NAME", help="Which configuration of INPUT, where it has several: tft or direct."),
    click.option("--scenario", type=int, metavar="N", help="Published settings of this scenario, and its name."),
    click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N rows of INPUT."),
    click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any setting; a wrong key lists all."),
    click.option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder that gets the files that would be pushed. Nothing is pushed then, unless --push is given.",
    ),
    click.option("--push/--no-push", default=None, help="Push the dataset. Default: push where no --out is given."),
    click.option("--to", "repo", metavar="REPO", help="Dataset to push to. Default: INPUT's name with another end."),
    click.option("--force", is_flag=True, help="Run even where the Hub has a result of the same inputs."),
]


def options(*roles: Command) -> Callable[[Command], Command]:
    """Add the options of all stages, those of these roles, and those about the Hub."""

    def add(command: Command) -> Command:
        every: list[Command] = [
            *_OPTIONS,
            _roles.options(*roles),
            _options.hub,
            _options.namespace,
            _options.as_json,
        ]
        for option in reversed(every):
            command = option(command)
        return command

    return add


@contextmanager
def requested(
    kind: type[Request], suffix: str, chosen: dict[str, Any], settings: Mapping[str, Any]
) -> Iterator[tuple[Request, Hub]]:
    """Yield what the options say as a request, and the Hub that it is for.

    `chosen` are the options of this module and the fields of the request besides, `settings` win over `--set`; `suffix`
    ends the default dataset's name.
    """
    from harness.hub.connect import connected

    source, job, scenario = chosen.pop("source"), chosen.pop("job"), chosen.pop("scenario")
    if source is None and job is None:
        raise UsageError("no INPUT: name a dataset (owner/name), a file of traces, or a job folder with --job")
    if scenario is None and source is not None and not Path(source).exists():
        found = _BENCHMARK.search(source)
        scenario = int(found[1]) if found else None
    values = _options.set_values(chosen.pop("settings"))
    values |= {key: value for key, value in settings.items() if value is not None}
    asking = _asking.taken(chosen)
    with connected(chosen.pop("hub")) as hub:
        place = _place(_Named(source, job, suffix, scenario), chosen)
        chosen |= {"source": source, "job": job, "scenario": scenario}
        yield kind(**chosen, settings=values, asking=asking, place=place), hub


class _Named(NamedTuple):
    """What the name of the result follows from."""

    source: str | None
    job: Path | None
    suffix: str
    scenario: int | None


def _place(name: _Named, chosen: dict[str, Any]) -> Place:
    from harness.stages._result import Place

    out, push, repo, force = (chosen.pop(key) for key in ("out", "push", "repo", "force"))
    if push is None:
        push = out is None
    if not push:
        if repo:
            raise UsageError(f"--to {repo} names a dataset, and nothing is pushed; add --push, or leave it out")
        return Place(out=out, force=force)
    return Place(repo_id=repo or _name(name), out=out, force=force)


def _name(name: _Named) -> str:
    """Return the dataset that is pushed to where nothing else is said; UsageError where it follows from nothing."""
    from harness.hub.artifact import split_revision

    if name.scenario is not None:
        return f"tft-benchmark-s{name.scenario}-{name.suffix}"
    if name.source is not None and not Path(name.source).exists():
        return _STAGE_NAME.sub("", split_revision(name.source)[0].rpartition("/")[2]) + f"-{name.suffix}"
    made_from = name.source or name.job
    raise UsageError(f"say where the result of {made_from} goes: --out DIR for a folder, or --to REPO to push it")


def show(hub: Hub, result: StageResult, counts: Mapping[str, Any], as_json: bool) -> None:
    """Print what a stage has made: counts on stdout, where it lies on stderr."""
    import json

    if as_json:
        artifact = result.artifact
        echo(
            json.dumps(
                {
                    "folder": str(result.folder) if result.folder else None,
                    "repo": artifact.repo_id if artifact else None,
                    "revision": artifact.revision if artifact else None,
                    "reused": result.reused,
                    **counts,
                }
            )
        )
    else:
        for what, count in counts.items():
            echo(f"{what}: {_text(count)}")
    if result.folder:
        say(f"written: {result.folder}")
    if result.artifact:
        state = "there already, made from the same inputs" if result.reused else "pushed"
        say(f"{state}: {hub.page(result.artifact)}  {result.artifact.revision}")


def _text(value: Any) -> str:
    from harness.statistics.formatting import number

    if isinstance(value, Mapping):
        return ", ".join(f"{key} {inner}" for key, inner in value.items()) or "none"
    return number(value) if isinstance(value, float) else str(value)
