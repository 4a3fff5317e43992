"""Conversations, calls, tasks, turn pairs, predictions, votes. Frozen; `formats/` reads and writes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]
AnswerKey = tuple[str, int]
"""A pair's id, and the number of the sample."""


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
    parallel_tool_calls: bool = False
    """Whether a turn of the agent may have several calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnPair:
    """A conversation up to an assistant turn with a call, and that call: one example of the test set."""

    id: str
    """`conversation:turn`; turns with calls are counted from 0."""
    conversation: str
    turn: int
    prefix: tuple[Message, ...]
    reference: ToolCall
    """The turn's call; of several the first."""
    further: tuple[ToolCall, ...] = ()
    """The other calls of the turn, where it has several."""

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """All calls of the turn."""
        return (self.reference, *self.further)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one answer, as counted by the engine; `cached` were served from its prefix cache."""

    prompt: int
    completion: int
    cached: int | None = None


ThoughtEnd = Literal["closed", "limit", "repeated", "unclosed"]
"""How thinking ended: by the model; by us, at its limit or because it ran in circles; or not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thought:
    """What a model thought before its answer. It is never part of what is scored."""

    text: str
    """Without the marks around it."""
    tokens: int | None = None
    """Of the model's own, marks included; None where nobody counted them."""
    end: ThoughtEnd = "closed"


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
    kept: bool = False
    """Whether an earlier run asked the same, and its answer was taken."""
    thought: Thought | None = None
    """What came before the answer; None where the model did not think."""
    sample: int = 0
    """Which of several answers to the pair it is, from 0."""

    @property
    def key(self) -> AnswerKey:
        """Return what tells it from all other answers of a run."""
        return self.pair_id, self.sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A prediction to be judged, and what it is judged against."""

    id: str
    conversation: str
    prefix: tuple[Message, ...]
    """The conversation up to the turn."""
    reference: ToolCall
    prediction: str
    """The model's text as it is scored; None would be a failure, and failures are not judged."""
    call: ToolCall | None
    """The call that was read from the text, None where it holds none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What one judge says of one case: good (1.0), bad (0.0), or unscored (None) for the reason given."""

    case_id: str
    judge: str
    """The judge's name, `code` where nothing had to be asked."""
    value: float | None
    reason: str
