"""The client of the harness's own vLLM server: prompts as token ids, answers as text."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from harness.data.records import Prediction, Usage
from harness.models.backends._base import OnAnswer, Sampling, ask_each
from harness.models.chat.bounded_http import RefusedBodyError, bounded_client
from harness.models.engine.process import while_progressing
from harness.models.engine.server import SERVED_NAME, Server
from harness.models.prompts import Prompt

_GREEDY: dict[str, Any] = {
    "temperature": 0,
    "top_p": 1,
    "top_k": 0,
    "min_p": 0,
    "repetition_penalty": 1,
    "skip_special_tokens": False,
    "spaces_between_special_tokens": False,
}
"""Greedy means greedy, sampling defaults of the repository are overridden; markers of tool calls are special tokens in
some families, so they stay in the text."""


def greedy_completion(adapter: str | None, token_ids: Sequence[int], max_tokens: int) -> dict[str, Any]:
    """Return the body of a request for the greedy answer to a prompt, of an adapter or of the model itself."""
    return {"model": adapter or SERVED_NAME, "prompt": list(token_ids), "max_tokens": max_tokens, **_GREEDY}


class VllmBackend:
    """Answers prompts through a running server, as token ids, greedily or with samples.

    Its client is its own: prompts are token ids, which chat requests (`harness.models.chat`) cannot carry, and the
    server is ours, so that there are no keys, prices, limits or overload to mind.
    """

    def __init__(
        self,
        server: Server,
        max_tokens: int,
        concurrency: int,
        *,
        adapter: str | None = None,
        sampling: Sampling | None = None,
    ) -> None:
        """`adapter` is the name by which the server knows the adapter to ask; None asks the model itself."""
        self.server = server
        self.max_tokens = max_tokens
        self.concurrency = concurrency
        self.adapter = adapter
        self.sampling = sampling
        from openai import AsyncOpenAI

        direct = bounded_client(trust_env=False)  # a proxy must not see prompts
        self._client = AsyncOpenAI(
            base_url=server.url, api_key=server.key, max_retries=2, timeout=None, http_client=direct
        )

    def ask(self, prompts: Sequence[Prompt], on_answer: OnAnswer) -> None:
        """Ask for each prompt, then let the engine go: there are no more questions, but for other adapters."""
        asyncio.run(self.asking(prompts, on_answer))

    async def asking(self, prompts: Sequence[Prompt], on_answer: OnAnswer) -> None:
        """See `ask`: on the event loop that runs, beside others."""
        try:
            asking = ask_each(prompts, self._complete, on_answer, concurrency=self.concurrency)
            await while_progressing(asking, self.server.work_done)
        finally:
            await self._client.close()
            if self.adapter is None:
                self.server.begin_stop()

    async def answer(self, prompt: Prompt) -> Prediction:
        """Return the model's answer, and leave the engine up; raises EngineError where it has died or does nothing."""
        found: list[Prediction] = []

        async def complete() -> None:
            found.append(await self._complete(prompt))

        await while_progressing(complete(), self.server.work_done)
        return found[0]

    async def _complete(self, prompt: Prompt) -> Prediction:
        from openai import APIError

        asked = Prediction(pair_id=prompt.pair_id, raw=None, prompt_sha256=prompt.sha256(), sample=prompt.sample)
        body = greedy_completion(self.adapter, prompt.token_ids, self.max_tokens)
        if self.sampling:
            seed = self.sampling.seed_of((prompt.pair_id, prompt.sample))
            body |= {"temperature": self.sampling.temperature, "seed": seed}
        try:
            reply = await self._client.completions.create(
                model=body.pop("model"), prompt=body.pop("prompt"), extra_body=body
            )
        except (APIError, RefusedBodyError) as error:
            self.server.check_alive()
            return replace(asked, error=f"engine: {error}")
        choice, usage = reply.choices[0], reply.usage
        details = usage.prompt_tokens_details if usage else None
        return replace(
            asked,
            raw=choice.text,
            finish_reason=choice.finish_reason,
            usage=Usage(
                prompt=usage.prompt_tokens,
                completion=usage.completion_tokens,
                cached=(details.cached_tokens if details else None) or 0,
            )
            if usage
            else None,
        )
