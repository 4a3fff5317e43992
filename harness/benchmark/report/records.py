"""The records of the report, frozen; whatever is shown comes from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from harness.benchmark.report.repair_records import Repair
from harness.benchmark.report.training_verdict_records import BesideModel, WorthVerdict
from harness.data.scenarios import Arm
from harness.evaluation.metrics import DEFAULT_METRIC
from harness.hub.artifact import Artifact
from harness.reports.plot_style import Plot
from harness.statistics.records import Estimate

Status = Literal["done", "failed", "unusable", "not run", "not measured yet"]
"""Unusable: there is a result, and it must not be compared with the others, for the reason given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One training of a cell and its evaluation: a model, or the reason why there is none."""

    model: str | None
    """The model repository; None where nothing names one."""
    seed: int
    status: Status
    revision: str | None = None
    """The commit that was evaluated."""
    config: str | None = None
    """Its configuration in the results dataset."""
    fingerprint: str | None = None
    """Of its evaluation."""
    date: str | None = None
    pairs: int = 0
    """Turns that were asked."""
    errors: int = 0
    """Turns without an answer."""
    cut: int | None = None
    """Answers that ended at the limit of tokens; None where it is not known of them."""
    unscored: Mapping[str, int] = field(default_factory=dict)
    """Metric -> turns without a value, errors included."""
    stage: str | None = None
    """The stage that failed."""
    problem: str | None = None
    """Why it failed, or cannot be used."""
    artifacts: Mapping[str, str] = field(default_factory=dict)
    """Stage -> `repo@commit`, where the run of the benchmark recorded it."""

    @property
    def artifact(self) -> Artifact | None:
        """The model that was evaluated; None where there is no result."""
        if not self.model or not self.revision:
            return None
        return Artifact(kind="model", repo_id=self.model, revision=self.revision)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One metric of one cell: the mean over its seeds."""

    overall: Estimate
    """Each pair's value is the mean over the seeds that scored it; errors and unscored are summed over the seeds."""
    by_seed: Mapping[int, float | None]
    """Seed -> mean over the pairs."""
    spread: float | None
    """Standard deviation of the seeds' means; None with fewer than two."""
    macro: float | None
    """Unweighted mean over the tools."""
    by_tool: Mapping[str, Estimate]
    """Reference tool -> estimate, most frequent tool first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResult:
    """One scenario and one pipeline, with all its seeds."""

    scenario: str
    arm: Arm
    fair: bool
    runs: tuple[Run, ...]
    """By seed; one that says `not run` where there is nothing."""
    scores: Mapping[str, Score] = field(default_factory=dict)
    """Metric -> score, over the runs that are done; empty where none is."""

    @property
    def done(self) -> tuple[Run, ...]:
        """The runs that count."""
        return tuple(run for run in self.runs if run.status == "done")

    @property
    def status(self) -> Status:
        """Done where any run is, else the status of the first."""
        return "done" if self.done else self.runs[0].status


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """TFT minus Direct in one metric, pair by pair, on the mean over the seeds."""

    difference: Estimate
    p: float | None
    """Two-sided, by sign flips of whole conversations."""
    adjusted: float | None
    """The same, adjusted for all rows of the table (Holm)."""
    smallest_detectable: float | None
    """The true difference that this comparison would have found with 80 % power."""
    tie: bool
    """Whether the two cannot be told apart: the adjusted p is not below alpha."""
    by_seed: Mapping[int, float | None]
    """Seed -> difference of the two means, for the seeds that both have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table: TFT and Direct beside each other."""

    scenario: str
    """`s1` to `s5`, or the name of a job."""
    number: int | None
    """Of the published scenario; None for a job."""
    title: str
    note: str | None
    """What the two have in common, where the scenario alone does not say it."""
    tft: CellResult
    direct: CellResult
    contrasts: Mapping[str, Contrast]
    """Metric -> contrast; none where one of the two has no score."""
    published: Mapping[str, Mapping[str, float | None]]
    """Metric -> `tft`, `direct` (0 to 1) and `points`, as published; empty where nothing is."""

    @property
    def cells(self) -> tuple[CellResult, CellResult]:
        return self.tft, self.direct

    @property
    def corrupted(self) -> bool:
        """Whether the verdict is about it: every row but the published scenario with clean traces."""
        return self.number != 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows that are read together, and whose p values are adjusted together."""

    name: Literal["main", "fair"]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A row that needs no model: a null baseline, or the references themselves."""

    name: str
    scores: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """A result that is in no table."""

    config: str
    model: str
    revision: str | None
    scores: Mapping[str, Estimate]
    pairs: int
    reason: str
    """Why it is in no table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSummary:
    """Who judged all results of the tables."""

    name: str
    rules: bool
    """Whether every member is rules written as code, and no language model."""
    prompt_sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportVerdict:
    """What the main table says about the corrupted scenarios, by the primary metric."""

    metric: str
    alpha: float
    tft: tuple[str, ...]
    """Scenarios in which TFT is significantly better."""
    direct: tuple[str, ...]
    untold: tuple[str, ...]
    missing: tuple[str, ...]
    """Scenarios without a comparison."""
    beats_baselines: bool | None
    """Whether the best cell is above every null baseline; None without a score or a baseline."""
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """The log of one training."""

    scenario: str
    title: str
    arm: Arm
    fair: bool
    seed: int
    model: Artifact
    epochs: tuple[float, ...]
    losses: tuple[float, ...]
    """Of each logged step, nats per token."""
    conversations: int | None = None
    """How many it was trained on, where its lineage says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkReport:
    """Everything that the report shows."""

    namespace: str
    endpoint: str
    results: Artifact
    student: str
    student_revision: str | None
    """The commit that the trainings began from, where a run of the benchmark says it."""
    preset: str | None
    test_set: str
    test_set_revision: str
    pairs: int
    conversations: int
    judge: JudgeSummary | None
    metric: str
    """The primary one: the judge's where one judge judged all, else code's."""
    metrics: tuple[str, ...]
    """All that every result has, the primary one first."""
    seeds: tuple[int, ...]
    tables: tuple[Table, ...]
    """The main table, then that of the fair arms where there are any."""
    baselines: tuple[Baseline, ...]
    others: tuple[Other, ...]
    dates: tuple[str, str]
    """First and last day of the evaluations."""
    versions: Mapping[str, tuple[str, ...]]
    """Package -> versions that the evaluations ran with."""
    verdict: ReportVerdict
    worth: WorthVerdict
    """Whether training was worth it at all, which comes first."""
    beside: tuple[BesideModel, ...]
    """The models that were evaluated beside the trained ones."""
    notes: tuple[str, ...]
    """What else a reader has to know."""
    caveat: str | None = None
    """What its preset says must be known before the scores."""
    repairs: tuple[Repair, ...] = ()
    no_repairs: str | None = None
    """Why repairs are not measured, or not all of them."""
    damage: tuple[str, ...] = ()
    """In words what was damaged and what became of it; empty where it is not measured."""
    losses: tuple[Loss, ...] = ()
    no_losses: tuple[str, ...] = ()
    """Models without a log of their training."""
    pictures: tuple[Plot, ...] = ()
    """The plots below `plots/`, each with what it shows in words."""

    @property
    def main(self) -> Table:
        return self.tables[0]

    @property
    def students(self) -> tuple[str, ...]:
        """The caveat, then both verdicts in words: whether training was worth it, and TFT against Direct."""
        return (*([self.caveat] if self.caveat else []), *self.worth.sentences, *self.verdict.sentences)

    @property
    def data_first(self) -> bool:
        """Whether damage and repair lead: measured, and with a caveat, no student above null, or nothing decided."""
        decided = self.verdict.tft or self.verdict.direct or any(one.decision == "PROCEED" for one in self.worth.rows)
        return bool(self.damage) and bool(self.caveat or self.verdict.beats_baselines is False or not decided)

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return all that is said first, in words."""
        return (*self.damage, *self.students) if self.data_first else self.students

    @property
    def shown_metrics(self) -> tuple[str, ...]:
        """The metrics with a table and a plot of their own: the primary one, and code's beside a judge's."""
        return tuple(name for name in self.metrics if name in (self.metric, DEFAULT_METRIC))
