"""A gate on a comparison: whether B may take A's place, and on what evidence (pure)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.evaluation.comparison.sides import Values
from harness.statistics.estimates import Paired, paired
from harness.statistics.formatting import bounds, number, signed
from harness.statistics.gain import fewest_clusters
from harness.statistics.intervals import CONFIDENCE
from harness.statistics.records import Estimate

Claim = Literal["not-worse", "better"]
Decision = Literal["GO", "NO-GO", "INCONCLUSIVE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a gate asks of B."""

    claim: Claim = "not-worse"
    minimum_effect: float = 0.02
    """The smallest difference of means that matters, on the scale of the metric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateVerdict:
    """A gate's answer, and the numbers behind it."""

    decision: Decision
    metric: str
    rule: Rule
    alpha: float
    low: float | None
    """Interval of B - A at level 1 - alpha, pairs without a value counted against B for `low`, for B for `high`."""
    high: float | None
    missing: int
    """Pairs without a value on one side at least."""
    reason: str


def gate_verdict(
    metric: str, values: tuple[Values, Values], clusters: Sequence[str], *, rule: Rule, alpha: float, seed: int = 0
) -> GateVerdict:
    """Return whether B may take A's place, by `rule`.

    Let d be the true mean of B - A, m the minimum effect. Claim `not-worse`: GO where the interval at level
    1 - alpha lies above -m, so a loss that matters is excluded (non-inferiority; Piaggio et al. 2012).
    NO-GO where the sign-flip test finds B below A (p < alpha) and the mean difference itself is below -m, so
    there is a loss, and more likely than not one that matters. Claim `better` is the mirror image: GO where
    B is found above A and the mean difference is above m, NO-GO where the interval lies below m, so a gain
    that matters is excluded. Anything else is INCONCLUSIVE.

    What was not measured may not make a verdict: a pair without a value on one side, or that only one of the
    two has, counts as if B had lost it wholly (missing values: 1 in A, 0 in B) where a loss is to be excluded
    or a gain to be shown, and as if B had won it wholly where it is the other way round. And with so few
    conversations that the test could not reach alpha even if all of them agreed, one of the two verdicts
    could never be given: then nothing is decided.
    """
    x, y = values
    missing = sum(one is None or other is None for one, other in zip(x, y, strict=True))
    worst, best = (
        paired(_filled(x, 1 - fill), _filled(y, fill), clusters, seed=seed, alpha=alpha) for fill in (0.0, 1.0)
    )
    low, high = _interval(worst.difference, alpha)[0], _interval(best.difference, alpha)[1]
    decision: Decision = "INCONCLUSIVE"
    if worst.difference.clusters >= fewest_clusters(alpha) and low is not None and high is not None:
        decision = _decision(rule, (low, high), _shift(best, alpha), _shift(worst, alpha))
    verdict = GateVerdict(
        decision=decision, metric=metric, rule=rule, alpha=alpha, low=low, high=high, missing=missing, reason=""
    )
    return replace(verdict, reason=_sentence(verdict, paired(x, y, clusters, seed=seed, alpha=alpha)))


def _filled(values: Values, fill: float) -> list[float | None]:
    return [fill if one is None else one for one in values]


def _interval(difference: Estimate, alpha: float) -> tuple[float | None, float | None]:
    """Return the interval at level 1 - alpha from the 95 % one: both are quantiles of the same t distribution."""
    from scipy import stats

    if difference.value is None or difference.low is None or difference.high is None:
        return None, None
    quantiles = stats.t.ppf([1 - alpha / 2, (1 + CONFIDENCE) / 2], difference.clusters - 1)
    factor = float(quantiles[0] / quantiles[1])
    value = difference.value
    return value + factor * (difference.low - value), value + factor * (difference.high - value)


def _shift(test: Paired, alpha: float) -> float:
    """Return the mean difference where the test finds one, else 0."""
    return (test.difference.value or 0.0) if test.p is not None and test.p < alpha else 0.0


def _decision(rule: Rule, interval: tuple[float, float], loss: float, gain: float) -> Decision:
    """Return the verdict from the interval, and the differences found with missing values for and against B."""
    least = rule.minimum_effect
    if rule.claim == "not-worse":
        return "GO" if interval[0] > -least else "NO-GO" if loss < -least else "INCONCLUSIVE"
    return "GO" if gain > least else "NO-GO" if interval[1] < least else "INCONCLUSIVE"


def _sentence(verdict: GateVerdict, found: Paired) -> str:
    """Return the verdict in words; `found` is the comparison without the missing values."""
    least, metric = verdict.rule.minimum_effect, verdict.metric
    words = {
        ("not-worse", "GO"): f"B is not worse than A by {least:g} or more",
        ("not-worse", "NO-GO"): f"B is worse than A, as measured by more than {least:g}",
        ("not-worse", "INCONCLUSIVE"): f"it is open whether B is worse than A by {least:g} or more",
        ("better", "GO"): f"B is better than A, as measured by more than {least:g}",
        ("better", "NO-GO"): f"B is not better than A by {least:g} or more",
        ("better", "INCONCLUSIVE"): f"it is open whether B is better than A by {least:g} or more",
    }[verdict.rule.claim, verdict.decision]
    parts = [f"{words} in {metric}: {_numbers(verdict, found)}"]
    if verdict.missing:
        parts.append(f"{verdict.missing} pairs lack a value on a side and count as what speaks most against a verdict")
    if verdict.decision == "INCONCLUSIVE":
        parts.append(_what_it_takes(verdict, found))
    return "; ".join(parts)


def _numbers(verdict: GateVerdict, found: Paired) -> str:
    value = found.difference.value
    if value is None:
        return "no pair is scored on both sides"
    p = "" if found.p is None else f", p = {number(found.p, digits=4)}"
    if verdict.low is None or verdict.high is None:
        return f"B - A is {signed(value)}, without an interval"
    level = f"{100 * (1 - verdict.alpha):g} %"
    return f"B - A is {signed(value)}, {level} interval {bounds(verdict.low, verdict.high, signed)}{p}"


def _what_it_takes(verdict: GateVerdict, found: Paired) -> str:
    """Return what these data could have shown, and how many conversations the minimum effect asks for."""
    have, needed = found.difference.clusters, fewest_clusters(verdict.alpha)
    if have < needed:
        return f"{have} conversations cannot decide at alpha = {verdict.alpha:g}, at least {needed} are needed"
    seen = found.smallest_detectable or 0.0
    # The standard error falls with the square root of the number of conversations, what was not seen with the number.
    wanted = math.ceil(have * (seen / verdict.rule.minimum_effect) ** (1 if found.few_differ else 2))
    text = f"{have} conversations show a difference of {number(seen)} with 80 % power"
    if found.few_differ:
        text = f"hardly any conversation differs from the others, which says little about those not seen; {text}"
    return f"{text}, {verdict.rule.minimum_effect:g} would take about {wanted:,}" if wanted > have else text
