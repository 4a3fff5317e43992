"""What became of the questions that a role asked its model: usable answers, and why the others are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from harness.data.formats.jsonl import write_json
from harness.models.chat.failures import TOO_LONG
from harness.models.chat.records import ChatAnswer, ChatStats
from harness.statistics.formatting import most_common_first

ANSWERS = "answers.json"
"""The file of a stage's result that holds the counts of all roles that asked a model."""
NO_ANSWER = "no answer"
"""What the endpoint did not deliver: an error, a broken connection."""
REASONS: Mapping[str, str] = {
    "length": "cut off at the limit of tokens",
    "repeats itself": "repeats itself up to the limit of tokens",
    "empty": "empty",
    "no message": "empty",
    "refusal": "refused by the model",
    "content filter": "held back by a content filter",
    "not JSON": "not one JSON object",
    "not as asked": "not as asked: keys, types or choices",
    "invalid call": "a call that the tools do not allow",
    "out of place": "a call or message where it cannot stand",
    TOO_LONG: TOO_LONG,
    "time-out": "no answer in time",
}
"""Kind of `ChatAnswer` -> why there is no usable one, as it is counted and shown; all other kinds are `NO_ANSWER`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCounts:
    """What one role asked of one model. Questions are counted once, however often they were asked."""

    role: str
    model: str
    questions: int
    usable: int
    """Answers that were parsed, follow the schema and make sense of what was asked."""
    asked_again: int
    """Of the usable: those that it took more than one try to get."""
    unusable: Mapping[str, int]
    """Reason of the last try (of `REASONS`, or `NO_ANSWER`) -> questions, most frequent first."""
    known: int
    """Of the usable: answers of an earlier run."""
    prompt_tokens: int | None
    answer_tokens: int | None
    """Of all tries of this run, those without a usable answer included; None where the budget ended it."""
    seconds: float
    """That this run waited for answers."""

    def __str__(self) -> str:
        said = f"{self.role}, {self.model}: {self.usable} of {self.questions} answers are usable"
        why = ", ".join(f"{reason} {count}" for reason, count in self.unusable.items())
        return f"{said} ({why})" if why else said


@dataclass(slots=True, kw_only=True)
class AnswerTally:
    """The same while answers come in."""

    questions: int = 0
    usable: int = 0
    asked_again: int = 0
    known: int = 0
    unusable: Counter[str] = field(default_factory=Counter)
    prompt_tokens: int | None = 0
    answer_tokens: int | None = 0
    seconds: float = 0.0

    def add(self, answer: ChatAnswer) -> None:
        """Count one answer, or the reason why there is none."""
        self.questions += 1
        if answer.text is None:
            self.unusable[REASONS.get(answer.kind or "", NO_ANSWER)] += 1
            return
        self.usable += 1
        self.known += answer.cached
        self.asked_again += answer.attempts > 1

    def add_run(self, stats: ChatStats | None, seconds: float) -> None:
        """Count what asking took; None for `stats` where nobody knows, as the run was ended."""
        self.seconds += seconds
        if stats is None or self.prompt_tokens is None or self.answer_tokens is None:
            self.prompt_tokens = self.answer_tokens = None
            return
        self.prompt_tokens += stats.usage.prompt
        self.answer_tokens += stats.usage.completion

    def counts(self, role: str, model: str) -> AnswerCounts:
        """Return the counts so far."""
        return AnswerCounts(
            role=role,
            model=model,
            questions=self.questions,
            usable=self.usable,
            asked_again=self.asked_again,
            unusable=most_common_first(self.unusable),
            known=self.known,
            prompt_tokens=self.prompt_tokens,
            answer_tokens=self.answer_tokens,
            seconds=round(self.seconds, 1),
        )


def write_counts(folder: Path, counts: Sequence[AnswerCounts]) -> None:
    """Write the counts beside the data of a stage's result; nothing where no model was asked."""
    if counts:
        write_json(folder / ANSWERS, [asdict(one) for one in counts])


def unusable_in_words(counts: Sequence[AnswerCounts]) -> str:
    """Return what follows the reason why a stage has no result: the counts of the roles with unusable answers."""
    return "".join(f"; {one}" for one in counts if one.unusable)
