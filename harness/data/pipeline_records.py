"""Records of the TFT pipeline: findings, ratings, rewrites, votes and decisions. Frozen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from harness.data.records import Conversation, ToolCall

Severity = Literal["reject", "repairable", "note"]
Level = Literal["name", "keys", "values", "text"]
Method = Literal["unanimous", "majority", "arbiter", "single", "undecided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a deterministic check says of a conversation."""

    check: str
    """Name of the check, in words joined by hyphens: `role-order`, `unknown-tool`."""
    severity: Severity
    """`reject`: the conversation is of no use. `repairable`: the committee may mend it. `note`: worth knowing."""
    problem: str
    position: int | None = None
    """Message that it is about, from 0; None for the whole conversation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRow:
    """One row of a file or dataset of traces, readable or not."""

    conversation: Conversation
    """Without messages where the row cannot be read."""
    columns: Mapping[str, Any] = field(default_factory=dict)
    """What the row holds besides id, source and messages: the columns of earlier stages."""
    problem: str | None = None
    """Why it cannot be read: where it stands, what was found, what was expected."""
    findings: tuple[Finding, ...] = ()
    """What was left out, reordered or guessed while it was read, all of severity `note`."""

    @property
    def kept(self) -> bool:
        """Whether no earlier stage has rejected it."""
        return self.problem is None and self.columns.get("kept") is not False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """What a teacher says of a trace, 1 (not at all) to 5 (wholly); None with the error where it gave no answer."""

    id: str
    relevance: int | None
    coherence: int | None
    relevance_reason: str = ""
    coherence_reason: str = ""
    error: str | None = None


class Rater(Protocol):
    """A teacher in the filter's role."""

    name: str
    settings: dict[str, Any]

    def rate(self, traces: Sequence[Conversation], on_rating: Callable[[Rating], None]) -> None:
        """Call `on_rating` once for each trace, in any order. HarnessError where no model can be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """What one committee member makes of a conversation's assistant turns."""

    id: str
    """Of the conversation."""
    labeler: str
    calls: tuple[ToolCall | None, ...]
    """One for each assistant turn (`Event.is_turn`), in order; None where the member says nothing of it."""
    reasons: tuple[str, ...] = ()
    """As many as calls, or none."""
    error: str | None = None
    """Why there are no calls."""


class Labeler(Protocol):
    """A member of the committee. It sees whole conversations, what comes after a turn included."""

    name: str
    settings: dict[str, Any]

    def relabel(self, conversations: Sequence[Conversation], on_rewrite: Callable[[Rewrite], None]) -> None:
        """Call `on_rewrite` once for each conversation, in any order. HarnessError where no model can be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """A turn on which the committee does not agree."""

    id: str
    """`conversation:position`."""
    conversation: Conversation
    position: int
    """Of the assistant message."""
    candidates: tuple[ToolCall, ...]
    """Different calls, without names and in a random order that depends on the id alone."""
    level: Level
    """What they differ in first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What the arbiter says of a dispute; no call where it cannot tell."""

    id: str
    call: ToolCall | None
    reason: str = ""
    chosen: int | None = None
    """Index of the candidate; None where the call is the arbiter's own, or there is none."""


class Arbiter(Protocol):
    """Who decides where the committee does not agree."""

    name: str
    settings: dict[str, Any]

    def rule(self, disputes: Sequence[Dispute], on_ruling: Callable[[Ruling], None]) -> None:
        """Call `on_ruling` once for each dispute, in any order. HarnessError where no model can be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnDecision:
    """One assistant turn after the committee."""

    position: int
    """Of the assistant message."""
    raw: ToolCall
    call: ToolCall | None
    """None where it could not be decided."""
    method: Method
    level: Level | None
    """What the candidates differed in first; None where they agreed."""
    candidates: tuple[ToolCall | None, ...]
    """By member, in the order of the committee."""
    reason: str = ""

    @property
    def changed(self) -> Level | None:
        """What differs from the raw trace first; None where nothing does, or it could not be decided."""
        if self.call is None or self.call == self.raw:
            return None
        if self.call.name != self.raw.name:
            return "name"
        return "keys" if self.call.arguments.keys() != self.raw.arguments.keys() else "values"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationPlan:
    """What a synthetic conversation is to be."""

    id: str
    seed: int
    """Everything that is drawn for this conversation comes from it and the id."""
    length: int
    """Messages it is to have, all roles but system counted."""
    topic: str
    """The mutation topic in words, empty for none."""
    complexity: int
    """1 to 5."""
    exemplars: tuple[Conversation, ...]
    """Accepted conversations to learn from."""
    context: tuple[Conversation, ...] = ()
    """Unlabelled traces: what users say and ask for, and nothing about what is right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A synthetic conversation before validation, or why there is none."""

    id: str
    conversation: Conversation | None
    plan: Mapping[str, Any] = field(default_factory=dict)
    """What the teacher set out to write: goal, slots, tool results."""
    error: str | None = None


class Writer(Protocol):
    """A teacher in the generator's role."""

    name: str
    settings: dict[str, Any]

    def write(self, plans: Sequence[ConversationPlan], on_draft: Callable[[Draft], None]) -> None:
        """Call `on_draft` once for each plan, in any order. HarnessError where no model can be asked."""
