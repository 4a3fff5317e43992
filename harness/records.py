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
class Member:
    """One judge of a panel, and how it did."""

    name: str
    status: Literal["ok", "degraded", "excluded"]
    """Degraded: some of its votes are missing. Excluded: so many that none of its votes counts."""
    votes: int
    unscored: int
    good: float | None
    """Share of good among its votes."""
    problem: str | None = None
    """Why votes are missing: the most frequent reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far raters agree on the same cases, beyond chance."""

    raters: int
    n: int
    """Cases with two votes or more."""
    observed: float | None
    """Mean share of agreeing pairs of votes."""
    alpha: float | None
    """Krippendorff's alpha, nominal."""
    ac1: float | None
    """Gwet's AC1."""
    kappa: dict[str, Estimate]
    """Cohen's kappa of each pair of raters, named `A | B`, its interval clustered by conversation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A judge against labels that are taken as the truth. Bad is what is looked for (the positive class)."""

    n: int
    clusters: int
    unscored: int
    """Labelled rows that the judge did not score."""
    true_bad: int
    false_bad: int
    """The judge says bad, the label good."""
    true_good: int
    false_good: int
    """The judge says good, the label bad."""
    agreement: Estimate
    kappa: Estimate
    sensitivity: Estimate
    """Share of bad among the rows labelled bad."""
    specificity: Estimate
    """Share of good among the rows labelled good."""
    same_name_recall: Estimate
    """Sensitivity among rows where the prediction calls the reference's tool: what a judge adds to comparing names."""
    same_name_false_bad: Estimate
    """Share of bad among the rows labelled good, where the prediction calls the reference's tool."""
    base_rate: float
    """Share of the labels that are bad."""
    names_only_kappa: float | None
    """Kappa of the rule `bad where the names differ`, the yardstick."""
    by_tool: dict[str, dict[str, float]]
    """Reference tool -> `n`, `bad` (labelled), `agreement`, `kappa`, `recall`."""
    corrected: Estimate | None = None
    """The judged score of all rows, corrected by what the labelled ones show (prediction-powered inference).

    None where the labels are not of the same model's rows.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """How the judge metric of a report came about."""

    members: tuple[Member, ...]
    prompt_sha256: str | None
    """Hash of the judge's prompt templates, the rubric and the answer's schema; None where nothing is prompted."""
    rubric: str
    """Whose rubric: `task` or `default`."""
    decided_by_code: int
    """Cases of the model's row that were not asked, because code can decide them."""
    agreement: Agreement | None = None
    """For panels."""
    calibration: Calibration | None = None
    """Where a labelled slice was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialogues:
    """One metric by whole conversation: is every turn right, and where does the first error come."""

    success: Estimate
    """Share of conversations without a turn below 1.0; one with an unscored turn and no error is unscored."""
    first_error_turn: float | None
    """Mean turn (from 0) of the first error, over the conversations with one."""
    turns_before_error: float | None
    """Mean number of right turns before the first error, conversations without one counted whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalReport:
    """All that a table or a card may show of one evaluation."""

    run: EvalRun
    rows: dict[str, dict[str, Estimate]]
    """Row (`model`, `gold`, or a null baseline, see `harness.baselines`) -> metric -> estimate."""
    by_tool: dict[str, dict[str, Estimate]]
    """Metric -> reference tool -> estimate."""
    macro: dict[str, float | None]
    """Metric -> unweighted mean over the tools."""
    readings: dict[str, dict[str, Estimate]]
    """Way of reading the raw text (`strict`, `lenient`, `vllm:<parser>`) -> metric -> estimate."""
    tokens: dict[str, float]
    """`prompt`, `completion`, `cached` token counts and `cached_share`."""
    dialogues: dict[str, Dialogues] = field(default_factory=dict)
    """Metric -> whole conversations."""
    bootstrap: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """Metric -> 95 % interval of the model's row by cluster bootstrap, low and high: a check of the intervals."""
    judging: Judging | None = None
    """None where no judge was asked."""
    plots: dict[str, str] = field(default_factory=dict)
    """File in the folder `plots` -> what it shows, in words."""
