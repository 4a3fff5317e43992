"""How models are asked, as a request says it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from harness.models.chat.chat_models import ChatSettings


class Asking(BaseModel):
    """How models are asked, whatever their role. Frozen; a key that is not here is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoints: Path | None = None
    """YAML file of endpoints: model id -> address, key variable, price, limits."""
    base_url: str | None = None
    """Address of the models that the file lacks."""
    key_variable: str = "OPENAI_API_KEY"
    """The variable with that address's key; the key itself is in no request."""
    budget: float | None = None
    """USD; None: no limit."""
    concurrency: int | None = None
    """Most questions at once."""
    cache: Path | None = None
    """Folder of answers that were paid for already; None: the user's own."""
    max_tokens: int | None = None
    """Longest answer; None: what the role needs."""
    timeout: float | None = None
    """Seconds for one try; None: as the endpoints file says."""
    engine_args: tuple[str, ...] = ()
    """KEY=VALUE, for our own vLLM servers."""

    def settings(self, beside: ChatSettings | None = None, *, direct: bool = False) -> ChatSettings:
        """Return the settings of the models, which share budget and limits per minute with those of `beside`.

        `direct`: whether the base URL holds for models in the endpoints file too.
        """
        from harness.models.chat.budget import Budget
        from harness.models.chat.chat_models import ChatSettings
        from harness.models.chat.endpoints import Endpoints
        from harness.models.engine.build import split_engine_args

        budget = beside.budget if beside else None
        if budget is None and self.budget is not None:
            budget = Budget(self.budget)
        shared = beside.endpoints.shared if beside else {}
        return ChatSettings(
            endpoints=Endpoints(
                base_url=self.base_url,
                key_variable=self.key_variable,
                file=self.endpoints,
                direct=direct,
                shared=shared,
            ),
            concurrency=self.concurrency,
            timeout=self.timeout,
            max_tokens=self.max_tokens,
            engine_args=split_engine_args(self.engine_args),
            cache=self.cache,
            budget=budget,
        )
