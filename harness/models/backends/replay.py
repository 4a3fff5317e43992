"""Answers from a file: those of an earlier run, or texts from another source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from harness.data.formats.jsonl import read_jsonl
from harness.data.records import AnswerKey, Prediction
from harness.data.tasks import TestSet
from harness.errors import DataError, UsageError
from harness.hub.artifact import FileInput
from harness.hub.client import Hub
from harness.models.backends._base import EvaluateConfig, EvaluatedModel, OnAnswer, Sampling
from harness.models.names import ModelName

_TEXTS = ("prediction", "answer", "text", "output", "response", "completion", "content")
"""Where other files have what is expected under `raw`."""


def _reason(row: dict[str, Any]) -> str | None:
    """Return how the answer ended, where it was recorded."""
    return row["finish_reason"] if isinstance(row.get("finish_reason"), str) else None


def _read(path: Path) -> dict[AnswerKey, Prediction]:
    answers: dict[AnswerKey, Prediction] = {}
    for number, row in read_jsonl(path):
        pair, raw = row.get("pair_id"), row.get("raw")
        if not isinstance(pair, str) or not (raw is None or isinstance(raw, str)):
            raise DataError.at(path, number, 'expected {"pair_id": text, "raw": text or null}')
        if raw is None and "raw" not in row and (other := next((key for key in _TEXTS if key in row), None)):
            raise DataError.at(path, number, f'the answer stands under "{other}"; expected it under "raw"')
        sample = row.get("sample", 0)
        if not isinstance(sample, int) or isinstance(sample, bool) or sample < 0:
            raise DataError.at(path, number, f'"sample" is {sample!r:.40}; expected its number, from 0')
        error = None if raw is not None else str(row.get("error") or "no answer recorded")
        answer = Prediction(pair_id=pair, raw=raw, error=error, finish_reason=_reason(row), sample=sample)
        answers[answer.key] = answer
    return answers


def prepare(name: ModelName, hub: Hub, test_set: TestSet, config: EvaluateConfig) -> EvaluatedModel:
    """Read the file; see `harness.models.backends._prepare.prepare`."""
    del hub
    return EvaluatedReplay(Path(name.id), test_set, config.sampling)


class EvaluatedReplay(EvaluatedModel):
    """Recorded answers instead of a model: a JSONL file of `{"pair_id", "raw"}` rows, with `sample` for several."""

    def __init__(self, path: Path, test_set: TestSet, sampling: Sampling | None = None) -> None:
        """Read the file.

        Raises DataError for rows without `pair_id` or with a `raw` that is no text, and UsageError where the file
        holds another number of samples than is asked for.
        """
        self._answers = _read(path)
        _check_samples(path, self._answers, sampling)
        self.asked: dict[str, AnswerKey] = {pair.id: (pair.id, 0) for pair in test_set.pairs}
        self.prompt_hashes = []
        self.details = {}
        sha256 = FileInput.of(path).sha256
        self.content = f"@sha256:{sha256}"
        self.settings = {"backend": "replay", "file_sha256": sha256, **(sampling.settings if sampling else {})}

    def sampled(self, item: AnswerKey, sample: int) -> AnswerKey:
        """See `EvaluatedModel.sampled`."""
        return item[0], sample

    def ask(self, keys: Sequence[AnswerKey], on_answer: OnAnswer, /) -> None:
        """Give the recorded answers, or an error where the file has none."""
        for key in keys:
            pair_id, sample = key
            what = f"sample {sample} of this pair" if sample else "answer for this pair"
            missing = Prediction(pair_id=pair_id, raw=None, error=f"the replay file has no {what}", sample=sample)
            on_answer(self._answers.get(key, missing))


def _check_samples(path: Path, answers: Iterable[AnswerKey], sampling: Sampling | None) -> None:
    """Raise UsageError where recorded samples would be left out, or samples are wanted that nobody recorded."""
    held = 1 + max((sample for _, sample in answers), default=0)
    if held != (sampling.samples if sampling else 1):
        wanted = f"with --samples {held}" if held > 1 else "without --samples"
        raise UsageError(f"{path} holds {held} answer{'s' * (held > 1)} to a pair; evaluate it {wanted}")
