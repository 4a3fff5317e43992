"""Repair quality as a picture: one line a scenario, how right calls were as they came, and how right they are now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.canvas import GREY, MODEL, SECOND, WIDTH, save, shown, style
from harness.records import Estimate
from harness.repair.report import Measure, RepairReport
from harness.summary.formats import score
from harness.summary.records import Picture, Repair

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CAME, _NOW = "#8A8A8A", MODEL
_Mark = tuple[str, str, str, Callable[[Repair], Estimate | None]]
"""Label, colour, shape, and the estimate of a repair that it stands for."""


def _share(when: str, what: str) -> Callable[[Repair], Estimate | None]:
    return lambda one: getattr(one.repaired, when)[what] if one.repaired else None


def detection(report: RepairReport | None) -> Measure | None:
    """Return how wrong turns were found; None where none was measured."""
    return next((one for one in report.measures if one.name == "detection"), None) if report else None


def _precision(one: Repair) -> Estimate | None:
    found = detection(one.repaired)
    return found.precision if found else None


def _recall(one: Repair) -> Estimate | None:
    found = detection(one.repaired)
    return found.recall if found else None


_PANELS: tuple[tuple[str, tuple[_Mark, _Mark]], ...] = (
    (
        "right tool",
        (("as they came", _CAME, "x", _share("before", "name")), ("now", _NOW, "o", _share("after", "name"))),
    ),
    (
        "service call all right",
        (("as they came", _CAME, "x", _share("before", "arguments")), ("now", _NOW, "o", _share("after", "arguments"))),
    ),
    ("wrong turns found", (("precision", SECOND, "s", _precision), ("recall", "#009E73", "D", _recall))),
)


def draw(repairs: Sequence[Repair], folder: Path) -> Picture:
    """Draw `repairs.png` into `folder`. `repairs` is not empty."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    with style():
        figure = Figure(figsize=(WIDTH, 1.9 + 0.5 * len(repairs)), layout="constrained")
        figure.suptitle(
            "Repair of the TFT traces, measured against the clean ones",
            x=0.01,
            ha="left",
            fontsize=12,
            fontweight="bold",
        )
        grid = figure.subplots(1, len(_PANELS), sharey=True)
        known: dict[str, Any] = {}
        for axes, (title, marks) in zip(grid, _PANELS, strict=True):
            _panel(axes, title, marks, repairs)
            handles, labels = axes.get_legend_handles_labels()
            known |= dict(zip(labels, handles, strict=True))
        grid[0].set_yticks(range(len(repairs)), [shown(one.title, 26) for one in repairs])
        grid[0].set_ylim(len(repairs) - 0.5, -0.5)
        figure.supxlabel("share; bars: 95 % intervals, clustered by conversation", fontsize=9, color=GREY)
        figure.legend(known.values(), known.keys(), loc="outside lower left", ncols=len(known), fontsize=9)
        alt = _alt(repairs)
        save(folder, "repairs", figure, alt)
    return Picture(name="repairs", title="Repair of the TFT traces", alt=alt)


def _panel(axes: Axes, title: str, marks: Sequence[_Mark], repairs: Sequence[Repair]) -> None:
    axes.set_title(title, fontsize=9.5, fontweight="normal")
    for place, repair in enumerate(repairs):
        axes.axhline(place, color="#E5E5E5", linewidth=0.8, zorder=0)
        for number, (label, color, marker, read) in enumerate(marks):
            one = read(repair)
            if one is None or one.value is None:
                continue
            y = place + 0.14 * (2 * number - 1)
            if one.low is not None and one.high is not None:
                bar = [[one.value - one.low], [one.high - one.value]]
                axes.errorbar(one.value, y, xerr=bar, fmt="none", ecolor=color, capsize=2.5)
            axes.plot(one.value, y, marker, color=color, markersize=6, label=label, linestyle="none")
    axes.set_xlim(-0.03, 1.03)
    axes.set_xticks([0, 0.5, 1])
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8)


def _alt(repairs: Sequence[Repair]) -> str:
    told = []
    for repair in repairs:
        parts = []
        for title, marks in _PANELS:
            figures = [f"{label} {score(one.value)}" for label, _, _, read in marks if (one := read(repair))]
            parts += [f"{title}: {', '.join(figures)}"] if figures else []
        told.append(f"{repair.title}: {'; '.join(parts) or 'only filtered'}")
    return f"Repair of the TFT traces against the clean ones. {'. '.join(told)}."
