"""What all plots share: size, colours, style, and how they are saved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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


def save(folder: Path, name: str, figure: Figure, alt: str) -> Plot:
    """Write the figure as `<name>.png`, without a date or a version in it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    path = folder / f"{name}.png"
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=DPI, format="png", metadata={"Software": None})
    return Plot(name=name, path=path, alt=alt)


def figure_of(height: float, title: str, subtitle: str) -> tuple[Figure, Axes]:
    """Return an empty figure of that height (inches) with its axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    axes.set_title(subtitle, fontsize=9, fontweight="normal", color=GREY)
    return figure, axes


def shown(name: str, longest: int = 26) -> str:
    """Return a name as any font can draw it: ASCII in one line, the middle left out where it is long."""
    text = name.encode("unicode_escape").decode("ascii")
    half = (longest - 3) // 2
    return text if len(text) <= longest else f"{text[:half]}...{text[-half:]}"
