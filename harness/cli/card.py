"""`tft card`: render the cards of models, compare them with those on the Hub, push them."""

from __future__ import annotations

import difflib
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import _options
from harness.errors import CheckFailed, HarnessError, RepoNotFound, UsageError
from harness.terminal import echo, say, write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.data.records import Task
    from harness.evaluation.records import EvalReport
    from harness.hub.client import Hub
    from harness.reports.model_card import CardIdentity

MESSAGE = "Update the model card from its evaluation report"


@dataclass(frozen=True, slots=True, kw_only=True)
class _CardOptions:
    """What is done with a card."""

    push: bool
    create_pr: bool
    check: bool
    out: Path | None
    report_file: Path | None
    published: bool


@click.command(
    epilog="""\b
Examples:
  tft card me/tft-benchmark-s2-tft-Qwen3-1.7B --push
  tft card me/my-model --report results/report.json --out README.md
  tft card me/tft-benchmark-s2-tft-Qwen3-1.7B --check
  tft card --all --namespace me --push --create-pr
"""
)
@click.argument("model", required=False)
@click.option("--all", "every", is_flag=True, help="With --check or --push: each model of the namespace with results.")
@click.option("--push", is_flag=True, help="Commit the card as README.md of the model repository.")
@click.option("--create-pr", is_flag=True, help="With --push: have one open pull request propose it.")
@click.option("--check", is_flag=True, help="Exit with 1 and a diff where the card on the Hub is not this one.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the card to a file.")
@click.option(
    "--report",
    "report_file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Use this report. Default: the newest one in <namespace>/tft-benchmark-results.",
)
@click.option("--published", is_flag=True, help="Render from the published figures alone (benchmark models).")
@_options.hub
@_options.namespace
def command(
    *,
    model: str | None,
    every: bool,
    hub: str | None,
    namespace: str | None,
    **chosen: Any,
) -> None:
    """Render the card of MODEL (owner/name) from its evaluation report, and print it.

    A benchmark model (tft-benchmark-s<N>-<tft|direct>-<student>) gets a whole README, with plots beside it, and so
    does a model of `tft train`. In the README of any other model only the block between the tft-harness marks is
    written; the rest stays as it is.
    With --all the cards that cannot be made or pushed are named in the end, and the exit status is 1.
    """
    options = _CardOptions(**chosen)
    _check_options(options, model, every)
    from harness.hub.artifact import split_revision
    from harness.hub.connect import connected

    online = every or options.push or options.check or hub is not None or not (options.published or options.report_file)
    with connected(hub) if online else nullcontext() as client:
        owner = namespace if options.published or client is None else client.namespace(namespace)
        if client and every:
            _all(client, str(owner), options)
        else:
            _one(client, split_revision(str(model).removeprefix("vllm:"))[0], owner, options)


def _one(client: Hub | None, model: str, owner: str | None, options: _CardOptions) -> None:
    """Render one card, then write, compare or push it."""
    from harness.hub.artifact import README
    from harness.reports.model_card import identify
    from harness.reports.publish import card_files

    identity = identify(model)
    report, plots = (None, {}) if options.published else _report(client, identity, options.report_file, owner)
    task = _task(client, report) if client and report else None
    files = card_files(client, identity.repo_id, report, task, namespace=owner, plots=plots)
    if options.out:
        _write(options.out, files)
    if options.check and client:
        _compare(client, identity, files)
    elif options.push and client:
        _push(client, identity, files, create_pr=options.create_pr)
    elif not options.out:
        write(files[README].decode(), nl=False)


def _all(client: Hub, owner: str, options: _CardOptions) -> None:
    """Do it for each model of `owner` in their results; CheckFailed names those where it did not work."""
    from harness.evaluation.results import evaluated_models

    models = evaluated_models(client, owner)
    problems = []
    for model in models:
        try:
            _one(client, model, owner, options)
        except HarnessError as error:
            say(f"{model}: {error}")
            problems.append(model)
    if problems:
        raise CheckFailed(f"{len(problems)} of {len(models)} cards are not as they should be: {', '.join(problems)}")
    say(f"{len(models)} cards of {owner}")


