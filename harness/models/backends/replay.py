"""Answers from a file: those of an earlier run, or texts from another source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.data.formats.jsonl import read_jsonl
from harness.data.records import Prediction, TurnPair
from harness.data.tasks import TestSet
from harness.errors import DataError
from harness.hub.artifact import FileInput
from harness.hub.client import Hub
from harness.models.backends._base import EvaluateConfig, EvaluatedModel, OnAnswer
from harness.models.names import ModelName

_TEXTS = ("prediction", "answer", "text", "output", "response", "completion", "content")
"""Where other files have what is expected under `raw`."""


def _reason(row: dict[str, Any]) -> str | None:
    """Return how the answer ended, where it was recorded."""
    return row["finish_reason"] if isinstance(row.get("finish_reason"), str) else None


def _read(path: Path) -> dict[str, Prediction]:
    answers: dict[str, Prediction] = {}
    for number, row in read_jsonl(path):
        pair, raw = row.get("pair_id"), row.get("raw")
        if not isinstance(pair, str) or not (raw is None or isinstance(raw, str)):
            raise DataError.at(path, number, 'expected {"pair_id": text, "raw": text or null}')
        if raw is None and "raw" not in row and (other := next((key for key in _TEXTS if key in row), None)):
            raise DataError.at(path, number, f'the answer stands under "{other}"; expected it under "raw"')
        error = None if raw is not None else str(row.get("error") or "no answer recorded")
        answers[pair] = Prediction(pair_id=pair, raw=raw, error=error, finish_reason=_reason(row))
    return answers


def prepare(name: ModelName, hub: Hub, test_set: TestSet, config: EvaluateConfig) -> EvaluatedModel:
    """Read the file; see `harness.models.backends._prepare.prepare`."""
    del hub, config
    return EvaluatedReplay(Path(name.id), test_set)


class EvaluatedReplay(EvaluatedModel):
    """Recorded answers instead of a model: a JSONL file of `{"pair_id", "raw"}` rows."""

    def __init__(self, path: Path, test_set: TestSet) -> None:
        """Read the file. Raises DataError for rows without `pair_id` or with a `raw` that is no text."""
        self._answers = _read(path)
        self.asked = {pair.id: pair for pair in test_set.pairs}
        self.prompt_hashes = []
        self.details = {}
        sha256 = FileInput.of(path).sha256
        self.content = f"@sha256:{sha256}"
        self.settings = {"backend": "replay", "file_sha256": sha256}

    def ask(self, pairs: Sequence[TurnPair], on_answer: OnAnswer, /) -> None:
        """Give each pair its recorded answer, or an error where the file has none for it."""
        for pair in pairs:
            missing = Prediction(pair_id=pair.id, raw=None, error="the replay file has no answer for this pair")
            on_answer(self._answers.get(pair.id, missing))
