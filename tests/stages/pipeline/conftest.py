"""A job folder of the sample task, and `tft` in this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness.data.formats.jsonl import write_json, write_jsonl
from harness.data.formats.messages import dump_conversation
from harness.data.formats.published import dump_row
from harness.data.records import Conversation, ToolCall
from harness.data.sample import sample_conversations, sample_task

Tft = Callable[..., Result]


@pytest.fixture
def tft(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Tft:
    """Run `tft` with these words; no Hub is named, so that none is needed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(*words: str | Path) -> Result:
        from harness.cli.__main__ import tft as command

        return CliRunner().invoke(command, [str(word) for word in words], catch_exceptions=True)

    return run


@pytest.fixture(scope="session")
def clean() -> tuple[Conversation, ...]:
    """Sixty conversations of the sample service."""
    return tuple(sample_conversations(60, seed=4))


@pytest.fixture
def job(tmp_path: Path, clean: Sequence[Conversation]) -> Path:
    """A job folder with clean traces and a test set that shares nothing with them."""
    folder = tmp_path / "job"
    _write_job(folder, clean)
    return folder


@pytest.fixture(scope="session")
def write_job() -> Callable[..., None]:
    """Write a job folder with these traces."""
    return _write_job


@pytest.fixture(scope="session")
def noisy() -> Callable[..., list[Conversation]]:
    """Replace a share of the calls by calls of other places."""
    return _noisy


@pytest.fixture(scope="session")
def rows() -> Callable[..., list[dict[str, Any]]]:
    """Read the rows that a stage wrote."""
    return _rows


def _write_job(folder: Path, traces: Sequence[Conversation]) -> None:
    task = sample_task()
    document = {"task_description": task.description, "tools": list(task.tools)}
    write_json(folder / "job_description.json", document)
    write_jsonl(folder / "traces.jsonl", map(dump_conversation, traces))
    (folder / "test.jsonl").write_text("".join(map(dump_row, sample_conversations(6, seed=99))), encoding="utf-8")


def _noisy(conversations: Sequence[Conversation], share: float = 0.3) -> list[Conversation]:
    """Return the conversations with a share of the calls replaced by calls of other places."""
    calls = [call for one in conversations for message in one.messages for call in message.tool_calls]
    out = []
    for one in conversations:
        rng = Random(one.id)
        messages = [
            replace(message, tool_calls=(_other(message.tool_calls[0], calls, rng),))
            if message.tool_calls and rng.random() < share
            else message
            for message in one.messages
        ]
        out.append(replace(one, messages=tuple(messages)))
    return out


def _other(call: ToolCall, calls: Sequence[ToolCall], rng: Random) -> ToolCall:
    return replace(rng.choice([other for other in calls if other.name != call.name]), id=call.id)


def _rows(folder: Path, name: str = "train") -> list[dict[str, Any]]:
    """Return the rows that a stage wrote."""
    return [json.loads(line) for line in (folder / "data" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