def _check_options(options: _CardOptions, model: str | None, every: bool) -> None:
    if bool(model) == every:
        raise UsageError("name one MODEL, or give --all for those of the namespace")
    if every and (options.push == options.check or options.out or options.report_file or options.published):
        raise UsageError("--all goes with --check or --push, and with neither --out, --report nor --published")
    if options.push and options.check:
        raise UsageError("--push writes the card and --check only compares it; give one of the two")
    if options.create_pr and not options.push:
        raise UsageError("--create-pr says how to push; give it together with --push")
    if options.published and options.report_file:
        raise UsageError("--published leaves every report out; give --published or --report, not both")


def _report(
    hub: Hub | None, identity: CardIdentity, file: Path | None, owner: str | None
) -> tuple[EvalReport, dict[str, bytes]]:
    """Return the report in `file`, or the newest one in the results dataset of `owner`, and the plots beside it."""
    from harness.evaluation.report_json import read_report
    from harness.evaluation.results import RESULTS, ResultsDataset, config_name, report_file
    from harness.evaluation.run_folder import PLOTS

    if file:
        report, folder = read_report(file), file.parent / PLOTS
        return report, {path.name: path.read_bytes() for path in folder.glob("*.png") if path.name in report.plots}
    if hub is None:
        raise UsageError("there is no Hub to read a report from; give --report FILE")
    model, config = identity.repo_id, config_name(identity.repo_id)
    advice = f"run `tft evaluate {model}` first, name its owner with --namespace, or give --report FILE"
    try:
        results = ResultsDataset.at(hub, f"{owner}/{RESULTS}")
    except RepoNotFound as error:
        raise RepoNotFound(f"{error}; no results there yet: {advice}") from error
    found = results.reports(config).get(config)
    if found is None:
        name = results.artifact.repo_id
        raise RepoNotFound(f"{name} has no {report_file(config)}, so {model} has no report there; {advice}")
    return found, results.plots(config, found)


def _task(hub: Hub, report: EvalReport) -> Task:
    """Return the task that lies beside the test set of the report."""
    from harness.data.formats.task import read_task
    from harness.data.tasks import TASK

    return read_task(hub.pull(report.run.test_set, [TASK]) / TASK)


def _write(out: Path, files: Mapping[str, bytes]) -> None:
    """Write the README as `out`, and its plots where it looks for them."""
    from harness.data.formats.jsonl import write_atomic
    from harness.hub.artifact import README

    for path, body in files.items():
        if path == README:
            write_atomic(out, [body.decode()])
            continue
        (out.parent / path).parent.mkdir(parents=True, exist_ok=True)
        (out.parent / path).write_bytes(body)
    say(f"wrote {out}")


def _pushed(hub: Hub, model: str, files: Mapping[str, bytes]) -> dict[str, bytes | None]:
    """Return the files of the card as they are on the Hub, None for those that are not there."""
    try:
        artifact = hub.resolve("model", model)
    except RepoNotFound:
        return dict.fromkeys(files)
    return {path: hub.read(artifact, path) for path in files}


def _compare(hub: Hub, identity: CardIdentity, files: Mapping[str, bytes]) -> None:
    """Print the difference between the card on the Hub and `files`; CheckFailed where there is one."""
    from harness.hub.artifact import README

    current = _pushed(hub, identity.repo_id, files)
    if current == files:
        echo(f"the card of {identity.repo_id} is up to date")
        return
    before, after = ((found[README] or b"").decode().splitlines(keepends=True) for found in (current, files))
    label = f"{identity.repo_id}/{README}"
    for line in difflib.unified_diff(before, after, fromfile=label, tofile="rendered now"):
        write(line, nl=not line.endswith("\n"))
    for path in (path for path in files if path != README and current[path] != files[path]):
        echo(f"{path} is {'another picture' if current[path] else 'missing'}")
    raise CheckFailed(
        f"the card of {identity.repo_id} is {'stale' if current[README] is not None else 'missing'}; "
        "run the same command with --push instead of --check"
    )


def _push(hub: Hub, identity: CardIdentity, files: Mapping[str, bytes], *, create_pr: bool) -> None:
    if _pushed(hub, identity.repo_id, files) == files:
        say(f"the card of {identity.repo_id} is up to date, nothing to push")
        return
    from harness.hub.publishing import propose

    if not create_pr:
        echo(hub.commit_files("model", identity.repo_id, files, message=MESSAGE))
        return
    address, sent = propose(hub, identity.repo_id, files, message=MESSAGE)
    echo(address)
    if not sent:
        say(f"this pull request proposes the card of {identity.repo_id} already")
