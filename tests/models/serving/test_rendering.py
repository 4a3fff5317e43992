"""Prompts of many requests at once, in several children."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.data.records import Message
from harness.errors import ModelError
from harness.models.backends._base import EvaluateConfig
from harness.models.backends.vllm import EvaluatedCheckpoint
from harness.models.prompts.make_prompts import TokenizerFiles
from harness.models.serving.rendering import PromptRenderer
from harness.models.serving.serve import PulledModels

HELLO = (Message(role="user", content="Hello."),)


@pytest.fixture
def renderer(student: Path) -> Iterator[PromptRenderer]:
    made = PromptRenderer(TokenizerFiles(name="ada/student", folder=student), None, children=2)
    yield made
    made.close()


def test_children_share_the_work_and_render_what_the_evaluation_renders(
    pulled: PulledModels, renderer: PromptRenderer
) -> None:
    """One of them does not know the task yet, and chooses its form when it is asked."""
    assert pulled.task
    assert pulled.test_set
    task, pairs = pulled.task.served, pulled.test_set.pairs
    evaluated = EvaluatedCheckpoint(pulled.base, pulled.test_set, EvaluateConfig())
    evaluated.make_prompts()

    async def all_at_once() -> list[list[int]]:
        prompts = await asyncio.gather(*(renderer.render(task, None, pair.prefix) for pair in pairs))
        return [prompt.token_ids for prompt in prompts]

    assert asyncio.run(all_at_once()) == [list(evaluated.asked[pair.id].token_ids) for pair in pairs]
    assert all(guard._process for guard in renderer._guards), "both were asked"


def test_a_child_that_ended_costs_one_request(pulled: PulledModels, renderer: PromptRenderer) -> None:
    assert pulled.task
    task = pulled.task.served

    async def ask() -> list[int]:
        return (await renderer.render(task, None, HELLO)).token_ids

    async def asked() -> None:
        before = await ask()
        process = renderer._idle[-1]._process
        assert process
        process.kill()
        with pytest.raises(ModelError):
            await ask()
        assert await ask() == before

    asyncio.run(asked())
