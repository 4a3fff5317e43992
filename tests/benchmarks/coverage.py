"""Coverage of the intervals and false positives of the paired test, simulated with real conversation sizes.

Prints four tables. Exit status 1 if a nominal 95 % interval covers less than 93.5 or more than 96.5 %, the paired test
at 5 % rejects less than 4 or more than 6 % of comparisons of equal models, an interval of a judge's kappa or of a
corrected score covers less than 92 or more than 98 %, or the interval of a difference that few conversations show
covers less than 86 %. Means of 0.95 are shown but not checked: with so few errors, no interval can know how they
cluster. The sizes are those of the published test set (TFT_SOURCES), or are given with --sizes.

    TFT_SOURCES=... python tests/benchmarks/coverage.py
    python tests/benchmarks/coverage.py --sizes 6,7,7,8,9,10,11,12,15,21 --draws 2000
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from harness.data.formats.messages import expand_pairs
from harness.data.formats.published import read_test_conversations
from harness.statistics.agreement import corrected_score, kappa
from harness.statistics.estimates import bootstrap, estimate, half_width, paired

MEANS, CORRELATIONS = (0.95, 0.85, 0.75, 0.5), (0.0, 0.05, 0.1, 0.2)
JUDGE_LIMITS = (0.92, 0.98)
"""For the intervals of kappa and of corrected scores: fewer rows, and a fifth of the draws."""
PROMISED = 0.85
"""The limits hold for means up to this one."""
COVERAGE_LIMITS, REJECTION_LIMITS = (0.935, 0.965), (0.04, 0.06)
RARE, RARE_SIZES, RARE_LIMIT = (0.01, 0.03, 0.06, 0.1, 0.2, 0.35), (6, 10, 20, 40), 0.86
"""Share of conversations in which one model fails wholly and the other does not, and numbers of conversations."""
SHARED = 0.5
"""Correlation of two models' latent scores at the same pair, beside what the conversation does to both."""

JUDGES = ((0.85, 0.6, 0.02), (0.85, 0.9, 0.02), (0.75, 0.95, 0.15))
"""Share of good rows, of the bad ones that the judge finds, and of the good ones that it calls bad."""

