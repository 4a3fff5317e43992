"""The judge metric of evaluations: the rows of their reports as cases, judged together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.data.records import Case, Task, TurnPair
from harness.data.tasks import TestSet
from harness.evaluation.baselines import GOLD
from harness.evaluation.judge.judges import JudgeConfig, make_judges
from harness.evaluation.judge.labels import Labelled, calibration, read_labelled
from harness.evaluation.judge.panel import judge_cases
from harness.evaluation.judge.prompt import JudgePrompt
from harness.evaluation.records import Judging
from harness.evaluation.scorecard import MODEL, Judgements, Scores
from harness.hub.client import Hub
from harness.models.chat.chat_models import ChatModels

ALWAYS = (MODEL, GOLD)
"""Rows that are judged even where the null baselines are not."""


def check(config: JudgeConfig, test_set: TestSet, hub: Hub) -> None:
    """Raise HarnessError where a judge or the labels are unavailable, before any answer is made for them."""
    make_judges(config, test_set.task, ChatModels(config.asking, hub))  # nothing is started before it is asked
    _labelled(config, test_set.pairs, test_set.task)


def judge_evaluations(
    evaluations: Sequence[Sequence[Scores]], test_set: TestSet, config: JudgeConfig, hub: Hub
) -> list[list[Judgements]]:
    """Return the judge metric of each sample of each evaluation; every judge is started once for all of them.

    What is said of the judging itself is the same for all samples of an evaluation, and about all of them.
    Null baselines (unless the configuration leaves them out) and references are judged like the model's answers.
    Labelled rows, where the configuration names some, are judged too and say how far the judge can be trusted; a score
    is corrected by them where there is one sample.
    """
    pairs, task = test_set.pairs, test_set.task
    labelled = _labelled(config, pairs, task)
    baselines = config.baselines
    numbered = [(f"{i}.{k}", one) for i, samples in enumerate(evaluations) for k, one in enumerate(samples)]
    cases = [case for number, one in numbered for case in _cases(number, one, pairs, baselines=baselines)]
    cases += [one.case for one in labelled]
    with ChatModels(config.asking, hub) as models:
        judges = make_judges(config, task, models)
        judged = judge_cases(cases, judges, ask_everything=config.ask_everything)
    prompt = JudgePrompt(task)
    settings = {
        "judge": [judge.name for judge in judges],
        "judges": {judge.name: judge.settings for judge in judges},
        "ask_everything": config.ask_everything,
    }
    found = []
    for i, samples in enumerate(evaluations):
        rows = [
            {
                name: [judged.judgements.get(_id(f"{i}.{k}", name, pair)) for pair in pairs]
                for name in one.texts
                if baselines or name in ALWAYS
            }
            for k, one in enumerate(samples)
        ]
        own = [case for case in cases if case.id.startswith(tuple(f"{i}.{k}/{MODEL}/" for k in range(len(samples))))]
        calls = samples[0].calls[MODEL]
        judging = Judging(
            members=judged.members,
            prompt_sha256=prompt.sha256 if any(not judge.name.startswith("rules:") for judge in judges) else None,
            rubric=prompt.rubric_source,
            decided_by_code=sum(case.id in judged.decided for case in own),
            agreement=judged.agreement(own),
            calibration=calibration(labelled, judged, pairs, rows[0][MODEL], calls) if labelled else None,
        )
        found.append([Judgements(rows=one, judging=judging, settings=settings) for one in rows])
    return found


def _labelled(config: JudgeConfig, pairs: Sequence[TurnPair], task: Task) -> list[Labelled]:
    return read_labelled(config.labels, config.label_column, pairs, task) if config.labels else []


def _id(evaluation: str, row: str, pair: TurnPair) -> str:
    return f"{evaluation}/{row}/{pair.id}"


def _cases(evaluation: str, scores: Scores, pairs: Sequence[TurnPair], *, baselines: bool) -> Iterator[Case]:
    """Yield a case for every text of every row of the report; pairs without an answer or of several calls have none."""
    for name, texts in scores.texts.items():
        if not baselines and name not in ALWAYS:
            continue
        for pair, text, call in zip(pairs, texts, scores.calls[name], strict=True):
            if text is not None and not pair.further:  # the rubric and the prompt are about one call
                yield Case(
                    id=_id(evaluation, name, pair),
                    conversation=pair.conversation,
                    prefix=pair.prefix,
                    reference=pair.reference,
                    prediction=text,
                    call=call,
                )
