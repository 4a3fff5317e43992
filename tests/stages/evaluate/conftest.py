"""One Hub for the session with two users, the sample test set on it, and `tft` as users run it: in its own process."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.data.formats.messages import expand_pairs
from harness.data.formats.published import read_test_conversations
from harness.data.records import TurnPair
from harness.hubd.embedded import EmbeddedHub
from harness.models import parsing
from support import ada, model_endpoint, tft
from support.sample_test_set import write_test_set
from support.tft import TFT, Done

USERS = """
users:
  - {name: ada, tokens: [{token: hf_ada_write, role: write}, {token: hf_ada_read, role: read}]}
  - {name: bob, tokens: [{token: hf_bob_write}]}
"""
CONVERSATIONS = 3
TEST_SET = "ada/sample"
LOCAL = ("--dataset", TEST_SET, "--no-push", "--out", "run")


class Terminal:
    """Runs `tft` in one folder, knowing nothing but the Hub's address and a token."""

    def __init__(self, hub: EmbeddedHub, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "HF_ENDPOINT": hub.url,
            "HF_TOKEN": "hf_ada_write",
            "HF_HOME": str(folder / "home"),
            "COLUMNS": "300",
            "TFT_EVALUATE_CACHE": str(folder / "kept"),  # else the user's own cache
        }

    def start(
        self, *arguments: str, environment: Mapping[str, str] = {}, program: Sequence[str | Path] = (TFT,)
    ) -> subprocess.Popen[str]:
        """Start `tft` and return at once."""
        return subprocess.Popen(
            [*program, *arguments],
            env={**self.environment, **environment},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str, **environment: str) -> Done:
        """Run `tft` to its end; keywords are environment variables."""
        return tft.run(arguments, environment={**self.environment, **environment}, folder=self.folder)

    def run_all(self, commands: Iterable[Sequence[str]]) -> list[Done]:
        """Run several commands, one after the other."""
        return [self(*words) for words in commands]

    def evaluate(self, model: str, *arguments: str, **environment: str) -> Done:
        """Run `tft evaluate` on the sample test set into the folder `run`, without pushing."""
        return self("evaluate", model, *LOCAL, *arguments, **environment)


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedHub]:
    with ada.serving(tmp_path_factory.mktemp("hub"), USERS) as found:
        yield found


@pytest.fixture(scope="session")
def api(hub: EmbeddedHub) -> Any:
    """Ada's client; she owns the test set and every repository that the tests make."""
    return ada.client(hub)


@pytest.fixture(scope="session")
def put(api: Any) -> Callable[..., str]:
    """Make a repository of Ada's with these files, and return its name."""
    return lambda name, *rest, **settings: ada.push(api, f"ada/{name}", *rest, **settings)


@pytest.fixture(scope="session")
def test_set(put: Any, tmp_path_factory: pytest.TempPathFactory) -> list[TurnPair]:
    """The sample test set: pushed to the Hub as TEST_SET; here its pairs."""
    folder = tmp_path_factory.mktemp("sample")
    write_test_set(folder, CONVERSATIONS)
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    put(TEST_SET.partition("/")[2], files, kind="dataset")
    return expand_pairs(read_test_conversations(folder / "data" / "conversations" / "test.jsonl"))


@pytest.fixture
def terminal(hub: EmbeddedHub, test_set: list[TurnPair], tmp_path: Path) -> Terminal:
    return Terminal(hub, tmp_path)


@pytest.fixture(scope="session")
def new_terminal() -> type[Terminal]:
    """What `terminal` is made of, for fixtures of a wider scope."""
    return Terminal


@pytest.fixture
def replay(terminal: Terminal, test_set: list[TurnPair]) -> Callable[..., Done]:
    """Evaluate recorded answers: the reference's text, changed by a function of the pair's place and that text."""

    def evaluate(change: Callable[[int, str], str | None] = lambda _, text: text, *arguments: str) -> Done:
        rows = [
            {"pair_id": pair.id, "raw": change(place, parsing.canonical(pair.reference))}
            for place, pair in enumerate(test_set)
        ]
        (terminal.folder / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return terminal.evaluate("replay:answers.jsonl", *arguments)

    return evaluate


@pytest.fixture
def endpoint() -> Iterator[Any]:
    """An OpenAI-compatible endpoint in a thread (`support/model_endpoint.py`)."""
    with model_endpoint.serving() as serving:
        yield serving


@dataclass(frozen=True, slots=True, kw_only=True)
class Undisturbed:
    """A run of all pairs against an endpoint that nothing happened to."""

    run: Path
    done: Done
    endpoint: Any
    """As it was when the run had ended; its address is gone."""

    @property
    def rows(self) -> bytes:
        return (self.run / "data" / "test.jsonl").read_bytes()


@pytest.fixture(scope="session")
def undisturbed(hub: EmbeddedHub, test_set: list[TurnPair], tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    with model_endpoint.serving() as serving:
        serving.delay = 0.02
        arguments = ("openai:counting-model", "--base-url", serving.url, "--concurrency", "3", "--max-tokens", "64")
        done = Terminal(hub, folder).evaluate(*arguments, OPENAI_API_KEY="key-of-the-endpoint").worked()
    return Undisturbed(run=folder / "run", done=done, endpoint=serving)


@pytest.fixture
def processes_in() -> Callable[[Path], list[str]]:
    """Return the command lines of the processes that were started in a folder, and live."""

    def processes(folder: Path) -> list[str]:
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                if (place / "cwd").readlink() == folder and "\nState:\tZ" not in (place / "status").read_text():
                    found.append((place / "cmdline").read_text())
            except OSError:  # ended meanwhile
                continue
        return found

    return processes
