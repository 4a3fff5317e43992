"""Stage `evaluate`: a model at one commit answers every pair of a test set at one commit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from harness import __version__
from harness.data.formats.jsonl import write_json, write_jsonl
from harness.data.tasks import TestSet, pull_test_set
from harness.errors import UsageError
from harness.evaluation.judge.judge_evaluations import check, judge_evaluations
from harness.evaluation.judge.judges import JudgeConfig
from harness.evaluation.records import ANSWERS_KEPT, EvalRun
from harness.evaluation.report_json import dump_report, read_report
from harness.evaluation.run_folder import (
    JUDGE_LOG,
    PLOTS,
    REPORT,
    ROWS,
    Answered,
    Evaluation,
    RunFolder,
    RunPlace,
    Timings,
    commit_of,
    is_fast,
    open_run,
)
from harness.evaluation.scorecard import HEADLINE, Judgements, make_scorecard, score_answers
from harness.hub.artifact import split_revision
from harness.hub.client import Hub
from harness.hub.lineage import LINEAGE, Lineage, package_versions
from harness.models.backends._base import EvaluateConfig, EvaluatedModel
from harness.models.backends._prepare import preparing
from harness.models.engine.build import unusual_arithmetic
from harness.models.engine.devices import placements
from harness.models.names import ModelName
from harness.reports.evaluation_plots import draw
from harness.stages._evaluation_results import check_arithmetic, find_destination, push_all, transcribe
from harness.stages._model_answers import collect_answers, read_samples, without_thinking
from harness.stages._prompt_date import use_day
from harness.stages._requests import EvaluateRequest
from harness.stages._result import StageResult
from harness.terminal import progress

STAGE = "evaluate"
VERSION = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateResult(StageResult):
    """What came of each model; the results are rows of a dataset, and no artifact of their own."""

    evaluations: tuple[Evaluation, ...]
    pushed: tuple[tuple[str, ...], ...]
    """By evaluation: the addresses of what has changed on the Hub."""


def run(request: EvaluateRequest, hub: Hub) -> EvaluateResult:
    """Evaluate the models and publish what came of it; see `evaluate`.

    Raises HarnessError where a model, its data, an engine or a judge cannot be used, and, before anything is asked,
    where results could not be published.
    """
    names, base, dataset = _named(request)
    request = _as_begun(request, names)
    config = request.config(base)
    _check_samples(request)
    _check_replicas(request, names)
    placements(config.replicas, config.asking.engine_args)
    judging = request.judge(config.asking)
    test_set = pull_test_set(hub, dataset, request.limit)
    names += [base] if request.with_base and base else []
    places = [
        find_destination(request, name, test_set, hub, setting, ours=name is not base)
        for name in names
        for setting in config.thinking
    ]
    check_arithmetic(hub, places, unusual_arithmetic(config.arithmetic, config.asking.engine_args))
    root = request.root or (request.run if len(names) * len(config.thinking) > 1 else None)
    below = {"root": root} if root else {"folder": request.run}
    place = RunPlace(**below, resume=request.resume)
    evaluations = tuple(evaluate(names, hub, test_set, config, place, judging=judging))
    if request.transcripts:
        transcribe(evaluations, test_set, request.transcripts, request.site)
    return EvaluateResult(
        artifact=None,
        folder=evaluations[0].folder if len(evaluations) == 1 else place.root,
        reused=False,
        evaluations=evaluations,
        pushed=push_all(hub, places, evaluations, test_set),
    )


def _named(request: EvaluateRequest) -> tuple[list[ModelName], ModelName | None, str]:
    """Return models, base and test set; of a run that is gone on with at the commits that it began with."""
    names = [ModelName.parse(model) for model in request.models]
    base = ModelName.parse(request.base) if request.base else None
    folder, dataset = request.run, request.dataset
    if not request.resume or folder is None or len(names) * max(1, len(request.thinking)) > 1:
        return names, base, dataset
    if names[0].backend == "vllm" and not names[0].revision:
        names = [replace(names[0], revision=commit_of(folder, names[0].id))]
    if base and not base.revision:
        base = replace(base, revision=commit_of(folder, base.id))
    if not split_revision(dataset)[1] and (commit := commit_of(folder, dataset)):
        dataset = f"{dataset}@{commit}"
    return names, base, dataset


def _as_begun(request: EvaluateRequest, names: Sequence[ModelName]) -> EvaluateRequest:
    """Return the request, which goes on with a run of `--fast` as one; UsageError where it is for no engine of ours."""
    begun_fast = request.resume and request.run and len(names) == 1 and is_fast(request.run)
    request = request.model_copy(update={"fast": True}) if begun_fast else request
    request.check_engine(names)
    return request


def _check_samples(request: EvaluateRequest) -> None:
    """Raise UsageError where several samples are asked for together with what takes one answer to each pair."""
    if request.samples > 1 and request.namespace:
        raise UsageError(
            "results of several samples are not published: the results dataset, cards and leaderboards are about "
            "greedy answers; add --no-push"
        )
    if request.samples > 1 and request.judging.labels:
        raise UsageError(
            "--labels correct the score of one answer to each pair; leave it out with --samples, or measure the judge "
            "with `tft judge` and `tft agreement`"
        )


def _check_replicas(request: EvaluateRequest, names: Sequence[ModelName]) -> None:
    """Raise UsageError where several engines or endpoints are asked for that there cannot be."""
    strangers = [str(name) for name in names if name.backend != "vllm"]
    if request.replicas > 1 and strangers:
        raise UsageError(
            f"--replicas starts engines of ours, which do not answer for {strangers[0]}; leave it out"
            + (", and name further endpoints with --replica-url" if strangers[0].startswith("openai:") else "")
        )
    if request.replicas > 1 and request.base:
        raise UsageError("--adapters share one engine; leave out --replicas")
    if request.replicas > 1 and len(request.thinking) > 1:
        raise UsageError("several --thinking share one engine; give one of them, or leave out --replicas")
    if request.replica_urls and any(name.backend != "openai" for name in names):
        raise UsageError("--replica-url is another endpoint of an openai: model; engines of ours are for --replicas N")
    if len(set(urls := (request.asking.base_url, *request.replica_urls))) < len(urls):
        raise UsageError("--replica-url names an endpoint twice; give each address once")


def evaluate(
    names: Sequence[ModelName],
    hub: Hub,
    test_set: TestSet,
    config: EvaluateConfig,
    place: RunPlace,
    *,
    judging: JudgeConfig | None = None,
) -> list[Evaluation]:
    """Ask each model, score its answers, and write the folder of its run; each judge is started once for all models.

    Answers are logged as they arrive; with `place.resume` only what is missing is asked. Adapters (`config.base`)
    share one start of the engine, and so does a model with itself that is asked with several of `config.thinking`: an
    evaluation each, model by model. Raises HarnessError where a model, its data, an engine or a judge cannot be used.
    """
    if judging:
        check(judging, test_set, hub)
    with preparing(names, hub, test_set, config) as prepared:
        ready = zip((name for name in names for _ in config.thinking), prepared, strict=True)
        answered = [answer(name, prepare, test_set, place, config) for name, prepare in ready]
    if judging is None:
        return [_finish(one, test_set) for one in answered]
    judging = replace(judging, asking=replace(judging.asking, log=answered[0].folder / JUDGE_LOG))
    judged = judge_evaluations([one.scores for one in answered], test_set, judging, hub)
    return [_finish(one, test_set, found) for one, found in zip(answered, judged, strict=True)]


def answer(
    name: ModelName, prepare: Callable[[], EvaluatedModel], test_set: TestSet, place: RunPlace, config: EvaluateConfig
) -> Answered:
    """Bring the run of one model to all its answers for every pair, and score them by code; see `evaluate`."""
    timings = Timings()
    with timings.phase("prepare"):
        model = prepare()
        use_day(model, lineage_of(name, model, test_set), place.begun(name), config.day)
        lineage = lineage_of(name, model, test_set)
    run_folder = open_run(place.of(name, lineage), lineage, resume=place.resume)
    with ExitStack() as stack:  # scores are made while the engine, which is on it, shuts down
        stack.callback(run_folder.log.close)
        # One pair after the other, all its samples together: they share a prompt, which stays in the prefix cache.
        keys = [(pair.id, sample) for pair in test_set.pairs for sample in range(config.samples)]
        collect_answers(model, run_folder, keys, timings=timings, stack=stack)
        with progress("scoring"):
            found = without_thinking(model, test_set, [run_folder.log.answers[key] for key in keys])
            samples = [found[sample :: config.samples] for sample in range(config.samples)]
            readings = read_samples(model, test_set, samples)
            run = _eval_run(name, model, test_set, run_folder, timings, kept=sum(one.kept for one in found))
            scores = [
                score_answers(test_set.task, test_set.pairs, *one, beside=sample == 0)
                for sample, one in enumerate(zip(samples, readings, strict=True))
            ]
    return Answered(folder=run_folder.path, lineage=run_folder.lineage, run=run, scores=scores)


def _finish(answered: Answered, test_set: TestSet, judgements: Sequence[Judgements] = ()) -> Evaluation:
    """Write the rows, the report and the lineage of a run."""
    run, lineage = answered.run, answered.lineage
    if judgements:
        # The judge reads answers and does not change them: it is recorded, and no part of the run's identity.
        lineage = replace(lineage, extra={**lineage.extra, **judgements[0].settings})
        run = replace(run, config={**run.config, **judgements[0].settings})
    scorecard = make_scorecard(run, test_set.pairs, answered.scores, judgements)
    plots = draw(scorecard.report, scorecard.rows, answered.folder / PLOTS)
    report = replace(scorecard.report, plots={plot.path.name: plot.alt for plot in plots})
    write_json(answered.folder / LINEAGE, lineage.dump())
    write_jsonl(answered.folder / ROWS, scorecard.rows)
    write_json(answered.folder / REPORT, dump_report(report))
    return Evaluation(folder=answered.folder, lineage=lineage, scorecard=replace(scorecard, report=report))


def lineage_of(name: ModelName, model: EvaluatedModel, test_set: TestSet) -> Lineage:
    """Return what decides about the answers of a model that is ready to be asked."""
    pinned = (model.artifact, model.base, test_set.artifact)
    inputs = [str(one) for one in pinned if one]
    if model.artifact is None:
        inputs.insert(0, f"{name.public}{model.content}")
    settings = {
        **model.settings,
        "pairs": len(test_set.pairs),
        "pairs_in_test_set": test_set.total,
        "reading": HEADLINE,
    }
    return Lineage(stage=STAGE, version=VERSION, config=settings, inputs=tuple(inputs), seed=0)


def _eval_run(
    name: ModelName, model: EvaluatedModel, test_set: TestSet, run: RunFolder, timings: Timings, *, kept: int
) -> EvalRun:
    return EvalRun(
        model=replace(name, revision=None).public,
        model_revision=model.artifact.revision if model.artifact else None,
        dataset=test_set.artifact.repo_id,
        dataset_revision=test_set.artifact.revision,
        config={**run.lineage.config, **model.details, **test_set.facts, **({ANSWERS_KEPT: kept} if kept else {})},
        prompt_sha256=hashlib.sha256("".join(model.prompt_hashes).encode()).hexdigest(),
        versions={"tft-harness": __version__, **package_versions()},
        date=run.started,
        timings=_seconds(run, timings),
        base_model=model.base_model,
    )


def _seconds(run: RunFolder, timings: Timings) -> dict[str, float]:
    """Return this run's timings; where nothing was left to ask, those that its report has already."""
    written = run.path / REPORT
    if "answers" not in timings and written.is_file():
        return read_report(written).run.timings
    return {phase: round(seconds, 2) for phase, seconds in timings.items()}
