"""The steps of a run: requests to stages with the equivalent commands, as a graph shared by cells."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.benchmark.baseline_steps import BaselineSteps
from harness.benchmark.cells import STAGES, BaselineKind, Cell, Setup
from harness.benchmark.presets import StudentRecipe
from harness.benchmark.steps import Said, Step, judged_evaluation, make_step, on_base, say_words
from harness.curation.stage_settings import published
from harness.errors import UsageError
from harness.hub.artifact import Artifact, FileInput
from harness.models.imports.package_index import find_published
from harness.models.roles import Roles
from harness.training.config import parse_count


@dataclass(slots=True)
class _Chain:
    """The steps of one cell, under construction."""

    cell: Cell
    setup: Setup
    steps: list[Step] = field(default_factory=list)

    def add(self, stage: str, makes: str, said: Sequence[Said], places: Sequence[Said] = (), **fields: Any) -> None:
        """Add a step, see `make_step`."""
        self.steps.append(make_step(self.setup, said, places, stage=stage, makes=makes, **fields))


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
        *say_words("train", data, source=data),
        *say_words("--arm", arm, arm=arm),
        *say_words("--student", setup.student, student=setup.student),
        *say_words("--to", model, place={"repo_id": model}),
        *say_words("--task", test_set, task=test_set),
        *(Said(("--set", f"{key}={value}"), {"settings": {key: value}}) for key, value in setup.preset.train.items()),
        *say_words("--seed", cell.seed, settings={"seed": cell.seed}),
    ]
    student = (setup.student,) if setup.makes_student else ()
    chain.add("train", model, said, needs=(data, test_set, *student))
    evaluation = judged_evaluation(setup, model, needs=(model,))
    chain.steps.append(on_base(evaluation, setup.student, student) if setup.preset.together else evaluation)
    return chain.steps


def _add_shared(chain: _Chain) -> None:
    """Add the test set, the student where the run makes it, and the traces."""
    setup = chain.setup
    _add_data(chain, "collect", setup.test_set)
    if setup.makes_student:
        _add_student(chain, setup.preset.make_student)
    _add_data(chain, "corrupt", f"{setup.base(chain.cell)}-traces")


def _add_student(chain: _Chain, recipe: StudentRecipe | None) -> None:
    """Add the student: made as the recipe says, or fetched where there is none."""
    setup = chain.setup
    if recipe is None:
        said = [
            *say_words("student", "fetch", setup.preset.fetch_student, student=setup.preset.fetch_student),
            *say_words("--to", setup.student, place={"repo_id": setup.student}),
        ]
        chain.add("student", setup.student, said, module="student-fetch")
        return
    said = [
        *say_words("student", "create", setup.student, place={"repo_id": setup.student}),
        *say_words("--params", recipe.params, parameters=parse_count(recipe.params)),
        *say_words("--vocabulary", recipe.vocabulary, vocabulary=recipe.vocabulary),
        *say_words("--task", setup.test_set, task=setup.test_set),
        *_start(recipe),
    ]
    places = say_words("--sources", setup.sources, sources=setup.sources) if recipe.dialogues else ()
    chain.add("student", setup.student, said, needs=(setup.test_set,), places=places)


def _add_data(chain: _Chain, stage: str, makes: str) -> None:
    """Add the test set or the traces: the benchmark's, or those of a job."""
    setup, job, scenario = chain.setup, chain.setup.job, chain.cell.scenario
    what = "testset" if stage == "collect" else "traces"
    if job:
        said = say_words("data", "job", job.name, "--only", what, place={"repo_id": makes})
        places = [*say_words("--folder", job.folder, job=job.folder), *say_words("--public" if setup.public else None)]
        chain.add(stage, makes, said, module="job-test-set" if stage == "collect" else "job-traces", places=places)
        return
    said = say_words("data", "build", "--push", "--only", what, place={"repo_id": makes})
    said += say_words("--scenario", scenario, scenario=scenario) if stage == "corrupt" else []
    chain.add(stage, makes, said, places=say_words("--sources", setup.sources, sources=setup.sources))


