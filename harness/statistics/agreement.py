"""How far judges agree with each other and with labels, and scores corrected by labels (pure)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from harness.statistics.estimates import estimate, standard_error
from harness.statistics.intervals import share_interval
from harness.statistics.records import Agreement, Calibration, Estimate

Votes = Sequence[float | None]
"""Good (1.0), bad (0.0) or unscored (None), one per case."""


def agreement(votes: Mapping[str, Votes], clusters: Sequence[Hashable]) -> Agreement:
    """Return how far the raters agree; `votes[rater][i]` is about case i, of cluster `clusters[i]`.

    Cases with a single vote tell nothing of agreement and are left out of all but the base rate of AC1.
    Measures that the votes leave undefined are None: everything without a case of two votes, alpha where all
    votes are the same. Raises ValueError where the columns differ in length.
    """
    cases = [[vote for vote in case if vote is not None] for case in zip(*votes.values(), strict=True)]
    n = sum(len(case) > 1 for case in cases)
    return Agreement(
        raters=len(votes),
        n=n,
        observed=observed_agreement(cases),
        alpha=krippendorff_alpha(cases),
        ac1=gwet_ac1(cases, categories=2),
        kappa={f"{a} | {b}": kappa(votes[a], votes[b], clusters) for a, b in combinations(votes, 2)},
    )


def observed_agreement(cases: Sequence[Sequence[Hashable]]) -> float | None:
    """Return the share of agreeing pairs of votes of a case, averaged over the cases with two votes or more."""
    shares = []
    for case in cases:
        count = len(case)
        if count > 1:
            shares.append(sum(n * (n - 1) for n in Counter(case).values()) / (count * (count - 1)))
    return sum(shares) / len(shares) if shares else None


def krippendorff_alpha(cases: Sequence[Sequence[Hashable]]) -> float | None:
    """Return Krippendorff's alpha of nominal votes, one list per case; None where all votes are the same.

    Written with sums of squares (Krippendorff 2011), whose cost does not grow with the number of categories: whole
    calls are as many categories as there are different texts.
    """
    counted = [Counter(case) for case in cases if len(case) > 1]
    totals: Counter[Hashable] = Counter()
    disagreements = 0.0
    for case in counted:
        votes = case.total()
        disagreements += (votes**2 - sum(count**2 for count in case.values())) / (votes - 1)
        totals.update(case)
    votes = totals.total()
    by_chance = votes**2 - sum(count**2 for count in totals.values())
    return 1 - (votes - 1) * disagreements / by_chance if by_chance else None


def gwet_ac1(cases: Sequence[Sequence[Hashable]], categories: int) -> float | None:
    """Return Gwet's AC1 (Gwet 2008) for a number of categories; a case counts in the base rates by its shares."""
    observed = observed_agreement(cases)
    if observed is None:
        return None
    voted = [case for case in cases if case]
    rates: dict[Hashable, float] = defaultdict(float)
    for case in voted:
        for label, count in Counter(case).items():
            rates[label] += count / len(case) / len(voted)
    by_chance = sum(rate * (1 - rate) for rate in rates.values()) / max(1, categories - 1)
    return (observed - by_chance) / (1 - by_chance)


def kappa(a: Votes, b: Votes, clusters: Sequence[Hashable]) -> Estimate:
    """Return Cohen's kappa over the cases that both have scored, with a 95 % interval clustered by conversation.

    The variance is linearised (Fleiss, Cohen and Everitt 1969, with the sandwich of `standard_error` over the
    clusters). Kappa is a line in the share of agreement where the agreement by chance is held, so Wilson's
    interval of that share (`share_interval`) is carried over; near 1 it covers far better than kappa +- t *
    error, and perfect agreement keeps an interval. None where chance agrees always: one class only.
    """
    pairs = [(x, y, cluster) for x, y, cluster in zip(a, b, clusters, strict=True) if x is not None and y is not None]
    n, groups, unscored = len(pairs), len({cluster for *_, cluster in pairs}), len(a) - len(pairs)
    empty = Estimate(value=None, low=None, high=None, n=n, clusters=groups, unscored=unscored)
    if not pairs:
        return empty
    same, first, second = (sum(column) for column in zip(*((float(x == y), x, y) for x, y, _ in pairs), strict=True))
    expected = first * second + (n - first) * (n - second)  # n^2 times the agreement by chance, a whole number
    if expected == n * n:
        return empty
    value, agree, chance = (n * same - expected) / (n * n - expected), same / n, expected / (n * n)
    influences: dict[Hashable, float] = defaultdict(float)
    for x, y, cluster in pairs:
        of_chance = (x - first / n) * (2 * second / n - 1) + (y - second / n) * (2 * first / n - 1)
        influences[cluster] += ((x == y) - agree - of_chance * (1 - value)) / n
    error = standard_error(list(influences.values()))
    if error is None:
        return replace(empty, value=value)
    low, high = (max(-1.0, (end - chance) / (1 - chance)) for end in share_interval(agree, error, groups - 1, n))
    return replace(empty, value=value, low=low, high=high)


