"""An endpoint served in a thread, with a replay engine behind it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from harness.hub.artifact import Artifact
from harness.models.prompts.make_prompts import TokenizerFiles
from harness.models.serving.rendering import PromptRenderer
from harness.models.serving.serve import Endpoint, PulledModels, ServeOptions
from harness.models.serving.service import ServedModel
from support.replay_engine import ReplayEngine

MODEL = Artifact(kind="model", repo_id="ada/student", revision="a" * 40)


@contextmanager
def serving(
    pulled: PulledModels, engine: ReplayEngine, early: Callable[[Endpoint], None] | None = None, **options: Any
) -> Iterator[Endpoint]:
    """Serve on a free port until the end of the block; yields when the engine answers, after what `early` does."""
    endpoint = Endpoint(ServeOptions(model=MODEL.repo_id, port=0, **options), pulled, engine.start)
    endpoint.models[:] = [replace(model, renderer=_renderer(model, endpoint)) for model in endpoint.models]
    ready, ended = threading.Event(), []

    def run() -> None:
        try:
            endpoint.run(lambda _: ready.set())
        except BaseException as error:
            ended.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        if early:
            while not endpoint.url or not endpoint.serves:
                time.sleep(0.01)
            early(endpoint)
        assert ready.wait(120)
        if ended:
            raise ended[0]
        yield endpoint
    finally:
        endpoint.stop()
        thread.join(60)
        assert not thread.is_alive()
    if ended:
        raise ended[0]


class _Lasting(PromptRenderer):
    """One that outlives its endpoint: a child takes seconds to start."""

    def close(self) -> None:
        """Leave it to the next endpoint, and its event loop; the child ends with the tests."""
        self._free = asyncio.Semaphore(len(self._guards))


@cache
def _lasting(name: str, folder: Path) -> PromptRenderer:
    return _Lasting(TokenizerFiles(name=name, folder=folder), None)


def _renderer(model: ServedModel, endpoint: Endpoint) -> PromptRenderer:
    return _lasting(model.artifact.repo_id, endpoint.pulled.base.folder)
