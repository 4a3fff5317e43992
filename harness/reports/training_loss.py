"""The loss of a training run as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.reports.plot_style import GREY, MODEL, Plot, figure_of, save, style
from harness.statistics.formatting import number
from harness.training.loop import LogEntry

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
        axes.set_ylabel("cross-entropy, nats a token")
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