def calibrate(
    verdicts: Votes,
    labels: Votes,
    tools: Sequence[str],
    same_name: Sequence[bool],
    clusters: Sequence[Hashable],
) -> Calibration:
    """Return how a judge does against labels; bad (0.0) is the positive class, that which is looked for.

    The sequences are parallel, one entry per row: the verdict (None is unscored), the label (None where the row
    has none), the reference's tool, whether the prediction calls that tool, and the conversation. Rows with a
    label and no verdict are counted as `unscored` and in nothing else; rows with a verdict and no label only
    serve `corrected` (see `corrected_score`), which is None without such rows or without labels. Kappas are None
    where all labels are the same: kappa would be 0 for any judge. Without any row that has both,
    `base_rate` is 0.0 with n = 0. `by_tool` leaves out what a tool's rows do not define.
    """
    labelled = [place for place, label in enumerate(labels) if label is not None]
    both = [place for place in labelled if verdicts[place] is not None]

    def share(of: Callable[[int], bool], among: Callable[[int], bool]) -> Estimate:
        """Share of `of` in the labelled rows with `among`; rows without a verdict are unscored."""
        places = [place for place in labelled if among(place)]
        values = [float(of(place)) if verdicts[place] is not None else None for place in places]
        return estimate(values, [clusters[place] for place in places])

    count = Counter((verdicts[place], labels[place]) for place in both)
    bad = [float(labels[place] == 0) for place in both]
    return Calibration(
        n=len(both),
        clusters=len({clusters[place] for place in both}),
        unscored=len(labelled) - len(both),
        true_bad=count[0.0, 0.0],
        false_bad=count[0.0, 1.0],
        true_good=count[1.0, 1.0],
        false_good=count[1.0, 0.0],
        agreement=share(lambda i: verdicts[i] == labels[i], lambda _: True),
        kappa=_kappa_of(labelled, verdicts, labels, clusters),
        sensitivity=share(lambda i: verdicts[i] == 0, lambda i: labels[i] == 0),
        specificity=share(lambda i: verdicts[i] == 1, lambda i: labels[i] == 1),
        same_name_recall=share(lambda i: verdicts[i] == 0, lambda i: labels[i] == 0 and same_name[i]),
        same_name_false_bad=share(lambda i: verdicts[i] == 0, lambda i: labels[i] == 1 and same_name[i]),
        base_rate=sum(bad) / len(bad) if bad else 0.0,
        names_only_kappa=_kappa_of(both, [float(same) for same in same_name], labels, clusters).value,
        by_tool={
            tool: _of_tool([place for place in both if tools[place] == tool], verdicts, labels)
            for tool in sorted({tools[place] for place in both})
        },
        corrected=corrected_score(verdicts, labels, clusters) if _has_more(verdicts, labels) and both else None,
    )


def _kappa_of(places: Sequence[int], verdicts: Votes, labels: Votes, clusters: Sequence[Hashable]) -> Estimate:
    found = kappa([verdicts[i] for i in places], [labels[i] for i in places], [clusters[i] for i in places])
    one_class = len({labels[i] for i in places if verdicts[i] is not None}) < 2
    return replace(found, value=None, low=None, high=None) if one_class else found


