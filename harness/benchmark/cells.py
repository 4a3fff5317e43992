"""The cells of the benchmark, what they have in common, and the names of what they make."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from harness.benchmark.presets import Preset
from harness.data.cell_names import PREFIX, CellName
from harness.data.scenarios import ARMS, Arm, all_scenarios
from harness.data.tasks import REPOSITORY as TEST_SET
from harness.errors import UsageError
from harness.hub.artifact import split_revision

STAGES = ("collect", "student", "corrupt", "filter", "relabel", "synthesize", "train", "evaluate")
"""Every stage that a cell can have, in order. The first two are shared by all cells."""
FAIR_SCENARIOS = (2, 3)
"""Where the published pipelines see different damage; see `Cell.fair`."""

BaselineKind = Literal["untrained", "logged", "teacher"]
BASELINE_KINDS: Mapping[BaselineKind, str] = {
    "untrained": "the untrained student",
    "logged": "the model that wrote the traces",
    "teacher": "the teacher",
}
"""What is evaluated beside the trained models, in the order of tables, and what it is called."""

_SCENARIO = re.compile(r"s?(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One scenario and one pipeline, or one pipeline on the user's own traces."""

    scenario: int | None
    """None: a job's own traces."""
    arm: Arm
    fair: bool = False
    """Swap the traces: Direct on the TFT arm's, with its clean tenth, TFT on the Direct arm's, without one."""
    seed: int = 0

    @classmethod
    def parse(cls, scenario: str, arm: str, *, fair: bool = False, seed: int = 0) -> Cell:
        """Return the cell of two words such as `s2` and `tft`; UsageError lists the known ones."""
        match = _SCENARIO.fullmatch(scenario)
        known = [one.number for one in all_scenarios()]
        if match is None or int(match[1]) not in known:
            listed = ", ".join(f"s{number}" for number in known)
            raise UsageError(f"there is no scenario {scenario!r}; known are {listed}")
        if arm not in ARMS:
            raise UsageError(f"there is no pipeline {arm!r}; known are {', '.join(ARMS)}")
        number = int(match[1])
        if fair and number not in FAIR_SCENARIOS:
            raise UsageError(
                f"s{number} has no fair arms: its two pipelines see the same traces; they differ in "
                f"{', '.join(f's{one}' for one in FAIR_SCENARIOS)}"
            )
        return cls(scenario=number, arm="direct" if arm == "direct" else "tft", fair=fair, seed=seed)

    @classmethod
    def choose(cls, words: str) -> list[tuple[int | None, Arm]]:
        """Return scenario and pipeline of what `s1` or `s1-direct` names; UsageError lists the known ones."""
        scenario, _, arm = words.partition("-")
        return [(cell.scenario, cell.arm) for cell in (cls.parse(scenario, one) for one in ([arm] if arm else ARMS))]

    @property
    def traces(self) -> Arm:
        """The arm whose traces it reads."""
        other: Arm = "tft" if self.arm == "direct" else "direct"
        return other if self.fair else self.arm

    def __str__(self) -> str:
        scenario = f"s{self.scenario} " if self.scenario else ""
        return f"{scenario}{self.arm}" + (" fair" if self.fair else "") + (f" seed {self.seed}" if self.seed else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The user's own traces: a job folder, and the name that its repositories begin with."""

    name: str
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What all cells of a run have in common."""

    namespace: str
    preset: Preset
    endpoints: str | None = None
    """File of endpoints, for the stages that ask models."""
    budget: float | None = None
    """USD that each of them may spend."""
    sources: str | None = None
    """Folder of the source files, for the stages that read them; None: the one of the environment or the cache."""
    job: Job | None = None
    """None: the benchmark's own scenarios."""
    public: bool = False
    """Whether new repositories are public: a job's data are private unless this says so."""
    baselines: frozenset[BaselineKind] = frozenset()
    """What is evaluated beside the cells."""

    @property
    def student(self) -> str:
        """The student's repository."""
        return self.preset.student if "/" in self.preset.student else f"{self.namespace}/{self.preset.student}"

    @property
    def test_set(self) -> str:
        """The test set's repository."""
        return f"{self.namespace}/{self.job.name}-testset" if self.job else f"{self.namespace}/{TEST_SET}"

    @property
    def makes_student(self) -> bool:
        """Whether the student is made or fetched by the run."""
        return bool(self.preset.make_student or self.preset.fetch_student) and "/" not in self.preset.student

    def base(self, cell: Cell) -> str:
        """Return what the names of a cell's datasets begin with."""
        return f"{self.namespace}/{self.job.name}" if self.job else f"{self.namespace}/{PREFIX}-s{cell.scenario}"

    def model(self, cell: Cell) -> str:
        """Return the repository of a cell's model."""
        student = split_revision(self.student)[0].rpartition("/")[2]
        if cell.scenario is None:
            return f"{self.base(cell)}-{cell.arm}-{student}" + (f"-seed{cell.seed}" if cell.seed else "")
        name = CellName(scenario=cell.scenario, arm=cell.arm, student=student, fair=cell.fair, seed=cell.seed)
        return name.model(self.namespace)

    def group(self, cell: Cell) -> str:
        """Return the row of the results table that a cell belongs to: `s1` to `s5`, or the job's name."""
        return self.job.name if self.job else f"s{cell.scenario}"


def all_cells(*, fair: bool, seeds: int) -> list[Cell]:
    """Return the ten cells, with `fair` also the fair arms where they differ, each once for every seed."""
    plain = [Cell(scenario=one.number, arm=arm) for one in all_scenarios() for arm in ARMS]
    swapped = [Cell(scenario=number, arm=arm, fair=True) for number in FAIR_SCENARIOS for arm in ARMS]
    chosen = [*plain, *(swapped if fair else [])]
    return [
        Cell(scenario=cell.scenario, arm=cell.arm, fair=cell.fair, seed=seed)
        for seed in range(seeds)
        for cell in chosen
    ]
