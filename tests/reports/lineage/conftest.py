"""A Hub with whole chains on it: scenario 4 through every stage, damaged traces of scenario 2, a model, its scores."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import chdir
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness.data.formats.jsonl import read_jsonl, write_json
from harness.data.tasks import pull_test_set
from harness.evaluation.report_json import dump_report, read_report
from harness.evaluation.results import config_name
from harness.evaluation.run_folder import REPORT, ROWS, Evaluation
from harness.evaluation.scorecard import Scorecard
from harness.hub.artifact import Artifact, RepoKind
from harness.hub.client import Hub
from harness.hub.lineage import Lineage
from harness.hub.publishing import push_folder
from harness.hubd.embedded import EmbeddedHub, running
from harness.models.parsing import canonical
from harness.reports.publish import Destination, _push_results
from support.trained_model import FACTS

NAMESPACE = "local"
MODEL = f"{NAMESPACE}/tft-benchmark-s4-tft-small"
RESULTS = f"{NAMESPACE}/tft-benchmark-results"
PAIRS = 12
CARD = "---\nlicense: mit\n---\n\nA small model, {}.\n"
Tft = Callable[..., Result]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The Hub, and `tft` in this process; keywords are environment variables."""

    hub: Hub
    tft: Tft

    def dataset(self, scenario: int, stage: str) -> Artifact:
        """Return a dataset of a scenario as it is now."""
        return self.hub.resolve("dataset", f"{NAMESPACE}/tft-benchmark-s{scenario}-{stage}")

    def copy(
        self, artifact: Artifact, name: str, change: Callable[[Path], None], *, tag: str | None = None
    ) -> Artifact:
        """Push an artifact again under another name, with changed files and the tag of its fingerprint."""
        import shutil
        import tempfile

        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "files"
            shutil.copytree(self.hub.pull(artifact), folder)
            known = json.loads((folder / "lineage.json").read_text())["fingerprint"]
            change(folder)
            tags = [tag or f"fp-{known}"]
            repo_id = f"{NAMESPACE}/{name}"
            known_names = {"lineage.json"}
            if self.hub.api.repo_exists(repo_id, repo_type=artifact.kind):
                known_names = {*self.hub.files(self.hub.resolve(artifact.kind, repo_id))}
            if "lineage.json" not in known_names:  # nothing would be replaced
                self.hub.api.delete_repo(repo_id, repo_type=artifact.kind)
            return push_folder(self.hub, artifact.kind, repo_id, folder, message="changed", tags=tags)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedHub]:
    with running(tmp_path_factory.mktemp("hub") / "root") as found:
        yield found


