"""A Hub for a module, and `tft` as a person runs it against it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.hub.client import Hub
from harness.hubd.embedded import EmbeddedHub, running
from support.tft import Done, run

PRESET = """
student: small
make_student: {params: 0.4M, vocabulary: 1024, dialogues: 6, epochs: 1, rate: 0.002}
models: rules
target: 6
train: {method: full, epochs: 1, learning_rate: 0.003, limit: 6, save_every: 2}
max_tokens: 2
parallel: 2
threads: 1
hardware: cpu
"""

USERS = """
users:
  - {name: ada, tokens: [{token: hf_ada_write, role: write}]}
  - {name: bob, tokens: [{token: hf_bob_write, role: write}]}
"""


def _furnish(folder: Path) -> None:
    (folder / "preset.yaml").write_text(PRESET)
    (folder / "users.yaml").write_text(USERS)


@pytest.fixture(scope="session")
def furnish() -> Callable[[Path], None]:
    """Put a preset and the file of a Hub's users into a folder."""
    return _furnish


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedHub]:
    folder = tmp_path_factory.mktemp("hub")
    _furnish(folder)
    with running(folder / "root", users=folder / "users.yaml") as found:
        yield found


@pytest.fixture(scope="module")
def environment(server: EmbeddedHub, sources: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    cache = tmp_path_factory.mktemp("cache")
    return os.environ | {
        "HF_ENDPOINT": server.url,
        "HF_TOKEN": "hf_ada_write",
        "HF_HOME": str(cache),
        "TFT_SOURCES": str(sources),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    _furnish(folder)
    return folder


@pytest.fixture(scope="module")
def tft(environment: dict[str, str], folder: Path) -> Callable[..., Done]:
    """Run `tft` with these words in the module's folder."""
    return lambda *words, **variables: run(words, environment=environment | variables, folder=folder)


@pytest.fixture(scope="module")
def hub(server: EmbeddedHub) -> Hub:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_TOKEN", "hf_ada_write")
        patch.setenv("HF_ENDPOINT", "")  # connecting sets it
        found = Hub.connect(server.url)
    return found
