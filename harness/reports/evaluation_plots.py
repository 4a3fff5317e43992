"""Plots for cards: scores beside the baselines, confusion of tools, scores turn by turn, and the loss of a training."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data.formats.calls import parse_answer
from harness.evaluation.baselines import BASELINES
from harness.evaluation.metrics import DEFAULT_METRIC, JUDGE_METRIC
from harness.evaluation.records import EvalReport
from harness.evaluation.sample_scores import SAMPLE, pair_rows
from harness.models import parsing
from harness.reports.plot_style import GREY, MODEL, SECOND, Plot, figure_of, legend, save, shown, style
from harness.statistics.estimates import estimate
from harness.statistics.formatting import interval, number, whole_percent
from harness.statistics.records import Estimate
from harness.training.loop import LogEntry

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_MARKERS = (("x", "#000000"), ("^", "#E69F00"), ("D", "#CC79A7"), ("s", "#56B4E9"), ("|", "#009E73"))
"""Of the baselines, in their order: each colour has its own shape, too."""

_NO_CALL, _NO_ANSWER, _OTHER = "no call", "no answer", "another tool"
_MOST_TOOLS = 24
"""Tools with a row and a column of their own."""
_FEW_COLUMNS = 7
"""Up to this many columns, a cell has room for two lines."""
_BY_TURN = (DEFAULT_METRIC, JUDGE_METRIC)
_ENOUGH, _MOST_TURNS = 10, 18
"""A turn with fewer pairs, and every turn after the last of these, is pooled with all later ones."""

Rows = Sequence[Mapping[str, Any]]


def draw(report: EvalReport, rows: Rows, folder: Path) -> list[Plot]:
    """Draw `scores.png`, `tools.png` and `turns.png` into `folder`. Equal input gives equal bytes.

    `rows` are results rows. What was not scored is left out and counted; a plot without anything to show says so. Of
    several samples of each pair, the tools are those of all, and scores are their means.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with style():
        return [
            save(folder, "scores", *_scores(report)),
            save(folder, "tools", *_tools(rows)),
            save(folder, "turns", *_turns(pair_rows(rows, list(report.rows["model"])) if report.samples else rows)),
        ]


def _bar(one: Estimate) -> list[list[float]] | None:
    """Return how far the interval reaches below and above the mean, as far as the scale from 0 to 1 goes."""
    if one.value is None or one.low is None or one.high is None:
        return None
    return [[one.value - max(one.low, 0.0)], [min(one.high, 1.0) - one.value]]


def _scores(report: EvalReport) -> tuple[Figure, str]:
    metrics = report.rows["model"]
    n = max((one.n + one.unscored for one in metrics.values()), default=0)
    clusters = max((one.clusters for row in report.rows.values() for one in row.values()), default=0)
    figure, axes = figure_of(
        1.6 + 0.55 * max(len(metrics), 1),
        "Mean scores beside the baselines",
        f"{n} turns of {clusters} conversations; bars: 95 % intervals, clustered by conversation",
    )
    baselines = [name for name in BASELINES if name in report.rows]
    styles = dict(zip(BASELINES, _MARKERS, strict=True))
    for place, (metric, one) in enumerate(metrics.items()):
        axes.axhline(place, color="#E5E5E5", linewidth=0.8, zorder=0)
        for name in baselines:
            (marker, color), (label, _) = styles[name], BASELINES[name]
            other = report.rows[name].get(metric)
            if other is not None and other.value is not None:
                axes.plot(other.value, place, marker, color=color, markersize=9, label=label, markerfacecolor="none")
        if one.value is not None:
            axes.errorbar(one.value, place, xerr=_bar(one), fmt="o", color=MODEL, capsize=3, label="model")
        axes.text(1.05, place, interval(one, missing="not scored"), va="center", fontsize=9, color=MODEL)
    labels = [shown(name) + (f"\n{one.unscored} unscored" if one.unscored else "") for name, one in metrics.items()]
    axes.set_yticks(range(len(metrics)), labels)
    axes.set(ylim=(max(len(metrics), 1) - 0.5, -0.5), xlim=(-0.02, 1.02))
    legend(figure, [axes], "outside lower left")
    told = [
        f"{shown(name)} {interval(one, missing='not scored')}{_beside(report, baselines, name)}"
        for name, one in metrics.items()
    ]
    return figure, f"Mean scores with 95 % intervals over {n} turns: " + ("; ".join(told) or "none") + "."


