"""What all plots share: size, colours, style, and how they are saved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.statistics.records import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, DPI = 8.0, 160
"""Inches and dots an inch: twice the width of a card's column, so that it stays sharp on any screen."""

# Of Okabe and Ito's palette (2008), told apart by every kind of colour vision.
MODEL, SECOND, GREY = "#0072B2", "#D55E00", "#595959"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A picture and what it shows, in words."""

    name: str
    path: Path
    alt: str
    title: str = ""


@contextmanager
def style() -> Iterator[None]:
    """The library's own settings, not the user's, with ours on top; nothing stays changed."""
    import matplotlib

    default = {key: value for key, value in matplotlib.rcParamsDefault.items() if not key.startswith("backend")}
    ours = {
        "font.family": "DejaVu Sans",
        "font.size": 10,
        "text.parse_math": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 12,
        "axes.titleweight": "bold",
        "legend.frameon": False,
    }
    with matplotlib.rc_context(default | ours):
        yield


def save(folder: Path, name: str, figure: Figure, alt: str, title: str = "") -> Plot:
    """Write the figure as `<name>.png`, without a date or a version in it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    path = folder / f"{name}.png"
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=DPI, format="png", metadata={"Software": None})
    return Plot(name=name, path=path, alt=alt, title=title)


def figure_of(height: float, title: str, subtitle: str) -> tuple[Figure, Axes]:
    """Return an empty figure of that height (inches) with its axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    axes.set_title(subtitle, fontsize=9, fontweight="normal", color=GREY)
    return figure, axes


def legend(figure: Figure, axes: Iterable[Axes], place: str, order: Sequence[str] = ()) -> None:
    """Add one legend of all axes at `place`, one entry per label, those in `order` first; none without a label."""
    found = (axis.get_legend_handles_labels() for axis in axes)
    known = {label: handle for handles, labels in found for label, handle in zip(labels, handles, strict=True)}
    labels = [*(label for label in order if label in known), *(label for label in known if label not in order)]
    if labels:
        handles = [known[label] for label in labels]
        figure.legend(handles, labels, loc=place, ncols=len(labels), fontsize=9)


def reach(one: Estimate) -> list[list[float]] | None:
    """Return how far the interval reaches below and above the mean, for error bars; None without an interval."""
    if one.value is None or one.low is None or one.high is None:
        return None
    return [[one.value - one.low], [one.high - one.value]]


def shown(name: str, longest: int = 26) -> str:
    """Return a name as any font can draw it: ASCII in one line, the middle left out where it is long."""
    text = name.encode("unicode_escape").decode("ascii")
    half = (longest - 3) // 2
    return text if len(text) <= longest else f"{text[:half]}...{text[-half:]}"
