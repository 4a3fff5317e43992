"""What makes training worth its while: the thresholds of the verdict, from `datasets/verdict.yaml` or another file."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator

from harness.data.formats.yaml_lines import read_model
from harness.evaluation.metrics import JUDGE_METRIC, metric_names
from harness.resources import folder

_FILE = "verdict.yaml"
_EXAMPLE = "minimum_effect: 0.05, level: 0.05, metrics: [llm-as-a-judge, staged_tool_call]"


class Thresholds(BaseModel):
    """See `datasets/verdict.yaml`. Frozen; a key that is not here is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    minimum_effect: float = Field(ge=0, lt=1)
    level: float = Field(gt=0, lt=0.5)
    metrics: tuple[str, ...] = Field(min_length=1)
    most_conversations: PositiveInt = 2000
    few_traces: PositiveInt = 100

    @field_validator("metrics")
    @classmethod
    def _are_known(cls, metrics: tuple[str, ...]) -> tuple[str, ...]:
        known = [JUDGE_METRIC, *metric_names(parallel=True)]
        if unknown := next((name for name in metrics if name not in known), None):
            raise ValueError(f"there is no metric {unknown!r}; known are {', '.join(known)}")
        return metrics


def read_thresholds(file: Path | None = None) -> Thresholds:
    """Return the thresholds of a file, by default the harness's own; DataError, with the line, for what is wrong."""
    found: Thresholds = read_model(file or folder("datasets") / _FILE, Thresholds, _EXAMPLE)[0]
    return found
