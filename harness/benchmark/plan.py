"""The steps of a run: requests to stages with the equivalent commands, as a graph shared by cells."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from harness.benchmark.cells import STAGES, Cell, Setup
from harness.benchmark.presets import StudentRecipe
from harness.curation.stage_settings import published
from harness.errors import UsageError
from harness.hub.artifact import Artifact, FileInput, RepoKind
from harness.models.roles import Roles
from harness.training.config import parse_count


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One stage of a cell: the request that makes a repository, and the equivalent command of `tft`."""

    stage: str
    """Its column in tables and its name for `--until` and `--jobs`."""
    module: str
    """Which stage of `harness.stages` gets the request."""
    words: tuple[str, ...]
    makes: str
    """Repository; of `evaluate` the model, whose result it is."""
    request: Mapping[str, Any] = field(default_factory=dict)
    """JSON values. Where it names a repository that another step makes, and the command too, its commit is meant."""
    needs: tuple[str, ...] = ()
    """Repositories that other steps make."""
    places: tuple[str, ...] = ()
    """More words of the command, which say where things are and what may be spent: they do not change what is made."""

    @property
    def key(self) -> str:
        """The key of the step in a run: no two steps make the same thing in the same stage."""
        return f"{self.stage} {self.makes}"

    @property
    def kind(self) -> RepoKind:
        """What it makes, a model or a dataset."""
        return "model" if self.stage in ("student", "train", "evaluate") else "dataset"


class _Said(NamedTuple):
    """A part of a command, and the equivalent fields of the request."""

    words: tuple[str, ...]
    fields: Mapping[str, Any]


def _say(*words: object, **fields: Any) -> list[_Said]:
    """Return words with their fields; nothing where a word is None: then the option is left out."""
    return [] if None in words else [_Said(tuple(map(str, words)), fields)]


@dataclass(slots=True)
class _Chain:
    """The steps of one cell, under construction."""

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
    asking = [
        *_say("--endpoints", judge and setup.endpoints, asking={"endpoints": setup.endpoints}),
        *_say("--budget", judge and setup.budget, asking={"budget": setup.budget}),
    ]
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
    """Return the options for how the student starts."""
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
            *_say(stage, read, source=read, scenario=cell.scenario, namespace=setup.namespace),
            *own[stage],
            *_say("--to", repo_id, place={"repo_id": repo_id}),
            *_say("--task", test_set, task=test_set),
            *_say("--models", models, models=models),
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
    salt: str
    """What determines results and is in no command: the models in their roles, the content of a job folder."""

    @classmethod
    def of(cls, cells: Sequence[Cell], setup: Setup, *, until: str | None = None) -> BenchmarkPlan:
        """Return the plan, up to a stage or to what comes before it; UsageError for a stage that no cell has."""
        of_cell = {cell: tuple(steps(cell, setup)) for cell in cells}
        if until is not None:
            of_cell = _until(of_cell, until)
        unique = {step.key: step for chain in of_cell.values() for step in chain}
        return cls(setup=setup, cells=tuple(cells), steps=tuple(unique.values()), of_cell=of_cell, salt=_salt(setup))

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
    """Return a hash of what determines results and is in local files."""
    files = sorted(path for path in Path(setup.job.folder).iterdir() if path.is_file()) if setup.job else []
    decisive = [Roles.named(setup.preset.models).model_dump(), [str(FileInput.of(path)) for path in files]]
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
