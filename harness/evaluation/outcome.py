"""A finished evaluation: its folder and its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.evaluation.records import EvalRun
from harness.evaluation.scorecard import Scorecard, Scores
from harness.hub.lineage import Lineage


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A model's answers to the whole test set, scored by code, and the folder that they lie in."""

    folder: Path
    lineage: Lineage
    run: EvalRun
    scores: Scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A finished evaluation: its folder and its numbers."""

    folder: Path
    lineage: Lineage
    scorecard: Scorecard