@pytest.fixture(scope="session")
def world(server: EmbeddedHub, sources: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Everything that the tests follow, made once by the real stages; weights alone are made up."""
    folder = tmp_path_factory.mktemp("world")
    variables: dict[str, str | None] = {
        "HF_ENDPOINT": server.url,
        "HF_TOKEN": server.token,
        "TFT_SOURCES": str(sources),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "COLUMNS": "200",
    }

    def run(*words: str, **changed: str | None) -> Result:
        from harness.cli.__main__ import tft

        with chdir(folder):
            return CliRunner(env=variables | changed).invoke(tft, list(words), catch_exceptions=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_TOKEN", server.token)
        world = World(hub=Hub.connect(server.url), tft=run)
    for words in _STAGES:
        done = run(*words.split())
        assert done.exit_code == 0, done.output
    model = train(world, MODEL, world.dataset(4, "synthetic"), folder / "model")
    evaluate(world, model, folder)
    return world


_S2, _S4 = f"{NAMESPACE}/tft-benchmark-s2", f"{NAMESPACE}/tft-benchmark-s4"
_STAGES = (
    "data build --push --scenario 2 --scenario 4",
    f"filter {_S4}-traces --arm tft",
    f"relabel {_S4}-filtered",
    f"synthesize {_S4}-relabelled --target 8",
    f"relabel {_S2}-traces --arm tft --limit 8 --seeds 6",
    f"synthesize {_S2}-relabelled --target 4",
)


def train(world: World, repo_id: str, data: Artifact, folder: Path) -> Artifact:
    """Push a model as the stage `train` would have, with weights of a few bytes."""
    base = _base(world, folder.parent / "base")
    task = world.hub.resolve("dataset", f"{NAMESPACE}/tft-benchmark-testset")
    inputs = tuple(f"{one.repo_id}@{one.revision}" for one in (base, data, task))
    facts = replace(FACTS, student=inputs[0], dataset=inputs[1], task=inputs[2], merge_difference=0.0, roles={})
    settings = {"method": "lora", "epochs": 4.0, "learning_rate": 5e-5, "arm": None, "template": "own"}
    lineage = Lineage(
        stage="train", version=1, config=settings, inputs=inputs, seed=0, extra={"training": asdict(facts)}
    )
    _weights(folder, 1.0)
    write_json(folder / "lineage.json", lineage.dump())
    return push_folder(world.hub, "model", repo_id, folder, message="train", tags=[lineage.tag()])


def _base(world: World, folder: Path) -> Artifact:
    _weights(folder, 0.0)
    return push_folder(world.hub, "model", f"{NAMESPACE}/small", folder, message="a student from elsewhere")


def _weights(folder: Path, value: float) -> None:
    import numpy
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file({"weight": numpy.full((4, 4), value, dtype="float32")}, folder / "model.safetensors")
    (folder / "README.md").write_text(CARD.format("trained"))


def evaluate(world: World, model: Artifact, folder: Path, results: str = RESULTS) -> None:
    """Push results of recorded answers as those of the model: references, but one other text and one failure."""
    pairs = pull_test_set(world.hub, f"{NAMESPACE}/tft-benchmark-testset", PAIRS).pairs
    answers = [canonical(pair.reference) for pair in pairs]
    rows = [{"pair_id": pair.id, "raw": answer} for pair, answer in zip(pairs, answers, strict=True)]
    rows[1]["raw"] = "I do not know."
    (folder / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = folder / f"run-{config_name(results)}-{model.revision[:8]}"
    words = ("evaluate", f"replay:{folder}/answers.jsonl", "--limit", str(PAIRS), "--no-push", "--judge", "rules:judge")
    done = world.tft(*words, "--namespace", NAMESPACE, "--out", str(run))
    assert done.exit_code == 0, done.output
    evaluation = _renamed(run, model)
    world.hub.ensure_dataset(results)
    place = Destination(results=results, config=config_name(model.repo_id), model=model.repo_id, create_pr=False)
    _push_results(world.hub, place, model.repo_id, evaluation)
    world.hub.commit_files("model", model.repo_id, {"README.md": CARD.format("scored")}, message="Evaluation")


def _renamed(run: Path, model: Artifact) -> Evaluation:
    """Let the run be of the model, as if its engine had given those answers, and return it."""
    report = read_report(run / REPORT)
    report = replace(report, run=replace(report.run, model=f"vllm:{model.repo_id}", model_revision=model.revision))
    write_json(run / REPORT, dump_report(report))
    written = json.loads((run / "lineage.json").read_text())
    inputs = (f"{model.repo_id}@{model.revision}", *written["inputs"][1:])
    extra = {key: written[key] for key in ("started", "judge", "judges", "ask_everything")}
    lineage = Lineage(
        stage="evaluate", version=2, config={**written["config"], "backend": "vllm"}, inputs=inputs, seed=0, extra=extra
    )
    write_json(run / "lineage.json", lineage.dump())
    rows = [row for _, row in read_jsonl(run / ROWS)]
    return Evaluation(folder=run, lineage=lineage, scorecard=Scorecard(report=report, rows=rows))


@pytest.fixture(scope="session")
def resolve(world: World) -> Callable[..., Artifact]:
    """Return an artifact of the namespace as it is now."""

    def resolve(kind: RepoKind, name: str, revision: str | None = None) -> Artifact:
        return world.hub.resolve(kind, f"{NAMESPACE}/{name}", revision)

    return resolve


def as_json(result: Result) -> dict[str, Any]:
    """Return what a command printed as JSON."""
    found: dict[str, Any] = json.loads(result.stdout)
    return found
