"""The repair report as a picture: precision and recall above, what became of each kind of damage below."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.curation.repair.scores import RepairReport
from harness.reports.plot_style import GREY, MODEL, SECOND, WIDTH, Plot, save, style
from harness.reports.repair_tables import facts, measures_of, scope, shown
from harness.statistics.formatting import number
from harness.statistics.records import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_THIRD = "#009E73"
_MOST_KINDS = 14
_Series = tuple[str, str, str, list[Estimate]]
"""Label, colour, marker, and an estimate a row."""


def draw(report: RepairReport, path: Path) -> Plot:
    """Draw the report as PNG to `path`. Equal input gives equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with style():
        figure = _figure(report)
        return save(path.parent, path.stem, figure, _alt(report))


def _figure(report: RepairReport) -> Figure:
    from matplotlib.figure import Figure

    measures, kinds = measures_of(report), report.kinds[-_MOST_KINDS:]
    heights = [max(len(measures), 1) + 0.8] + ([len(kinds) + 0.8] if kinds else [])
    figure = Figure(figsize=(WIDTH, 1.3 + 0.5 * sum(heights)), layout="constrained")
    figure.suptitle("Repair against the clean traces", x=0.01, ha="left", fontsize=12, fontweight="bold")
    axes = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    series: list[_Series] = [
        ("precision", MODEL, "o", [one.precision for one in measures]),
        ("recall", SECOND, "s", [one.recall for one in measures]),
    ]
    labels = [f"{one.name} ({one.positives})" for one in measures]
    _dots(axes[0], labels, series, f"{scope(report)} In brackets: wrong cases. Bars: 95 % intervals, by conversation")
    if kinds:
        series = [
            ("changed or left undecided", MODEL, "o", [one.detected for one in kinds]),
            ("right tool now", SECOND, "s", [one.name for one in kinds]),
            ("service call all right now", _THIRD, "D", [one.arguments for one in kinds]),
        ]
        _dots(axes[1], [f"{shown(one.kind)} ({one.n})" for one in kinds], series, "By kind of damage (turns)")
    return figure


def _dots(axes: Axes, labels: list[str], series: list[_Series], title: str) -> None:
    step = 0.24
    for row in range(len(labels)):
        axes.axhline(row, color="#E5E5E5", linewidth=0.8, zorder=0)
    for position, (label, color, marker, estimates) in enumerate(series):
        offset = (position - (len(series) - 1) / 2) * step
        known = [(row + offset, one) for row, one in enumerate(estimates) if one.value is not None]
        for place, one in known:
            if one.value is not None and one.low is not None and one.high is not None:
                axes.plot([one.low, one.high], [place, place], color=color, linewidth=1.5)
        axes.plot(
            [one.value or 0.0 for _, one in known], [place for place, _ in known], marker, color=color, label=label
        )
    axes.set_title(title, fontsize=9, fontweight="normal", color=GREY)
    axes.set_yticks(range(len(labels)), labels)
    axes.set(ylim=(max(len(labels), 1) - 0.4, -0.6), xlim=(-0.02, 1.02))
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.12), ncols=len(series), fontsize=9, borderaxespad=0)


def _alt(report: RepairReport) -> str:
    told = [
        f"{one.name} precision {_figure_of(one.precision)}, recall {_figure_of(one.recall)}"
        for one in measures_of(report)
    ]
    told += [f"{what} {_figure_of(one)}" for what, one in facts(report)]
    return "Repair against the clean traces: " + "; ".join(told) + "."


def _figure_of(one: Estimate) -> str:
    return number(one.value, missing="not measured")
