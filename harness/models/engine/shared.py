"""One vLLM server at a time for all that need it: started when it is needed, on another model in place of the last."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Self

from harness.hub.artifact import Artifact
from harness.models.engine.checkpoint import Checkpoint
from harness.models.engine.server import EngineOptions, Server, serving


class SharedEngine:
    """The server that runs now, if one does. At the end of the block it is stopped."""

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._stack = ExitStack()
        self._served: Artifact | None = None
        self._server: Server | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def serves(self, artifact: Artifact) -> bool:
        """Whether a server on this model was started."""
        return self._served == artifact

    def serve(self, checkpoint: Checkpoint, log: Path) -> Server:
        """Return a server on the model: the one that runs already, or a new one that loads and writes to `log`.

        Raises EngineError where it is not installed, or has ended by itself.
        """
        if self._server is not None and self.serves(checkpoint.artifact):
            self._server.check_alive()
            return self._server
        self.close()
        self._server = self._stack.enter_context(serving(checkpoint, self._options, log))
        self._served = checkpoint.artifact
        return self._server

    def check_alive(self) -> None:
        """Raise EngineError where the server has ended by itself."""
        if self._server is not None:
            self._server.check_alive()

    def close(self) -> None:
        """Stop the server; it can be started again."""
        self._served = self._server = None
        self._stack.close()
