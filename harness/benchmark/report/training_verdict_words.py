"""Whether training was worth it, in plain sentences, and what to change where it cannot be told yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.benchmark.cells import BASELINE_KINDS
from harness.benchmark.report.format import listed, metric_name
from harness.benchmark.report.records import Loss
from harness.benchmark.report.thresholds import Thresholds
from harness.benchmark.report.training_verdict import UNTRAINED, worst
from harness.benchmark.report.training_verdict_records import Worth, WorthVerdict
from harness.data.scenarios import Arm
from harness.errors import CheckFailed, Inconclusive
from harness.evaluation.baselines import BASELINES
from harness.evaluation.records import CUT_LIMIT
from harness.statistics.formatting import NOTHING, bounds, points, spread, whole_percent
from harness.statistics.gain import Decision, Gain

_ARMS: dict[Arm, str] = {"tft": "TFT", "direct": "Direct"}
_MANY = 0.1
"""Share of the turns from which a fault of the answers is named."""
_UNEVEN = 0.5
"""Conversations differ much in length where they count for less than this share of their number."""
_LAST, _FALLING = 0.1, 0.05
"""A loss is still falling where the last tenth of the steps is this share below the tenth before it."""


def say_worth(
    rows: Sequence[Worth], losses: Sequence[Loss], thresholds: Thresholds, *, rules: bool = False
) -> WorthVerdict:
    """Return the verdict on all rows, each with what to change where it is ITERATE; `rules`: so the judge is."""
    advised = tuple(
        replace(row, advice=tuple(_advice(row, losses, thresholds))) if row.decision == "ITERATE" else row
        for row in rows
    )
    if len({(row.best, row.why) for row in advised}) == 1 and advised[0].best is None:
        sentences = [headline(advised[0], thresholds)]
    elif len(advised) == 1:
        sentences = [*_sentences(advised[0], thresholds)]
    else:
        sentences = [*_summary(advised)]
    if any(row.gains for row in advised):
        sentences.append(_how(advised, thresholds, rules=rules))
    return WorthVerdict(thresholds=thresholds, decision=worst(advised), rows=advised, sentences=tuple(sentences))


def _summary(rows: Sequence[Worth]) -> Iterator[str]:
    """Yield a sentence per decision: the rows that it is about, with the gain of the arm that gains most."""
    for decision, start in _START.items():
        found = [row for row in rows if row.decision == decision]
        if found:
            yield f"{start} in {listed([_gained(row) for row in found])}."


def _gained(row: Worth) -> str:
    return f"{row.name} ({_ARMS[row.best]} {points(row.gains[row.best].value)} points)" if row.best else row.name


def check_worth(verdict: WorthVerdict) -> None:
    """Raise CheckFailed for STOP, Inconclusive for ITERATE and where nothing was trained; nothing for PROCEED."""
    told = " ".join(verdict.sentences) or "nothing was trained, so that there is no verdict; run `tft benchmark` first"
    if verdict.decision == "STOP":
        raise CheckFailed(told)
    if verdict.decision != "PROCEED":
        raise Inconclusive(told)


def headline(row: Worth, thresholds: Thresholds) -> str:
    """Return the verdict on one row in one sentence."""
    if row.best is None:
        return f"{_START[row.decision]}: {row.why}."
    best, least = row.gains[row.best], points_of(thresholds.minimum_effect)
    gained = (
        f"{_ARMS[row.best]} minus the best of what needs no training, {name_of(best.over)}, is {points(best.value)} "
        f"points{gain_span(best)}"
    )
    where = {
        "PROCEED": f"all of it above the minimum effect of {least}",
        "STOP": f"all of it below the minimum effect of {least}",
        "ITERATE": f"and the minimum effect of {least} is within what these conversations leave open",
    }[row.decision]
    if row.decision == "ITERATE" and not _open(best, thresholds):
        where = _undecided(row, best, thresholds)
    return f"{_START[row.decision]}: {gained}, {where}."


_START: dict[Decision, str] = {
    "PROCEED": "PROCEED, training was worth it",
    "STOP": "STOP, training was not worth it",
    "ITERATE": "ITERATE, it cannot be told whether training was worth it",
}


def name_of(baseline: str) -> str:
    """Return what a baseline is called in a sentence."""
    if baseline == UNTRAINED:
        return BASELINE_KINDS["untrained"]
    return f"the null baseline “{BASELINES.get(baseline, (baseline,))[0]}”"


def points_of(effect: float) -> str:
    """Return a threshold in points, `5` or `2.5`."""
    return spread(effect).removesuffix(".0")


def gain_span(one: Gain) -> str:
    """Return the bounds of a gain behind its value; empty where there are none."""
    return "" if one.low is None or one.high is None else f" ({bounds(one.low, one.high, points)})"


def _open(one: Gain, thresholds: Thresholds) -> bool:
    return one.low is not None and one.high is not None and one.low <= thresholds.minimum_effect <= one.high


def _undecided(row: Worth, best: Gain, thresholds: Thresholds) -> str:
    """Return why an arm whose interval is all on one side decides nothing."""
    if best.decision == "STOP":
        other = next(arm for arm in _ARMS if arm != row.best)
        became = "is open" if other in row.gains else "has no score"
        return f"below the minimum effect of {points_of(thresholds.minimum_effect)}, but {_ARMS[other]} {became}"
    if best.conversations < 2:
        return "and one conversation decides nothing"
    uneven = ", of which few have most of the turns," if best.effective < _UNEVEN * best.conversations else ""
    return f"and {best.conversations} conversations{uneven} are too few to decide anything at this level"


def _sentences(row: Worth, thresholds: Thresholds) -> Iterator[str]:
    """Yield the verdict on the only row, and what it would take where it cannot be told."""
    yield headline(row, thresholds)
    still = {arm: one for arm, one in row.gains.items() if one.decision == "ITERATE" and one.conversations > 1}
    if row.decision == "ITERATE" and still:
        arm = max(still, key=lambda arm: still[arm].value)
        yield _needed(still[arm], thresholds, of="" if arm == row.best else f" of {_ARMS[arm]}")
    if row.advice:
        yield f"What to change: {'; '.join(row.advice)}."


def _needed(one: Gain, thresholds: Thresholds, *, of: str) -> str:
    if one.needed is None:
        return f"No number of test conversations would tell a gain{of} that is just the minimum effect."
    wanted = needed_words(one, thresholds)
    return (
        f"If the measured gain{of} is the true one, it would take {wanted} test conversations to tell (in 80 % of "
        f"cases); there are {one.conversations}."
    )


def needed_words(one: Gain, thresholds: Thresholds) -> str:
    """Return how many test conversations would tell, at most as many as the thresholds say; a dash where none would."""
    if one.needed is None:
        return NOTHING
    most = thresholds.most_conversations
    return f"about {one.needed:,}" if one.needed <= most else f"more than {most:,}"


def _advice(row: Worth, losses: Sequence[Loss], thresholds: Thresholds) -> Iterator[str]:
    """Yield what would change the gain: what keeps answers from being right, in the arm that gains most."""
    arm = row.best or next(iter(row.faults), None)
    if arm is None:
        return
    faults, logs = (
        row.faults[arm],
        [one for one in losses if (one.scenario, one.arm, one.fair) == (row.scenario, arm, False)],
    )
    if faults.cut > CUT_LIMIT:
        yield f"give answers more room, {whole_percent(faults.cut)} were cut at the limit of tokens"
    falling = [one for one in logs if _still_falls(one.losses)]
    if falling:
        yield "train for more epochs, the loss was still falling at the end"
    few = [one.conversations for one in logs if one.conversations and one.conversations < thresholds.few_traces]
    if few:
        yield f"train on more conversations, there were {min(few)}"
    if faults.unread > _MANY:
        yield f"train longer or a larger student, {whole_percent(faults.unread)} of the answers hold no call"
    if faults.other_tool > _MANY and faults.other_tool >= faults.arguments:
        yield f"look at which tools are confused, {whole_percent(faults.other_tool)} of the answers call another one"
    if faults.arguments > _MANY:
        yield (
            f"look at the arguments, {whole_percent(faults.arguments)} of the answers call the right tool with others "
            "than the reference"
        )


def _still_falls(losses: Sequence[float]) -> bool:
    size = int(len(losses) * _LAST)
    if not size or len(losses) < 2 / _LAST:
        return False
    last, before = losses[-size:], losses[-2 * size : -size]
    return sum(last) < (1 - _FALLING) * sum(before)


def _how(rows: Sequence[Worth], thresholds: Thresholds, *, rules: bool) -> str:
    metrics = sorted({metric_name(row.metric, rules=rules) for row in rows if row.gains})
    return (
        f"That is by {listed(metrics)}, over the best of the untrained student and the null baselines, paired by turn "
        f"and clustered by conversation, at the {100 * thresholds.level:g} % level for each scenario or job; the "
        "bounds allow for choosing among arms and baselines (Bonferroni)."
    )
