"""A model of ours in a thread of its own, asked for one answer at a time."""

from __future__ import annotations

import asyncio
import atexit
import shutil
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from harness.data.records import Prediction
from harness.errors import EngineError
from harness.models.backends._base import Backend, EvaluatedModel

_up: list[EngineThread] = []


class EngineThread:
    """Starts what answers for a model, keeps it up while it is asked, and stops it in the end.

    One that nobody asks is stopped where another is to start: two engines rarely have room on one machine.

    Inspect asks from event loops that come and go; the thread has one that stays, in which the connections to an engine
    live. As a daemon it holds up no exit, and an engine ends with its process in any case.
    """

    def __init__(self, prepare: Callable[[], EvaluatedModel]) -> None:
        """`prepare` makes the model ready to be asked, with its day; it runs in the thread, which starts now."""
        self.asked: int = 0
        """Questions under way."""
        self.failed: bool = False
        """Whether it did not start, or its engine has died: every question gets the same error."""
        for other in [*_up]:
            if not other.asked:
                other.close()
        self._prepare = prepare
        self._loop = asyncio.new_event_loop()
        self._started: Future[tuple[EvaluatedModel, Backend[Any]]] = Future()
        self._thread = threading.Thread(target=self._serve, name="tft model", daemon=True)
        self._thread.start()
        _up.append(self)
        atexit.register(self.close)

    def _serve(self) -> None:
        try:
            model = self._prepare()
            folder = Path(tempfile.mkdtemp(prefix="tft-inspect-"))
            with model.backend(folder / "engine.log") as backend:
                model.make_prompts()
                self._started.set_result((model, backend))
                self._loop.run_forever()
            if not self.failed:  # errors name the log
                shutil.rmtree(folder)
        except BaseException as error:  # whoever waits gets it
            self.failed = True
            if self._started.done():
                raise
            self._started.set_exception(error)
        finally:
            self._loop.close()

    async def answer(self, pair_id: str) -> tuple[EvaluatedModel, Prediction]:
        """Return the model and its answer to a pair; raises HarnessError where it cannot be started, or has died."""
        self.asked += 1
        try:
            model, backend = await asyncio.shield(asyncio.wrap_future(self._started))
            for prediction in model.unaskable():
                if prediction.pair_id == pair_id:
                    return model, prediction
            asked = asyncio.run_coroutine_threadsafe(backend.answer(model.asked[pair_id]), self._loop)
            return model, await asyncio.wrap_future(asked)
        except EngineError:
            self.failed = True
            raise
        finally:
            self.asked -= 1

    @property
    def is_up(self) -> bool:
        """Whether it can be asked: it starts, or has started and was not closed."""
        return self in _up

    def close(self) -> None:
        """Stop what answers, and wait until it has stopped; nothing may be asked meanwhile."""
        if self not in _up:
            return
        _up.remove(self)
        atexit.unregister(self.close)
        if self._thread.is_alive() and self._started.done():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
