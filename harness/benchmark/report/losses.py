"""The losses of all trainings: read from the logs in the model repositories, drawn side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.benchmark.report.records import CellResult, Loss, Row, Run, Table
from harness.data.formats.jsonl import read_jsonl
from harness.data.scenarios import Arm
from harness.errors import DataError, RepoNotFound
from harness.hub.artifact import Artifact
from harness.hub.client import Hub
from harness.hub.lineage import read_lineage
from harness.reports.evaluation_plots import moving_mean
from harness.reports.plot_style import GREY, MODEL, SECOND, WIDTH, Plot, legend, save, shown, style
from harness.statistics.formatting import number
from harness.training.run_summary import load_facts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOG = "training/log.jsonl"
_COLUMNS = 3
_SMOOTH = 0.05
"""Share of the steps over which a line is a mean."""
_LINES: dict[Arm, tuple[str, str, Any]] = {"tft": ("TFT", MODEL, "-"), "direct": ("Direct", SECOND, (0, (5, 2)))}
"""Pipeline -> label, colour, dashes."""


def read_losses(hub: Hub, tables: Sequence[Table]) -> tuple[tuple[Loss, ...], tuple[str, ...]]:
    """Return the logs of the evaluated models at the commits that were evaluated, and the models that have none.

    Raises DataError for a log that cannot be read, HubError where a Hub refuses.
    """
    return collect_losses(tables, lambda of: read_log(hub, of), lambda of: _conversations(hub, of))


def collect_losses(
    tables: Sequence[Table],
    read: Callable[[Artifact], Sequence[tuple[float, ...]] | None],
    conversations: Callable[[Artifact], int | None],
) -> tuple[tuple[Loss, ...], tuple[str, ...]]:
    """Return what `read` has of the evaluated models, epoch and loss of each step, and the models that it has not."""
    found: dict[str, Loss | None] = {}
    for row, cell, run in _runs(tables):
        if run.artifact and run.artifact.repo_id not in found:
            of, log = run.artifact, read(run.artifact)
            found[of.repo_id] = _loss((row, cell, run), of, log, conversations(of)) if log else None
    return tuple(one for one in found.values() if one), tuple(name for name, one in found.items() if one is None)


def _runs(tables: Sequence[Table]) -> Iterator[tuple[Row, CellResult, Run]]:
    for table in tables:
        for row in table.rows:
            for cell in row.cells:
                for run in cell.done:
                    yield row, cell, run


def read_log(hub: Hub, artifact: Artifact) -> list[tuple[float, float]] | None:
    """Return epoch and loss of each logged step; None where the model, or its log, is not on the Hub."""
    try:
        path = hub.pull(artifact, [LOG]) / LOG
    except RepoNotFound:
        return None
    if not path.is_file():
        return None
    steps = []
    for line, entry in read_jsonl(path):
        values = entry.get("epoch"), entry.get("loss")
        if not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
            raise DataError(f"{LOG} of {artifact}, line {line}: expected an epoch and a loss; train the model again")
        steps.append((float(entry["epoch"]), float(entry["loss"])))
    return steps


def _conversations(hub: Hub, artifact: Artifact) -> int | None:
    """Return how many conversations a model was trained on; None where its lineage does not say it."""
    made = read_lineage(hub, artifact)
    try:
        facts = load_facts(made.lineage) if made else None
    except ValueError:
        return None
    return facts.conversations if facts else None


def _loss(
    place: tuple[Row, CellResult, Run],
    artifact: Artifact,
    log: Sequence[tuple[float, ...]],
    conversations: int | None,
) -> Loss:
    row, cell, run = place
    return Loss(
        scenario=row.scenario,
        title=row.title,
        arm=cell.arm,
        fair=cell.fair,
        seed=run.seed,
        model=artifact,
        conversations=conversations,
        epochs=tuple(epoch for epoch, *_ in log),
        losses=tuple(loss for _, loss in log),
    )


def draw(losses: Sequence[Loss], folder: Path) -> Plot:
    """Draw `losses.png` into `folder`: one panel per scenario, one line per training. `losses` is not empty."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    panels: dict[tuple[str, bool], list[Loss]] = {}
    for one in losses:
        panels.setdefault((one.title, one.fair), []).append(one)
    lines = math.ceil(len(panels) / _COLUMNS)
    with style():
        figure = Figure(figsize=(WIDTH, 1.0 + 2.1 * lines), layout="constrained")
        grid = figure.subplots(lines, min(_COLUMNS, len(panels)), sharey=True, squeeze=False).ravel()
        for axes, ((title, fair), members) in zip(grid, panels.items(), strict=False):
            _panel(axes, f"{shown(title, 24)}{' (fair)' if fair else ''}", members)
        for axes in grid[len(panels) :]:
            axes.set_visible(False)
        figure.suptitle("Training loss", x=0.01, ha="left", fontsize=12, fontweight="bold")
        figure.supylabel("cross-entropy, nats per token", fontsize=9, color=GREY)
        figure.supxlabel("epoch", fontsize=9, color=GREY)
        legend(figure, grid[: len(panels)], "outside upper right")
        return save(folder, "losses", figure, _alt(losses), "Training loss")


def _panel(axes: Axes, title: str, members: Sequence[Loss]) -> None:
    for one in members:
        label, color, dashes = _LINES[one.arm]
        axes.plot(one.epochs, one.losses, color=color, alpha=0.18, linewidth=0.6)
        axes.plot(one.epochs, _smooth(one), color=color, linestyle=dashes, linewidth=1.6, label=label)
    axes.set_title(title, fontsize=9.5, fontweight="normal")
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    axes.tick_params(labelsize=8)
    axes.grid(axis="y", color="#E5E5E5", linewidth=0.8)
    axes.set_axisbelow(True)


def _smooth(one: Loss) -> list[float]:
    return moving_mean(one.losses, max(1, round(len(one.losses) * _SMOOTH)))


def _alt(losses: Sequence[Loss]) -> str:
    told = []
    for one in losses:
        smooth = _smooth(one)
        name = (
            f"{one.title}{' (fair)' if one.fair else ''} {_LINES[one.arm][0]}{f' seed {one.seed}' if one.seed else ''}"
        )
        told.append(f"{name} {number(smooth[0], digits=2)} to {number(smooth[-1], digits=2)}")
    return f"Training loss by scenario, moving means, first to last step: {'; '.join(told)}."
