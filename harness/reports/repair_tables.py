"""The repair report: tables in a terminal, Markdown for a card, and a plot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.curation.repair.scores import Measure, RepairReport
from harness.reports.evaluation_tables import table
from harness.reports.plot_style import GREY, MODEL, SECOND, WIDTH, Plot, save, style
from harness.statistics.formatting import cell, number, short_interval
from harness.statistics.records import Estimate
from harness.terminal import console, one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_SHARES = ("detected", "name", "keys", "arguments", "strictly", "text")
_SHORT_SHARES = ("found", "name", "keys", "args", "exact", "text")
_LONGEST = 32
NOTE = (
    "detected: changed or left undecided (false alarms where nothing was done). name, keys, arguments: right now, the "
    "last two and strictly (character by character) of service calls; text: the very words of replies, which for "
    "replaced ones nobody can know. Undecided turns are not right."
)


def shown(kind: str) -> str:
    """Return a kind of damage as a table shows it: in short, and as text that any terminal and font can show."""
    short = kind.replace("replace_with_", "to ").replace("_", " ").encode("unicode_escape").decode("ascii")
    return short if len(short) <= _LONGEST else f"{short[: _LONGEST - 3]}..."


def measures_of(report: RepairReport) -> list[Measure]:
    """Return all measures that have something to measure, that of whole conversations last."""
    every = [*report.measures, *([report.rejection] if report.rejection else [])]
    return [one for one in every if one.positives or one.flagged]


def facts(report: RepairReport) -> list[tuple[str, Estimate]]:
    """Return the shares over all turns, with what each is."""
    listed = [
        ("tool name right, as they came", report.before["name"]),
        ("tool name right now", report.after["name"]),
        ("service calls right, as they came", report.before["arguments"]),
        ("service calls right now", report.after["arguments"]),
        ("clean turns: tool name broken", report.broken["name"]),
        ("clean turns: service call broken", report.broken["arguments"]),
        ("clean turns: reply changed", report.broken["text"]),
    ]
    if report.kept is not None:
        listed.append(("conversations of the task that are kept", report.kept))
    return [(what, one) for what, one in listed if one.value is not None]


def scope(report: RepairReport) -> str:
    """Return in a sentence what was measured, and what could not be."""
    turns = sum(one.n for one in report.kinds)
    parts = [f"{turns} turns of {report.conversations} conversations" if turns else "whole conversations only"]
    if report.unmatched:
        parts.append(f"{report.unmatched} conversations without a clean one were not measured")
    if report.misplaced:
        parts.append(f"{report.misplaced} turns without a clean call at their place were not measured")
    return "; ".join(parts) + "."


def _tables(
    report: RepairReport, name: str, shares: Sequence[str], write: Callable[[Estimate], str]
) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Yield each table as its header and rows: measures by their field `name`, kinds of damage, shares of all turns."""
    measures = [
        [
            *(getattr(one, name), short_interval(one.precision), short_interval(one.recall), write(one.f1)),
            *(str(one.positives), str(one.flagged)),
        ]
        for one in measures_of(report)
    ]
    yield ["found or mended", "precision", "recall", "F1", "wrong", "touched"], measures
    if report.kinds:
        kinds = [
            [shown(one.kind), str(one.n), *(write(getattr(one, share)) for share in _SHARES), str(one.undecided)]
            for one in report.kinds
        ]
        yield ["damage", "turns", *shares, "undecided"], kinds
    yield ["over all", "share"], [[what, short_interval(share)] for what, share in facts(report)]


def print_repair(report: RepairReport, width: int | None = None) -> None:
    """Print the report on stdout."""
    out = console(width=width, markup=False)
    out.print(one_line(f"{report.source} against {report.truth}: {scope(report)}"))
    for header, rows in _tables(report, "name", _SHORT_SHARES, lambda one: cell(one.value)):
        drawn = table(*header)
        for row in rows:
            drawn.add_row(*row)
        out.print(drawn)


def as_markdown(report: RepairReport) -> str:
    """Return the report as a section of a card, intervals included."""
    lines = [
        "## Repair, measured against the clean traces",
        "",
        _safe(f"Measured against {report.truth}: {scope(report)}"),
        "",
    ]
    for header, rows in _tables(report, "what", _SHARES, short_interval):
        lines += _rows(header, rows)
        lines += [NOTE, ""] if header[0] == "damage" else []
    lines.append("Brackets hold 95 % intervals, clustered by conversation.")
    return "\n".join(lines) + "\n"


def _rows(header: list[str], rows: list[list[str]]) -> list[str]:
    body = [f"| {' | '.join((_safe(row[0]), *row[1:]))} |" for row in rows]
    return [f"| {' | '.join(header)} |", "|---" * len(header) + "|", *body, ""] if rows else []


def _safe(text: str) -> str:
    """Return text as one line of Markdown: names of kinds and files come from outside."""
    from harness.reports.markdown_templates import escape

    return str(escape(text))


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
