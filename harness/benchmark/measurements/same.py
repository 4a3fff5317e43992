"""Whether measurements may stand in one table: the same test set, metrics, arithmetic, student and settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.benchmark.measurements.record import Measurement
from harness.benchmark.record import deciding_settings
from harness.errors import DataError

_ENGINE = ("engine", "engine_args", "max_tokens", "temperature", "thinking", "reading")
_CACHE = "--kv-cache-memory-bytes"
"""The one default of an engine that depends on the machine's memory; no answer depends on it."""
_PRECISION = "precision of the training"


def check_same(measured: Sequence[Measurement]) -> None:
    """Raise DataError for the first measurement that must not be compared with those before it."""
    known: dict[str, tuple[Any, str]] = {}
    for one in measured:
        for what, value in _conditions(one).items():
            before, of = known.setdefault(what, (value, one.model))
            if before != value:
                raise DataError(
                    f"{one.model} and {of} were measured with another {what} ({value} and {before}), so they must not "
                    "stand in one table; measure one of them again like the other, or keep it in a folder of its own"
                )


def _conditions(one: Measurement) -> dict[str, Any]:
    """Return what has to be the same, in words; a model that was not trained says nothing about training."""
    run, judging = one.report.run, one.report.judging
    return {
        "test set": one.test_set.sha256[:12],
        "version of the evaluation": one.stage_version,
        "choice of metrics": ", ".join(sorted(one.report.rows["model"])),
        "version of the metrics": one.baselines_sha256[:12],
        "judge": run.judge,
        "prompt of the judge": judging.prompt_sha256 if judging else None,
        **{f"arithmetic, {key}": run.config.get(key) for key in _ENGINE},
        "arithmetic, engine_defaults": _without_cache(run.config.get("engine_defaults") or ()),
        "student": one.student,
        **{f"setting of the preset, {key}": value for key, value in deciding_settings(one.settings).items()},
        **({_PRECISION: one.training.get("precision")} if one.training else {}),
    }


def _without_cache(words: Sequence[str]) -> list[str]:
    before = ["", *words]
    return [word for last, word in zip(before, words, strict=False) if _CACHE not in (last, word)]
