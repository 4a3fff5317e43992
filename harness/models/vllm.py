"""Answers from a running vLLM server: token ids in, raw text out, greedy."""

from __future__ import annotations

from typing import Any

from harness.models.engine import SERVED_NAME, Server
from harness.prompts import Prompt
from harness.records import Prediction, Usage

# Greedy means greedy, whatever sampling defaults the repository ships; markers of tool calls are
# special tokens in some families, so they stay in the text.
_GREEDY: dict[str, Any] = {
    "top_k": 0,
    "min_p": 0,
    "repetition_penalty": 1,
    "skip_special_tokens": False,
    "spaces_between_special_tokens": False,
}


class VllmBackend:
    """Answers prompts through a running server, as token ids, greedily."""

    def __init__(self, server: Server, max_tokens: int) -> None:
        self.server = server
        self.max_tokens = max_tokens
        from openai import AsyncOpenAI

        self._client = AsyncOpenAI(base_url=server.url, api_key="none", max_retries=2, timeout=None)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def answer(self, prompt: Prompt) -> Prediction:
        """Return the model's answer; raises EngineError where the engine has died."""
        from openai import APIError

        sent = prompt.sha256()
        try:
            reply = await self._client.completions.create(
                model=SERVED_NAME,
                prompt=list(prompt.token_ids),
                max_tokens=self.max_tokens,
                temperature=0,
                top_p=1,
                extra_body=_GREEDY,
            )
        except APIError as error:
            self.server.check_alive()
            return Prediction(pair_id=prompt.pair_id, raw=None, error=f"engine: {error}", prompt_sha256=sent)
        choice, usage = reply.choices[0], reply.usage
        details = usage.prompt_tokens_details if usage else None
        return Prediction(
            pair_id=prompt.pair_id,
            raw=choice.text,
            finish_reason=choice.finish_reason,
            prompt_sha256=sent,
            usage=Usage(
                prompt=usage.prompt_tokens,
                completion=usage.completion_tokens,
                cached=(details.cached_tokens if details else None) or 0,
            )
            if usage
            else None,
        )
