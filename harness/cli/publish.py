"""`tft publish`: what the benchmark has pushed becomes a public, versioned release."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import _options
from harness.terminal import echo, say, write

if TYPE_CHECKING:
    from harness.benchmark.release.changes import ReleasePlan
    from harness.benchmark.release.plan import Parts
    from harness.hub.client import Hub

_SHOWN_DATA = ("-testset", "-results")
"""Data sets whose addresses a person wants to see; the collection has the others."""


@click.command(
    epilog="""\b
Examples:
  tft publish --namespace my-org --dry-run
  tft publish --namespace my-org
  tft publish --namespace my-org --version v2 --max-unscored 0.02
"""
)
@click.option("--version", default="v1", show_default=True, metavar="TAG", help="Tag of this release.")
@click.option("--title", metavar="TEXT", help="Title of the collection. Default: TFT benchmark.")
@click.option(
    "--max-unscored",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="Largest share of a model's pairs without a score, of any metric.",
)
@click.option("--partial", is_flag=True, help="Publish although cells failed or were not run; the results name them.")
@click.option("--dry-run", is_flag=True, help="Print each change that would be made, and change nothing.")
@_options.sources
@_options.hub
@_options.namespace
@_options.as_json
def command(
    *,
    version: str,
    title: str | None,
    max_unscored: float,
    partial: bool,
    dry_run: bool,
    sources: Path | None,
    hub: str | None,
    namespace: str | None,
    as_json: bool,
) -> None:
    """Publish the benchmark of a namespace: models, datasets, results, leaderboard and a collection, as one version.

    Reads what `tft benchmark` has pushed, checks it, and lists each change first. Nothing becomes public before all of
    it is in place. What was interrupted resumes with the same command; where nothing is missing, nothing is changed.
    A published version keeps its results: other ones need a new --version.
    """
    from contextlib import closing

    from harness.benchmark.release.apply import apply_plan
    from harness.benchmark.release.checks import Refused
    from harness.benchmark.release.collection import TITLE
    from harness.benchmark.release.plan import ReleaseOptions, plan_release
    from harness.hub.connect import connected

    with connected(hub) as client:
        options = ReleaseOptions(
            namespace=client.namespace(namespace),
            version=version,
            title=title or TITLE,
            max_unscored=max_unscored,
            partial=partial,
            only_shown=dry_run,
        )
        try:
            plan = plan_release(client, options, _parts(sources))
        except Refused as error:
            if as_json:
                write(json.dumps({"done": False, "problems": list(error.problems)}, indent=2))
            if not dry_run:
                _undo(client, options.namespace)
            raise
        for note in plan.notes:
            say(f"note: {note}")
        if not dry_run:
            with closing(apply_plan(client, plan)) as made:  # an interruption must reach it at once
                for number, change in enumerate(made, start=1):
                    say(f"{number} of {len(plan.changes)}  {change.line()}")
        _show(client, plan, done=not dry_run, as_json=as_json)


def _undo(hub: Hub, namespace: str) -> None:
    """Hide what an earlier run has shown that was killed before it had shown all: it cannot be finished."""
    from harness.benchmark.release.apply import undo_interrupted

    hidden = undo_interrupted(hub, namespace)
    if hidden:
        say(f"an earlier run was killed while it made a release public; private again are {', '.join(hidden)}")


def _parts(sources: Path | None) -> Parts:
    from functools import partial

    from harness.benchmark.release.plan import Parts
    from harness.benchmark.report.build import make_report
    from harness.benchmark.report.repair_records import TruthPlaces
    from harness.reports.lineage.check import check_chain

    return Parts(make_report=partial(make_report, clean=TruthPlaces(sources=sources)), check_chain=check_chain, say=say)


def _show(hub: Hub, plan: ReleasePlan, *, done: bool, as_json: bool) -> None:
    """Print the changes, and after a release where it is."""
    addresses = _addresses(hub, plan) if done else {}
    if as_json:
        changes = [change.record() for change in plan.changes]
        found = {"done": done, "version": plan.version, "changes": changes, "notes": list(plan.notes)}
        write(json.dumps({**found, "addresses": list(addresses.values())}, indent=2))
        return
    if not plan.changes:
        echo(f"nothing to change: {plan.version} of {plan.namespace} is published")
    elif not done:
        for change in plan.changes:
            echo(change.line())
        echo(f"{len(plan.changes)} changes would be made for {plan.version} of {plan.namespace}")
    else:
        echo(f"{plan.version} of {plan.namespace} is published, with {len(plan.changes)} changes")
    for name, address in addresses.items():
        if not name.startswith("datasets/") or name.endswith(_SHOWN_DATA):
            echo(f"  {address}")
    if done and plan.changes:
        _offer_promotion(hub, plan)


def _addresses(hub: Hub, plan: ReleasePlan) -> dict[str, str]:
    """Return what was released and where it is, the collection first."""
    collection = f"collections/{_slug(hub, plan)}"
    pages = {str(place): hub.page(place) for place in plan.places}
    return {collection: f"{hub.endpoint}/{collection}", **pages}


def _slug(hub: Hub, plan: ReleasePlan) -> str:
    if plan.slug:
        return plan.slug
    collection = hub.collections.find(plan.namespace, plan.title)
    return collection.slug if collection else plan.namespace


def _offer_promotion(hub: Hub, plan: ReleasePlan) -> None:
    from harness.hub.address import DEFAULT_ENDPOINT

    if hub.endpoint == DEFAULT_ENDPOINT:
        return
    names = [str(place) if place.kind != "model" else place.repo_id for place in plan.places]
    words = ["tft", "hub", "promote", *names, f"collections/{_slug(hub, plan)}"]
    say("to bring it to huggingface.co, with HF_TOKEN of there and TFT_FROM_TOKEN of here:")
    say(f"  {shlex.join([*words, '--from', hub.endpoint, '--to', DEFAULT_ENDPOINT])}")
