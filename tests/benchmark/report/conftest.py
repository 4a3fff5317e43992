"""Results of benchmarks that were never run: read from a folder, or on a Hub with several owners."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from harness.benchmark.report.build import summarize
from harness.benchmark.report.results import EvaluationResults, read_dataset
from harness.data.formats.messages import expand_pairs
from harness.data.records import Task, TurnPair
from harness.data.sample import sample_conversations, sample_task
from harness.evaluation.results import ResultsDataset
from harness.hub.artifact import Artifact
from harness.hub.client import Hub
from harness.hubd.embedded import EmbeddedHub, running
from support import benchmark_results

OWNERS = tuple(f"owner{number}" for number in range(1, 49))
ENDPOINT = "https://hub.example"


@pytest.fixture(scope="session")
def pairs() -> Sequence[TurnPair]:
    return expand_pairs(sample_conversations(10))


@pytest.fixture(scope="session")
def task() -> Task:
    return sample_task()


@pytest.fixture(scope="session")
def cell() -> Any:
    """Make the model of a cell: scenario, arm, chance of a right answer."""
    return benchmark_results.cell


@pytest.fixture(scope="session")
def model() -> Any:
    """Make any model: name, chance."""
    return benchmark_results.Model


@pytest.fixture(scope="session")
def record() -> Any:
    """Make the `benchmark.json` of a run: the cells that it made, and records of those that failed."""
    return benchmark_results.record


@pytest.fixture(scope="session")
def files(pairs: Sequence[TurnPair], task: Task) -> Callable[..., dict[str, str]]:
    """The files of these models in the results dataset; each is computed once."""
    known: dict[str, dict[str, str]] = {}

    def make(*models: Any) -> dict[str, str]:
        for one in models:
            if repr(one) not in known:
                known[repr(one)] = benchmark_results.results(one, pairs, task)
        return {path: text for one in models for path, text in known[repr(one)].items()}

    return make


def write(folder: Path, found: Mapping[str, str]) -> None:
    for path, text in found.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


class Copy(Hub):
    """A Hub whose one repository lies in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def pull(self, artifact: Artifact, patterns: Sequence[str] | None = None) -> Path:
        return self.folder


@pytest.fixture
def read(tmp_path: Path) -> Callable[[Mapping[str, str]], EvaluationResults]:
    """Read these files as the results dataset at a commit."""

    numbers = count()

    def read(found: Mapping[str, str]) -> EvaluationResults:
        folder = tmp_path / f"dataset{next(numbers)}"
        write(folder, found)
        artifact = Artifact(kind="dataset", repo_id="ada/tft-benchmark-results", revision="e" * 40)
        return read_dataset(ResultsDataset(Copy(folder), artifact))

    return read


@pytest.fixture
def summary(read: Any) -> Callable[..., Any]:
    """The summary of these files."""

    def summarized(found: Mapping[str, str], **options: Any) -> Any:
        return summarize(read(found), "ada", ENDPOINT, **options)

    return summarized


@pytest.fixture(scope="session")
def ten(cell: Any) -> list[Any]:
    """The ten cells: TFT is much better in S2 to S4, no better in S1 and S5; one answer of S2 Direct was lost."""
    chances = {1: (0.8, 0.8), 2: (0.8, 0.5), 3: (0.8, 0.4), 4: (0.75, 0.45), 5: (0.8, 0.79)}
    made = [
        cell(number, arm, chance)
        for number, found in chances.items()
        for arm, chance in zip(("tft", "direct"), found, strict=True)
    ]
    return [replace(one, lost=2) if "s2-direct" in one.name else one for one in made]


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedHub]:
    folder = tmp_path_factory.mktemp("hub")
    users = "".join(f"  - {{name: {name}, tokens: [{{token: hf_{name}, role: write}}]}}\n" for name in OWNERS)
    (folder / "users.yaml").write_text(f"users:\n{users}")
    with running(folder / "root", users=folder / "users.yaml") as found:
        yield found


@pytest.fixture(scope="session")
def owners() -> Iterator[str]:
    """Names that nobody has used yet."""
    return iter(OWNERS)


@pytest.fixture
def owner(owners: Iterator[str], hub: EmbeddedHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """An owner of their own, whose token is in the environment."""
    name = next(owners)
    for key, value in {"HF_ENDPOINT": hub.url, "HF_TOKEN": f"hf_{name}", "HF_HOME": str(tmp_path / "home")}.items():
        monkeypatch.setenv(key, value)
    return name


@pytest.fixture
def push(hub: EmbeddedHub, owner: str) -> Callable[..., str]:
    """Commit these files to a repository of the owner's, and return the commit."""
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi(endpoint=hub.url, token=f"hf_{owner}")

    def push(name: str, found: Mapping[str, str], kind: str = "dataset") -> str:
        api.create_repo(f"{owner}/{name}", repo_type=kind, exist_ok=True)
        operations = [CommitOperationAdd(path, text.encode()) for path, text in found.items()]
        return api.create_commit(f"{owner}/{name}", operations, commit_message="Files", repo_type=kind).oid

    return push
