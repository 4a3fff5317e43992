"""A Hub with several users and organisations, and a small benchmark on it: two cells, private, with real scores."""

from __future__ import annotations

import itertools
import json
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import HfApi

from harness.benchmark.record import FILE, BenchmarkRecord, CellRecord
from harness.benchmark.release.apply import apply_plan
from harness.benchmark.release.plan import Parts, ReleaseOptions, plan_release
from harness.curation.checks.decontamination import GATE_RECORD, GateRecord
from harness.data.formats.jsonl import write_json, write_jsonl
from harness.data.records import Prediction
from harness.data.tasks import TestSet, pull_test_set
from harness.evaluation.records import EvalRun
from harness.evaluation.report_json import dump_report
from harness.evaluation.results import RESULTS, config_name
from harness.evaluation.run_folder import REPORT, ROWS, Evaluation
from harness.evaluation.scorecard import make_scorecard, read_answers, score_answers
from harness.hub.artifact import Artifact
from harness.hub.client import Hub
from harness.hub.lineage import LINEAGE, Lineage
from harness.hubd.embedded import EmbeddedHub, running
from harness.models import parsing
from harness.reports.model_card import CardPlace, identify, render_card
from harness.reports.publish import Destination, publish
from harness.training.config import TrainConfig
from harness.training.run_summary import TrainingFacts
from support.sample_test_set import write_test_set

_ORGANISATIONS = 60
_USERS = """
users:
  - {{name: ada, orgs: [{orgs}], tokens: [{{token: hf_ada}}, {{token: hf_ada_reads, role: read}}]}}
  - {{name: bob, tokens: [{{token: hf_bob}}]}}
"""
STUDENT = "tiny"
DATA = {"corrupt": "traces", "filter": "filtered", "relabel": "relabelled", "synthesize": "synthetic"}
_ORGS = (f"lab{number}" for number in itertools.count())


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedHub]:
    folder = tmp_path_factory.mktemp("hub")
    names = ", ".join(f"lab{number}" for number in range(_ORGANISATIONS))
    (folder / "users.yaml").write_text(_USERS.format(orgs=names))
    with running(folder / "root", users=folder / "users.yaml") as found:
        yield found


@pytest.fixture(scope="session")
def hub(server: EmbeddedHub) -> Hub:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_TOKEN", "hf_ada")
        return Hub.connect(server.url)


@pytest.fixture(scope="session")
def api(hub: Hub) -> HfApi:
    return hub.api


@pytest.fixture(scope="session")
def stranger(server: EmbeddedHub) -> HfApi:
    """Somebody who sees what is public and nothing else."""
    return HfApi(endpoint=server.url, token="hf_bob")


def _push(hub: Hub, kind: str, repo_id: str, files: dict[str, str | bytes], lineage: Lineage) -> str:
    """Push a stage's repository, private, with its lineage and its tag; return its commit."""
    dump = json.dumps(lineage.dump())
    hub.api.create_repo(repo_id, repo_type=kind, private=True, exist_ok=True)
    hub.commit_files(kind, repo_id, {**files, LINEAGE: dump}, message=lineage.stage)
    commit = hub.resolve(kind, repo_id).revision
    hub.api.create_tag(repo_id, tag=lineage.tag(), repo_type=kind, revision=commit, exist_ok=True)
    return commit


