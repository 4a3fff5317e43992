"""What the verbs of the pipeline share: their input, task and settings, and where their result goes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from harness.cli import _options, _roles
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.curation.job_folder import JobFolder
    from harness.data.annotations import TraceRow
    from harness.data.scenarios import Arm
    from harness.data.tasks import TaskSource, TestConversations
    from harness.data.traces.source import TraceInput
    from harness.hub.client import Hub
    from harness.stages._run import Place, StageResult

Command = Callable[..., Any]
_BENCHMARK = re.compile(r"tft-benchmark-s(\d+)-")
_STAGE_NAME = re.compile(r"-(traces|filtered|relabelled|synthetic)$")
_LICENSE = "cc-by-sa-4.0"
"""Of the benchmark's dialogues, and so of everything that is made from them."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class StageInputs:
    """What a stage starts from, resolved."""

    hub: Hub
    input: TraceInput
    rows: Callable[[], Iterator[TraceRow]]
    """Reads the rows of the input, as often as wanted."""
    task: TaskSource
    job: JobFolder | None
    scenario: int | None
    arm: Arm
    """Of the scenario, `tft` where none is named."""
    place: Place
    set: Mapping[str, Any]
    """What `--set` says."""
    selection: Mapping[str, Any]
    """Which part of the input is read, where not all of it is: `arm`, `limit`."""

    @property
    def license(self) -> str | None:
        """The licence of what is made, where it is known."""
        return _LICENSE if self.scenario is not None else None

    @property
    def prefix(self) -> str:
        """What ids of new rows begin with."""
        return f"s{self.scenario}-" if self.scenario is not None else ""


@contextmanager
def started(suffix: str, chosen: dict[str, Any]) -> Iterator[StageInputs]:
    """Yield what the options of this module say, taken out of `chosen`; `suffix` ends the default dataset's name."""
    from harness.curation.job_folder import JobFolder
    from harness.data.tasks import find_task
    from harness.data.traces.source import read_input
    from harness.hub.connect import connected

    folder, named, limit = chosen.pop("job"), chosen.pop("task"), chosen.pop("limit")
    job = JobFolder.open(folder) if folder else None
    if job:
        _say_what_is_not_used(job)
    source = chosen.pop("source") or (str(job.traces) if job else None)
    if source is None:
        raise UsageError("no INPUT: name a dataset (owner/name), a file of traces, or a job folder with --job")
    scenario = chosen.pop("scenario")
    if scenario is None and not Path(source).exists():
        found = _BENCHMARK.search(source)
        scenario = int(found[1]) if found else None
    with connected(chosen.pop("hub")) as hub:
        namespace = chosen.pop("namespace")
        arm = chosen.pop("arm")
        input_ = read_input(source, hub, arm=arm)
        task = job.task if job and not named else find_task(named, hub, lambda: hub.namespace(namespace))

        def rows() -> Iterator[TraceRow]:
            for position, row in enumerate(input_.rows()):
                if limit is not None and position >= limit:
                    return
                yield row

        yield StageInputs(
            hub=hub,
            input=input_,
            rows=rows,
            task=task,
            job=job,
            scenario=scenario,
            arm="direct" if arm == "direct" else "tft",
            place=_place(hub, _Named(source, suffix, scenario, namespace), chosen),
            set=_options.set_values(chosen.pop("settings")),
            selection={key: value for key, value in (("arm", arm), ("limit", limit)) if value is not None},
        )


def _say_what_is_not_used(job: JobFolder) -> None:
    """Say what of a job's configuration does nothing here: its models have no addresses, so options name them."""
    from harness.terminal import say

    named = job.settings("roles")
    if named:
        say(
            f"the job's configuration names models ({', '.join(sorted(named))}), which have no addresses: the options "
            "say which models are used, by default the rules"
        )
    if job.config.ignored:
        say(f"of the job's configuration these keys change nothing here: {', '.join(job.config.ignored)}")


class _Named(NamedTuple):
    """What the name of the result follows from."""

    source: str
    suffix: str
    scenario: int | None
    namespace: str | None


def _place(hub: Hub, name: _Named, chosen: dict[str, Any]) -> Place:
    from harness.stages._run import Place, check_out

    out, push, repo, force = (chosen.pop(key) for key in ("out", "push", "repo", "force"))
    if out is not None:
        check_out(out)
    if push is None:
        push = out is None
    if not push:
        if repo:
            raise UsageError(f"--to {repo} names a dataset, and nothing is pushed; add --push, or leave it out")
        return Place(out=out, force=force)
    repo = repo or _name(name)
    return Place(repo_id=repo if "/" in repo else f"{hub.namespace(name.namespace)}/{repo}", out=out, force=force)


def _name(name: _Named) -> str:
    """Return the dataset that is pushed to where nothing else is said; UsageError where it follows from nothing."""
    from harness.hub.artifact import split_revision

    if name.scenario is not None:
        return f"tft-benchmark-s{name.scenario}-{name.suffix}"
    if not Path(name.source).exists():
        return _STAGE_NAME.sub("", split_revision(name.source)[0].rpartition("/")[2]) + f"-{name.suffix}"
    raise UsageError(f"say where the result of {name.source} goes: --out DIR for a folder, or --to REPO to push it")


def readable(rows: Iterable[TraceRow]) -> tuple[TraceRow, ...]:
    """Return the rows that can be read, and say of the others how many there are and why the first cannot."""
    from harness.terminal import say

    every = tuple(rows)
    problems = [row.problem for row in every if row.problem is not None]
    if problems:
        say(f"{len(problems)} of {len(every)} rows cannot be read and are left out, the first one: {problems[0]}")
    return tuple(row for row in every if row.problem is None)


def test_set(start: StageInputs, named: str | None) -> TestConversations | None:
    """Return the test set that is named, else the job's, else that of the repository that has the task, else None."""
    from harness.data.tasks import find_test, has_test
    from harness.hub.artifact import Artifact, parse_input

    task = start.task.source
    if named is None and start.job is not None:
        named = str(start.job.test) if start.job.test else None
    elif named is None and isinstance(parse_input(task), Artifact) and has_test(task, start.hub):
        named = task
    return find_test(named, start.hub) if named is not None else None


def show(start: StageInputs, result: StageResult, counts: Mapping[str, Any], as_json: bool) -> None:
    """Print what a stage has made: counts on stdout, where it lies on stderr."""
    import json

    from harness.terminal import say

    if as_json:
        artifact = result.artifact
        click.echo(
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
            click.echo(f"{what}: {_text(count)}")
    if result.folder:
        say(f"written: {result.folder}")
    if result.artifact:
        state = "there already, made from the same inputs" if result.reused else "pushed"
        say(f"{state}: {start.hub.page(result.artifact)}  {result.artifact.revision}")


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {inner}" for key, inner in value.items()) or "none"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
