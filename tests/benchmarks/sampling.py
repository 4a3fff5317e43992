"""Several samples of each pair, simulated: coverage of the 95 % intervals, and the parts of the error.

Conversations have the sizes of the published test set (TFT_SOURCES), or those of --sizes. The rate at which answers are
right is drawn for each conversation from a beta distribution, around it one for each pair, and by that each sample.
Prints by setting how often the interval of the mean, of pass@k and of pass^k (k the number of samples) holds what was
simulated, and the mean estimate of the whole variance and of sampling's part over the closed form of each. Exit status
1 if an interval of a mean covers less than 93.5 or more than 96.5 %, or a variance is off by more than 5 %.

    TFT_SOURCES=... python tests/benchmarks/sampling.py
    python tests/benchmarks/sampling.py --sizes 6,7,7,8,9,10,11,12,15,21 --draws 500
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np

from harness.data.formats.messages import expand_pairs
from harness.data.formats.published import read_test_conversations
from harness.statistics.estimates import estimate
from harness.statistics.sampling import error_parts, pass_rates, sample_means

MEANS, CORRELATIONS, SAMPLES = (0.85, 0.75, 0.5), (0.05, 0.1, 0.2), (2, 8)
"""Of answers that are right; between pairs of a conversation, as shares of the variance of one answer; of each pair."""
PAIRS = 0.4
"""What differs between pairs of a conversation, as a share of that variance."""
COVERAGE, OFF = (0.935, 0.965), 0.05


def simulate(sizes: Sequence[int], mean: float, icc: float, samples: int, draws: int) -> dict[str, float]:
    """Return the rates and ratios of one setting."""
    generator, n = np.random.default_rng(0), sum(sizes)
    clusters = [number for number, size in enumerate(sizes) for _ in range(size)]
    conversations = _strength(icc)
    pairs = _strength(PAIRS / (1 - icc))
    whole = mean * (1 - mean)
    drawn = whole * (1 - icc - PAIRS)
    closed_part = drawn / samples / n
    closed = whole * icc * sum(size**2 for size in sizes) / n**2 + whole * PAIRS / n + closed_part
    truth = {
        "pass@k": 1 - _power(1 - mean, conversations, pairs, samples),
        "pass^k": _power(mean, conversations, pairs, samples),
    }
    held = {"mean": 0, "pass@k": 0, "pass^k": 0}
    variance = part = 0.0
    for _ in range(draws):
        rates = np.repeat(generator.beta(mean * conversations, (1 - mean) * conversations, len(sizes)), sizes)
        rates = generator.beta(np.maximum(rates * pairs, 1e-9), np.maximum((1 - rates) * pairs, 1e-9))
        values = (generator.random((n, samples)) < rates[:, None]).astype(float).tolist()
        found, errors, last = (
            estimate(sample_means(values), clusters),
            error_parts(values, clusters),
            pass_rates(values, clusters)[-1],
        )
        held["mean"] += found.low <= mean <= found.high
        held["pass@k"] += last.any.low <= truth["pass@k"] <= last.any.high
        held["pass^k"] += last.all.low <= truth["pass^k"] <= last.all.high
        variance, part = variance + errors.whole**2 / draws, part + errors.samples**2 / draws
    return {
        **{name: count / draws for name, count in held.items()},
        "whole": variance / closed,
        "samples": part / closed_part,
    }


def _strength(correlation: float) -> float:
    """Return a + b of the beta distribution whose variance is this share of mean * (1 - mean)."""
    return 1 / correlation - 1


def _power(mean: float, conversations: float, pairs: float, k: int) -> float:
    """Return the mean of p^k for a pair's rate p, by integration over the conversations' rates."""
    from scipy import special, stats

    outer = stats.beta(mean * conversations, (1 - mean) * conversations)
    rates = outer.ppf((np.arange(20_000) + 0.5) / 20_000)
    a, b = np.maximum(rates * pairs, 1e-9), np.maximum((1 - rates) * pairs, 1e-9)
    return float(np.exp(special.betaln(a + k, b) - special.betaln(a, b)).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", help="turn pairs of each conversation, separated by commas")
    parser.add_argument("--draws", type=int, default=2000, help="simulated test sets a setting (default 2000)")
    arguments = parser.parse_args()
    sizes = _sizes(arguments.sizes)
    print(f"{len(sizes)} conversations, {sum(sizes)} pairs; {arguments.draws} draws a setting")
    print("Coverage of nominal 95 % intervals, in %; estimated variance over the closed form\n")
    failed = False
    for mean, icc, samples in product(MEANS, CORRELATIONS, SAMPLES):
        found = simulate(sizes, mean, icc, samples, arguments.draws)
        bad = not COVERAGE[0] <= found["mean"] <= COVERAGE[1]
        bad |= any(abs(found[name] - 1) > OFF for name in ("whole", "samples"))
        failed |= bad
        rates = "  ".join(f"{name} {100 * found[name]:5.1f}" for name in ("mean", "pass@k", "pass^k"))
        ratios = "  ".join(f"{name} {found[name]:.3f}" for name in ("whole", "samples"))
        setting = f"mean {mean:<4}  ICC {icc:<4}  samples {samples}"
        print(f"{setting}  {rates}  {ratios}{'  OUTSIDE' if bad else ''}", flush=True)
    sys.exit(failed)


def _sizes(given: str | None) -> list[int]:
    if given:
        return [int(one) for one in given.split(",")]
    if folder := os.environ.get("TFT_SOURCES"):
        tests = Path(folder) / "tft-benchmark" / "test.jsonl"
        return [len(expand_pairs([one])) for one in read_test_conversations(tests)]
    sys.exit("no conversation sizes: set TFT_SOURCES to the source files, or give --sizes 6,7,9,...")


if __name__ == "__main__":
    main()
