"""The nouns of the harness. Frozen values; `wire.py` reads and writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

RepoKind = Literal["model", "dataset", "space"]
Role = Literal["system", "user", "assistant", "tool"]

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A repository on the Hub at one commit."""

    kind: RepoKind
    repo_id: str
    revision: str
    """40 hexadecimal digits; branches and tags are resolved before an Artifact is made."""

    def __post_init__(self) -> None:
        if not _COMMIT.fullmatch(self.revision):
            raise ValueError(f"an Artifact needs a 40-hex commit, got {self.revision!r}; resolve it first")

    def __str__(self) -> str:
        return f"{self.repo_id}@{self.revision[:12]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call of a tool. Two calls are equal when name and arguments are; the id does not count."""

    name: str
    arguments: dict[str, Any]
    id: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a conversation."""

    role: Role
    content: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A trace: its id, its messages, and where they come from (SGD `split/dialogue_id`, or file and line)."""

    id: str
    messages: tuple[Message, ...]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What the agent is asked to do, with the tools it has (JSON-schema function definitions)."""

    description: str
    tools: tuple[dict[str, Any], ...]
    rubric: str | None = None
    system_template: str | None = None
    """The system message with `{task_description}` in it; None means the harness's own wording."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnPair:
    """A conversation up to an assistant call, and that call: one example of the test set."""

    id: str
    """`conversation:turn`; turns count the assistant calls of the conversation from 0."""
    conversation: str
    turn: int
    prefix: tuple[Message, ...]
    reference: ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one answer, as counted by the engine; `cached` were served from its prefix cache."""

    prompt: int
    completion: int
    cached: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A model's answer to one pair: the raw text, or the reason why there is none."""

    pair_id: str
    raw: str | None
    finish_reason: str | None = None
    error: str | None = None
    usage: Usage | None = None
    prompt_sha256: str | None = None
    """SHA-256 of the token ids that were sent (little-endian int32), or of the request's JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One metric's value for one pair; None means unscored, and `reason` says why."""

    pair_id: str
    metric: str
    value: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean with its 95 % interval, and what it was computed from."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    """Scored pairs."""
    clusters: int
    """Conversations that the scored pairs come from."""
    errors: int = 0
    """Pairs that the model gave no answer to."""
    unscored: int = 0
    """Pairs without a value, errors included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalRun:
    """What was evaluated, on what, how, and with which versions."""

    model: str
    """The model as named on the command line, `backend:id` without a revision."""
    model_revision: str | None
    dataset: str
    dataset_revision: str
    config: dict[str, Any]
    prompt_sha256: str
    """Hash over all prompts as sent, in the order of the pairs."""
    versions: dict[str, str]
    date: str
    """ISO 8601, UTC, of the start of the run."""
    timings: dict[str, float]
    """Seconds a phase."""
    base_model: str | None = None
    """The `base_model` of the model's own card, where it names one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalReport:
    """All that a table or a card may show of one evaluation."""

    run: EvalRun
    rows: dict[str, dict[str, Estimate]]
    """Row (`model`, `null`, `gold`) -> metric -> estimate."""
    by_tool: dict[str, dict[str, Estimate]]
    """Metric -> reference tool -> estimate."""
    macro: dict[str, float | None]
    """Metric -> unweighted mean over the tools."""
    readings: dict[str, dict[str, Estimate]]
    """Way of reading the raw text (`strict`, `lenient`, `vllm:<parser>`) -> metric -> estimate."""
    tokens: dict[str, float]
    """`prompt`, `completion`, `cached` token counts and `cached_share`."""
