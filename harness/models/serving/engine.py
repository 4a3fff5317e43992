"""The engine behind an endpoint: started beside it, asked by token ids, and started again once where it dies."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any

from harness.errors import HarnessError
from harness.hub.local_http import Refused
from harness.models.chat.bounded_http import RefusedBodyError, bounded_client
from harness.models.engine.server import Server
from harness.models.serving.requests import refused, unavailable
from harness.terminal import say

_LOOK = 0.25
"""Seconds between two looks whether the engine lives."""


class KeptEngine:
    """An engine in a thread of its own."""

    def __init__(
        self,
        start: Callable[[], AbstractContextManager[Server]],
        *,
        meanwhile: Callable[[], object],
        ready: Callable[[], object],
        ended: Callable[[], object],
    ) -> None:
        """`start` starts an engine for a block, and `meanwhile` does what can be done while it loads.

        `ready` is called when it answers, `ended` when it will not again.
        """
        self.failure: Exception | None = None
        """Why it has ended by itself, for good."""
        self.context: int | None = None
        """Most tokens of a prompt and its answer, as the engine says."""
        self._start, self._meanwhile, self._ready, self._ended = start, meanwhile, ready, ended
        self._stopping = threading.Event()
        self._running: Server | None = None
        self._loaded = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._client: Any = None

    def start(self) -> None:
        """Start it, and return at once."""
        self._thread.start()

    def stop(self) -> None:
        """Stop it, and return when nothing of it is left."""
        self._stopping.set()
        if self._running is not None:
            self._running.begin_stop()
        if self._thread.ident is not None:
            self._thread.join()

    async def close(self) -> None:
        """Close the connections to it."""
        if self._client is not None:
            await self._client.aclose()

    def _run(self) -> None:
        restarted = False
        while not self._stopping.is_set():
            try:
                self._keep()
            except HarnessError as error:
                was_ready, self._loaded = self._loaded, False
                if self._stopping.is_set():
                    return
                if restarted or not was_ready:
                    self.failure = error
                    self._ended()
                    return
                restarted = True
                self._running = None
                say(f"{error}\nthe engine is started again; once more, and the endpoint ends", lines=True)
            except Exception as error:  # a full disk, or an error of ours: raised again by who has started it
                self.failure = error
                self._ended()
                return

    def _keep(self) -> None:
        """Start an engine and watch it until it is to stop; raises EngineError where it ends by itself."""
        with self._start() as server:
            self._running = server
            if self._stopping.is_set():  # meanwhile
                return
            if self._client is None:  # whose library takes seconds to import
                self._client = bounded_client(trust_env=False)  # a proxy must not see prompts
            self._meanwhile()
            server.wait_until_ready()
            self.context = server.context()
            self._loaded = True
            self._ready()
            while not self._stopping.wait(_LOOK):
                server.check_alive()
            self._loaded = False

    @property
    def server(self) -> Server | None:
        """The engine while it can be asked."""
        running = self._running
        return running if self._loaded and running is not None and running.process.poll() is None else None

    def asked_server(self) -> Server:
        """Return the engine to ask; raises Refused (503) where it is not ready."""
        if (server := self.server) is None:
            raise unavailable("the engine is starting; ask again when /health says ok")
        return server

    async def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the engine's reply to a completion request; raises Refused where there is none."""
        async with self._reply(body) as reply:
            found: dict[str, Any] = json.loads(await reply.aread())
            return found

    async def stream(self, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any]]:
        """Yield the events of a completion while it is generated, the last with `usage`; raises Refused."""
        options = {"include_usage": True, "continuous_usage_stats": True}
        async with self._reply({**body, "stream": True, "stream_options": options}) as reply:
            async for line in reply.aiter_lines():
                data = line.removeprefix("data:").strip()
                if not line.startswith("data:") or data == "[DONE]":
                    continue
                event: dict[str, Any] = json.loads(data)
                if "error" in event:
                    raise self._failed(event)
                yield event

    @asynccontextmanager
    async def _reply(self, body: dict[str, Any]) -> AsyncIterator[Any]:
        """Send a request; what goes wrong within the block is a refusal, and leaving it early ends the answer."""
        server = self.asked_server()
        headers = {"Authorization": f"Bearer {server.key}"}
        try:
            async with self._client.stream(
                "POST", f"{server.url}/completions", json=body, headers=headers, timeout=None
            ) as reply:
                if reply.status_code != 200:
                    raise self._failed(json.loads(await reply.aread()), reply.status_code)
                yield reply
        except (Refused, HarnessError):
            raise
        except RefusedBodyError as error:
            raise refused(f"{error}; ask for a shorter one", status=502) from error
        except ValueError as error:
            raise unavailable(f"the engine sent no JSON ({error:.80}); ask again") from error
        except Exception as error:
            if not type(error).__module__.startswith("httpx"):
                raise
            raise unavailable("the engine went away before its answer was whole; ask again") from error

    def _failed(self, reply: Any, status: int = 500) -> Refused:
        """Return the refusal that an error of the engine is for the client."""
        error = reply.get("error", reply) if isinstance(reply, dict) else {}
        message = str(error.get("message") if isinstance(error, dict) else error)[:500]
        if 400 <= status < 500:
            return refused(f"the engine refuses the request: {message}")
        return unavailable(f"the engine failed ({message}); ask again")
