"""Runs the steps of a plan as soon as their inputs are there, several side by side; a failure ends its cell only."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Literal

from harness.benchmark.cells import Cell
from harness.benchmark.plan import BenchmarkPlan
from harness.benchmark.steps import Step, batches
from harness.errors import HarnessError
from harness.hub.artifact import Artifact

Status = Literal["waiting", "running", "done", "reused", "failed", "skipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutcome:
    """The state of a step."""

    status: Status
    artifact: Artifact | None = None
    seconds: float | None = None
    """How long it took; None where it did not run."""
    started: float | None = None
    """`time.monotonic()`, of one that runs."""
    shared: int = 1
    """How many steps that time was for."""
    problem: str | None = None
    """Why it failed, in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """The result of running a step."""

    artifact: Artifact
    reused: bool


RunSteps = Callable[[Sequence[Step], Mapping[str, Artifact]], Sequence[StepResult | HarnessError]]
"""Runs a step, or those that are run as one, given the artifacts so far by repository: what became of each.
HarnessError where that fails for all of them."""
Watch = Callable[[Mapping[str, StepOutcome]], None]
"""Called after every change with step key -> outcome."""


def run_plan(plan: BenchmarkPlan, run: RunSteps, *, parallel: int, watch: Watch) -> dict[str, StepOutcome]:
    """Run all steps of the plan, up to `parallel` at once, and return the outcome of each, by key.

    Steps start in the plan's order as soon as those that make what they need are done, and those that are run as one
    (`Step.together`) as soon as that holds for all of them. Where one fails, the steps that need it are skipped and all
    others continue. An interruption waits for running steps.
    """
    outcomes = {step.key: StepOutcome(status="waiting") for step in plan.steps}
    artifacts: dict[str, Artifact] = {}
    lock = threading.Lock()

    def note(step: Step, outcome: StepOutcome) -> None:
        with lock:
            outcomes[step.key] = outcome
            watch(dict(outcomes))

    def work(batch: Sequence[Step]) -> None:
        start = time.monotonic()
        for step in batch:
            note(step, StepOutcome(status="running", started=start))
        with lock:
            known = dict(artifacts)
        try:
            found = run(batch, known)
        except HarnessError as error:
            found = [error] * len(batch)
        took = time.monotonic() - start
        shared = sum(not (isinstance(made, StepResult) and made.reused) for made in found)
        for step, made in zip(batch, found, strict=True):
            if isinstance(made, HarnessError):
                note(step, StepOutcome(status="failed", problem=str(made), seconds=took))
                continue
            with lock:
                artifacts[step.makes] = made.artifact
            status: Status = "reused" if made.reused else "done"
            note(step, StepOutcome(status=status, artifact=made.artifact, shared=max(1, shared), seconds=took))

    with ThreadPoolExecutor(max_workers=parallel) as pool:
        running: dict[Future[None], Sequence[Step]] = {}
        while True:
            while lost := _skipped(plan, outcomes):
                for step in lost:
                    note(step, StepOutcome(status="skipped"))
            for batch in _ready(plan, outcomes)[: parallel - len(running)]:
                for step in batch:
                    outcomes[step.key] = StepOutcome(status="running", started=time.monotonic())
                running[pool.submit(work, batch)] = batch
            if not running:
                return outcomes
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                del running[future]
                future.result()  # what is no HarnessError is a defect and ends the run


def _ready(plan: BenchmarkPlan, outcomes: Mapping[str, StepOutcome]) -> list[tuple[Step, ...]]:
    def ready(step: Step) -> bool:
        return all(outcomes[one.key].status in ("done", "reused") for one in plan.makers(step))

    waiting = [step for step in plan.steps if outcomes[step.key].status == "waiting"]
    return [batch for batch in batches(waiting) if all(map(ready, batch))]


def _skipped(plan: BenchmarkPlan, outcomes: Mapping[str, StepOutcome]) -> list[Step]:
    """Return the waiting steps that can never start; those that need them are found once they are noted."""
    waiting = [step for step in plan.steps if outcomes[step.key].status == "waiting"]
    lost = ("failed", "skipped")
    return [step for step in waiting if any(outcomes[one.key].status in lost for one in plan.makers(step))]


def failure_of(plan: BenchmarkPlan, cell: Cell, outcomes: Mapping[str, StepOutcome]) -> Step | None:
    """Return the step in which a cell ended, None where it has completed."""
    return next((step for step in plan.of_cell[cell] if outcomes[step.key].status == "failed"), None)
