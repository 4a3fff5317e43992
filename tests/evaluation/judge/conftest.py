"""A judge behind an endpoint that can go wrong, and files of predictions for it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.data.records import Case, Message, ToolCall
from harness.models.parsing import canonical
from support import chat_endpoint, tft
from support.tft import TFT, Done


@pytest.fixture
def endpoint() -> Iterator[Any]:
    """A judge in a thread (`support/chat_endpoint.py`): its verdict depends on the question alone."""
    with chat_endpoint.serving() as state:
        yield state


@pytest.fixture(scope="session")
def right_verdict() -> Callable[[Any], float]:
    """The endpoint's verdict on messages when nothing goes wrong."""

    def verdict(messages: Any) -> float:
        return 1.0 if json.loads(chat_endpoint.right_text(messages))["verdict"] == "good" else 0.0

    return verdict


@pytest.fixture(scope="session")
def make_case() -> Callable[..., Case]:
    """A case: a question about a city, and a message as the prediction; `call` replaces the predicted call."""
    missing = object()

    def make(number: int = 0, message: str = "Which city?", call: Any = missing, **changes: Any) -> Case:
        predicted = ToolCall(name="respond_to_user", arguments={"message": message}) if call is missing else call
        settings: dict[str, Any] = {
            "id": f"case-{number}",
            "conversation": f"conversation-{number // 4}",
            "prefix": (Message(role="user", content=f"I want to eat, for the {number}. time."),),
            "reference": ToolCall(name="respond_to_user", arguments={"message": "In which city?"}),
            "prediction": canonical(predicted) if predicted else "No call.",
            "call": predicted,
        }
        return Case(**{**settings, **changes})

    return make


@pytest.fixture(scope="session")
def write_rows() -> Callable[..., Path]:
    """Write a file in the published layout: conversations of four turns, predictions of three kinds and none."""

    def write(path: Path, count: int = 60, **columns: Sequence[Any]) -> Path:
        rows = []
        for number in range(count):
            turn = number % 4
            messages: list[dict[str, Any]] = [{"role": "user", "content": f"Dinner, please, wish {number - turn}."}]
            for asked in range(turn):
                call = {"name": "respond_to_user", "arguments": {"message": f"Question {asked}?"}}
                messages.append(
                    {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": call}]}
                )
                messages.append({"role": "user", "content": f"Answer {asked}."})
            reference = {"name": "respond_to_user", "parameters": {"message": f"Question {turn}?"}}
            equal = {"name": "respond_to_user", "arguments": {"message": f"Question {turn}?"}}
            other = {"name": "respond_to_user", "arguments": {"message": f"And the {number}. time?"}}
            search = {"name": "FindRestaurants", "arguments": {"city": "Albany"}}
            prediction = [json.dumps(equal), json.dumps(other), json.dumps(search), json.dumps(other), None][number % 5]
            rows.append(
                {"question": json.dumps(messages), "answer": json.dumps(reference), "prediction": prediction}
                | {name: values[number] for name, values in columns.items()}
            )
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write


class Terminal:
    """Runs `tft` in a folder of its own, which also holds its cache."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "OPENAI_API_KEY": chat_endpoint.KEY,
            "XDG_CACHE_HOME": str(folder / "cache"),
            "COLUMNS": "200",
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `tft` and return at once."""
        return subprocess.Popen(
            [TFT, *arguments],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str, status: int = 0) -> Done:
        """Run `tft` to its end, check its exit status, and return what it printed."""
        done = tft.run(arguments, environment=self.environment, folder=self.folder)
        assert done.status == status, done.err[-4000:]
        assert "Traceback" not in done.err
        assert chat_endpoint.KEY not in done.out + done.err
        return done

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of a JSON lines file in the folder."""
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)
