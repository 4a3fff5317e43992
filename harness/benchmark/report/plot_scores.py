"""TFT against Direct as a plot: one line per scenario, with intervals; published values as hollow marks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.benchmark.cells import BASELINE_KINDS, BaselineKind
from harness.benchmark.report.format import TIE, listed, metric_name, short, state
from harness.benchmark.report.records import BenchmarkReport, Row
from harness.benchmark.report.training_verdict_records import BesideModel
from harness.data.published_facts import PublishedFacts
from harness.data.scenarios import ARMS, Arm
from harness.evaluation.baselines import GOLD
from harness.reports.plot_style import GREY, MODEL, SECOND, Plot, figure_of, legend, reach, save, shown, style
from harness.statistics.formatting import as_points, number, points, points_span, span

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKS: dict[Arm, tuple[str, str, float]] = {"tft": (MODEL, "o", -0.12), "direct": (SECOND, "s", 0.12)}
"""Pipeline -> colour, shape, and the offset of its marks from the middle of the line."""
_LABELS: dict[Arm, str] = {"tft": "TFT", "direct": "Direct"}
_NULL = "best null baseline"
_KINDS: dict[BaselineKind, str] = {kind: name.removeprefix("the ") for kind, name in BASELINE_KINDS.items()}
_LINES: dict[BaselineKind, tuple[str, Any]] = {
    "untrained": ("#7A3E9D", (0, (1, 1.5))),
    "logged": ("#8A6D00", (0, (6, 2, 1, 2))),
    "teacher": ("#00695C", (0, (8, 3))),
}
"""Colour and dashes of the lines of the models beside the trained ones."""
_ORDER = ("TFT", "Direct", "TFT, published", "Direct, published", _NULL, *_KINDS.values())
_PUBLISHED = 0.34
"""Offset of published marks below the middle of the line."""
_MARGIN = 0.04
_CLOSE = 1.0
"""Published marks that are fewer points apart would cover each other."""


def draw(summary: BenchmarkReport, metric: str, name: str, folder: Path) -> Plot:
    """Draw `<name>.png` into `folder`: the main table by `metric`. Equal input gives equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    with style():
        title = f"TFT against Direct, {metric}"
        return save(folder, name, _figure(summary, metric), _alt(summary, metric), title)