def _beside(report: EvalReport, baselines: Sequence[str], metric: str) -> str:
    found = {BASELINES[row][0]: report.rows[row][metric].value for row in baselines if metric in report.rows[row]}
    told = [f"{label} {number(value)}" for label, value in found.items() if value is not None]
    return f" ({', '.join(told)})" if told else ""


def _tools(rows: Rows) -> tuple[Figure, str]:
    pairs = [(_called(row["reference"]), _called(row["prediction"])) for row in rows]
    names = [name for name, _ in Counter(reference for reference, _ in pairs).most_common(_MOST_TOOLS)]
    found = Counter((_among(names, reference), _among(names, predicted)) for reference, predicted in pairs)
    seen = {name for cell in found for name in cell}
    lines = [*names, *((_OTHER,) if any(reference == _OTHER for reference, _ in found) else ())]
    columns = [*names, *(name for name in (_OTHER, _NO_CALL, _NO_ANSWER) if name in seen - {*names})]
    totals = {line: sum(found[line, column] for column in columns) for line in lines}
    right = sum(reference == predicted for reference, predicted in pairs)
    dense, what = len(columns) > _FEW_COLUMNS, "answers" if any(SAMPLE in row for row in rows) else "turns"
    figure, axes = figure_of(
        (2.8 if dense else 1.7) + (0.32 if dense else 0.62) * max(len(lines), 1),
        "Which tool the model called, by tool of the reference",
        f"the reference's tool in {right} of {len(rows)} {what}; colour: share of the row",
    )
    _matrix(axes, [[found[line, column] for column in columns] for line in lines], dense=dense)
    down = [f"{shown(line, 40 if dense else 26)} ({totals[line]})" for line in lines]
    across = [textwrap.fill(shown(name), 85 // len(columns)) for name in columns]
    if dense:  # rows are numbered, and columns show the numbers
        down = [f"{label}  {number}" for number, label in enumerate(down, 1)]
        across = [str(number) if name in names else name for number, name in enumerate(columns, 1)]
    axes.set_xticks(range(len(columns)), across, rotation=90 if dense else 0, fontsize=8)
    axes.set_yticks(range(len(lines)), down)
    axes.set(xlabel="called by the model", ylabel="reference")
    told = ", ".join(f"{shown(name)} {found[name, name]} of {totals[name]}" for name in names)
    return figure, f"The model called the reference's tool in {right} of {len(rows)} {what}: {told or 'none'}."


def called_tool(text: str) -> str | None:
    """Return the tool that a text calls, by the lenient reading; None for none."""
    calls = parse_answer(text)
    call = calls[0] if calls else parsing.read(text).call
    return call.name if call else None


def _called(text: str | None) -> str:
    if text is None:
        return _NO_ANSWER
    several = sorted(call.name for call in parse_answer(text)[1:] and parse_answer(text))
    return " + ".join(several) or called_tool(text) or _NO_CALL


def _among(names: Sequence[str], name: str) -> str:
    return name if name in (*names, _NO_CALL, _NO_ANSWER) else _OTHER


def _matrix(axes: Axes, counts: Sequence[Sequence[int]], *, dense: bool) -> None:
    """Draw counts with their share of the row; the share alone as colour where there is no room for two lines."""
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if not counts:
        axes.text(0.5, 0.5, "nothing to show", transform=axes.transAxes, ha="center")
        return
    shares = [[count / sum(line) for count in line] for line in counts]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.15, aspect="auto")
    for y, line in enumerate(counts):
        for x, count in enumerate(line):
            share = shares[y][x]
            text = ("" if dense else "0") if not count else str(count) if dense else f"{count}\n{whole_percent(share)}"
            color = "white" if share > 0.6 else "black" if count else "#B0B0B0"
            axes.text(x, y, text, ha="center", va="center", fontsize=8 if dense else 9, color=color)


def _turns(rows: Rows) -> tuple[Figure, str]:
    metrics = [name for name in _BY_TURN if any(row.get(name) is not None for row in rows)]
    groups = _by_turn(rows)
    unscored = [f"{name} {n}" for name in metrics if (n := sum(row.get(name) is None for row in rows))]
    figure, axes = figure_of(
        3.6,
        "Mean score turn by turn",
        "bars: 95 % intervals" + (f"; turns left out as unscored: {', '.join(unscored)}" if unscored else ""),
    )
    told = []
    for position, name in enumerate(metrics):
        color, fmt = ((MODEL, "o"), (SECOND, "s"))[position]
        means = []
        for place, (label, members) in enumerate(groups.items()):
            one = estimate([row.get(name) for row in members], [row["conversation"] for row in members])
            if one.value is not None:
                x = place + 0.16 * (position - (len(metrics) - 1) / 2)
                means.append((x, one.value, label))
                axes.errorbar(x, one.value, yerr=_bar(one), fmt=fmt, color=color, capsize=3, label=name)
        axes.plot([x for x, _, _ in means], [y for _, y, _ in means], color=color, linewidth=0.8, alpha=0.5)
        told.append(f"{name}: " + ", ".join(f"{number(value, digits=2)} at {label}" for _, value, label in means))
    if not metrics:
        axes.text(0.5, 0.5, "nothing was scored", transform=axes.transAxes, ha="center")
    axes.set_xticks(range(len(groups)), [f"{label}\n{len(members)}" for label, members in groups.items()], fontsize=9)
    axes.set(
        ylim=(-0.03, 1.03), xlabel="turn (assistant call of the conversation, from 0), below it the number of pairs"
    )
    axes.grid(axis="y", color="#E5E5E5", linewidth=0.8)
    axes.set_axisbelow(True)
    legend(figure, [axes], "outside lower left")
    return figure, "Mean score by turn. " + ("; ".join(told) or "Nothing was scored") + "."


def _by_turn(rows: Rows) -> dict[str, list[Mapping[str, Any]]]:
    """Return the rows by turn, the last turns pooled where they are few."""
    counts = Counter(row["turn"] for row in rows)
    turns = sorted(counts)
    enough = min(_ENOUGH, max(counts.values(), default=0) / 2)
    alone = [turn for turn in turns if counts[turn] >= enough][:_MOST_TURNS]
    last = alone[-1] if alone else -1
    groups = {str(turn): [row for row in rows if row["turn"] == turn] for turn in turns if turn <= last}
    if later := [row for row in rows if row["turn"] > last]:
        first, final = min(row["turn"] for row in later), turns[-1]
        groups[str(first) if first == final else f"{first}-{final}"] = later
    return groups


_WINDOW = 0.02
"""Share of the steps over which the smooth line is a mean."""


def draw_loss(log: Sequence[LogEntry], folder: Path) -> Plot:
    """Draw `loss.png` into `folder`: the loss of every logged step, and its moving mean. `log` is not empty."""
    folder.mkdir(parents=True, exist_ok=True)
    steps, losses = [entry.step for entry in log], [entry.loss for entry in log]
    smooth = moving_mean(losses, max(1, round(len(losses) * _WINDOW)))
    with style():
        figure, axes = figure_of(3.2, "Training loss", f"{steps[-1]} steps, {log[-1].epoch:.3g} epochs")
        axes.plot(steps, losses, color=GREY, alpha=0.35, linewidth=0.8, label="each step")
        axes.plot(steps, smooth, color=MODEL, linewidth=1.8, label="moving mean")
        axes.set_xlabel("step")
        axes.set_ylabel("cross-entropy, nats per token")
        axes.set_ylim(bottom=0)
        axes.legend(loc="upper right")
        ends = f"{number(smooth[0])} at first, {number(smooth[-1])} at last"
        alt = f"Training loss over {steps[-1]} steps: moving mean {ends}."
        return save(folder, "loss", figure, alt)


def moving_mean(values: Sequence[float], window: int) -> list[float]:
    """Return the mean of each value and the `window - 1` before it."""
    means, total = [], 0.0
    for place, value in enumerate(values):
        total += value - (values[place - window] if place >= window else 0.0)
        means.append(total / min(place + 1, window))
    return means
