"""An engine of recorded tokens: it writes on as a greedy one would, with all that decides where it stops."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.data.records import Usage
from harness.models.backends._thinking import Continuation
from harness.models.engine.server import Server
from support import http_server
from support.http_server import Handler

KEY = "key-of-the-token-engine"


@dataclass(slots=True, kw_only=True)
class TokenEngine:
    """What it writes after tokens, and how tokens read; `ends` are those that end a turn and are in no text."""

    writes: Callable[[Sequence[int]], int]
    """The next token after all tokens so far."""
    decode: Callable[[Sequence[int]], str]
    ends: frozenset[int]
    context: int = 1 << 20
    requests: list[tuple[tuple[int, ...], int]] = field(default_factory=list)
    """Tokens and most tokens of each request."""

    def write(self, token_ids: Sequence[int], max_tokens: int, more: Mapping[str, Any]) -> Continuation:
        """Return the continuation, stopped as vLLM stops: at a token or text that is told, or at the end of a turn."""
        assert max_tokens > 0
        self.requests.append((tuple(token_ids), max_tokens))
        assert len(token_ids) + max_tokens <= self.context
        found: list[int] = []
        while len(found) < max_tokens:
            token = self.writes([*token_ids, *found])
            found.append(token)
            if token in self.ends:
                return self._made(token_ids, found, self.decode(found[:-1]), "stop", None)
            if token in more.get("stop_token_ids", ()):
                return self._made(token_ids, found, self.decode(found[:-1]), "stop", token)
            for one in more.get("stop", ()):
                if one in (text := self.decode(found)):
                    return self._made(token_ids, found, text.partition(one)[0], "stop", one)
        return self._made(token_ids, found, self.decode(found), "length", None)

    def _made(
        self, prompt: Sequence[int], found: Sequence[int], text: str, reason: str, stop: int | str | None
    ) -> Continuation:
        usage = Usage(prompt=len(prompt), completion=len(found), cached=0)
        return Continuation(text=text, token_ids=tuple(found), finish_reason=reason, stop_reason=stop, usage=usage)

    async def piece(self, token_ids: Sequence[int], max_tokens: int, more: Mapping[str, Any], /) -> Continuation:
        """See `harness.models.backends._thinking.Engine`."""
        return self.write(token_ids, max_tokens, more)

    async def text_of(self, token_ids: Sequence[int], /) -> str:
        """See `harness.models.backends._thinking.Engine`."""
        return self.decode(token_ids)

    @contextmanager
    def serving(self) -> Iterator[Server]:
        """Serve completions over HTTP as vLLM does."""
        engine = self

        class Completions(Handler):
            def do_GET(self) -> None:
                self.send(200, {"data": [{"id": "model", "max_model_len": engine.context}]})

            def do_POST(self) -> None:
                asked = json.loads(self.body())
                assert self.headers["Authorization"] == f"Bearer {KEY}"
                if self.path.endswith("/detokenize"):
                    self.send(200, {"prompt": engine.decode(asked["tokens"])})
                    return
                made = engine.write(asked["prompt"], asked["max_tokens"], asked)
                choice = {"index": 0, "text": made.text, "finish_reason": made.finish_reason}
                choice |= {"stop_reason": made.stop_reason, "token_ids": list(made.token_ids)}
                count = {"prompt_tokens": len(asked["prompt"]), "completion_tokens": len(made.token_ids)}
                usage = {**count, "total_tokens": sum(count.values())}
                self.send(200, {"choices": [choice], "usage": usage})

        with subprocess.Popen(["sleep", "600"]) as process, http_server.serving(Completions) as server:
            try:
                yield Server(port=server.server_port, log=Path(os.devnull), process=process, key=KEY)
            finally:
                process.kill()
