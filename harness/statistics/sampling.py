"""Several answers to each question: their mean, how much of its error is sampling, and k tries at it (pure)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import comb

from harness.statistics.estimates import clustered_error, estimate
from harness.statistics.records import ErrorParts, Estimate, PassRate

Samples = Sequence[float | None]
"""The scores of the answers to one question; None: unscored."""


def sample_means(values: Sequence[Samples]) -> list[float | None]:
    """Return the mean of the scored samples of each question; None where none is scored."""
    scored = [[one for one in samples if one is not None] for samples in values]
    return [sum(known) / len(known) if known else None for known in scored]


def error_parts(values: Sequence[Samples], clusters: Sequence[Hashable]) -> ErrorParts:
    """Return the standard error of the mean over questions, and what sampling and conversations add to it.

    `values[i]` are the samples of question i, of `clusters[i]`. The whole variance is that of `estimate` over the
    questions' means, which holds both parts. Given the questions, samples are independent, so the part of sampling is
    sum_i(s_i^2 / m_i) / n^2, with s_i^2 the sample variance (divisor m_i - 1) of the m_i scores of question i, that of
    a question with a single one being the mean of the others. What is left is the part of the conversations, 0 where
    sampling alone explains more than the whole; both parts are unbiased before that. Parts are None where no question
    has two scores, and everything is with fewer than two conversations.
    """
    whole = clustered_error(sample_means(values), clusters)
    scored = [known for samples in values if (known := [one for one in samples if one is not None])]
    spreads = [_variance(known) for known in scored if len(known) > 1]
    if not spreads:
        return ErrorParts(whole=whole, samples=None, conversations=None)
    usual = sum(spreads) / len(spreads)
    added = sum((_variance(known) if len(known) > 1 else usual) / len(known) for known in scored) / len(scored) ** 2
    left = None if whole is None else max(0.0, whole**2 - added) ** 0.5
    return ErrorParts(whole=whole, samples=added**0.5, conversations=left)


def _variance(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return sum((one - mean) ** 2 for one in values) / (len(values) - 1)


def any_of(k: int, right: int, total: int) -> float:
    """Return pass@k, the chance that at least one of k answers is right, from `right` of `total` >= k.

    1 - C(total - right, k) / C(total, k) is unbiased (Chen et al. 2021, arXiv:2107.03374, equation 1).
    """
    return 1 - comb(total - right, k) / comb(total, k)


def all_of(k: int, right: int, total: int) -> float:
    """Return pass^k, the chance that all of k answers are right, from `right` of `total` >= k.

    C(right, k) / C(total, k) is unbiased (Yao et al. 2024, arXiv:2406.12045, section 2).
    """
    return comb(right, k) / comb(total, k)


def pass_rates(values: Sequence[Samples], clusters: Sequence[Hashable]) -> tuple[PassRate, ...]:
    """Return pass@k and pass^k for k = 1, 2, 4 and so on, and for all samples; an answer is right at a score of 1.

    A question with fewer than k scored samples is unscored at that k. Intervals are those of `estimate`.
    """
    most = max((len(samples) for samples in values), default=0)
    counts = [
        (sum(one is not None and one >= 1 for one in samples), sum(one is not None for one in samples))
        for samples in values
    ]

    def rate(of: int, either: bool) -> Estimate:
        chance = any_of if either else all_of
        return estimate([chance(of, right, total) if total >= of else None for right, total in counts], clusters)

    return tuple(PassRate(k=k, any=rate(k, True), all=rate(k, False)) for k in _tries(most))


def _tries(most: int) -> list[int]:
    powers = [2**power for power in range(most.bit_length()) if 2**power <= most]
    return sorted({*powers, *([most] if most else [])})
