"""The cells of the benchmark, and the steps that make each, from the sources to a scored model. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from harness.benchmark.presets import Preset, StudentRecipe
from harness.curation.settings import published
from harness.data.cell_names import PREFIX, CellName
from harness.data.scenarios import ARMS, Arm, all_scenarios
from harness.data.tasks import REPOSITORY as TEST_SET
from harness.errors import UsageError
from harness.hub.artifact import RepoKind, split_revision
from harness.models.roles import Roles
from harness.training.config import parse_count

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
    endpoints: str | None = None
    """File of endpoints, for the stages that ask models."""
    budget: float | None = None
    """USD that each of them may spend, the judge excepted."""
    sources: str | None = None
    """Folder of the source files, for the stages that read them; None: the one of the environment or the cache."""
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
    """One stage of a cell: the request that makes a repository, and the command of `tft` that says the same."""

    stage: str
    """Its column in tables and its name for `--until` and `--jobs`."""
    module: str
    """Which stage of `harness.stages` gets the request."""
    words: tuple[str, ...]
    makes: str
    """Repository; of `evaluate` the model, whose result it is."""
    request: Mapping[str, Any] = field(default_factory=dict)
    """JSON values. Where it names a repository that another step makes, and so do the words, the commit is meant."""
    needs: tuple[str, ...] = ()
    """Repositories that other steps make."""
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


class _Said(NamedTuple):
    """A part of a command, and the fields of the request that mean the same."""

    words: tuple[str, ...]
    fields: Mapping[str, Any]


def _say(*words: object, **fields: Any) -> list[_Said]:
    """Return words with their fields; nothing where a word is None: that is not said."""
    return [] if None in words else [_Said(tuple(map(str, words)), fields)]


@dataclass(slots=True)
class _Chain:
    """The steps of one cell as they are put together."""

    cell: Cell
    setup: Setup
    steps: list[Step] = field(default_factory=list)

    def add(
        self,
        stage: str,
        makes: str,
        said: Sequence[_Said],
        *,
        module: str | None = None,
        needs: Sequence[str] = (),
        places: Sequence[_Said] = (),
    ) -> None:
        request: dict[str, Any] = {}
        for one in (*said, *places):
            for key, value in one.fields.items():
                request[key] = {**request.get(key, {}), **value} if isinstance(value, Mapping) else value
        self.steps.append(
            Step(
                stage=stage,
                module=module or stage,
                words=(*(word for one in said for word in one.words), "--json", "--namespace", self.setup.namespace),
                makes=makes,
                request=request,
                needs=tuple(needs),
                places=tuple(word for one in places for word in one.words),
            )
        )


def steps(cell: Cell, setup: Setup) -> list[Step]:
    """Return the steps of a cell in order. Each reads what those before have pushed.

    A stage whose inputs and settings have not changed finds its result on the Hub and does nothing.
    """
    chain = _Chain(cell=cell, setup=setup)
    _add_shared(chain)
    data = _add_pipeline(chain) if cell.arm == "tft" else f"{setup.base(cell)}-traces"
    model, test_set = setup.model(cell), setup.test_set
    arm = cell.traces if cell.arm == "direct" and not setup.job else None
    said = [
        *_say("train", data, source=data),
        *_say("--arm", arm, arm=arm),
        *_say("--student", setup.student, student=setup.student),
        *_say("--to", model, place={"repo_id": model}),
        *_say("--task", test_set, task=test_set),
        *(_Said(("--set", f"{key}={value}"), {"settings": {key: value}}) for key, value in setup.preset.train.items()),
        *_say("--seed", cell.seed, settings={"seed": cell.seed}),
    ]
    student = (setup.student,) if setup.makes_student else ()
    chain.add("train", model, said, needs=(data, test_set, *student))
    judge = Roles.named(setup.preset.models).judge if setup.preset.judge else None
    said = [
        *_say("evaluate", model, models=[model], namespace=setup.namespace),
        *_say("--dataset", test_set, dataset=test_set),
        *_say("--max-tokens", setup.preset.max_tokens, asking={"max_tokens": setup.preset.max_tokens}),
        *_say("--models", judge and setup.preset.models, judging={"judges": [judge]}),
    ]
    asking = _say("--endpoints", judge and setup.endpoints, asking={"endpoints": setup.endpoints})
    chain.add("evaluate", model, said, needs=(model, test_set), places=asking)
    return chain.steps


def _add_shared(chain: _Chain) -> None:
    """Add the test set, the student where the run makes it, and the traces."""
    setup, recipe = chain.setup, chain.setup.preset.make_student
    _add_data(chain, "collect", setup.test_set)
    if recipe and setup.makes_student:
        said = [
            *_say("student", "create", setup.student, place={"repo_id": setup.student}),
            *_say("--params", recipe.params, parameters=parse_count(recipe.params)),
            *_say("--vocabulary", recipe.vocabulary, vocabulary=recipe.vocabulary),
            *_say("--task", setup.test_set, task=setup.test_set),
            *_start(recipe),
        ]
        places = _say("--sources", setup.sources, sources=setup.sources) if recipe.dialogues else ()
        chain.add("student", setup.student, said, needs=(setup.test_set,), places=places)
    _add_data(chain, "corrupt", f"{setup.base(chain.cell)}-traces")


def _add_data(chain: _Chain, stage: str, makes: str) -> None:
    """Add the test set or the traces: the benchmark's, or those of a job."""
    setup, job, scenario = chain.setup, chain.setup.job, chain.cell.scenario
    what = "testset" if stage == "collect" else "traces"
    if job:
        said = _say("data", "job", job.name, "--only", what, place={"repo_id": makes})
        places = [*_say("--folder", job.folder, job=job.folder), *_say("--public" if setup.public else None)]
        chain.add(stage, makes, said, module="job-test-set" if stage == "collect" else "job-traces", places=places)
        return
    said = _say("data", "build", "--push", "--only", what, place={"repo_id": makes})
    said += _say("--scenario", scenario, scenario=scenario) if stage == "corrupt" else []
    chain.add(stage, makes, said, places=_say("--sources", setup.sources, sources=setup.sources))


