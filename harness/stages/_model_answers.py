"""From a model that is ready to an answer for each pair and sample in the log of its run, and to their readings."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from harness.data.records import AnswerKey, Prediction
from harness.data.tasks import TestSet
from harness.errors import UsageError
from harness.evaluation.answer_log import AnswerLog
from harness.evaluation.run_folder import ENGINE_LOG, RunFolder, Timings
from harness.evaluation.scorecard import Readings, read_answers
from harness.evaluation.thinking import apart
from harness.models.backends._base import EvaluatedModel
from harness.models.prompts.thinking import OFF
from harness.terminal import progress, say


def collect_answers(
    model: EvaluatedModel, run: RunFolder, keys: Sequence[AnswerKey], *, timings: Timings, stack: ExitStack
) -> None:
    """Bring the log to an answer for each key: an answer of the model, or the reason why there is none."""
    log = run.log
    with timings.phase("start"):
        if log.missing(keys):
            backend = stack.enter_context(model.backend(run.path / ENGINE_LOG))
        else:
            model.make_prompts()
            _check_prompts(model, log)
            return
    _check_prompts(model, log)
    _note_unaskable(model, log, keys)
    missing = log.missing(keys)
    if len(missing) < len(keys):
        say(f"{len(missing)} of {len(keys)} answers are missing")
    with timings.phase("answers"), progress("answers", total=len(missing)) as advance:

        def keep(answer: Prediction) -> None:
            log.append(answer)
            advance()

        backend.ask(model.items(missing), keep)


def _check_prompts(model: EvaluatedModel, log: AnswerLog) -> None:
    """Raise UsageError where answers that are there were given to other prompts than the ones of now."""
    made = dict(zip(model.asked, model.prompt_hashes, strict=False))
    sent = [(one.prompt_sha256, made.get(one.pair_id)) for one in log.answers.values()]
    other = [hashes for hashes in sent if None not in hashes and hashes[0] != hashes[1]]
    if other:
        raise UsageError(
            f"{len(other)} of {len(sent)} answers in {log.path} were given to other prompts than those of now: an "
            "earlier version of the harness may have made them; give another --out"
        )


def _note_unaskable(model: EvaluatedModel, log: AnswerLog, keys: Sequence[AnswerKey]) -> None:
    impossible = {prediction.pair_id: prediction for prediction in model.unaskable()}
    for pair_id, sample in keys:
        if pair_id in impossible and (pair_id, sample) not in log.answers:
            log.append(replace(impossible[pair_id], sample=sample))
    if impossible:
        first = next(iter(impossible.values()))
        say(f"{len(impossible)} of {len(model.asked)} pairs stay unscored, the first because {first.error}")


def without_thinking(model: EvaluatedModel, test_set: TestSet, answers: Sequence[Prediction]) -> list[Prediction]:
    """Return the answers without the thinking in their texts, where the model may have thought."""
    if model.settings.get("thinking", True) in (False, OFF):
        return list(answers)
    return [apart(one, test_set.task, model.family) for one in answers]


def read_samples(model: EvaluatedModel, test_set: TestSet, samples: Sequence[Sequence[Prediction]]) -> list[Readings]:
    """Return the readings of the answers of each sample."""
    answers = [answer for one in samples for answer in one]
    texts = [answer.raw for answer in answers if answer.raw is not None]
    if not texts:
        raise UsageError(
            f"the model answered none of the {len(test_set.pairs)} pairs, the first because {answers[0].error}; "
            "mend that, then ask again with --resume"
        )
    parser, vllm = model.second_reading(texts) or (None, None)
    readings, size = read_answers(answers, test_set.task, model.family, vllm, parser), len(test_set.pairs)
    starts = range(0, len(answers), size)
    return [{name: found[start : start + size] for name, found in readings.items()} for start in starts]