def weights(seed: object) -> bytes:
    """Return a safetensors file with four numbers."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    return struct.pack("<Q", len(header)) + header + Random(str(seed)).randbytes(16)


@dataclass(slots=True)
class Benchmark:
    """What a run of the benchmark has left in a namespace."""

    hub: Hub
    namespace: str
    test_set: TestSet
    folder: Path
    cells: list[CellRecord] = field(default_factory=list)
    student: str = ""

    def repo(self, name: str) -> str:
        return f"{self.namespace}/tft-benchmark-{name}"

    def model(self, scenario: str, arm: str) -> str:
        return self.repo(f"{scenario}-{arm}-{STUDENT}")

    @property
    def pinned_test_set(self) -> str:
        return f"{self.test_set.artifact.repo_id}@{self.test_set.artifact.revision}"

    def add_cell(self, scenario: str, arm: str, right: float = 0.8, unscored: int = 0) -> None:
        """Push the datasets and the model of a cell, and its evaluation: this share of the turns is right."""
        artifacts: dict[str, str] = {}
        inputs: tuple[str, ...] = ("sgd/train/dialogues_001.json@sha256:" + "1" * 64,)
        for stage, name in DATA.items() if arm == "tft" else [("corrupt", "traces")]:
            repo_id = self.repo(f"{scenario}-{name}")
            lineage = Lineage(stage=stage, version=1, config={"scenario": scenario}, inputs=inputs)
            commit = _push(self.hub, "dataset", repo_id, self.data_files(name), lineage)
            artifacts[stage] = f"{repo_id}@{commit}"
            inputs = (artifacts[stage], self.pinned_test_set)
        model = self.model(scenario, arm)
        lineage = Lineage(stage="train", version=1, config={"arm": arm}, inputs=(self.student, *inputs))
        facts = self.facts(inputs[0])
        place = CardPlace(namespace=self.namespace, endpoint=self.hub.endpoint)
        card = render_card(None, identify(model), training=facts, place=place)
        files = {"config.json": "{}", "model.safetensors": weights(model), "README.md": card}
        commit = _push(self.hub, "model", model, files, replace(lineage, extra={"training": facts.dump()}))
        artifacts["train"] = f"{model}@{commit}"
        fingerprint = self.evaluate(model, commit, right, unscored)
        cell = CellRecord(
            scenario=scenario, arm=arm, fair=False, seed=0, model=model, status="done", artifacts=artifacts,
            result=fingerprint,
        )  # fmt: skip
        self.cells = [one for one in self.cells if one.model != model] + [cell]

    def data_files(self, name: str) -> dict[str, str | bytes]:
        files: dict[str, str | bytes] = {
            "README.md": f"---\nlicense: mit\n---\n# {name}\n",
            "data/train.jsonl": json.dumps({"id": name, "messages": []}) + "\n",
        }
        if name == "synthetic":
            record = GateRecord(
                test_set=self.pinned_test_set,
                test_conversations=6,
                compared={"seeds": 1, "context": 0, "drafts": 1},
                rejected=0,
            )
            files[GATE_RECORD] = json.dumps(asdict(record))
        return files

    def facts(self, dataset: str) -> TrainingFacts:
        return TrainingFacts(
            student=self.student, dataset=dataset, task=self.pinned_test_set,
            settings=TrainConfig().model_dump(), template="own",
            conversations=1, examples=1, turns=2, tokens=9, learned_tokens=4, skipped={}, counted={}, steps=1,
            seconds=1.0, first_loss=2.0, last_loss=1.0, merge_difference=None, loss_plot="The loss falls.",
        )  # fmt: skip

    def evaluate(self, model: str, commit: str, right: float, unscored: int = 0) -> str:
        """Publish an evaluation as `tft evaluate` does, of made-up answers, and return its fingerprint."""
        pairs, task, random = self.test_set.pairs, self.test_set.task, Random(model.partition("/")[2])
        answers = []
        for place, pair in enumerate(pairs):
            raw = parsing.canonical(pair.reference) if random.random() < right else "I do not know."
            failed = place < unscored
            answers.append(
                Prediction(
                    pair_id=pair.id, raw=None if failed else raw, error="no answer" if failed else None
                )
            )  # fmt: skip
        settings = {"pairs": len(pairs), "pairs_in_test_set": len(pairs), "right": right}
        artifact = self.test_set.artifact
        lineage = Lineage(
            stage="evaluate",
            version=1,
            config=settings,
            inputs=(f"{model}@{commit}", self.pinned_test_set),
            extra={"started": "2026-01-02T03:04:05Z"},
        )
        run = EvalRun(
            model=f"vllm:{model}", model_revision=commit, dataset=artifact.repo_id,
            dataset_revision=artifact.revision, config=settings, prompt_sha256="c" * 64,
            versions={"tft-harness": "0"}, date="2026-01-02T03:04:05Z", timings={"answers": 1.0},
        )  # fmt: skip
        readings = read_answers(answers, task, None, None, None)
        scorecard = make_scorecard(run, pairs, [score_answers(task, pairs, answers, readings)])
        folder = self.folder / model.replace("/", "--")
        write_json(folder / LINEAGE, lineage.dump())
        write_jsonl(folder / ROWS, scorecard.rows)
        write_json(folder / REPORT, dump_report(scorecard.report))
        place = Destination(
            results=f"{self.namespace}/{RESULTS}",
            config=config_name(model),
            model=model,
            create_pr=False,
            max_unscored=1.0,
        )
        publish(self.hub, place, Evaluation(folder=folder, lineage=lineage, scorecard=scorecard), self.test_set)
        return lineage.fingerprint()

    def write_record(self, **changes: Any) -> None:
        """Write `benchmark.json`; `changes` replace fields of the record."""
        record = BenchmarkRecord(
            format=1, preset="tiny", settings={}, student=self.student, test_set=self.pinned_test_set, seeds=1,
            cells=tuple(self.cells),
        )  # fmt: skip
        text = json.dumps(replace(record, **changes).dump(), indent=2)
        self.hub.commit_files("dataset", f"{self.namespace}/{RESULTS}", {FILE: text}, message="Record of the run")

    def everything(self) -> dict[str, Any]:
        """Return all that anybody can see of the namespace: files, tags, visibility, the collection."""
        api, found = self.hub.api, {}
        lists = (("model", api.list_models), ("dataset", api.list_datasets), ("space", api.list_spaces))
        for kind, listing in lists:
            for one in listing(author=self.namespace):
                info = api.repo_info(one.id, repo_type=kind, files_metadata=True)
                tags = {ref.name: ref.target_commit for ref in api.list_repo_refs(one.id, repo_type=kind).tags}
                files = {file.rfilename: file.blob_id for file in info.siblings}
                found[f"{kind}s/{one.id}"] = {"private": info.private, "files": files, "sha": info.sha, "tags": tags}
        for listed in api.list_collections(owner=self.namespace):
            collection = api.get_collection(listed.slug)
            items = [(item.item_type, item.item_id, item.note) for item in collection.items]
            found[f"collection {collection.title}"] = {"private": collection.private, "items": items}
        return found


@pytest.fixture(scope="session")
def make_benchmark(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Benchmark]:
    """Push a benchmark into a namespace of its own: the cells named, each `(scenario, arm)`."""

    def make(*cells: tuple[str, str]) -> Benchmark:
        namespace = next(_ORGS)
        repo_id = f"{namespace}/tft-benchmark-testset"
        folder = tmp_path_factory.mktemp("test")
        write_test_set(folder, 3)
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        collected = Lineage(stage="collect", version=1, config={}, inputs=("test.jsonl@sha256:" + "2" * 64,))
        commit = _push(hub, "dataset", repo_id, files, collected)
        made = Benchmark(hub, namespace, pull_test_set(hub, f"{repo_id}@{commit}"), tmp_path_factory.mktemp("runs"))
        start = Lineage(stage="student", version=1, config={}, inputs=("dialogues.jsonl@sha256:" + "3" * 64,))
        student = f"{namespace}/{STUDENT}"
        files = {
            "config.json": "{}",
            "model.safetensors": weights(student),
            "README.md": "---\nlibrary_name: transformers\n---\n# A small student\n",
        }
        made.student = f"{student}@{_push(hub, 'model', student, files, start)}"
        hub.api.create_repo(f"{namespace}/{RESULTS}", repo_type="dataset", private=True)
        for scenario, arm in cells:
            made.add_cell(scenario, arm)
        made.write_record()
        return made

    return make


@pytest.fixture
def benchmark(make_benchmark: Callable[..., Benchmark]) -> Benchmark:
    """Two cells of the noisy-labels scenario; the others were not run."""
    return make_benchmark(("s2", "tft"), ("s2", "direct"))


def report_stand_in(hub: Hub, namespace: str, out: Path) -> Any:
    """Write files in the layout of the report: they name the commit of the results, as the report does."""
    results = hub.resolve("dataset", f"{namespace}/{RESULTS}")
    folder = hub.pull(results, ["reports/*.json"])
    reports = {path.stem: json.loads(path.read_text()) for path in sorted((folder / "reports").glob("*.json"))}
    scores = {name: report["rows"]["model"]["staged_tool_call"]["value"] for name, report in reports.items()}
    write_json(out / "results.json", {"results": results.revision, "scores": scores})
    (out / "RESULTS.md").write_text(f"# Results\n\nFrom {results.revision[:12]}: {scores}\n")
    (out / "index.html").write_text(f"<!doctype html>\n<title>{hub.endpoint}</title>\n{scores}\n")
    (out / "README.md").write_text("---\ntitle: TFT benchmark\nsdk: static\n---\n")
    (out / "plots").mkdir()
    (out / "plots" / "dumbbell.png").write_bytes(b"\x89PNG\x00\xff" + os.urandom(8))  # as another drawing library would
    return SimpleNamespace(results=results)


def no_problem(hub: Hub, artifact: Artifact) -> list[str]:
    return []


@pytest.fixture(scope="session")
def parts() -> Parts:
    return Parts(make_report=report_stand_in, check_chain=no_problem)


@pytest.fixture(scope="session")
def plan(hub: Hub, parts: Parts) -> Callable[..., Any]:
    """Plan the release of a benchmark; two cells are a part of the ten."""

    def make(benchmark: Benchmark, *, using: Parts = parts, **options: Any) -> Any:
        settings = {"partial": True, **options}
        return plan_release(hub, ReleaseOptions(namespace=benchmark.namespace, **settings), using)

    return make


@pytest.fixture(scope="session")
def release(plan: Callable[..., Any], hub: Hub) -> Callable[..., list[str]]:
    """Plan and carry out; returns the lines of what was changed."""

    def run(benchmark: Benchmark, *, on: Hub | None = None, **options: Any) -> list[str]:
        planned = plan(benchmark, **options)
        return [change.line() for change in apply_plan(on or hub, planned)]

    return run
