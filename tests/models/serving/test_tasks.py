"""The task of a served model: named, or found in what its repository says it was trained on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.data.sample import sample_task
from harness.hub.artifact import Artifact
from harness.hub.client import Hub
from harness.hub.lineage import Lineage
from harness.models.serving.tasks import served_task
from support import ada
from support.sample_test_set import write_test_set

USERS = "users:\n  - name: ada\n    tokens: [{token: hf_ada_write, role: write}]\n"
Put = Callable[..., Artifact]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with ada.serving(tmp_path_factory.mktemp("hub"), USERS) as embedded:
        yield Hub(embedded.url, "hf_ada_write", cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def test_set(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The sample test set at its first commit, which is not its last."""
    folder = tmp_path_factory.mktemp("sample")
    write_test_set(folder, 2)
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    ada.push(hub.api, "ada/sample", files, kind="dataset")
    first = hub.find("ada/sample", "dataset")
    ada.push(hub.api, "ada/sample", {"README.md": "---\nlicense: mit\n---\n# Another card\n"}, kind="dataset")
    return first


@pytest.fixture(scope="module")
def trained(hub: Hub) -> Put:
    """Make a model that was trained on a task."""

    def put(name: str, task: str, stage: str = "train") -> Artifact:
        data = f"ada/data@{'d' * 40}"
        lineage = Lineage(stage=stage, version=1, config={}, inputs=(f"ada/base@{'b' * 40}", data, task))
        ada.push(hub.api, f"ada/{name}", {"lineage.json": json.dumps(lineage.dump())})
        return hub.find(f"ada/{name}", "model")

    return put


def served(hub: Hub, *models: Artifact, named: str | None = None) -> Any:
    return served_task(named, models, hub)


def test_the_test_set_of_the_training_is_taken_at_its_commit_and_said(
    hub: Hub, trained: Put, test_set: Artifact, capfd: pytest.CaptureFixture[str]
) -> None:
    found, task = served(hub, trained("model", str(test_set)))
    assert (found.artifact, task.served.pairs) == (test_set, found.pairs)
    assert f"the task is that of {test_set}, on which ada/model was trained" in capfd.readouterr().err


def test_what_is_named_wins(hub: Hub, trained: Put, test_set: Artifact, tmp_path: Path) -> None:
    model = trained("model", str(test_set))
    task = {"description": "Sell shoes.", "tools": list(sample_task().tools)}
    (tmp_path / "job_description.json").write_text(json.dumps({"task_description": "Sell shoes.", **task}))
    assert served(hub, model, named="none") == (None, None)
    _, named = served(hub, model, named=str(tmp_path / "job_description.json"))
    assert named.served.task.description == "Sell shoes."
    assert served(hub, model, named="ada/sample")[0].artifact != test_set


def test_an_adapter_says_it_for_its_base(hub: Hub, trained: Put, test_set: Artifact) -> None:
    ada.push(hub.api, "ada/plain", {"config.json": "{}"})
    base = hub.find("ada/plain", "model")
    assert served(hub, base) == (None, None)
    assert served(hub, base, trained("adapter", str(test_set)))[0].artifact == test_set


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (f"ada/gone@{'e' * 40}", "was trained on the task of ada/gone"),
        (f"job_description.json@sha256:{'f' * 64}", "which is on no Hub"),
    ],
)
def test_a_task_that_cannot_be_had_is_said_and_requests_bring_theirs(
    task: str, words: str, hub: Hub, trained: Put, capfd: pytest.CaptureFixture[str]
) -> None:
    assert served(hub, trained("model", task)) == (None, None)
    said = capfd.readouterr().err
    assert words in said
    assert "name the task with --task" in said


def test_different_tasks_and_other_stages_decide_nothing(
    hub: Hub, trained: Put, test_set: Artifact, capfd: pytest.CaptureFixture[str]
) -> None:
    assert served(hub, trained("student", str(test_set), stage="student")) == (None, None)
    assert capfd.readouterr().err == ""
    models = trained("one", str(test_set)), trained("two", f"ada/other@{'e' * 40}")
    assert served(hub, *models) == (None, None)
    assert "were trained on different tasks" in capfd.readouterr().err
    ada.push(hub.api, "ada/damaged", {"lineage.json": json.dumps({"stage": "train", "fingerprint": "x"})})
    assert served(hub, hub.find("ada/damaged", "model")) == (None, None)
    assert "what ada/damaged was trained on is not known" in capfd.readouterr().err
