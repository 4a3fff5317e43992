"""Inspect's command line on the task `tft/benchmark`, and its tables as ours are."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from inspect_ai.log import EvalLog, read_eval_log

from harness.statistics.records import Estimate


class Inspect:
    """Runs Inspect's command line in a folder, each command in a process of its own."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self._environment = {**environment, "INSPECT_LOG_DIR": "logs", "INSPECT_DISPLAY": "plain"}

    def __call__(self, *words: str) -> str:
        """Run it to its end, which is to be a success, and return what it says."""
        done = self.run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "inspect_ai", *words]
        return subprocess.run(
            command, cwd=self.folder, env=self._environment, capture_output=True, text=True, check=False
        )

    def newest(self, folder: str = "logs") -> EvalLog:
        """Return the newest log."""
        return read_eval_log(str(max((self.folder / folder).glob("*.eval"), key=lambda path: path.stat().st_mtime_ns)))


def table(log: EvalLog) -> dict[str, Estimate]:
    """Return the log's table as the report's row of the model has it."""
    assert log.results is not None
    clusters = {}
    for sample in log.samples or []:
        for name, score in (sample.scores or {}).items():
            if not math.isnan(score.as_float()):
                clusters.setdefault(name, set()).add(sample.metadata["conversation"])
    return {
        one.name.removeprefix("tft/"): Estimate(
            value=one.metrics["mean"].value,
            low=one.metrics["low"].value,
            high=one.metrics["high"].value,
            n=one.scored_samples or 0,
            clusters=len(clusters[one.name]),
            errors=one.unscored_samples or 0,
            unscored=one.unscored_samples or 0,
        )
        for one in log.results.scores
    }
