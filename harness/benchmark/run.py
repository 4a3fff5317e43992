"""Plan, check, run, record: one run of the benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.terminal import console, echo, progress, say

if TYPE_CHECKING:
    from harness.benchmark.cells import Cell, Job, Setup
    from harness.benchmark.plan import BenchmarkPlan
    from harness.benchmark.reuse import BenchmarkState
    from harness.benchmark.schedule import StepOutcome
    from harness.hub.client import Hub


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkRequest:
    """What is to be run."""

    cells: Sequence[Cell]
    preset: str
    job: Job | None = None
    seeds: int = 1
    version: str | None = None
    """The version that the results are to be published as; None: none that is published is to be replaced."""
    report: Path | None = None
    """Folder for the report; None: none is made."""


def run(chosen: BenchmarkRequest, settings: dict[str, Any]) -> tuple[BenchmarkPlan, dict[str, StepOutcome]] | None:
    """Show the plan, run it and record what became of it; None where `--dry-run` stopped it before.

    `settings` are the values of this module's options. Raises HarnessError before anything is run where the plan
    cannot be carried out.
    """
    import os

    from harness.benchmark.execute import Machine, Runner, check_jobs
    from harness.benchmark.record import check_version, record
    from harness.benchmark.reuse import BenchmarkState, check_names
    from harness.benchmark.schedule import run_plan
    from harness.benchmark.table import watching
    from harness.hub.client import PRIVATE
    from harness.hub.connect import connected
    from harness.hub.jobs import JobOptions

    if not settings["public"]:
        os.environ[PRIVATE] = "1"
    with connected(settings["hub"]) as hub:
        plan = _plan(hub, chosen, settings)
        state = BenchmarkState(hub, plan)
        flavors = _flavors(settings["jobs"])
        check_jobs(plan, flavors)
        _show(plan, state, settings)
        if settings["dry_run"]:
            return None
        results = check_version(hub, plan, chosen.version)
        hub.ensure_dataset(results)  # whether the namespace may be written to, before the work and not after it
        check_names(hub, plan)
        parallel = settings["parallel"] or plan.setup.preset.parallel
        machine = Machine(
            parallel=parallel,
            folder=settings["work"],
            threads=plan.setup.preset.threads,
            flavors=flavors,
            job=JobOptions(
                package=settings["package"], timeout=settings["job_timeout"], namespace=settings["namespace"]
            ),
        )
        with watching(plan) as watch:
            outcomes = run_plan(plan, Runner(hub, state, machine), parallel=parallel, watch=watch)
        if settings["until"] is None:
            record(hub, plan, outcomes, preset=chosen.preset, seeds=chosen.seeds, version=chosen.version)
            if chosen.report is not None:
                _report(hub, plan, outcomes, chosen.report, settings["sources"])
        return plan, outcomes


def _report(
    hub: Hub, plan: BenchmarkPlan, outcomes: Mapping[str, StepOutcome], folder: Path, sources: Path | None
) -> None:
    """Write the report of the results and print its main table, where a cell has come to a result."""
    from harness.benchmark.report.build import make_report
    from harness.benchmark.report.terminal import print_summary

    ended = [outcomes[step.key].status for step in plan.steps if step.stage == "evaluate"]
    if not {*ended} & {"done", "reused"}:
        return
    with progress("making the report"):
        summary = make_report(hub, plan.setup.namespace, folder, sources=sources)
    print_summary(summary)
    say(f"wrote {folder}/RESULTS.md, results.json, index.html and {len(summary.pictures)} plots")


def _plan(hub: Hub, chosen: BenchmarkRequest, settings: dict[str, Any]) -> BenchmarkPlan:
    from harness.benchmark.cells import Setup
    from harness.benchmark.plan import BenchmarkPlan
    from harness.benchmark.presets import read_preset

    preset = read_preset(chosen.preset)
    changes = {key: settings[key] for key in ("student", "models") if settings[key]}
    preset = preset.model_copy(update=changes)
    if "/" in preset.student:
        preset = preset.model_copy(update={"student": str(hub.find(preset.student, "model"))})
    endpoints = ("--endpoints", str(settings["endpoints"])) if settings["endpoints"] else ()
    budget = ("--budget", str(settings["budget"])) if settings["budget"] is not None else ()
    setup = Setup(
        namespace=hub.namespace(settings["namespace"]),
        preset=preset,
        options=(*endpoints, *budget),
        judging=endpoints,
        sources=("--sources", str(settings["sources"])) if settings["sources"] else (),
        job=chosen.job,
        public=settings["public"],
    )
    return BenchmarkPlan.of(chosen.cells, setup, salt=_salt(setup), until=settings["until"])


def _salt(setup: Setup) -> str:
    """Return a hash of what decides about results and stands in files of this machine."""
    import hashlib
    from dataclasses import asdict

    from harness.hub.artifact import FileInput
    from harness.models.roles import Roles

    files = sorted(path for path in Path(setup.job.folder).iterdir() if path.is_file()) if setup.job else []
    decisive = [asdict(Roles.named(setup.preset.models)), [str(FileInput.of(path)) for path in files]]
    return hashlib.sha256(repr(decisive).encode()).hexdigest()


def _flavors(jobs: Sequence[str]) -> dict[str, str]:
    """Return stage -> flavor of what `--jobs` says; UsageError for a stage that cannot run elsewhere."""
    from harness.benchmark.cells import STAGES
    from harness.errors import UsageError
    from harness.hub.jobs import parse_jobs

    found: dict[str, str] = {}
    for text in jobs:
        stage, equals, provider = text.rpartition("=")
        if equals and stage not in STAGES:
            raise UsageError(f"--jobs {text!r} names no stage; the stages are {', '.join(STAGES)}")
        found |= dict.fromkeys([stage] if equals else ["train", "evaluate"], parse_jobs(provider))
    return found


def _show(plan: BenchmarkPlan, state: BenchmarkState, settings: dict[str, Any]) -> None:
    """Print the plan: with --dry-run every command on stdout; always what is there and what the rest would take."""
    import shlex

    from harness.benchmark.estimate import Estimator
    from harness.benchmark.reuse import known_steps
    from harness.benchmark.table import estimate_table
    from harness.models.chat.endpoints import Endpoints

    known = known_steps(plan, state)
    estimator = Estimator(plan, Endpoints(file=settings["endpoints"]))
    estimates = {step.key: estimator.step(step) for step in plan.steps}
    if settings["dry_run"]:
        for step in plan.steps:
            echo(shlex.join(("tft", *step.words, *step.places)))
    out = console(err=not settings["dry_run"])
    out.print(estimate_table(plan, estimates, known))
    parallel = settings["parallel"] or plan.setup.preset.parallel
    if parallel > 1:
        out.print(f"{parallel} stages run side by side.")
