"""What `tft filter`, `relabel` and `synthesize` share: options, running the stage, and what is shown of its result."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from harness.cli import _model_options, _options
from harness.cli._options import Command
from harness.errors import UsageError
from harness.terminal import echo, say

if TYPE_CHECKING:
    from harness.hub.client import Hub
    from harness.stages._result import OutputTarget, StageResult

_BENCHMARK = re.compile(r"tft-benchmark-s(\d+)-")
_SUFFIXES = {"filter": "filtered", "relabel": "relabelled", "synthesize": "synthetic"}
"""Stage -> how the name of its dataset ends."""
_STAGE_NAME = re.compile(rf"-(traces|{'|'.join(_SUFFIXES.values())})$")
Counts = Callable[[Mapping[str, Any]], Mapping[str, Any]]

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
    click.option(
        "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set any setting; an unknown key lists all."
    ),
    click.option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder that gets the files that would be pushed. Nothing is pushed then, unless --push is given.",
    ),
    click.option("--push/--no-push", default=None, help="Push the dataset. Default: push where no --out is given."),
    click.option("--to", "repo", metavar="REPO", help="Dataset to push to. Default: INPUT's name with another suffix."),
    click.option("--force", is_flag=True, help="Run even if the Hub has a result for the same inputs."),
]


def options(*roles: Command) -> Callable[[Command], Command]:
    """Add the options of all stages, those of these roles, and those about the Hub."""
    return _options.add(*_OPTIONS, _model_options.roles(*roles), _options.hub, _options.namespace, _options.as_json)


def run(stage: Any, request: Any, chosen: dict[str, Any], settings: Mapping[str, Any], shown: Counts) -> None:
    """Run a stage of the pipeline, or print what it would take, and print what it has made.

    `stage` is its module, `request` the type of its requests, `chosen` the options of this module and the other fields
    of a request; `settings` win over `--set`, and `shown` says what is printed of the counts of the result.
    """
    from harness.hub.connect import connected

    dry_run, as_json = chosen.pop("dry_run"), chosen.pop("as_json")
    source, job, scenario = chosen.pop("source"), chosen.pop("job"), chosen.pop("scenario")
    if source is None and job is None:
        raise UsageError("no INPUT: name a dataset (owner/name), a file of traces, or a job folder with --job")
    if scenario is None and source is not None and not Path(source).exists():
        found = _BENCHMARK.search(source)
        scenario = int(found[1]) if found else None
    values = _options.set_values(chosen.pop("settings"))
    values |= {key: value for key, value in settings.items() if value is not None}
    asking = _model_options.inference_options(chosen)
    with connected(chosen.pop("hub")) as hub:
        place = _place(_Named(source, job, _SUFFIXES[stage.STAGE], scenario), chosen)
        chosen |= {"source": source, "job": job, "scenario": scenario}
        asked = request(**chosen, settings=values, asking=asking, place=place)
        if dry_run:
            for line in stage.estimate(asked, hub):
                echo(line)
        else:
            result = stage.run(asked, hub)
            _show(hub, result, shown(result.counts) if result.counts else {}, as_json)


class _Named(NamedTuple):
    """What the name of the result follows from."""

    source: str | None
    job: Path | None
    suffix: str
    scenario: int | None


def _place(name: _Named, chosen: dict[str, Any]) -> OutputTarget:
    from harness.stages._result import OutputTarget

    out, push, repo, force = (chosen.pop(key) for key in ("out", "push", "repo", "force"))
    if push is None:
        push = out is None
    if not push:
        if repo:
            raise UsageError(f"--to {repo} names a dataset, and nothing is pushed; add --push, or leave it out")
        return OutputTarget(out=out, force=force)
    return OutputTarget(repo_id=repo or _name(name), out=out, force=force)


def _name(name: _Named) -> str:
    """Return the dataset that is pushed to where nothing else is said; UsageError where it follows from nothing."""
    from harness.hub.artifact import split_revision

    if name.scenario is not None:
        return f"tft-benchmark-s{name.scenario}-{name.suffix}"
    if name.source is not None and not Path(name.source).exists():
        return _STAGE_NAME.sub("", split_revision(name.source)[0].rpartition("/")[2]) + f"-{name.suffix}"
    made_from = name.source or name.job
    raise UsageError(f"say where the result of {made_from} goes: --out DIR for a folder, or --to REPO to push it")


def _show(hub: Hub, result: StageResult, counts: Mapping[str, Any], as_json: bool) -> None:
    """Print what a stage has made: counts and what became of the models' answers on stdout, where it lies on stderr."""
    import json
    from dataclasses import asdict

    answers = result.counts.get("answers", ())
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
                    **({"answers": [asdict(one) for one in answers]} if answers else {}),
                }
            )
        )
    else:
        for what, count in counts.items():
            echo(f"{what}: {_text(count)}")
        for one in answers:
            echo(str(one))
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
