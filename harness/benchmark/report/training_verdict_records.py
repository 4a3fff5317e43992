"""Records of the verdict whether training was worth it, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from harness.benchmark.cells import BaselineKind
from harness.benchmark.report.thresholds import Thresholds
from harness.data.scenarios import Arm
from harness.statistics.gain import Decision, Gain
from harness.statistics.records import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class BesideModel:
    """A model that was evaluated beside the trained ones, or was to be."""

    kind: BaselineKind
    model: str | None
    """As results name it."""
    status: Literal["done", "unusable", "failed", "left out"]
    problem: str | None = None
    """Why it is not in the tables, or why a judge's score of it is not."""
    config: str | None = None
    """Its configuration in the results dataset."""
    revision: str | None = None
    scores: Mapping[str, Estimate] = field(default_factory=dict)
    """Metric -> mean; empty unless it is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFaults:
    """What is wrong with the answers of an arm, as shares of its turns, errors included."""

    cut: float
    """Ended at the limit of tokens."""
    unread: float
    """Answers that hold no call."""
    other_tool: float
    arguments: float
    """The right tool, with other arguments than the reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """Whether training was worth it in one scenario or job."""

    scenario: str
    name: str
    """Its shortest name in sentences."""
    decision: Decision
    metric: str
    best: Arm | None
    """The arm that gains most; None where none has a score."""
    gains: Mapping[Arm, Gain]
    faults: Mapping[Arm, AnswerFaults]
    why: str | None = None
    """Why it cannot be told, where that is not the interval."""
    advice: tuple[str, ...] = ()
    """What to change, where the decision is to iterate; most telling first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorthVerdict:
    """Whether training was worth it, in every row of the main table."""

    thresholds: Thresholds
    decision: Decision | None
    """The worst of the rows': PROCEED only where all do, STOP where any does; None without rows."""
    rows: tuple[Worth, ...]
    sentences: tuple[str, ...]