def _start(recipe: StudentRecipe) -> list[Said]:
    """Return the options for how the student starts."""
    if recipe.dialogues is None:
        return say_words("--learnable", learnable=True)
    return [
        *say_words("--pretrain", "sources", dialogues="sources"),
        *say_words("--pretrain-limit", recipe.dialogues, limit=recipe.dialogues),
        *say_words("--pretrain-epochs", recipe.epochs, pretrain={"epochs": recipe.epochs}),
        *say_words("--pretrain-rate", recipe.rate, pretrain={"learning_rate": recipe.rate}),
        *say_words("--pretrain-batch", recipe.batch, pretrain={"batch_size": recipe.batch}),
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
        *say_words("--job", job, job=job),
        *say_words("--endpoints", setup.endpoints, asking={"endpoints": setup.endpoints}),
        *say_words("--budget", setup.budget, asking={"budget": setup.budget}),
    ]
    own = {
        "filter": say_words("--arm", arm, arm=arm),
        "relabel": say_words("--seeds", seeds, settings={"seeds": seeds}),
        "synthesize": [
            *say_words("--target", target, settings={"target": target}),
            *say_words("--seed", cell.seed, settings={"seed": cell.seed}),
        ],
    }
    makes = {"filter": f"{base}-filtered", "relabel": f"{base}-relabelled", "synthesize": f"{base}-synthetic{seed}"}
    for stage, repo_id in makes.items():
        said = [
            *say_words(stage, read, source=read, scenario=cell.scenario, namespace=setup.namespace),
            *own[stage],
            *say_words("--to", repo_id, place={"repo_id": repo_id}),
            *say_words("--task", test_set, task=test_set),
            *say_words("--models", models, models=models),
        ]
        chain.add(stage, repo_id, said, needs=(read, test_set), places=places)
        read = repo_id
    return read


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkPlan:
    """All steps of some cells, in an order in which they could be run one after the other."""

    setup: Setup
    cells: tuple[Cell, ...]
    steps: tuple[Step, ...]
    of_cell: Mapping[Cell, tuple[Step, ...]]
    baselines: BaselineSteps
    """What is evaluated beside the cells; none of it holds a cell up."""
    salt: str
    """What determines results and is in no command: the models in their roles, the content of a job folder, the pinned
    files of a student that is fetched."""

    @classmethod
    def of(cls, cells: Sequence[Cell], setup: Setup, *, until: str | None = None) -> BenchmarkPlan:
        """Return the plan, up to a stage or to what comes before it; UsageError for a stage that no cell has."""
        of_cell = {cell: tuple(steps(cell, setup)) for cell in cells}
        if until is not None:
            of_cell = _until(of_cell, until)
        beside = BaselineSteps.of(setup) if until in (None, "evaluate") else BaselineSteps()
        chains = (*of_cell.values(), beside.steps.values())
        unique = {step.key: step for chain in chains for step in chain}
        return cls(
            setup=setup,
            cells=tuple(cells),
            steps=tuple(unique.values()),
            of_cell=of_cell,
            baselines=beside,
            salt=_salt(setup),
        )

    def baseline_of(self, step: Step) -> BaselineKind | None:
        """Return which baseline a step evaluates; None for a step of a cell."""
        return next((kind for kind, one in self.baselines.steps.items() if one is step), None)

    def makers(self, step: Step) -> tuple[Step, ...]:
        """Return the steps that make what this one needs."""
        return tuple(other for other in self.steps if other.makes in step.needs and other.stage != "evaluate")


def _until(of_cell: Mapping[Cell, tuple[Step, ...]], until: str) -> dict[Cell, tuple[Step, ...]]:
    known = [stage for stage in STAGES if any(step.stage == stage for chain in of_cell.values() for step in chain)]
    if until not in known:
        cells = ", ".join(map(str, of_cell))
        raise UsageError(f"there is no stage {until!r} in {cells}; stages are {', '.join(known)}")
    wanted = STAGES[: STAGES.index(until) + 1]
    return {cell: tuple(step for step in chain if step.stage in wanted) for cell, chain in of_cell.items()}


def _salt(setup: Setup) -> str:
    """Return a hash of what determines results and is in local files; see `BenchmarkPlan.salt`."""
    files = sorted(path for path in Path(setup.job.folder).iterdir() if path.is_file()) if setup.job else []
    decisive = [Roles.named(setup.preset.models).model_dump(), [str(FileInput.of(path)) for path in files]]
    if setup.preset.fetch_student:
        decisive.append(find_published(setup.preset.fetch_student).model_dump())
    return hashlib.sha256(repr(decisive).encode()).hexdigest()


def pinned(step: Step, artifacts: Mapping[str, Artifact]) -> Step:
    """Return a step with a commit at each repository that it reads; `artifacts` are by repository."""
    commits = {name: str(artifacts[name]) for name in step.needs if name in artifacts}
    pairs = zip(("", *step.words), step.words, strict=False)
    words = tuple(word if before == "--to" else commits.get(word, word) for before, word in pairs)
    request = {key: value if key == "place" else _renamed(value, commits) for key, value in step.request.items()}
    return replace(step, words=words, request=request)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """Return a field of a request with other names for repositories."""
    if isinstance(value, str):
        return names.get(value, value)
    return [_renamed(one, names) for one in value] if isinstance(value, list) else value


def step_tag(step: Step, salt: str, version: int) -> str:
    """Return the tag that marks the result of a pinned step: a hash of its command and of the stage's version.

    It finds in one request what the stage's own fingerprint finds after reading inputs: a run that has nothing to do
    asks the Hub once per step.
    """
    decisive = [step.stage, version, list(step.words), salt]
    text = json.dumps(decisive, ensure_ascii=False, separators=(",", ":"))
    return f"run-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
