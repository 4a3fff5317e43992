"""Answers from a file: an earlier run's answers, or texts written by anything else."""

from __future__ import annotations

from pathlib import Path

from harness.errors import DataError
from harness.records import Prediction, TurnPair
from harness.wire.jsonl import read_jsonl


class ReplayBackend:
    """Answers each pair with the text that a JSONL file of `{"pair_id", "raw"}` rows has for it."""

    def __init__(self, path: Path) -> None:
        """Read the file. Raises DataError for rows without `pair_id` or with a `raw` that is no text."""
        self._answers: dict[str, Prediction] = {}
        for number, row in read_jsonl(path):
            pair, raw = row.get("pair_id"), row.get("raw")
            if not isinstance(pair, str) or not (raw is None or isinstance(raw, str)):
                raise DataError.at(path, number, 'expected {"pair_id": text, "raw": text or null}')
            error = None if raw is not None else str(row.get("error") or "no answer recorded")
            self._answers[pair] = Prediction(pair_id=pair, raw=raw, error=error)

    async def answer(self, pair: TurnPair) -> Prediction:
        """Return the recorded answer, or an error where the file has none for this pair."""
        missing = Prediction(pair_id=pair.id, raw=None, error="the replay file has no answer for this pair")
        return self._answers.get(pair.id, missing)

    async def close(self) -> None:
        """Nothing to close."""
