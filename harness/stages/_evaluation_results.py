"""Where evaluations go: a destination for each before anything is asked, transcripts, results on the Hub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.data.tasks import TestSet
from harness.errors import DataError, HarnessError, HubError, UsageError
from harness.evaluation.results import ResultsDataset, config_name
from harness.evaluation.run_folder import Evaluation
from harness.hub.client import Hub
from harness.models.engine.arithmetic import USUAL
from harness.models.names import ModelName
from harness.reports.publish import Destination, destination, publish
from harness.stages._requests import EvaluateRequest
from harness.terminal import say


def find_destination(
    request: EvaluateRequest, name: ModelName, tests: TestSet, hub: Hub, ours: bool
) -> Destination | None:
    """Return where a model's results go, None where nothing is pushed; HarnessError where they could not."""
    if request.namespace is None:
        return None
    options = {"create_pr": request.create_pr, "into_model": ours and not request.results_only}
    found = destination(hub, request.namespace, name, test_set=tests, **options)
    return replace(found, max_unscored=request.max_unscored)


def check_arithmetic(
    hub: Hub, places: Sequence[Destination | None], names: Sequence[ModelName], unusual: str | None
) -> None:
    """Raise UsageError where results in an unusual arithmetic would replace published ones in a usual one."""
    for place, name in zip(places, names, strict=True):
        if place is None or unusual is None:
            continue
        model = place.model or name.public
        known = ResultsDataset.at(hub, place.results).reports().get(config_name(model))
        if known and known.run.arithmetic in USUAL:
            raise UsageError(
                f"{place.results} holds a result of {model} in {known.run.arithmetic}, which one in {unusual} would "
                "replace; leave out --fast (or the --engine-arg that chooses it), or add --no-push"
            )


def transcribe(evaluations: Sequence[Evaluation], test_set: TestSet, folder: Path, site: Path | None) -> None:
    """Write a transcript of each evaluation, and a site of them where one is wanted."""
    from harness.reports.inspect_logs import bundle, write_log

    for one in evaluations:
        log = write_log(folder, one.scorecard.report, one.scorecard.rows, test_set.pairs, test_set.task)
        say(f"transcript: {log} (inspect view --log-dir {folder})")
    if site:
        bundle(folder, site, title="Transcripts of an evaluation")
        say(f"site of the transcripts: {site} (push it as a static Space, or serve it over HTTP)")


def push_all(
    hub: Hub, places: Sequence[Destination | None], evaluations: Sequence[Evaluation], test_set: TestSet
) -> tuple[tuple[str, ...], ...]:
    """Publish each evaluation, also after one that is refused; raise what refused the first such one at the end.

    The last one comes first: of adapters with their base that is the base. Adapters that are left after a kill are
    evaluated as before and find their answers; a base that was left alone would be evaluated without adapters, anew.
    """
    pushed: list[tuple[str, ...]] = []
    problems: list[HarnessError] = []
    for place, evaluation in reversed([*zip(places, evaluations, strict=True)]):
        try:
            pushed.append(_push(hub, place, evaluation, test_set))
        except (DataError, HubError, UsageError) as error:
            problems.append(error)
    if problems:
        raise problems[-1]
    return tuple(reversed(pushed))


def _push(hub: Hub, place: Destination | None, evaluation: Evaluation, test_set: TestSet) -> tuple[str, ...]:
    """Publish an evaluation, and return the addresses of what has changed."""
    try:
        return tuple(publish(hub, place, evaluation, test_set)) if place else ()
    except (DataError, HubError, UsageError) as error:
        advice = f"nothing is lost: add --resume --out {evaluation.folder} to push without asking again"
        raise type(error)(f"{error}; {advice}") from error