def draw_published(facts: PublishedFacts, metric: str, folder: Path) -> Plot:
    """Draw `published.png` into `folder`: what the benchmark's owner published by `metric`, and nothing measured."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, test, told = facts.differences(metric), facts.test_set, []
    with style():
        figure, axes = figure_of(
            1.6 + 0.5 * len(rows),
            "TFT against Direct, as published",
            f"by {shown(metric_name(metric, rules=False), 60)}, {test.pairs} turns of {test.conversations} "
            "conversations;\nsingle numbers, published without intervals",
        )
        for place, row in enumerate(rows):
            both: dict[Arm, float | None] = {"tft": row.tft, "direct": row.direct}
            values = [(arm, value) for arm, value in both.items() if value is not None]
            _bridge(axes, place, [value for _, value in values])
            for arm, value in values:
                color, marker, offset = _MARKS[arm]
                y = place + (offset if abs(row.points or 0.0) < _CLOSE else 0.0)
                axes.plot(value, y, marker, color=color, markersize=8, label=_LABELS[arm], linestyle="none")
            axes.text(1.02, place, as_points(row.points), fontsize=9, transform=_beside(axes), va="center")
            figures = ", ".join(f"{_LABELS[arm]} {number(value)}" for arm, value in values)
            told.append(f"{row.scenario.title}: {figures}")
        _frame(axes, [f"{row.scenario.title}\n{row.scenario.summary}" for row in rows])
        legend(figure, [axes], "outside lower left", _ORDER)
        alt = f"Published {metric_name(metric, rules=False)} of TFT and Direct by scenario. {'; '.join(told)}."
        return save(folder, "published", figure, alt)


def _figure(summary: BenchmarkReport, metric: str) -> Figure:
    rows = summary.main.rows
    figure, axes = figure_of(
        1.9 + 0.62 * max(len(rows), 1),
        "TFT against Direct",
        f"by {shown(_named(summary, metric), 60)}\n{summary.pairs} turns of {summary.conversations} "
        "conversations; bars: 95 % intervals, by conversation",
    )
    low, high = _limits(summary, metric)
    for place, row in enumerate(rows):
        _line(axes, place, row, metric)
    if (null := _null(summary, metric)) is not None:
        axes.axvline(null, color="#000000", linewidth=1, linestyle=(0, (4, 3)), zorder=0.5, label=_NULL)
    for one, (color, dashes) in _beside_lines(summary, metric):
        label = _KINDS[one.kind]
        axes.axvline(
            one.scores[metric].value or 0.0, color=color, linewidth=1, linestyle=dashes, zorder=0.5, label=label
        )
    _frame(axes, [shown(row.title, 30) for row in rows])
    axes.set_xlim(low, high)
    beside = {"transform": _beside(axes), "fontsize": 8.5, "color": GREY}
    axes.text(1.02, len(rows) - 0.32, f"{TIE} cannot be told apart", va="center", **beside)
    legend(figure, [axes], "outside lower left", _ORDER)
    return figure


def _frame(axes: Axes, titles: Sequence[str]) -> None:
    """Name the lines on the left, and what stands on the right."""
    axes.set_yticks(range(len(titles)), titles)
    axes.set_ylim(max(len(titles), 1) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color="#E5E5E5", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.text(1.02, -0.62, "TFT − Direct, points", transform=_beside(axes), fontsize=8.5, color=GREY)


def _bridge(axes: Axes, place: int, values: Sequence[float]) -> None:
    """Draw what lies between the values of a line."""
    if len(values) > 1:
        ends = [min(values), max(values)]
        axes.plot(ends, [place] * 2, color="#B8B8B8", linewidth=5, solid_capstyle="round", zorder=1)


def _named(summary: BenchmarkReport, metric: str) -> str:
    return metric_name(metric, rules=summary.judge is not None and summary.judge.rules)


def _beside(axes: Axes) -> Any:
    """Return the transform of text beside the plot: across in shares of its width, down in lines."""
    from matplotlib.transforms import blended_transform_factory

    return blended_transform_factory(axes.transAxes, axes.transData)


def _line(axes: Axes, place: int, row: Row, metric: str) -> None:
    values = {cell.arm: cell.scores[metric].overall for cell in row.cells if metric in cell.scores}
    _bridge(axes, place, [one.value for one in values.values() if one.value is not None])
    for arm, one in values.items():
        color, marker, offset = _MARKS[arm]
        if one.value is None:
            continue
        if bar := reach(one):
            axes.errorbar(one.value, place + offset, xerr=bar, fmt="none", ecolor=color, capsize=3)
        axes.plot(one.value, place + offset, marker, color=color, markersize=8, label=_LABELS[arm], linestyle="none")
    for arm, value in _published(row, metric):
        color, marker, _ = _MARKS[arm]
        axes.plot(
            value,
            place + _PUBLISHED,
            marker,
            color=color,
            markersize=6,
            markerfacecolor="none",
            label=f"{_LABELS[arm]}, published",
            linestyle="none",
        )
    beside = {"transform": _beside(axes), "va": "center"}
    if any(metric not in cell.scores for cell in row.cells):
        axes.text(1.02, place, _missing(row, metric), fontsize=8.5, color=GREY, style="italic", **beside)
        return
    axes.text(1.02, place, _difference(row, metric), fontsize=9, **beside)


def _missing(row: Row, metric: str) -> str:
    """Return the states of the cells without a score."""
    states = {_LABELS[cell.arm]: state(cell.runs[0]) for cell in row.cells if metric not in cell.scores}
    if len(states) > 1 and len(set(states.values())) == 1:
        return next(iter(states.values()))
    return "\n".join(f"{name} {became}" for name, became in states.items())


def _published(row: Row, metric: str) -> list[tuple[Arm, float]]:
    found = row.published.get(metric, {})
    return [(arm, value) for arm in ARMS if (value := found.get(arm)) is not None]


def _difference(row: Row, metric: str) -> str:
    one = row.contrasts.get(metric)
    if one is None or one.difference.value is None:
        return ""
    return f"{points(one.difference.value)} {points_span(one.difference)}{f' {TIE}' if one.tie else ''}"


def _limits(summary: BenchmarkReport, metric: str) -> tuple[float, float]:
    """Return an axis that holds all marks and bars, within 0 and 1 but for a little room."""
    cells = [cell for row in summary.main.rows for cell in row.cells]
    estimates = [cell.scores[metric].overall for cell in cells if metric in cell.scores]
    ends = [end for one in estimates for end in (one.low, one.value, one.high) if end is not None]
    ends += [value for row in summary.main.rows for _, value in _published(row, metric)]
    ends += [value for value in (_null(summary, metric),) if value is not None]
    ends += [one.scores[metric].value or 0.0 for one, _ in _beside_lines(summary, metric)]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    return max(low - _MARGIN, -0.02), min(high + _MARGIN, 1.02)


def _beside_lines(summary: BenchmarkReport, metric: str) -> list[tuple[BesideModel, tuple[str, Any]]]:
    """Return the models beside the trained ones that have a score, with how their lines are drawn."""
    scored = [one for one in summary.beside if metric in one.scores and one.scores[metric].value is not None]
    return [(one, _LINES[one.kind]) for one in scored]


def _null(summary: BenchmarkReport, metric: str) -> float | None:
    """Return the mean of the best null baseline."""
    found = [one.scores[metric].value for one in summary.baselines if one.name != GOLD and metric in one.scores]
    return max((value for value in found if value is not None), default=None)


def _alt(summary: BenchmarkReport, metric: str) -> str:
    told = []
    for row in summary.main.rows:
        parts = []
        for cell in row.cells:
            one = cell.scores[metric].overall if metric in cell.scores else None
            figure = f"{number(one.value)} {span(one)}".strip() if one else state(cell.runs[0])
            parts.append(f"{_LABELS[cell.arm]} {figure}")
        told.append(f"{short(row)}: {', '.join(parts)}{_told_difference(row, metric)}")
    null = _null(summary, metric)
    published = [short(row) for row in summary.main.rows if _published(row, metric)]
    return (
        f"{_named(summary, metric)} of TFT and Direct by scenario with 95 % intervals. {'; '.join(told)}."
        + (f" The best null baseline has {number(null)}." if null is not None else "")
        + "".join(
            f" {BASELINE_KINDS[one.kind].capitalize()} has {number(one.scores[metric].value)}."
            for one, _ in _beside_lines(summary, metric)
        )
        + (f" Hollow marks show the published values of {listed(published)}." if published else "")
    )


def _told_difference(row: Row, metric: str) -> str:
    one = row.contrasts.get(metric)
    if one is None or one.difference.value is None:
        return ""
    tie = ", which cannot be told from none" if one.tie else ""
    return f", difference {points(one.difference.value)} points {points_span(one.difference)}{tie}"
