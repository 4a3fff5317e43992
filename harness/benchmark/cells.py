"""The cells of the benchmark, and the commands that make each, from the sources to a scored model. No effects."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.benchmark.presets import Preset, StudentRecipe
from harness.curation.settings import published
from harness.data.cell_names import PREFIX, CellName
from harness.data.scenarios import ARMS, Arm, all_scenarios
from harness.data.tasks import REPOSITORY as TEST_SET
from harness.errors import UsageError
from harness.hub.artifact import RepoKind, split_revision

STAGES = ("collect", "student", "corrupt", "filter", "relabel", "synthesize", "train", "evaluate")
"""Every stage that a cell can have, in order. The first two are shared by all cells."""
FAIR_SCENARIOS = (2, 3)
"""Where the published pipelines see different damage; see `Cell.fair`."""

_SCENARIO = re.compile(r"s?(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One scenario and one pipeline, or one pipeline on traces of one's own."""

    scenario: int | None
    """None: the job's own traces."""
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
    """Traces of one's own: a job folder, and the name that its repositories begin with."""

    name: str
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What all cells of a run have in common."""

    namespace: str
    preset: Preset
    options: tuple[str, ...] = ()
    """Words about asking models (`--endpoints`, `--budget` ...), for the stages that ask."""
    judging: tuple[str, ...] = ()
    """The same for the judge."""
    sources: tuple[str, ...] = ()
    """Words about the source files (`--sources DIR`), for the stages that read them."""
    job: Job | None = None
    """None: the benchmark's own scenarios."""
    public: bool = False
    """Whether new repositories are public: a job's data are private unless this says so."""

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
        """Whether the student is made by the run."""
        return self.preset.make_student is not None and "/" not in self.preset.student

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One stage of a cell: a command of `tft`, the repository that it makes, and those that it reads."""

    stage: str
    words: tuple[str, ...]
    makes: str
    """Repository; of `evaluate` the model, whose result it is."""
    needs: tuple[str, ...] = ()
    """Repositories that other steps make. Words that name them stand for their commits."""
    places: tuple[str, ...] = ()
    """More words of the command, which say where things are and what may be spent: no part of what is made."""

    @property
    def key(self) -> str:
        """What names the step in a run: no two steps make the same thing in the same stage."""
        return f"{self.stage} {self.makes}"

    @property
    def kind(self) -> RepoKind:
        """What it makes, a model or a dataset."""
        return "model" if self.stage in ("student", "train", "evaluate") else "dataset"


@dataclass(slots=True)
class _Chain:
    """The steps of one cell as they are put together."""

    cell: Cell
    setup: Setup
    steps: list[Step] = field(default_factory=list)

    def add(
        self, stage: str, makes: str, words: Sequence[str], *, needs: Sequence[str] = (), places: Sequence[str] = ()
    ) -> None:
        named = (*words, "--namespace", self.setup.namespace)
        self.steps.append(Step(stage=stage, words=named, makes=makes, needs=tuple(needs), places=tuple(places)))


def steps(cell: Cell, setup: Setup) -> list[Step]:
    """Return the commands of a cell in order. Each reads what those before have pushed.

    A stage whose inputs and settings have not changed finds its result on the Hub and does nothing.
    """
    chain = _Chain(cell=cell, setup=setup)
    _add_shared(chain)
    data = _add_pipeline(chain) if cell.arm == "tft" else f"{setup.base(cell)}-traces"
    model = setup.model(cell)
    arm = ("--arm", cell.traces) if cell.arm == "direct" and not setup.job else ()
    settings = [word for key, value in setup.preset.train.items() for word in ("--set", f"{key}={value}")]
    to = ("--student", setup.student, "--to", model, "--task", setup.test_set)
    student = (setup.student,) if setup.makes_student else ()
    words = ("train", data, *arm, *to, *settings, "--seed", str(cell.seed), "--json")
    chain.add("train", model, words, needs=(data, setup.test_set, *student))
    judge = ("--models", setup.preset.models) if setup.preset.judge else ()
    tokens = ("--max-tokens", str(setup.preset.max_tokens))
    words = ("evaluate", model, "--dataset", setup.test_set, *tokens, *judge, "--json")
    asking = setup.judging if setup.preset.judge else ()
    chain.add("evaluate", model, words, needs=(model, setup.test_set), places=asking)
    return chain.steps


def _add_shared(chain: _Chain) -> None:
    """Add the test set, the student where the run makes it, and the traces."""
    setup, cell = chain.setup, chain.cell
    shown = ("--public",) if setup.public else ()
    data = ("--folder", setup.job.folder, *shown) if setup.job else setup.sources
    chain.add("collect", setup.test_set, _build(cell, setup, "testset"), places=data)
    recipe = setup.preset.make_student
    if recipe and setup.makes_student:
        shape = ("--params", recipe.params, "--vocabulary", str(recipe.vocabulary), "--task", setup.test_set)
        words = ("student", "create", setup.student, *shape, *_start(recipe), "--json")
        places = setup.sources if recipe.dialogues else ()
        chain.add("student", setup.student, words, needs=(setup.test_set,), places=places)
    chain.add("corrupt", f"{setup.base(cell)}-traces", _build(cell, setup, "traces"), places=data)


def _start(recipe: StudentRecipe) -> tuple[str, ...]:
    """Return the words that say from what the student starts."""
    if recipe.dialogues is None:
        return ("--learnable",)
    data = ("--pretrain", "sources", "--pretrain-limit", str(recipe.dialogues))
    how = ("--pretrain-epochs", str(recipe.epochs), "--pretrain-rate", str(recipe.rate))
    return (*data, *how, "--pretrain-batch", str(recipe.batch))


def _build(cell: Cell, setup: Setup, what: str) -> tuple[str, ...]:
    """Return the command that pushes the test set or the traces."""
    if setup.job:
        return ("data", "job", setup.job.name, "--only", what, "--json")
    scenario = ("--scenario", str(cell.scenario)) if what == "traces" else ()
    return ("data", "build", "--push", "--only", what, *scenario, "--json")


def _add_pipeline(chain: _Chain) -> str:
    """Add filter, relabelling and synthesis, and return the dataset that they end in."""
    cell, setup = chain.cell, chain.setup
    seed = f"-seed{cell.seed}" if cell.seed else ""
    read = f"{setup.base(cell)}-traces"
    base = f"{setup.base(cell)}-fair" if cell.fair else setup.base(cell)
    filtered, relabelled, synthetic = f"{base}-filtered", f"{base}-relabelled", f"{base}-synthetic{seed}"
    number = published("relabel", cell.scenario).get("seeds") if setup.preset.seeds else None
    seeds = ("--seeds", str(number)) if number else ()
    target = ("--target", str(setup.preset.target)) if setup.preset.target else ()
    # The job's own settings of a stage count; its repositories take the place of its files.
    job = ("--job", setup.job.folder) if setup.job else ()
    for stage, makes, words in (
        ("filter", filtered, () if setup.job else ("--arm", cell.traces)),
        ("relabel", relabelled, seeds),
        ("synthesize", synthetic, (*target, "--seed", str(cell.seed))),
    ):
        to = ("--to", makes, "--task", setup.test_set, "--models", setup.preset.models)
        command = (stage, read, *words, *to, "--json")
        chain.add(stage, makes, command, needs=(read, setup.test_set), places=(*job, *setup.options))
        read = makes
    return synthetic


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
