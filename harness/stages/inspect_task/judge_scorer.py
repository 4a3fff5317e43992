"""The judge metric as a scorer of Inspect: one judge, asked about one sample at a time."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from inspect_ai.scorer import Score, Scorer, Target  # Inspect reads annotations
from inspect_ai.solver import TaskState

from harness.data.records import Case, Vote
from harness.errors import UsageError
from harness.evaluation import metrics
from harness.evaluation.judge.judges import MAX_TOKENS, JudgeConfig, make_judges
from harness.evaluation.judge.panel import decide_by_code
from harness.models import parsing
from harness.models.chat.chat_models import ChatModels, ChatSettings
from harness.models.names import ModelName
from harness.stages._requests import InferenceOptions
from harness.stages.inspect_task.chat_answers import FAMILY, raw_answer
from harness.stages.inspect_task.task import Question, find_question

_JUDGES = ("rules", "openai")
_ENDPOINTS = "TFT_ENDPOINTS"


def judge_scorer(judge: str | list[str] | None, base_url: str | None) -> Scorer:
    """Return the scorer of the judge metric: what `tft evaluate --judge` says of the same answer.

    `judge` is `rules:judge` or `openai:ID`, the latter at `base_url`, or where the file in TFT_ENDPOINTS says. Code
    decides what it can. UsageError for another judge, since an engine that is started for each sample would not end,
    and for several, which Inspect reads from a name with commas.
    """
    if not isinstance(judge, str) or ModelName.parse(judge).backend not in _JUDGES:
        shown = ", ".join(map(str, judge)) if isinstance(judge, list) else judge
        raise UsageError(
            f"tft/benchmark asks one judge, rules:judge or openai:ID, got {shown}; panels, and judges on our own vLLM, "
            "are asked by `tft evaluate --judge`"
        )
    file = os.environ.get(_ENDPOINTS)
    options = InferenceOptions(base_url=base_url, endpoints=Path(file) if file else None, max_tokens=MAX_TOKENS)
    config = JudgeConfig(judges=(judge,), asking=options.settings())

    async def score(state: TaskState, target: Target) -> Score:
        del target  # the reference is the test set's
        said = raw_answer(state.output)
        if said.raw is None:
            return Score.unscored(reason=said.kind, explanation=f"not judged: {said.problem}")
        family = (state.output.metadata or {}).get(FAMILY)
        messages = state.input if isinstance(state.input, list) else []
        vote, text = await asyncio.to_thread(_vote, find_question(messages), said.raw, family, config)
        if vote.value is None:
            return Score.unscored(reason="grader_failed", answer=text, explanation=vote.reason)
        return Score(value=vote.value, answer=text, explanation=vote.reason, metadata={"judge": vote.judge})

    return score


def _vote(question: Question, raw: str, family: str | None, config: JudgeConfig) -> tuple[Vote, str]:
    """Return the verdict on an answer, and the text that was judged."""
    pair, task = question.pair, question.opened.test_set.task
    call = parsing.read(raw, family=family, strict=False, tools=task.tools).call
    text = metrics.scored_text(raw, call)
    case = Case(
        id=pair.id,
        conversation=pair.conversation,
        prefix=pair.prefix,
        reference=pair.reference,
        prediction=text,
        call=call,
    )
    if decided := decide_by_code(case):
        return decided, text
    votes: list[Vote] = []
    settings: ChatSettings = config.asking  # its limits per minute hold for all samples
    with ChatModels(settings, question.opened.hub) as models:
        [judge] = make_judges(config, task, models)
        judge.vote([case], votes.append)
    return votes[0], text
