"""Two Hubs with their owners, and `tft hub promote` from the one to the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner
from huggingface_hub import HfApi

from harness.cli.__main__ import tft
from harness.hubd.embedded import EmbeddedHub
from support.promotion import SOURCE_USERS, TARGET_USERS, hub


@pytest.fixture(scope="session")
def hubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedHub, EmbeddedHub]]:
    folder = tmp_path_factory.mktemp("hubs")
    with hub(folder / "a", SOURCE_USERS) as source, hub(folder / "b", TARGET_USERS) as target:
        yield source, target


@pytest.fixture(scope="session")
def source(hubs: tuple[EmbeddedHub, EmbeddedHub]) -> HfApi:
    return HfApi(endpoint=hubs[0].url, token="hf_ada_source")


@pytest.fixture(scope="session")
def target(hubs: tuple[EmbeddedHub, EmbeddedHub]) -> HfApi:
    return HfApi(endpoint=hubs[1].url, token="hf_ada_target")


@pytest.fixture
def promote(hubs: tuple[EmbeddedHub, EmbeddedHub], monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    monkeypatch.setenv("HF_ENDPOINT", hubs[0].url)
    monkeypatch.setenv("TFT_FROM_TOKEN", "hf_ada_source")
    monkeypatch.setenv("HF_TOKEN", "hf_ada_target")

    def run(*words: str, to: str = hubs[1].url) -> dict[str, Any]:
        done = CliRunner().invoke(tft, ["hub", "promote", *words, "--to", to, "--json"])
        if done.exception is not None:
            raise done.exception
        return json.loads(done.stdout)

    return run
