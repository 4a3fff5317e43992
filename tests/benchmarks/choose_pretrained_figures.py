"""Draws the losses of the trainings that `choose_pretrained.py` logged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.reports.evaluation_plots import moving_mean
from harness.reports.plot_style import figure_of, save, style

_SMOOTH = 10
"""Steps over which a line is a mean."""


def draw(lines: list[dict[str, Any]], folder: Path, name: str) -> Path:
    """Draw the lines of the log that have losses, and return the picture's path."""
    drawn = [line for line in lines if line.get("losses")]
    with style():
        figure, axes = figure_of(
            3.4, "Training loss of SmolLM2-135M-Instruct on S1 (direct)", f"moving means of {_SMOOTH} steps"
        )
        for line in drawn:
            losses = line["losses"]
            axes.plot(range(1, len(losses) + 1), moving_mean(losses, _SMOOTH), linewidth=1.6, label=_label(line))
        axes.set_xlabel("step")
        axes.set_ylabel("cross-entropy, nats")
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=8)
        return save(folder, name, figure, "").path


def _label(line: dict[str, Any]) -> str:
    what = line["settings"]
    return (
        f"batches of {what['batch_size']}, learning rate {what['learning_rate']:g}, every "
        f"{'turn' if what['equal_turns'] else 'token'} counts the same: tools named {line['names_macro']:.2f}"
    )
