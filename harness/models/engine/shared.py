"""Our own vLLM server for models that answer questions: started when it is needed, shared by roles, one at a time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from harness.hub.artifact import Artifact
from harness.hub.client import Hub
from harness.models.engine.checkpoint import pull_checkpoint
from harness.models.engine.server import EngineOptions, Server, serving
from harness.terminal import progress, say

ENGINE_LOG = "chat-engine.log"

_STRUCTURED = {"backend": "xgrammar", "disable_any_whitespace": True}
"""Without the second, a small model fills its answer with spaces until it is cut."""


class SharedEngine:
    """The one vLLM server that runs at a time: roles of the same model share it, another model takes its place."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._served: Artifact | None = None
        self._server: Server | None = None

    def run(self, artifact: Artifact, hub: Hub, engine_args: Sequence[str], log: Path) -> Server:
        """Return a server on the model that is ready; the one that runs already where it serves the same."""
        if self._server is not None and self._served == artifact:
            self._server.check_alive()
            return self._server
        self.close()
        say(f"pulling {artifact}")
        checkpoint = pull_checkpoint(hub, artifact)
        options = EngineOptions(extra_args=("--structured-outputs-config", json.dumps(_STRUCTURED), *engine_args))
        with progress(f"starting vLLM for {artifact.repo_id}"):
            server = self._stack.enter_context(serving(checkpoint, options, log))
            server.wait_until_ready()
        self._served, self._server = artifact, server
        return server

    def check_alive(self) -> None:
        """Raise EngineError where the server has ended by itself."""
        if self._server is not None:
            self._server.check_alive()

    def close(self) -> None:
        """Stop the server; it can be run again."""
        self._served = self._server = None
        self._stack.close()
