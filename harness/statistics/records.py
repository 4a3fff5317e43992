"""Records of statistics: estimates, samples, agreement, calibration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean with its 95 % interval, and what it was computed from."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    """Scored pairs."""
    clusters: int
    """Conversations that the scored pairs come from."""
    errors: int = 0
    """Pairs that the model gave no answer to."""
    unscored: int = 0
    """Pairs without a value, errors included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorParts:
    """The standard error of a mean over several samples of each pair, and its parts: their squares add up."""

    whole: float | None
    """Of the interval: over other conversations, each asked anew."""
    samples: float | None
    """What other samples of the same pairs would move the mean by."""
    conversations: float | None
    """What would be left with any number of samples of each pair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassRate:
    """The chance that of k samples at least one, and that all of them, are right."""

    k: int
    any: Estimate
    """pass@k."""
    all: Estimate
    """pass^k."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far raters agree on the same cases, beyond chance."""

    raters: int
    n: int
    """Cases with two votes or more."""
    observed: float | None
    """Mean share of agreeing pairs of votes."""
    alpha: float | None
    """Krippendorff's alpha, nominal."""
    ac1: float | None
    """Gwet's AC1."""
    kappa: dict[str, Estimate]
    """Cohen's kappa of each pair of raters, named `A | B`, its interval clustered by conversation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A judge against labels that are taken as the truth. Bad is what is looked for (the positive class)."""

    n: int
    clusters: int
    unscored: int
    """Labelled rows that the judge did not score."""
    true_bad: int
    false_bad: int
    """The judge says bad, the label good."""
    true_good: int
    false_good: int
    """The judge says good, the label bad."""
    agreement: Estimate
    kappa: Estimate
    sensitivity: Estimate
    """Share of bad among the rows labelled bad."""
    specificity: Estimate
    """Share of good among the rows labelled good."""
    same_name_recall: Estimate
    """Sensitivity among rows where the prediction calls the reference's tool: what a judge adds to comparing names."""
    same_name_false_bad: Estimate
    """Share of bad among the rows labelled good, where the prediction calls the reference's tool."""
    base_rate: float
    """Share of the labels that are bad."""
    names_only_kappa: float | None
    """Kappa of the rule `bad where the names differ`, the yardstick."""
    by_tool: dict[str, dict[str, float]]
    """Reference tool -> `n`, `bad` (labelled), `agreement`, `kappa`, `recall`."""
    corrected: Estimate | None = None
    """The judged score of all rows, corrected by what the labelled ones show (prediction-powered inference).

    None where the labels are not of the same model's rows.
    """
