"""The judges: rules, an endpoint, or a checkpoint behind the harness's own vLLM server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from harness.data.records import Case, Task, Vote
from harness.errors import UsageError
from harness.evaluation.judge.prompt import JudgePrompt, parse_verdict
from harness.models.chat.ask_again import again_sha256
from harness.models.chat.chat_models import ChatModel, ChatModels, ChatSettings
from harness.models.chat.parameters import in_words
from harness.models.chat.records import ChatAnswer, ChatRequest
from harness.models.names import ModelName

MAX_TOKENS = 1024
"""Longest verdict, its reasoning included."""

OnVote = Callable[[Vote], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeConfig:
    """What the user chose about judging."""

    judges: tuple[str, ...]
    """Names as on the command line: `rules:judge`, `openai:ID`, or a model on the Hub."""
    ask_everything: bool = False
    """Also ask what code can decide."""
    baselines: bool = True
    """Also judge the null baselines."""
    asking: ChatSettings = field(default_factory=ChatSettings)
    labels: Path | None = None
    """File of rows with labels, to say how far the judge can be trusted."""
    label_column: str = "label"


class Judge(Protocol):
    """A judge, which gives one vote on every case."""

    @property
    def name(self) -> str:
        """The judge as votes and reports name it."""

    @property
    def settings(self) -> dict[str, Any]:
        """What decides about its votes, for the record."""

    def vote(self, cases: Sequence[Case], on_vote: OnVote) -> None:
        """Call `on_vote` once for each case. Raises HarnessError where the judge cannot be asked."""


def make_judges(config: JudgeConfig, task: Task | None, models: ChatModels) -> list[Judge]:
    """Return the judges that the configuration names; UsageError for a name twice or one that cannot judge."""
    if len(set(config.judges)) < len(config.judges):
        raise UsageError("a judge is named twice; a panel needs different ones")
    prompt = JudgePrompt(task)
    return [_judge(ModelName.parse(name), prompt, task, models) for name in config.judges]


def _judge(name: ModelName, prompt: JudgePrompt, task: Task | None, models: ChatModels) -> Judge:
    if name.backend == "rules":
        if name.id != "judge":
            raise UsageError(f"no judge {name}; the rule-based one is rules:judge")
        return RulesJudge(task)
    if name.backend == "replay":
        raise UsageError(f"{name} cannot judge; name rules:judge, openai:ID, or a model on the Hub")
    return PromptedJudge(models.model(name), prompt)


class RulesJudge:
    """The rubric as code."""

    name = "rules:judge"

    def __init__(self, task: Task | None) -> None:
        from harness.rules.judge.rubric import settings

        self.settings = settings()
        self._task = task

    def vote(self, cases: Sequence[Case], on_vote: OnVote) -> None:
        """Judge every case; nothing is asked."""
        from harness.rules.judge.rubric import judge

        for case in cases:
            on_vote(judge(case, self._task))


class PromptedJudge:
    """A language model as a judge, behind an endpoint or the harness's own vLLM server."""

    def __init__(self, model: ChatModel, prompt: JudgePrompt) -> None:
        self.name = model.name
        self._model = model
        self._prompt = prompt

    @property
    def settings(self) -> dict[str, Any]:
        """See `Judge`."""
        otherwise = in_words(self._model.changes())
        more = {"sent_otherwise": otherwise} if otherwise else {}
        return {**self._model.settings, "again_sha256": again_sha256(), **more}

    def vote(self, cases: Sequence[Case], on_vote: OnVote) -> None:
        """Ask for every case whose answer is not in the cache."""
        room = self._model.room(MAX_TOKENS)
        requests = [
            ChatRequest(
                id=case.id,
                messages=self._prompt.messages(case),
                schema=self._prompt.schema,
                max_tokens=room,
                check=_check,
            )
            for case in cases
        ]
        self._model.ask(requests, lambda answer: on_vote(self._vote(answer)))

    def _vote(self, answer: ChatAnswer) -> Vote:
        if answer.text is None:
            tries = f" after {answer.attempts} tries" if answer.attempts > 1 else ""
            reason = f"no usable verdict{tries}: {answer.error}"
            return Vote(case_id=answer.id, judge=self.name, value=None, reason=reason)
        value, reason = parse_verdict(answer.text)
        return Vote(case_id=answer.id, judge=self.name, value=value, reason=reason)


def _check(text: str) -> None:
    parse_verdict(text)