def _start(recipe: StudentRecipe) -> list[_Said]:
    """Return what says from what the student starts."""
    if recipe.dialogues is None:
        return _say("--learnable", learnable=True)
    return [
        *_say("--pretrain", "sources", dialogues="sources"),
        *_say("--pretrain-limit", recipe.dialogues, limit=recipe.dialogues),
        *_say("--pretrain-epochs", recipe.epochs, pretrain={"epochs": recipe.epochs}),
        *_say("--pretrain-rate", recipe.rate, pretrain={"learning_rate": recipe.rate}),
        *_say("--pretrain-batch", recipe.batch, pretrain={"batch_size": recipe.batch}),
    ]


def _add_pipeline(chain: _Chain) -> str:
    """Add filter, relabelling and synthesis, and return the dataset that they end in."""
    cell, setup = chain.cell, chain.setup
    seed = f"-seed{cell.seed}" if cell.seed else ""
    read, test_set, models = f"{setup.base(cell)}-traces", setup.test_set, setup.preset.models
    base = f"{setup.base(cell)}-fair" if cell.fair else setup.base(cell)
    arm = None if setup.job else cell.traces
    seeds = published("relabel", cell.scenario).get("seeds") if setup.preset.seeds else None
    target = setup.preset.target
    # The job's own settings of a stage count; its repositories take the place of its files.
    job = setup.job and setup.job.folder
    places = [
        *_say("--job", job, job=job),
        *_say("--endpoints", setup.endpoints, asking={"endpoints": setup.endpoints}),
        *_say("--budget", setup.budget, asking={"budget": setup.budget}),
    ]
    own = {
        "filter": _say("--arm", arm, arm=arm),
        "relabel": _say("--seeds", seeds, settings={"seeds": seeds}),
        "synthesize": [
            *_say("--target", target, settings={"target": target}),
            *_say("--seed", cell.seed, settings={"seed": cell.seed}),
        ],
    }
    makes = {"filter": f"{base}-filtered", "relabel": f"{base}-relabelled", "synthesize": f"{base}-synthetic{seed}"}
    for stage, repo_id in makes.items():
        said = [
            *_say(stage, read, source=read, scenario=cell.scenario),
            *own[stage],
            *_say("--to", repo_id, place={"repo_id": repo_id}),
            *_say("--task", test_set, task=test_set),
            *_say("--models", models, models=models),
        ]
        chain.add(stage, repo_id, said, needs=(read, test_set), places=places)
        read = repo_id
    return read


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
