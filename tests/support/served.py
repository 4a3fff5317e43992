"""An endpoint served in a thread, with a replay engine behind it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from harness.hub.artifact import Artifact
from harness.models.serving.serve import Endpoint, PulledModels, ServeOptions
from support.replay_engine import ReplayEngine

MODEL = Artifact(kind="model", repo_id="ada/student", revision="a" * 40)


@contextmanager
def serving(
    pulled: PulledModels, engine: ReplayEngine, early: Callable[[Endpoint], None] | None = None, **options: Any
) -> Iterator[Endpoint]:
    """Serve on a free port until the end of the block; yields when the engine answers, after what `early` does."""
    endpoint = Endpoint(ServeOptions(model=MODEL.repo_id, port=0, **options), pulled, engine.start)
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
