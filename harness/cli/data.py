"""`tft data`: build the benchmark's files, check them, and publish them as datasets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from harness.cli import _options
from harness.errors import CheckFailed, UsageError
from harness.terminal import echo, progress

if TYPE_CHECKING:
    from harness.data.scenarios import Arm, Scenario
    from harness.hub.client import Hub
    from harness.stages._result import StageResult

_scenario = click.option(
    "--scenario", "numbers", type=int, multiple=True, metavar="N", help="Only this scenario; repeatable. Default: all."
)
_arm = click.option("--arm", type=click.Choice(["tft", "direct"]), help="Only this arm's files. Default: both.")


@click.group(cls=_options.CommandGroup, epilog="\b\nExample:\n  tft data build --out data && tft data verify data")
def command() -> None:
    """Build, verify and publish the benchmark's test set and traces."""


@command.command(
    epilog="\b\nExamples:\n  tft data build --out data\n  tft data build --out data --scenario 2 --arm tft\n"
    "  HF_TOKEN=... tft data build --push --namespace my-org"
)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for the files in the published layout."
)
@click.option("--push", is_flag=True, help="Publish the test set and the traces as datasets on the Hub.")
@click.option("--only", type=click.Choice(["testset", "traces"]), help="Publish only this. Default: both.")
@_scenario
@_arm
@_options.sources
@_options.hub
@_options.namespace
@click.option("--force", is_flag=True, help="Push even where the Hub has the same data already.")
@_options.as_json
def build(
    *,
    out: Path | None,
    push: bool,
    only: str | None,
    numbers: tuple[int, ...],
    arm: Arm | None,
    sources: Path | None,
    hub: str | None,
    namespace: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Rebuild the published files from their sources, exactly.

    Call ids aside, which are random in the published files, each file is equal to the published one byte
    by byte. With --push, each dataset repository gets both arms, a card and its lineage.
    """
    from harness.data.sources import locate
    from harness.data.tasks import REPOSITORY
    from harness.stages import collect, corrupt

    if not out and not push:
        raise UsageError("nothing to do: give --out DIR to write files, --push to publish datasets, or both")
    if arm and not out:
        raise UsageError("--arm chooses among the files of --out; a published dataset always has both arms")
    if only and not push:
        raise UsageError("--only says what is published; add --push")
    chosen = _chosen(numbers)
    arms = _arms(arm)
    located = locate(sources)
    if out:
        with _steps("building", total=2 * len(chosen) * len(arms)) as step:
            for path in corrupt.write_published(located, out, chosen, arms):
                step(str(path))
    if push:
        testset = [_Dataset(REPOSITORY, collect.run, partial(collect.CollectRequest, sources=sources))]
        traces = [
            _Dataset(
                f"tft-benchmark-s{one.number}-traces",
                corrupt.run,
                partial(corrupt.CorruptRequest, scenario=one.number, sources=sources),
            )
            for one in chosen
        ]
        _publish(_only(only, testset, traces), hub, namespace, force=force, as_json=as_json)


@command.command(
    epilog="\b\nExamples:\n  tft data job my-agent --folder path/to/my-agent\n"
    "  tft data job my-agent --folder path/to/my-agent --only testset --public"
)
@click.argument("name")
@click.option(
    "--folder",
    required=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Job folder: job_description.json, traces.jsonl, test.jsonl.",
)
@click.option("--only", type=click.Choice(["testset", "traces"]), help="Publish only this. Default: both.")
@click.option("--public", is_flag=True, help="Make them public. Default: private.")
@click.option("--force", is_flag=True, help="Push even where the Hub has the same data already.")
@_options.hub
@_options.namespace
@_options.as_json
def job(
    *,
    name: str,
    folder: Path,
    only: str | None,
    public: bool,
    force: bool,
    hub: str | None,
    namespace: str | None,
    as_json: bool,
) -> None:
    """Push a job folder as datasets, NAME-traces and NAME-testset, which `tft benchmark --job` reads."""
    import os

    from harness.curation.job_folder import JobFolder
    from harness.hub.client import PRIVATE
    from harness.stages import job_test_set, job_traces

    JobFolder.open(folder)  # what is wrong with it is said before the Hub is asked
    if not public:
        os.environ[PRIVATE] = "1"
    testset = [_Dataset(f"{name}-testset", job_test_set.run, partial(job_test_set.JobTestSetRequest, job=folder))]
    traces = [_Dataset(f"{name}-traces", job_traces.run, partial(job_traces.JobTracesRequest, job=folder))]
    _publish(_only(only, testset, traces), hub, namespace, force=force, as_json=as_json)


@command.command(epilog="\b\nExample:\n  tft data verify data")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@_scenario
@_arm
@_options.as_json
def verify(folder: Path, numbers: tuple[int, ...], arm: Arm | None, as_json: bool) -> None:
    """Compare the files below FOLDER with the published ones, by sha256 with call ids masked.

    Prints one line per file; exits with 1 where one differs or is missing.
    """
    import json
    from dataclasses import asdict

    from harness.stages import corrupt

    checks = list(corrupt.verify(folder, _chosen(numbers), _arms(arm)))
    bad = [check for check in checks if check.status != "ok"]
    if as_json:
        echo(json.dumps({"ok": not bad, "files": [asdict(check) for check in checks]}))
    else:
        for check in checks:
            hashes = "" if check.status == "ok" else f"  expected {check.expected}, found {check.found or 'no file'}"
            echo(f"{check.status:<7}  {check.path}{hashes}")
    if bad:
        raise CheckFailed(
            f"{len(bad)} of {len(checks)} files are not the published ones; build them again: "
            f"tft data build --out {folder}"
        )


@command.command(
    epilog="\b\nExamples:\n  tft data dialogues --out dialogues.jsonl\n"
    "  tft data dialogues --out dialogues.jsonl --exclude Restaurants --exclude Hotels_1"
)
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="File to write.")
@click.option(
    "--exclude",
    multiple=True,
    default=("Restaurants",),
    show_default=True,
    metavar="SERVICE",
    help="Leave out this service (Restaurants_1) or all of its kind (Restaurants); repeatable.",
)
@_options.sources
@_options.as_json
def dialogues(*, out: Path, exclude: tuple[str, ...], sources: Path | None, as_json: bool) -> None:
    """Write the dialogues about other services, for `tft student create --pretrain`.

    One conversation per line, services as tools, as in the traces. All Schema-Guided Dialogue files in the
    sources' folder are read; more of them there give more dialogues.
    """
    import json

    from harness.data.formats.sgd import write_dialogues
    from harness.data.sources import locate

    with progress("reading dialogues"):
        counts = write_dialogues(locate(sources), out, exclude=exclude)
    if as_json:
        echo(json.dumps({"file": str(out), "conversations": sum(counts.values()), "services": counts}))
        return
    echo(f"{out}  {sum(counts.values()):,} conversations about {len(counts)} services")


def _chosen(numbers: tuple[int, ...]) -> list[Scenario]:
    from harness.data import scenarios

    return [scenarios.get(number) for number in sorted(set(numbers))] if numbers else scenarios.all_scenarios()


def _only(what: str | None, testset: list[_Dataset], traces: list[_Dataset]) -> list[_Dataset]:
    return [*(testset if what != "traces" else ()), *(traces if what != "testset" else ())]


def _arms(arm: Arm | None) -> tuple[Arm, ...]:
    from harness.data.scenarios import ARMS

    return (arm,) if arm else ARMS


class _Dataset(NamedTuple):
    """A dataset that is published, and the stage that makes it."""

    name: str
    run: Callable[[Any, Hub], StageResult]
    request: Callable[..., Any]
    """Returns the stage's request for a `place`."""


def _publish(
    datasets: Sequence[_Dataset], hub: str | None, namespace: str | None, *, force: bool, as_json: bool
) -> None:
    import json

    from harness.hub.connect import connected
    from harness.stages._result import OutputTarget

    with connected(hub) as client, _steps("pushing", len(datasets)) as step:
        owner = client.namespace(namespace)
        for one in datasets:
            place = OutputTarget(repo_id=f"{owner}/{one.name}", force=force)
            made = one.run(one.request(place=place), client)
            artifact = made.artifact
            if artifact is None:
                continue
            if as_json:
                step(json.dumps({"repo": artifact.repo_id, "revision": artifact.revision, "reused": made.reused}))
            else:
                note = "  (was there already)" if made.reused else ""
                step(f"{client.page(artifact)}  {artifact.revision}{note}")


@contextmanager
def _steps(doing: str, total: int) -> Iterator[Callable[[str], None]]:
    """Show how far the steps are, and at the end print the line of each finished step on stdout.

    Not at once: it would stand in the middle of a bar.
    """
    lines: list[str] = []
    try:
        with progress(doing, total) as advance:

            def step(line: str) -> None:
                lines.append(line)
                advance()

            yield step
    finally:
        for line in lines:
            echo(line)
