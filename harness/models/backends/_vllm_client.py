"""The client of the harness's own vLLM server: prompts as token ids, answers as text."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.data.records import Prediction, Usage
from harness.models.backends._base import OnAnswer, Sampling, ask_each
from harness.models.backends._thinking import Continuation, ThinkingRoom, answer_after_thinking
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
_STRIDE = 1_000_003
"""Between the seeds of two requests for one answer, per token between them: no other sample's seed is near."""


def greedy_completion(adapter: str | None, token_ids: Sequence[int], max_tokens: int) -> dict[str, Any]:
    """Return the body of a request for the greedy answer to a prompt, of an adapter or of the model itself."""
    return {"model": adapter or SERVED_NAME, "prompt": list(token_ids), "max_tokens": max_tokens, **_GREEDY}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a server is asked for."""

    max_tokens: int
    """Longest answer, in tokens."""
    adapter: str | None = None
    """The name by which the server knows the adapter to ask; None asks the model itself."""
    thinking: ThinkingRoom | None = None
    """How much room thinking has before the answer; None: the model does not think."""
    sampling: Sampling | None = None
    """None: one greedy answer."""
    last: bool = True
    """Whether the server is let go after the last question: no others share it."""


class VllmBackend:
    """Answers prompts through a running server, as token ids, greedily or with samples.

    Its client is its own: prompts are token ids, which chat requests (`harness.models.chat`) cannot carry, and the
    server is ours, so that there are no keys, prices, limits or overload to mind.
    """

    def __init__(self, server: Server, asked: Asked, concurrency: int) -> None:
        self.server = server
        self.asked = asked
        self.concurrency = concurrency
        from openai import AsyncOpenAI

        direct = bounded_client(trust_env=False)  # a proxy must not see prompts
        self._client = AsyncOpenAI(
            base_url=server.url, api_key=server.key, max_retries=2, timeout=None, http_client=direct
        )

    def ask(self, prompts: Sequence[Prompt], on_answer: OnAnswer) -> None:
        """Ask for each prompt, then let the engine go where there are no more questions."""
        asyncio.run(self.asking(prompts, on_answer))

    async def asking(self, prompts: Sequence[Prompt], on_answer: OnAnswer) -> None:
        """See `ask`: on the event loop that runs, beside others."""
        try:
            asking = ask_each(prompts, self._complete, on_answer, concurrency=self.concurrency)
            await while_progressing(asking, self.server.work_done)
        finally:
            await self._client.close()
            if self.asked.last:
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

        sent, writer, most = prompt.sha256(), _Writer(self, prompt), self.asked.max_tokens
        try:
            if self.asked.thinking:
                found = await answer_after_thinking(writer, prompt, self.asked.thinking, most)
            else:
                found = (await writer.piece(prompt.token_ids, most, {})).prediction(prompt.pair_id)
        except (APIError, RefusedBodyError) as error:
            self.server.check_alive()
            found = Prediction(pair_id=prompt.pair_id, raw=None, error=f"engine: {error}")
        return replace(found, prompt_sha256=sent, sample=prompt.sample)

    async def complete(self, body: dict[str, Any]) -> Continuation:
        """Return what comes of a request for a completion; raises what the client raises."""
        reply = await self._client.completions.create(
            model=body.pop("model"), prompt=body.pop("prompt"), extra_body=body
        )
        choice, usage = reply.choices[0], reply.usage
        details = usage.prompt_tokens_details if usage else None
        told = choice.model_extra or {}
        return Continuation(
            text=choice.text,
            token_ids=tuple(told.get("token_ids") or ()),
            finish_reason=choice.finish_reason,
            stop_reason=told.get("stop_reason"),
            usage=Usage(
                prompt=usage.prompt_tokens,
                completion=usage.completion_tokens,
                cached=(details.cached_tokens if details else None) or 0,
            )
            if usage
            else None,
        )

    async def decode(self, body: dict[str, Any]) -> str:
        """Return the text of a request's tokens, as the engine's tokenizer writes them."""
        place = self.server.url.removesuffix("/v1") + "/detokenize"
        found: dict[str, Any] = await self._client.post(place, cast_to=dict[str, Any], body=body)
        return str(found["prompt"])


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes the answer to one prompt, in one request or several; see `harness.models.backends._thinking.Engine`."""

    backend: VllmBackend
    prompt: Prompt

    async def piece(self, token_ids: Sequence[int], max_tokens: int, more: Mapping[str, Any]) -> Continuation:
        asked, sampling = self.backend.asked, self.backend.asked.sampling
        body = greedy_completion(asked.adapter, token_ids, max_tokens) | dict(more)
        if sampling:
            # Each request draws anew: with the seed of the first one, the next would have the same luck.
            seed = sampling.seed_of((self.prompt.pair_id, self.prompt.sample))
            seed = (seed + _STRIDE * (len(token_ids) - len(self.prompt.token_ids))) % 2**31
            body |= {"temperature": sampling.temperature, "seed": seed}
        return await self.backend.complete(body)

    async def text_of(self, token_ids: Sequence[int]) -> str:
        return await self.backend.decode(
            {"model": self.backend.asked.adapter or SERVED_NAME, "tokens": list(token_ids)}
        )