def _of_tool(places: Sequence[int], verdicts: Votes, labels: Votes) -> dict[str, float]:
    bad = [place for place in places if labels[place] == 0]
    found = {
        "n": float(len(places)),
        "bad": float(len(bad)),
        "agreement": sum(verdicts[place] == labels[place] for place in places) / len(places),
    }
    if (beyond_chance := _kappa_of(places, verdicts, labels, range(len(verdicts))).value) is not None:
        found["kappa"] = beyond_chance
    if bad:
        found["recall"] = sum(verdicts[place] == 0 for place in bad) / len(bad)
    return found


def _has_more(verdicts: Votes, labels: Votes) -> bool:
    return any(verdict is not None and label is None for verdict, label in zip(verdicts, labels, strict=True))


def corrected_score(verdicts: Votes, labels: Votes, clusters: Sequence[Hashable]) -> Estimate:
    """Return the mean label of all judged rows, estimated from all verdicts and the labels of some rows.

    Prediction-powered inference (Angelopoulos, Bates, Fannjiang, Jordan and Zrnic 2023) with power tuning
    (Angelopoulos, Duchi and Zrnic 2023, "PPI++"): mean(labels) + weight * (mean of the verdicts on unlabelled
    rows - mean of the verdicts on labelled ones). The weight, 0 to 1, is the one with the smallest variance: a
    judge that knows nothing gets 0. Variances are summed by cluster; the interval is `share_interval`, with t on
    the number of clusters that have labels, less 1.

    Valid only if the labelled rows are a random sample of the rows (or their conversations of the conversations).
    Rows without a verdict are unscored and left out, labelled or not; n are the others. Without a label on any of
    them there is no value, with labels in one cluster no interval.
    """
    rows = [(f, y, g) for f, y, g in zip(verdicts, labels, clusters, strict=True) if f is not None]
    known = [(f, y, g) for f, y, g in rows if y is not None]
    empty = Estimate(
        value=None, low=None, high=None, n=len(rows), clusters=_count(rows), unscored=len(verdicts) - len(rows)
    )
    if not known:
        return empty
    others = [(f, g) for f, y, g in rows if y is None]
    direct, of_direct = _mean_and_influences([(y, g) for _, y, g in known])
    judged, of_judged = _mean_and_influences([(f, g) for f, _, g in known])
    unlabelled, of_unlabelled = _mean_and_influences(others) if others else (judged, of_judged)
    places = list(dict.fromkeys(g for *_, g in rows))
    weight, error = _tuned(
        [of_direct.get(g, 0.0) for g in places], [of_unlabelled.get(g, 0.0) - of_judged.get(g, 0.0) for g in places]
    )
    value = min(1.0, max(0.0, direct + weight * (unlabelled - judged)))
    groups = _count(known)
    if groups < 2:
        return replace(empty, value=value)
    low, high = share_interval(value, error * (groups / (groups - 1)) ** 0.5, groups - 1, len(known))
    return replace(empty, value=value, low=low, high=high)


def _count(rows: Sequence[tuple[float, float | None, Hashable]]) -> int:
    return len({cluster for *_, cluster in rows})


def _mean_and_influences(rows: Sequence[tuple[float, Hashable]]) -> tuple[float, dict[Hashable, float]]:
    """Return the mean and each cluster's summed influence on it."""
    mean = sum(value for value, _ in rows) / len(rows)
    influences: dict[Hashable, float] = defaultdict(float)
    for value, cluster in rows:
        influences[cluster] += (value - mean) / len(rows)
    return mean, influences


def _tuned(ours: Sequence[float], gap: Sequence[float]) -> tuple[float, float]:
    """Return the weight from 0 to 1 that makes the variance of ours + weight * gap smallest, and its root.

    Each cluster's part of the variance takes the weight that the other clusters choose: with its own say in the
    weight it would seem to fit better than it does, and intervals would be too narrow (92 % for 95 % in simulation).
    """
    products = [x * y for x, y in zip(ours, gap, strict=True)]
    squares = [y * y for y in gap]
    product, square = sum(products), sum(squares)

    def weight(without: int | None = None) -> float:
        above = product - (products[without] if without is not None else 0.0)
        below = square - (squares[without] if without is not None else 0.0)
        return min(1.0, max(0.0, -above / below)) if below > 1e-9 * square else 0.0

    parts = (x + weight(place) * y for place, (x, y) in enumerate(zip(ours, gap, strict=True)))
    return weight(), sum(part * part for part in parts) ** 0.5