Outcomes = NDArray[np.float64]
Simulation = Callable[[Sequence[int], float, float, np.random.Generator], Outcomes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """The truth about a simulated judge, and how far labels and verdicts depend on the conversation."""

    good: float
    finds: float
    false_bad: float
    latent: float
    """Correlation of the normal scores behind labels, and behind verdicts, within a conversation."""


def conversation_sizes(test_set: Path) -> list[int]:
    """Return the number of turn pairs of each conversation of a published test file."""
    return [len(expand_pairs([one])) for one in read_test_conversations(test_set)]


def membership(sizes: Sequence[int]) -> list[int]:
    """Return the conversation of each pair."""
    return [number for number, size in enumerate(sizes) for _ in range(size)]


def beta_binomial(sizes: Sequence[int], mean: float, icc: float, generator: np.random.Generator) -> Outcomes:
    """Return outcomes 0 and 1 whose success rate is drawn for each conversation from a beta distribution."""
    strength = (1 - icc) / icc if icc else 0.0
    rates = generator.beta(mean * strength, (1 - mean) * strength, len(sizes)) if icc else np.full(len(sizes), mean)
    return (generator.random(sum(sizes)) < np.repeat(rates, sizes)).astype(float)


def latent_gaussian(sizes: Sequence[int], mean: float, icc: float, generator: np.random.Generator) -> Outcomes:
    """Return outcomes 1 where a normal score with a conversation's part in it is below a threshold."""
    latent = latent_correlation(mean, icc)
    return _below(mean, _score(sizes, latent, generator))


@cache
def latent_correlation(mean: float, icc: float) -> float:
    """Return the correlation of normal scores whose outcomes below a threshold correlate by `icc`."""
    if not icc:
        return 0.0
    threshold = [float(stats.norm.ppf(mean))] * 2

    def excess(correlation: float) -> float:
        both = stats.multivariate_normal.cdf(threshold, cov=[[1, correlation], [correlation, 1]])
        return float((both - mean**2) / (mean * (1 - mean)) - icc)

    return float(optimize.brentq(excess, 0.0, 0.99))


def two_models(
    sizes: Sequence[int], mean: float, icc: float, generator: np.random.Generator
) -> tuple[Outcomes, Outcomes]:
    """Return the outcomes of two models of the same mean on the same pairs; half of each score is common to both."""
    latent = latent_correlation(mean, icc)
    common = _score(sizes, latent, generator)
    first, second = (
        np.sqrt(SHARED) * common + np.sqrt(1 - SHARED) * _score(sizes, latent, generator) for _ in range(2)
    )
    return _below(mean, first), _below(mean, second)


def _score(sizes: Sequence[int], latent: float, generator: np.random.Generator) -> Outcomes:
    conversation = np.repeat(generator.standard_normal(len(sizes)), sizes)
    return np.sqrt(latent) * conversation + np.sqrt(1 - latent) * generator.standard_normal(sum(sizes))


def _below(mean: float, score: Outcomes) -> Outcomes:
    return (score < stats.norm.ppf(mean)).astype(float)


def interval_coverage(
    sizes: Sequence[int], mean: float, icc: float, simulate: Simulation, *, draws: int, seed: int = 0
) -> dict[str, float]:
    """Return the share of `draws` intervals with `mean` in them, by kind; the bootstrap runs on each tenth draw."""
    generator, clusters = np.random.default_rng(seed), membership(sizes)
    hits: dict[str, list[bool]] = {"estimate": [], "symmetric": [], "unclustered": [], "bootstrap": []}
    for number in range(draws):
        values = simulate(sizes, mean, icc, generator)
        found = estimate(values.tolist(), clusters)
        hits["estimate"].append(found.low <= mean <= found.high)
        hits["symmetric"].append(_symmetric_holds(values, sizes, mean))
        hits["unclustered"].append(_symmetric_holds(values, [1] * len(values), mean))
        if number % 10 == 0:
            low, high = bootstrap(values.tolist(), clusters, seed=number)
            hits["bootstrap"].append(low <= mean <= high)
    return {name: sum(held) / len(held) for name, held in hits.items()}


def _symmetric_holds(values: Outcomes, sizes: Sequence[int], mean: float) -> bool:
    """Return whether the textbook interval, mean +- t(G-1) * clustered error, holds the true mean."""
    starts = np.cumsum([0, *sizes[:-1]])
    sums = np.add.reduceat(values - values.mean(), starts) / len(values)
    return bool(abs(values.mean() - mean) <= half_width(sums.tolist()))


def paired_rates(sizes: Sequence[int], mean: float, icc: float, *, draws: int, seed: int = 0) -> dict[str, float]:
    """Return how often the paired test at 5 % rejects for equal models, and its interval of the difference holds 0."""
    generator, clusters = np.random.default_rng(seed), membership(sizes)
    rejected = held = 0
    for number in range(draws):
        first, second = two_models(sizes, mean, icc, generator)
        found = paired(first.tolist(), second.tolist(), clusters, seed=number)
        rejected += found.p <= 0.05
        held += found.difference.low <= 0 <= found.difference.high
    return {"rejected": rejected / draws, "interval": held / draws}


def rare_rates(conversations: int, share: float, *, draws: int, seed: int = 0) -> dict[str, float]:
    """Return how often the interval of a difference holds the truth, and mean +- t * error does.

    In `share` of conversations, of nine turns each, B loses every turn, in the others none; often no such one is seen.
    """
    generator, sizes = np.random.default_rng(seed), [9] * conversations
    clusters, held, symmetric = membership(sizes), 0, 0
    for _ in range(draws):
        lost = np.repeat((generator.random(conversations) < share).astype(float), sizes)
        found = paired([1.0] * len(lost), (1 - lost).tolist(), clusters).difference
        held += found.low <= -share <= found.high
        symmetric += _symmetric_holds(-lost, sizes, -share)
    return {"interval": held / draws, "symmetric": symmetric / draws}


def judge_rates(
    sizes: Sequence[int], judge: Judge, labelled: int | None, *, draws: int, seed: int = 0
) -> dict[str, float]:
    """Return how often intervals hold the truth about a judge: its kappa, and the score that its verdicts stand for.

    `labelled` conversations chosen at random have labels, or 100 rows where it is None; kappa is computed with
    all labels. `naive` is the interval of the verdicts alone, `width` that of the corrected score over that of the
    labels alone.
    """
    generator, clusters = np.random.default_rng(seed), np.array(membership(sizes))
    agree = (1 - judge.good) * judge.finds + judge.good * (1 - judge.false_bad)
    judged_good = (1 - judge.good) * (1 - judge.finds) + judge.good * (1 - judge.false_bad)
    chance = judge.good * judged_good + (1 - judge.good) * (1 - judged_good)
    held, widths = {"kappa": 0, "corrected": 0, "naive": 0}, []
    for _ in range(draws):
        labels, verdicts = _judged(sizes, judge, generator)
        pool = np.arange(len(clusters)) if labelled is None else clusters
        chosen = np.isin(
            pool, generator.choice(pool.max() + 1, labelled or min(100, len(clusters) // 2), replace=False)
        )
        known = [float(label) if one else None for label, one in zip(labels, chosen, strict=True)]
        found = kappa(verdicts.tolist(), labels.tolist(), clusters.tolist())
        held["kappa"] += found.low <= (agree - chance) / (1 - chance) <= found.high
        corrected = corrected_score(verdicts.tolist(), known, clusters.tolist())
        naive, alone = estimate(verdicts.tolist(), clusters.tolist()), estimate(known, clusters.tolist())
        held["corrected"] += corrected.low <= judge.good <= corrected.high
        held["naive"] += naive.low <= judge.good <= naive.high
        widths.append((corrected.high - corrected.low) / (alone.high - alone.low))
    return {**{name: count / draws for name, count in held.items()}, "width": float(np.mean(widths))}


def _judged(sizes: Sequence[int], judge: Judge, generator: np.random.Generator) -> tuple[Outcomes, Outcomes]:
    labels, luck = (stats.norm.cdf(_score(sizes, judge.latent, generator)) for _ in range(2))
    good = labels < judge.good
    return good.astype(float), (luck >= np.where(good, judge.false_bad, judge.finds)).astype(float)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", help="turn pairs of each conversation, separated by commas")
    parser.add_argument("--draws", type=int, default=10_000, help="simulated test sets a setting (default 10000)")
    arguments = parser.parse_args()
    sizes = _sizes(arguments.sizes)
    print(f"{len(sizes)} conversations, {sum(sizes)} pairs; {arguments.draws} draws a setting\n")
    failed = _print_intervals(sizes, arguments.draws)
    failed |= _print_paired(sizes, arguments.draws)
    failed |= _print_rare(arguments.draws)
    sys.exit(_print_judges(sizes, arguments.draws) or failed)


def _sizes(given: str | None) -> list[int]:
    if given:
        sizes = [int(one) for one in given.split(",")]
        return sizes if len(sizes) >= 9 else sys.exit(f"{len(sizes)} conversations are too few to simulate; give 9")
    if folder := os.environ.get("TFT_SOURCES"):
        return conversation_sizes(Path(folder) / "tft-benchmark" / "test.jsonl")
    sys.exit("no conversation sizes: set TFT_SOURCES to the source files, or give --sizes 6,7,9,...")


def _print_intervals(sizes: Sequence[int], draws: int) -> bool:
    failed = False
    print("Coverage of nominal 95 % intervals, in %")
    for simulate in (beta_binomial, latent_gaussian):
        for mean in MEANS:
            for icc in CORRELATIONS:
                rates = interval_coverage(sizes, mean, icc, simulate, draws=draws)
                failed |= (bad := mean <= PROMISED and not _within(rates["estimate"], COVERAGE_LIMITS))
                _print_row(f"{simulate.__name__:<16} mean {mean:<4}  ICC {icc:<4}", rates, bad)
    return failed


def _print_paired(sizes: Sequence[int], draws: int) -> bool:
    failed = False
    print("\nTwo equal models on the same pairs: rejections at 5 %, coverage of the difference, in %")
    for mean in MEANS:
        for icc in CORRELATIONS:
            rates = paired_rates(sizes, mean, icc, draws=draws)
            failed |= (bad := mean <= PROMISED and not _within(rates["rejected"], REJECTION_LIMITS))
            _print_row(f"mean {mean:<4}  ICC {icc:<4}", rates, bad)
    return failed


def _print_rare(draws: int) -> bool:
    failed = False
    print("\nB loses every turn of few conversations: coverage of the difference, in %")
    for conversations in RARE_SIZES:
        for share in RARE:
            rates = rare_rates(conversations, share, draws=max(1, draws // 5))
            failed |= (bad := rates["interval"] < RARE_LIMIT)
            _print_row(f"{conversations:>2} conversations  share {share:<4}", rates, bad)
    return failed


def _print_judges(sizes: Sequence[int], draws: int) -> bool:
    failed = False
    print("\nA judge and labels: coverage of kappa and of the corrected score, in %; width against labels alone")
    for good, finds, false_bad in JUDGES:
        for latent in (0.0, 0.15, 0.3):
            for labelled in (None, len(sizes) // 3):
                judge = Judge(good=good, finds=finds, false_bad=false_bad, latent=latent)
                rates = judge_rates(sizes, judge, labelled, draws=max(1, draws // 5))
                failed |= (bad := not all(_within(rates[name], JUDGE_LIMITS) for name in ("kappa", "corrected")))
                slice_of = "100 rows" if labelled is None else f"{labelled} conversations"
                setting = f"good {good}  finds {finds:<4}  false bad {false_bad:<4}  latent {latent:<4}  {slice_of:<16}"
                _print_row(setting, rates, bad)
    return failed


def _within(rate: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= rate <= limits[1]


def _print_row(setting: str, rates: Mapping[str, float], bad: bool) -> None:
    cells = "  ".join(f"{name} {100 * rate:5.1f}" for name, rate in rates.items())
    print(f"{setting}  {cells}{'  OUTSIDE' if bad else ''}", flush=True)


if __name__ == "__main__":
    main()
