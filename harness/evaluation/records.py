"""Records of an evaluation: EvalRun, EvalReport and their parts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from harness.data.records import Vote
from harness.hub.artifact import Artifact
from harness.models.engine.arithmetic import recorded_arithmetic
from harness.models.names import DEFAULT_BACKEND, ModelName, known_backends
from harness.models.prompts.thinking import DEFAULT, OFF, SETTINGS
from harness.statistics.formatting import cell, percent
from harness.statistics.records import Agreement, Calibration, ErrorParts, Estimate, PassRate

ANSWERS_KEPT = "answers_kept"
"""In a run's `config`, where it is above 0: how many answers come from earlier runs that asked the same."""
SENT_OTHERWISE = "sent_otherwise"
CUT = "length"
"""The finish reason of an answer that ended at the limit of tokens, as OpenAI's API and vLLM name it."""
CUT_LIMIT = 0.05
"""A larger share of cut answers is warned of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalRun:
    """What was evaluated, on which data, how, and with which versions."""

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
    """Seconds per phase."""
    base_model: str | None = None
    """The `base_model` of the model's own card, where it names one."""

    @property
    def model_name(self) -> ModelName:
        """Return the model at its commit, as a command names it."""
        name = ModelName.parse(self.model)
        return replace(name, revision=self.model_revision or name.revision)

    @property
    def model_artifact(self) -> Artifact | None:
        """Return the model's repository at its commit; None for a model that is on no Hub."""
        name = self.model_name
        return Artifact.parse(f"{name.repository}@{name.revision}", "model") if name.repository else None

    @property
    def judges(self) -> tuple[str, ...]:
        """Return the judges that the configuration names, the members of a panel each."""
        named = self.config.get("judge")
        names = [named] if isinstance(named, str) else named if isinstance(named, list) else []
        return tuple(name for name in names if isinstance(name, str) and name)

    @property
    def judge(self) -> str | None:
        """Return the judge in a text, the members of a panel joined; None where the configuration names none."""
        return " + ".join(self.judges) or None

    @property
    def arithmetic(self) -> str | None:
        """Return in which arithmetic our own engine answered; None for a model that another one answers for."""
        # Not by parsing the name, which may be anything in a record that somebody else wrote.
        backend = self.model.partition(":")[0]
        others = set(known_backends()) - {DEFAULT_BACKEND}
        return None if backend in others else recorded_arithmetic(self.config)

    @property
    def thinking(self) -> str | None:
        """Return how the model was asked to think, `default` where it thinks unasked; None where it does not."""
        setting = self.config.get("thinking")
        return setting if setting in (*SETTINGS, DEFAULT) and setting != OFF else None

    @property
    def test_set(self) -> Artifact:
        """Return the test set at its commit; DataError where the report names no commit."""
        return Artifact.parse(f"{self.dataset}@{self.dataset_revision}", "dataset")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One judge of a panel, and how it did."""

    name: str
    status: Literal["ok", "degraded", "excluded"]
    """Degraded: some of its votes are missing. Excluded: too many are missing for any of its votes to count."""
    votes: int
    unscored: int
    good: float | None
    """Share of good among its votes."""
    problem: str | None = None
    """Why votes are missing: the most frequent reason."""


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
class ConversationScores:
    """One metric by whole conversation: is every turn right, and where does the first error come."""

    success: Estimate
    """Share of conversations without a turn below 1.0; one with an unscored turn and no error is unscored."""
    first_error_turn: float | None
    """Mean turn (from 0) of the first error, over the conversations with one."""
    turns_before_error: float | None
    """Mean number of right turns before the first error, conversations without one counted whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinkingFacts:
    """How a model thought before its answers."""

    answers: int
    """Those that it thought about."""
    mean_tokens: float | None
    """Of its thinking, over these answers; None where nobody counted."""
    limited: int
    """Blocks of thinking that were closed at the limit, so that the answer came sooner than by itself."""
    repeated: int
    """Those that were closed because they ran in circles."""
    unclosed: int
    """Those inside which the turn, or the text, ended: there is no answer."""

    @property
    def words(self) -> str:
        """What came of thinking, in a sentence."""
        if not self.answers:
            return "No answer was thought about."
        tokens = f", for {cell(self.mean_tokens, digits=1)} tokens in the mean" if self.mean_tokens is not None else ""
        ends = {
            "was closed at its limit": self.limited,
            "was closed because it repeated itself": self.repeated,
            "never ended, so that there is no answer": self.unclosed,
        }
        said = [f"{count} ({percent(count / self.answers)}) {what}" for what, count in ends.items() if count]
        thinking = f" Of this thinking {', '.join(said)}." if said else " All of it ended by itself."
        return f"{self.answers} answers were thought about{tokens}.{thinking}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleScores:
    """What several samples of each pair show beside their mean."""

    samples: int
    """Asked for, of each pair."""
    errors: int
    """Samples that no answer came for; a pair's mean is over the others."""
    alike: int
    """Pairs whose samples are all the same text."""
    error_parts: dict[str, ErrorParts]
    """Metric -> the standard error of the model's mean, and what sampling and conversations add to it."""
    passing: dict[str, tuple[PassRate, ...]]
    """Metric -> pass@k and pass^k by k; right is a score of 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalReport:
    """Everything that a table or a card may show about one evaluation."""

    run: EvalRun
    rows: dict[str, dict[str, Estimate]]
    """Row (`model`, `gold`, or a null baseline, see `harness.evaluation.baselines`) -> metric -> estimate."""
    by_tool: dict[str, dict[str, Estimate]]
    """Metric -> reference tool -> estimate."""
    macro: dict[str, float | None]
    """Metric -> unweighted mean over the tools."""
    readings: dict[str, dict[str, Estimate]]
    """Way of reading the raw text (`strict`, `lenient`, `vllm:<parser>`) -> metric -> estimate."""
    tokens: dict[str, float]
    """`prompt`, `completion`, `cached` token counts and `cached_share`."""
    dialogues: dict[str, ConversationScores] = field(default_factory=dict)
    """Metric -> whole conversations."""
    bootstrap: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """Metric -> 95 % interval of the model's row by cluster bootstrap, low and high: a check of the intervals."""
    judging: Judging | None = None
    """None where no judge was asked."""
    plots: dict[str, str] = field(default_factory=dict)
    """File in the folder `plots` -> what it shows, in words."""
    cut: int | None = None
    """Answers that ended at the limit of tokens; None where no finish reason is known, as in older reports."""
    ended: int = 0
    """Answers whose finish reason is known."""
    thinking: ThinkingFacts | None = None
    """None where the model did not think, and was not asked to."""
    samples: SampleScores | None = None
    """None where there is one answer to each pair. With several, the model's values are the means of its samples."""

    @property
    def thinking_words(self) -> str | None:
        """How the model thought and was asked to, in sentences; None where it did not."""
        if self.thinking is None:
            return None
        setting, limit = self.run.thinking, self.run.config.get("thinking_tokens")
        most = f", at most {limit} tokens" if isinstance(limit, int) else ""
        return (f"Thinking: {setting}{most}. " if setting else "") + self.thinking.words

    @property
    def many_cut(self) -> bool:
        """Whether so many answers were cut that the scores reflect the limit rather than the model."""
        return self.cut is not None and self.cut > CUT_LIMIT * self.ended

    @property
    def cut_words(self) -> str:
        """How many answers were cut, in a sentence, and what to do where there are many."""
        if self.cut is None:
            return "Whether answers were cut at the limit of tokens is unknown."
        if not self.cut:
            return "No answer was cut at the limit of tokens."
        share = percent(self.cut / self.ended)
        advice = " They score too low: evaluate again with a larger --max-tokens." if self.many_cut else ""
        return f"{self.cut} of {self.ended} answers ({share}) were cut at the limit of tokens.{advice}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict on one case, and the votes behind it."""

    value: float | None
    reason: str
    votes: tuple[Vote, ...]

    def columns(self) -> dict[str, Any]:
        """Return what a row of results says beside the value."""
        votes = {vote.judge: {"value": vote.value, "reason": vote.reason} for vote in self.votes}
        return {"judge_reason": self.reason, "judge_votes": votes}


def is_score(value: object) -> bool:
    """Whether a value is a number from 0 to 1."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
