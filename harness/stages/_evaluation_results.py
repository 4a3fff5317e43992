"""Where evaluations go: a destination for each before anything is asked, transcripts, results on the Hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.data.tasks import TestSet
from harness.errors import DataError, HarnessError, HubError, UsageError
from harness.evaluation.results import RESULTS, ResultsDataset, config_name
from harness.evaluation.run_folder import Evaluation
from harness.hub.client import Hub
from harness.models.engine.arithmetic import USUAL
from harness.models.names import ModelName
from harness.reports.publish import Destination, check_destination, publish
from harness.stages._requests import EvaluateRequest
from harness.terminal import say


def find_destination(
    request: EvaluateRequest, name: ModelName, tests: TestSet, hub: Hub, thinking: str | None, *, ours: bool
) -> Destination | None:
    """Return where a model's results go, None where nothing is pushed; HarnessError where they could not.

    Of several settings of thinking the first is the one that the model's own repository speaks of.
    """
    if request.namespace is None:
        return None
    first = thinking == next(iter(request.thinking), None)
    place = Destination(
        results=f"{request.namespace}/{RESULTS}",
        config=config_name(name.repository or name.public, thinking),
        model=name.repository,
        create_pr=request.create_pr,
        into_model=ours and first and not request.results_only,
        max_unscored=request.max_unscored,
    )
    check_destination(hub, place, tests)
    return place


def check_arithmetic(hub: Hub, places: Sequence[Destination | None], unusual: str | None) -> None:
    """Raise UsageError where results in an unusual arithmetic would replace published ones in a usual one."""
    for place in places:
        if place is None or unusual is None:
            continue
        known = ResultsDataset.at(hub, place.results).reports().get(place.config)
        if known and known.run.arithmetic in USUAL:
            model = place.model or known.run.model
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
