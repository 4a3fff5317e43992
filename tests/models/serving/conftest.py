"""An endpoint on the student of the tests, with a replay engine behind it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from harness.data.formats.messages import expand_pairs
from harness.data.records import ToolCall
from harness.data.sample import sample_conversations, sample_task
from harness.data.tasks import TestSet
from harness.hub.artifact import Artifact
from harness.models import parsing
from harness.models.engine.checkpoint import Checkpoint
from harness.models.serving.rendering import ServedTask
from harness.models.serving.serve import Endpoint, PulledModels
from harness.models.serving.service import TaskKnown
from support.replay_engine import ReplayEngine, pieces
from support.served import MODEL, serving

TEST_SET = Artifact(kind="dataset", repo_id="ada/sample", revision="b" * 40)
REPLY = ToolCall(name="respond_to_user", arguments={"message": 'Two "tables" — at 7\n\\ok? 😀'})


def said(call: ToolCall) -> tuple[list[str], str]:
    """Return the answer of an engine that makes a call."""
    return pieces(parsing.canonical(call)), "stop"


@pytest.fixture(scope="session")
def pulled(student: Path) -> PulledModels:
    """The student, and the sample task with its test set."""
    config = json.loads((student / "config.json").read_text())
    task = sample_task()
    pairs = tuple(expand_pairs(sample_conversations(3)))
    return PulledModels(
        base=Checkpoint(artifact=MODEL, folder=student, config=config, base_model=None),
        adapters=(),
        test_set=TestSet(artifact=TEST_SET, task=task, pairs=pairs, total=len(pairs)),
        task=TaskKnown.of(ServedTask.of(task, own_system=True, pairs=pairs)),
    )


@pytest.fixture(scope="module")
def engine() -> ReplayEngine:
    return ReplayEngine(answer=lambda _: said(REPLY))


@pytest.fixture(scope="module")
def endpoint(pulled: PulledModels, engine: ReplayEngine) -> Iterator[Endpoint]:
    with serving(pulled, engine) as found:
        yield found


@pytest.fixture(scope="module")
def client(endpoint: Endpoint) -> Iterator[OpenAI]:
    with OpenAI(base_url=endpoint.url, api_key="none", max_retries=0) as found:
        yield found


@pytest.fixture
def answers(engine: ReplayEngine) -> Iterator[Callable[..., None]]:
    """Let the engine answer otherwise for one test: pieces of text, and why it ends."""
    before = engine.answer

    def change(text: str, reason: str = "stop", size: int = 4) -> None:
        engine.answer = lambda _: (pieces(text, size), reason)

    yield change
    engine.answer = before
