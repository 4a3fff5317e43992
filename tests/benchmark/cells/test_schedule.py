"""Steps of a plan, run side by side: in an order that their inputs allow, and a failure ends its own cells only."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.benchmark.cells import Setup, all_cells
from harness.benchmark.plan import BenchmarkPlan, Step
from harness.benchmark.presets import read_preset
from harness.benchmark.schedule import StepOutcome, StepResult, failure_of, run_plan
from harness.benchmark.table import cell_text, counts, legend, outcome_table, problems
from harness.errors import EngineError, HarnessError
from harness.hub.artifact import Artifact

PLAN = BenchmarkPlan.of(all_cells(fair=False, seeds=1), Setup(namespace="me", preset=read_preset("tiny")))
KEYS = [step.key for step in PLAN.steps]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Recorder:
    """Plays the commands: knows when each starts and ends, and lets some of them fail."""

    def __init__(self, failing: set[str]) -> None:
        self.failing = failing
        self.under_way = self.most = 0
        self.seen: list[str] = []
        self.batches: list[tuple[str, ...]] = []
        self.lock = threading.Lock()

    def __call__(self, steps: Sequence[Step], artifacts: Mapping[str, Artifact]) -> Sequence[StepResult | HarnessError]:
        with self.lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            self.seen += [step.key for step in steps]
        assert all({*step.needs} <= {*artifacts} for step in steps), "started before its inputs were there"
        self.batches.append(tuple(step.key for step in steps))
        with self.lock:
            self.under_way -= 1
        if len(steps) == 1 and steps[0].key in self.failing:
            raise EngineError("the engine died")
        return [
            EngineError("the engine died")
            if step.key in self.failing
            else StepResult(artifact=Artifact(kind=step.kind, repo_id=step.makes, revision=COMMIT), reused=False)
            for step in steps
        ]


def _reachable(failing: set[str], plan: BenchmarkPlan = PLAN) -> set[str]:
    """Return the steps that need no failing one, by the definition and not by the scheduler."""
    reached: set[str] = set()
    for step in plan.steps:
        if all(maker.key in reached and maker.key not in failing for maker in plan.makers(step)):
            reached.add(step.key)
    return reached


@settings(max_examples=60, deadline=None)
@given(failing=st.sets(st.sampled_from(KEYS), max_size=6), parallel=st.integers(1, 4))
def test_exactly_what_does_not_need_a_failure_is_run_once(failing: set[str], parallel: int) -> None:
    run = Recorder(failing)
    changes: list[Mapping[str, StepOutcome]] = []
    outcomes = run_plan(PLAN, run, parallel=parallel, watch=changes.append)
    reached = _reachable(failing)
    assert sorted(run.seen) == sorted(reached)
    assert run.most <= parallel
    for key, outcome in outcomes.items():
        expected = "skipped" if key not in reached else "failed" if key in failing else "done"
        assert outcome.status == expected
    assert changes[-1] == outcomes
    for cell, chain in PLAN.of_cell.items():
        failed = failure_of(PLAN, cell, outcomes)
        assert (failed is None) == all(outcomes[step.key].status == "done" for step in chain)


TOGETHER = BenchmarkPlan.of(
    all_cells(fair=False, seeds=1),
    Setup(namespace="me", preset=read_preset("pretrained"), baselines=frozenset({"untrained"})),
)


@settings(max_examples=40, deadline=None)
@given(failing=st.sets(st.sampled_from([step.key for step in TOGETHER.steps]), max_size=6), parallel=st.integers(1, 3))
def test_adapters_are_evaluated_in_one_run_and_a_cell_that_fails_is_left_out_of_it(
    failing: set[str], parallel: int
) -> None:
    run = Recorder(failing)
    outcomes = run_plan(TOGETHER, run, parallel=parallel, watch=lambda _: None)
    reached = _reachable(failing, TOGETHER)
    assert sorted(run.seen) == sorted(reached)
    evaluated = {key for key in reached if key.startswith("evaluate ")}
    assert [{*batch} for batch in run.batches if batch[0].startswith("evaluate ")] == ([evaluated] if evaluated else [])
    assert {key for key, one in outcomes.items() if one.status == "failed"} == reached & failing


def test_failures_are_named_with_their_cells_and_reasons() -> None:
    failing = {"train me/tft-benchmark-s2-tft-tft-tiny", "corrupt me/tft-benchmark-s3-traces"}
    outcomes = run_plan(PLAN, Recorder(failing), parallel=2, watch=lambda _: None)
    found = {", ".join(map(str, cells)): why for cells, why in problems(PLAN, outcomes)}
    assert {*found} == {"s2 tft", "s3 tft, s3 direct"}
    assert all("the engine died" in why for why in found.values())
    assert counts(outcomes) == f"{len(KEYS) - 2 - 8} made, 2 failed, 8 skipped"


def test_the_table_has_a_row_for_every_cell_and_says_how_each_stage_ended() -> None:
    outcomes = {key: StepOutcome(status="reused") for key in KEYS}
    outcomes["train me/tft-benchmark-s2-tft-tft-tiny"] = StepOutcome(status="failed", problem="no memory")
    outcomes["evaluate me/tft-benchmark-s1-tft-tft-tiny"] = StepOutcome(status="done", seconds=61.2)
    table = outcome_table(PLAN, outcomes)
    assert table.row_count == len(PLAN.cells)
    assert cell_text(outcomes["evaluate me/tft-benchmark-s1-tft-tft-tiny"]) == "1:01"
    assert cell_text(StepOutcome(status="done", seconds=61.2, shared=11)) == "1:01 ÷11"
    assert "÷" in legend({"all": StepOutcome(status="done", shared=2)})
    assert "÷" not in legend(outcomes)
