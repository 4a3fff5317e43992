"""Plan, check, run, record: one run of the benchmark."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.benchmark.cells import STAGES, BaselineKind, Cell, Job, Setup
from harness.benchmark.execute import Machine, Runner, check_jobs
from harness.benchmark.plan import BenchmarkPlan
from harness.benchmark.presets import read_preset
from harness.benchmark.record import check_version, record
from harness.benchmark.reuse import BenchmarkState, check_names, known_steps
from harness.benchmark.schedule import StepOutcome, run_plan
from harness.benchmark.steps import batches, joined
from harness.benchmark.table import estimate_table, live_table, print_left_out, print_outdated
from harness.errors import UsageError
from harness.hub.client import PRIVATE, Hub
from harness.hub.connect import connected
from harness.hub.jobs import TIMEOUT, JobOptions, parse_jobs
from harness.terminal import console, echo, progress, say

if TYPE_CHECKING:
    from harness.benchmark.report.records import BenchmarkReport


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkRun:
    """What a run came to."""

    plan: BenchmarkPlan
    outcomes: Mapping[str, StepOutcome]
    """By the key of a step."""
    report: BenchmarkReport | None
    """None where none was wanted, or no cell has a result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkRequest:
    """What to run, and how; None means as the preset or the environment says."""

    cells: Sequence[Cell]
    preset: str
    """The name of a preset, or a YAML file."""
    job: Job | None = None
    seeds: int = 1
    version: str | None = None
    """The version to publish the results as; None: no published version may be replaced."""
    report: Path | None = None
    """Folder for the report; None: none is made."""
    thresholds: Path | None = None
    """File of what makes training worth it; None: the harness's own."""
    student: str | None = None
    models: str | None = None
    until: str | None = None
    """The last stage to run; None: all."""
    endpoints: Path | None = None
    budget: float | None = None
    """USD that each stage may spend."""
    sources: Path | None = None
    hub: str | None = None
    namespace: str | None = None
    public: bool = False
    baselines: frozenset[BaselineKind] = frozenset()
    """What is evaluated beside the cells."""
    parallel: int | None = None
    """Stages side by side."""
    work: Path = Path("runs/benchmark")
    """Folder of logs and of work that a kill would lose."""
    jobs: Sequence[str] = ()
    """What runs elsewhere, `[stage=]hf:FLAVOR`."""
    package: str | None = None
    """Where jobs install this harness from."""
    job_timeout: str = TIMEOUT
    dry_run: bool = False


def run(request: BenchmarkRequest) -> BenchmarkRun | None:
    """Show the plan, run it and record the outcome; None where `dry_run` stopped it before.

    Raises HarnessError before anything is run where the plan cannot be run.
    """
    if not request.public:
        os.environ[PRIVATE] = "1"
    with connected(request.hub) as hub:
        plan = _plan(hub, request)
        state = BenchmarkState(hub, plan)
        flavors = _flavors(request.jobs)
        check_jobs(plan, flavors)
        parallel = request.parallel or plan.setup.preset.parallel
        _show(plan, state, request, parallel)
        if request.dry_run:
            return None
        results = check_version(hub, plan, request.version)
        hub.ensure_dataset(results)  # whether the namespace may be written to, before the work and not after it
        check_names(hub, plan)
        machine = Machine(
            parallel=parallel,
            folder=request.work,
            threads=plan.setup.preset.threads,
            flavors=flavors,
            job=JobOptions(package=request.package, timeout=request.job_timeout, namespace=request.namespace),
        )
        with live_table(plan) as watch:
            outcomes = run_plan(plan, Runner(hub, state, machine), parallel=parallel, watch=watch)
        report = None
        if request.until is None:
            record(hub, plan, outcomes, preset=request.preset, seeds=request.seeds, version=request.version)
            if request.report is not None:
                report = _report(hub, plan, outcomes, request.report, request)
        return BenchmarkRun(plan=plan, outcomes=outcomes, report=report)


def _report(
    hub: Hub, plan: BenchmarkPlan, outcomes: Mapping[str, StepOutcome], folder: Path, request: BenchmarkRequest
) -> BenchmarkReport | None:
    """Write the report of the results, print its main table and push the verdict, where a cell has a result."""
    from harness.benchmark.card_verdicts import push_verdicts
    from harness.benchmark.report.build import make_report
    from harness.benchmark.report.repair_records import TruthPlaces
    from harness.benchmark.report.terminal import print_summary

    ended = [outcomes[step.key].status for step in plan.steps if step.stage == "evaluate"]
    if not {*ended} & {"done", "reused"}:
        return None
    with progress("making the report"):
        summary = make_report(
            hub,
            plan.setup.namespace,
            folder,
            clean=TruthPlaces(sources=request.sources, job=request.job),
            thresholds=request.thresholds,
        )
        cards = push_verdicts(hub, summary)
    print_summary(summary)
    say(f"wrote {folder}/RESULTS.md, results.json, index.html and {len(summary.pictures)} plots")
    if cards:
        say(f"{cards} cards have the verdict now")
    return summary


def _plan(hub: Hub, request: BenchmarkRequest) -> BenchmarkPlan:
    preset = read_preset(request.preset)
    changes = {"student": request.student, "models": request.models}
    preset = preset.model_copy(update={key: value for key, value in changes.items() if value})
    if "/" in preset.student:
        preset = preset.model_copy(update={"student": str(hub.find(preset.student, "model"))})
    setup = Setup(
        namespace=hub.namespace(request.namespace),
        preset=preset,
        endpoints=str(request.endpoints) if request.endpoints else None,
        budget=request.budget,
        sources=str(request.sources) if request.sources else None,
        job=request.job,
        public=request.public,
        baselines=request.baselines,
    )
    return BenchmarkPlan.of(request.cells, setup, until=request.until)


def _flavors(jobs: Sequence[str]) -> dict[str, str]:
    """Return stage -> flavor of what `--jobs` says; UsageError for a stage that cannot run elsewhere."""
    found: dict[str, str] = {}
    for text in jobs:
        stage, equals, provider = text.rpartition("=")
        if equals and stage not in STAGES:
            raise UsageError(f"--jobs {text!r} names no stage; the stages are {', '.join(STAGES)}")
        found |= dict.fromkeys([stage] if equals else ["train", "evaluate"], parse_jobs(provider))
    return found


def _show(plan: BenchmarkPlan, state: BenchmarkState, request: BenchmarkRequest, parallel: int) -> None:
    """Print the plan: with --dry-run every command on stdout; always what exists and what the rest would take."""
    from harness.benchmark.estimate import Estimator
    from harness.models.chat.endpoints import Endpoints

    known = known_steps(plan, state)
    estimator = Estimator(plan, Endpoints(file=request.endpoints))
    estimates = {step.key: estimator.step(step) for step in plan.steps}
    if request.dry_run:
        for step in map(joined, batches(plan.steps)):
            echo(shlex.join(("tft", *step.words, *step.places)))
    out = console(err=not request.dry_run)
    out.print(estimate_table(plan, estimates, known.there))
    print_outdated(known, out)
    print_left_out(plan, out)
    if parallel > 1:
        out.print(f"{parallel} stages run in parallel.")
