"""A machine that runs workflows: the harness as its action installs it, `gh` with a GitHub behind it, and a Hub."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.data.formats.messages import expand_pairs
from harness.data.formats.published import read_test_conversations
from harness.data.records import TurnPair
from harness.hubd.embedded import EmbeddedHub
from harness.models import parsing
from support import ada
from support.sample_test_set import write_test_set
from support.workflow_runner import Expression, Job, Machine, Start, load

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CONVERSATIONS = 8
USERS = """
users: [{name: ada, orgs: [lab], tokens: [{token: hf_ada_write, role: write}]}]
orgs: [{name: lab}]
"""
INSTALLED = ("Makefile", "pyproject.toml", "requirements", "datasets")
"""What of the checkout the action looks at, besides the harness itself."""


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedHub]:
    with ada.serving(tmp_path_factory.mktemp("hub"), USERS) as found:
        yield found


@pytest.fixture(scope="session")
def api(hub: EmbeddedHub) -> Any:
    return ada.client(hub)


@pytest.fixture(scope="session")
def put(api: Any) -> Callable[..., str]:
    """Make a repository with these files, and return its name."""
    return partial(ada.push, api)


@pytest.fixture(scope="session")
def pairs(put: Any, tmp_path_factory: pytest.TempPathFactory) -> list[TurnPair]:
    """The sample test set, on the Hub under its usual name; here its pairs."""
    folder = tmp_path_factory.mktemp("sample")
    write_test_set(folder, CONVERSATIONS)
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    put("ada/tft-benchmark-testset", files, kind="dataset")
    return expand_pairs(read_test_conversations(folder / "data" / "conversations" / "test.jsonl"))


@pytest.fixture(scope="session")
def answers(pairs: list[TurnPair], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recorded answers, all of them right."""
    file = tmp_path_factory.mktemp("answers") / "answers.jsonl"
    rows = [{"pair_id": pair.id, "raw": parsing.canonical(pair.reference)} for pair in pairs]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def _machine(folder: Path, hub: str) -> Any:
    """Return a machine whose installed harness is this checkout: `make setup` finds that nothing is left to do."""
    checkout, programs = folder / "checkout", folder / "programs"
    for made in (checkout / ".venv" / "bin", programs):
        made.mkdir(parents=True)
    for name in INSTALLED:
        (checkout / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / ".github", checkout / ".github")  # no link: the action finds the checkout from its own place
    (checkout / ".venv" / "bin" / "uv").touch()
    (checkout / ".venv" / ".installed-cpu").touch()
    tft = f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m harness.cli "$@"\n'
    for program, text in (
        (checkout / ".venv" / "bin" / "tft", tft),
        (programs / "gh", f'#!/bin/sh\nexec "{sys.executable}" "{HERE / "gh.py"}" "$@"\n'),
        (programs / "python", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'),
    ):
        program.write_text(text)
        program.chmod(0o755)
    return Machine(folder=folder, checkout=checkout, programs=programs, hub=hub)


class Repository:
    """A project on GitHub with our workflows: start one of them, and see what it says and does."""

    def __init__(self, machine: Any) -> None:
        self.machine = machine
        self.state = machine.folder / "github.json"
        self.state.write_text(json.dumps({"permissions": {"ada": "write", "eve": "read"}, "comments": [], "calls": []}))

    def job(self, workflow: str, name: str, **start: Any) -> Any:
        """Return a job that is ready to run, its Hub and token set unless `start` says otherwise."""
        variables = {"HF_ENDPOINT": self.machine.hub, "TFT_NAMESPACE": "ada", **start.pop("vars", {})}
        secrets = start.pop("secrets", {"HF_TOKEN": "hf_ada_write"})
        return Job(f"{workflow}.yml", name, Start(vars=variables, secrets=secrets, **start), self.machine)

    @property
    def comments(self) -> list[str]:
        return [one["body"] for one in json.loads(self.state.read_text())["comments"]]

    def comment_as(self, login: str, body: str) -> None:
        """Have somebody else comment on the pull request."""
        state = json.loads(self.state.read_text())
        url = f"https://github.example/ada/project/pull/7#issuecomment-{len(state['comments']) + 1}"
        state["comments"].append({"url": url, "body": body, "author": {"login": login}, "viewerDidAuthor": False})
        self.state.write_text(json.dumps(state))


@pytest.fixture
def repository(tmp_path: Path, hub: EmbeddedHub, pairs: list[TurnPair]) -> Repository:
    return Repository(_machine(tmp_path, hub.url))


@pytest.fixture(scope="session")
def evaluated(
    tmp_path_factory: pytest.TempPathFactory, hub: EmbeddedHub, answers: Path
) -> tuple[Any, Repository, Path]:
    """An evaluation that another workflow asked for, on a pull request: the job, the project, the artifact."""
    project = Repository(_machine(tmp_path_factory.mktemp("evaluated"), hub.url))
    inputs = {"model": f"replay:{answers}", "judge": "rules:judge", "pull_request": "7"}
    job = project.job("evaluate", "evaluate", event_name="pull_request", called=True, inputs=inputs).run()
    assert not job.failed, job.said()
    return job, project, project.machine.folder / "artifacts" / "tft-run"


@pytest.fixture(scope="session")
def with_results(evaluated: Any, put: Any) -> Callable[..., list[str]]:
    """Make models on the Hub that have that evaluation as their results, and no cards."""

    def make(owner: str, *names: str) -> list[str]:
        artifact, files = evaluated[2], {}
        report = json.loads((artifact / "report.json").read_text())
        report["plots"] = {}
        for name in names:
            model = put(f"{owner}/{name}", {"config.json": b"{}"})
            report["run"]["model"] = f"vllm:{model}"
            files[f"reports/{owner}--{name}.json"] = json.dumps(report).encode()
            files[f"data/{owner}--{name}/test.jsonl"] = (artifact / "data" / "test.jsonl").read_bytes()
        put(f"{owner}/tft-benchmark-results", files, kind="dataset")
        return [f"{owner}/{name}" for name in names]

    return make


@pytest.fixture(scope="session")
def models(with_results: Callable[..., list[str]]) -> list[str]:
    """Two models of Ada's with results."""
    return with_results("ada", "base", "other")


@pytest.fixture
def read_card(api: Any, tmp_path: Path) -> Callable[[str], str]:
    def read(model: str, revision: str = "main") -> str:
        found = api.hf_hub_download(model, "README.md", revision=revision, cache_dir=tmp_path / "cache")
        return Path(found).read_bytes().decode()

    return read


@pytest.fixture(scope="session")
def load_yaml() -> Callable[[Path], dict[str, Any]]:
    found: Callable[[Path], dict[str, Any]] = load
    return found


@pytest.fixture(scope="session")
def expression() -> Any:
    return Expression
