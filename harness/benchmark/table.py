"""The cells and stages of a run as a table: live on a terminal, one line per change elsewhere, and at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.benchmark.cells import BASELINE_KINDS, STAGES, BaselineKind, Cell
from harness.benchmark.estimate import StepEstimate
from harness.benchmark.plan import BenchmarkPlan
from harness.benchmark.reuse import KnownSteps
from harness.benchmark.schedule import StepOutcome, Watch
from harness.terminal import Advance, console, minutes, progress, say

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_MARKS = {"waiting": "·", "skipped": "–", "reused": "=", "failed": "failed", "done": "", "running": ""}
_COLOURS = {
    "waiting": "dim",
    "skipped": "dim",
    "reused": "cyan",
    "failed": "bold red",
    "done": "green",
    "running": "yellow",
}
_REFRESH = 2


def cell_text(outcome: StepOutcome) -> str:
    """Return what a cell of the table says of a step."""
    if outcome.status == "running" and outcome.started is not None:
        return f"{minutes(time.monotonic() - outcome.started)} …"
    if outcome.status == "done" and outcome.seconds is not None:
        return minutes(outcome.seconds) + (f" ÷{outcome.shared}" if outcome.shared > 1 else "")
    return _MARKS[outcome.status]


def outcome_table(plan: BenchmarkPlan, outcomes: Mapping[str, StepOutcome]) -> Table:
    """Return one row per cell and one column per stage; a step that cells share is in each of their rows."""
    from harness.reports.evaluation_tables import table

    stages = [stage for stage in STAGES if any(step.stage == stage for step in plan.steps)]
    shown = table("cell", *stages)
    shown.padding = 0  # so that all stages have room in 80 columns
    for cell, chain in plan.of_cell.items():
        by_stage = {step.stage: outcomes[step.key] for step in chain}
        shown.add_row(str(cell), *(_styled(by_stage.get(stage)) for stage in stages))
    for kind, step in plan.baselines.steps.items():
        shown.add_row(kind, *(_styled(outcomes[step.key]) if stage == step.stage else "" for stage in stages))
    return shown


def _styled(outcome: StepOutcome | None) -> str:
    if outcome is None:
        return ""
    colour, text = _COLOURS[outcome.status], cell_text(outcome)
    return f"[{colour}]{text}[/{colour}]" if text else ""


def legend(outcomes: Mapping[str, StepOutcome]) -> str:
    """Return what the marks of the table mean."""
    shared = any(outcome.shared > 1 for outcome in outcomes.values())
    found = "m:ss done   m:ss … running   = there already   · waits   – skipped, because what it needs failed"
    return f"{found}   m:ss ÷n done in one run with others, n in all" if shared else found


@contextmanager
def live_table(plan: BenchmarkPlan) -> Iterator[Watch]:
    """Yield what shows each change on stderr: a table redrawn, or one line per change without a terminal."""
    from rich.live import Live

    out = console(err=True)
    if not out.is_terminal:
        with progress("stages", len(plan.steps)) as advance:
            yield _Lines(plan, advance)
        return
    latest: dict[str, StepOutcome] = {step.key: StepOutcome(status="waiting") for step in plan.steps}

    def watch(outcomes: Mapping[str, StepOutcome]) -> None:
        latest.update(outcomes)

    with Live(
        console=out,
        get_renderable=lambda: outcome_table(plan, latest),
        refresh_per_second=_REFRESH,
        transient=True,
    ):
        yield watch


class _Lines:
    """Says on stderr what starts and what ends, and tells `advance` what runs."""

    def __init__(self, plan: BenchmarkPlan, advance: Advance) -> None:
        self._plan, self._advance = plan, advance
        self._known: dict[str, str] = {}

    def __call__(self, outcomes: Mapping[str, StepOutcome]) -> None:
        for step in self._plan.steps:
            outcome = outcomes[step.key]
            if outcome.status == self._known.get(step.key, "waiting"):
                continue
            self._known[step.key] = outcome.status
            took = f" in {cell_text(outcome)}" if outcome.seconds is not None and outcome.status == "done" else ""
            why = f": {outcome.problem}" if outcome.problem else ""
            say(f"{outcome.status:<7} {step.stage} {step.makes}{took}{why}")
            runs = [one for one in self._plan.steps if outcomes[one.key].status == "running"]
            note = ", ".join(f"{one.stage} {one.makes}" for one in runs)
            self._advance(steps=int(outcome.status != "running"), note=note and f"running: {note}")


def counts(outcomes: Mapping[str, StepOutcome]) -> str:
    """Return how many steps ended in each way, in words."""
    found = {status: sum(one.status == status for one in outcomes.values()) for status in _MARKS}
    words = {"done": "made", "reused": "there already", "failed": "failed", "skipped": "skipped"}
    return ", ".join(f"{found[status]} {word}" for status, word in words.items() if found[status])


def problems(plan: BenchmarkPlan, outcomes: Mapping[str, StepOutcome]) -> list[tuple[list[Cell | BaselineKind], str]]:
    """Return each failure with the cells that it ended, or the baseline that there is none of."""
    found = []
    for step in plan.steps:
        outcome = outcomes[step.key]
        if outcome.status == "failed":
            cells: list[Cell | BaselineKind] = [cell for cell, chain in plan.of_cell.items() if step in chain]
            cells += [kind for kind, one in plan.baselines.steps.items() if step is one]
            found.append((cells, f"{step.stage} {step.makes}: {outcome.problem}"))
    return found


def estimate_table(plan: BenchmarkPlan, estimates: Mapping[str, StepEstimate], known: Mapping[str, bool]) -> Table:
    """Return one row per stage: its steps, how many are there already, and what the others would take."""
    from harness.reports.evaluation_tables import table

    steps = {stage: [step for step in plan.steps if step.stage == stage] for stage in STAGES}
    rows = {stage: found for stage, found in steps.items() if found} | {"all, sequentially": list(plan.steps)}
    missing = {name: [estimates[step.key] for step in found if not known[step.key]] for name, found in rows.items()}
    trains = any(one.training_tokens for found in missing.values() for one in found)
    asks = any(one.questions for found in missing.values() for one in found)
    heads = (*(["tokens\ntrained"] if trains else []), *(["questions", "tokens\nasked", "USD"] if asks else []))
    shown = table("stage", "steps", "there", "time", *heads)
    for name, found in missing.items():
        trained = (_number(sum(one.training_tokens for one in found)),) if trains else ()
        there = len(rows[name]) - len(found)
        time = _total_time([one.seconds for one in found])
        shown.add_row(name, str(len(rows[name])), str(there), time, *trained, *(_asked(found) if asks else ()))
    return shown


def _asked(estimates: Sequence[StepEstimate]) -> tuple[str, str, str]:
    """Return the questions of some steps, their tokens, and what they cost."""
    questions = sum(sum((one.questions or {}).values()) for one in estimates)
    tokens = sum(one.prompt_tokens + one.answer_tokens for one in estimates)
    costs = [one.cost for one in estimates]
    price = "no price" if None in costs else f"{sum(cost or 0.0 for cost in costs):.2f}"
    return _number(questions), _number(tokens), price if questions else ""


def print_left_out(plan: BenchmarkPlan, console: Console) -> None:
    """Print which baselines are not evaluated, and why."""
    for kind, why in plan.baselines.left_out.items():
        console.print(f"{BASELINE_KINDS[kind]} is not evaluated: {why}", soft_wrap=True, markup=False)


def print_outdated(known: KnownSteps, console: Console) -> None:
    """Print which results earlier versions of their stages have made: they stay, and new ones are made."""
    if not known.outdated:
        return
    console.print("Made by an earlier version of their stage, and made again:")
    for key, versions in known.outdated.items():
        console.print(f"  {key} ({versions})", soft_wrap=True)
    if known.following:
        console.print(f"and {len(known.following)} more that were made from them.")


def _total_time(seconds: list[float | None]) -> str:
    """Return the sum; with a `+` if part of it is unknown."""
    found = [one for one in seconds if one is not None]
    if not found:
        return "unknown" if seconds else ""
    return minutes(sum(found)) + (" +" if len(found) < len(seconds) else "")


def _number(value: int) -> str:
    return f"{value:,}" if value else ""
