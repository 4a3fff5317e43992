"""How often the verdict whether training was worth it is wrong, on simulated test sets whose truth is known.

    python tests/benchmarks/verdict.py [--tests 2000]

Two arms, an untrained student and four null baselines answer 10 to 150 conversations of three to twelve turns; answers
of one conversation go together. Printed: how often the verdict is PROCEED and STOP, by the true gain of the better arm
over the best of what needs no training. At the minimum effect and below, PROCEED is wrong; at it and above, STOP. Exit
status 1 if either is wrong in more than the level of the verdict.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from itertools import product
from random import Random

from harness.benchmark.report.thresholds import read_thresholds
from harness.statistics.gain import decide, gain

CONVERSATIONS = (10, 20, 34, 75, 150)
TURNS = (3, 12)
ARMS, NULLS = 2, 4
UNTRAINED = 0.4
TOGETHER = 0.5
"""Share of an answer's luck that its conversation decides."""
LONG = 40
DRAWS = ("equal", "one", "rare", "uneven")
"""All baselines as good as the untrained student; only that one good; baselines that fail in few conversations; and
as the second, with one conversation of LONG turns and the others of few."""


def columns(rng: Random, clusters: list[int], chance: float, *, rare: bool) -> list[float | None]:
    """Return right and wrong answers: `chance` of them right, in whole conversations where `rare`."""
    luck = {cluster: rng.random() for cluster in clusters}
    if rare:
        return [float(luck[cluster] < chance) for cluster in clusters]
    return [
        float(rng.random() < chance + (luck[cluster] - 0.5) * TOGETHER * min(chance, 1 - chance) * 2)
        for cluster in clusters
    ]


def _turns(rng: Random, place: int, draw: str) -> int:
    if draw == "uneven":
        return rng.randint(2, 4) if place else LONG
    return rng.randint(*TURNS)


def verdict(rng: Random, conversations: int, true_gain: float, draw: str) -> str:
    """Return the decision on one simulated test set; the second arm gains nothing where only one can be good."""
    limits = read_thresholds()
    clusters = [place for place in range(conversations) for _ in range(_turns(rng, place, draw))]
    rare, base = draw == "rare", 0.9 if draw == "rare" else UNTRAINED
    best = min(1.0, base + true_gain)
    nulls = base if draw not in ("one", "uneven") else base / 2
    baselines = {f"null {place}": columns(rng, clusters, nulls, rare=rare) for place in range(NULLS)}
    baselines["untrained"] = columns(rng, clusters, base, rare=rare)
    chances = [best, best if draw != "one" else base]
    gains = [
        gain(
            columns(rng, clusters, chance, rare=rare),
            baselines,
            clusters,
            minimum_effect=limits.minimum_effect,
            level=limits.level,
            arms=ARMS,
        )
        for chance in chances
    ]
    return decide(gains, ARMS)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tests", type=int, default=2000, help="simulated test sets per line")
    tests = parser.parse_args().tests
    limits = read_thresholds()
    least = limits.minimum_effect
    print(f"minimum effect {least:g}, level {limits.level:g}, {tests} test sets per line")
    bad = False
    print(f"{'baselines':10} {'true gain':>9} {'conversations':>13} {'PROCEED':>8} {'STOP':>6}")
    for draw, true_gain, conversations in product(DRAWS, (0.0, least, 0.2, 0.4), CONVERSATIONS):
        if draw == "rare" and true_gain > least:
            continue  # there is no room above
        rng = Random(f"{draw}:{true_gain}:{conversations}")
        found = Counter(verdict(rng, conversations, true_gain, draw) for _ in range(tests))
        shares = found["PROCEED"] / tests, found["STOP"] / tests
        bad |= (true_gain <= least and shares[0] > limits.level) or (true_gain >= least and shares[1] > limits.level)
        print(f"{draw:10} {true_gain:9.2f} {conversations:13} {shares[0]:8.1%} {shares[1]:6.1%}", flush=True)
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
