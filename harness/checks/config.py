"""The limits of the deterministic checks."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, PositiveInt


class CheckConfig(BaseModel):
    """What the checks take as given; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    strict: bool = False
    """For what is about to be trained on, synthetic or relabelled: what is repairable elsewhere is rejected here."""
    max_length: PositiveInt = 20_000
    """Characters of all texts and calls of a conversation; the benchmark's own setting."""
    max_message: PositiveInt = 10_000
    """Characters of one message, from which on it is worth a note."""
    max_messages: PositiveInt = 200
    consistency: bool = True
    """Whether results are compared with calls and replies with results: most of the time that the checks take."""
