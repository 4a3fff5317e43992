"""Repair quality per scenario: the traces that models came from against the clean ones, measured and drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.benchmark.cells import Job
from harness.benchmark.report.records import Row, Table
from harness.benchmark.report.repair_records import Repair, TruthPlaces
from harness.curation.job_folder import TASK
from harness.curation.repair.scores import Measure, RepairReport
from harness.data.sgd_task import CLEAN
from harness.errors import SourceError
from harness.hub.artifact import Artifact, parse_input
from harness.hub.client import Hub
from harness.hub.lineage import follow_data
from harness.reports.plot_style import GREY, MODEL, SECOND, WIDTH, Plot, legend, reach, save, shown, style
from harness.statistics.formatting import number
from harness.statistics.records import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from harness.curation.repair.measure import RepairTarget
    from harness.data.sources import Sources

NO_TRACES = "Repairs are not measured: no model of the TFT pipeline names relabelled traces that are on this Hub."
NO_TRUTH = (
    f"Repairs of a job's own traces are not measured: there is no ground truth for them. Where the clean traces are "
    f"known, put them into the job folder as {CLEAN} and name it with --job."
)
NO_SOURCES = (
    "Repairs are not measured: the clean traces are not available; fetch them with `tft sources fetch` or name "
    "their folder with --sources."
)
_CHAIN = ("synthesize", "relabel", "filter")
"""Stages of the TFT pipeline from the model back."""


def measure_repairs(hub: Hub, main: Table, clean: TruthPlaces) -> tuple[tuple[Repair, ...], str | None]:
    """Return the repairs of all rows whose truth is known, and in a sentence why others have none.

    Which datasets: those at the commits that the TFT models were trained from, by the record of the run, else by the
    chain of `lineage.json`. Missing source files are a reason, unless their folder was named, in which case they are a
    SourceError.
    """
    from harness.data.sources import locate

    known = [row for row in main.rows if row.number is not None or _clean(row, clean.job)]
    if not known:
        return (), NO_TRUTH
    found = [(row, stages) for row in known if (stages := _stages(hub, row))]
    if not found:
        return (), NO_TRACES
    located = None
    if any(row.number is not None for row, _ in found):
        try:
            located = locate(clean.sources)
        except SourceError:
            if clean.sources is not None:
                raise
    repairs = tuple(
        _repair(hub, row, stages, truth)
        for row, stages in found
        if (truth := _truth(row, located, _clean(row, clean.job))) is not None
    )
    return repairs, NO_SOURCES if len(repairs) < len(found) else None


def _clean(row: Row, job: Job | None) -> Path | None:
    """Return the clean traces of a row that is this job; None where there are none."""
    if job is None or row.number is not None or row.scenario != job.name:
        return None
    path = Path(job.folder) / CLEAN
    return path if path.is_file() else None


def _stages(hub: Hub, row: Row) -> dict[str, Artifact]:
    """Return stage -> dataset, of the first run of the TFT cell that tells."""
    for run in row.tft.runs:
        named = {stage: parse_input(run.artifacts.get(stage, "")) for stage in _CHAIN}
        found = {stage: artifact for stage, artifact in named.items() if isinstance(artifact, Artifact)}
        if "relabel" not in found and run.artifact:
            behind = ((record.lineage.stage, artifact) for artifact, record in follow_data(hub, run.artifact))
            found = {stage: artifact for stage, artifact in behind if stage in _CHAIN}
        if found:
            return found
    return {}


def _truth(row: Row, sources: Sources | None, clean: Path | None) -> RepairTarget | None:
    """Return what a row is measured against; None where it is in source files that are not there."""
    from harness.curation.repair.ground_truth import published_truth, read_truth
    from harness.curation.repair.measure import RepairTarget
    from harness.data.formats.task import read_task
    from harness.data.tools import Toolbox

    if clean is not None:
        truths, name, task = read_truth(clean), "the clean traces of the job", clean.parent / TASK
    elif sources is None:
        return None
    else:
        truths, name = published_truth(sources, row.number or 0, "tft"), f"scenario {row.number}, arm tft"
        task = sources.folder / "tft-benchmark" / TASK
    return RepairTarget(truths=truths, toolbox=Toolbox(read_task(task).tools), source=row.title, truth=name)


def _repair(hub: Hub, row: Row, stages: Mapping[str, Artifact], truth: RepairTarget) -> Repair:
    from harness.curation.repair.labels import measure_labels
    from harness.curation.repair.measure import measure
    from harness.data.traces.trace_input import read_input

    filtered, relabelled = stages.get("filter"), stages.get("relabel")
    rows = {one: list(read_input(str(one), hub).rows()) for one in (filtered, relabelled) if one}
    reports = {one: measure(found, replace(truth, source=one.short)) for one, found in rows.items()}
    return Repair(
        scenario=row.scenario,
        title=row.title,
        filtered=filtered,
        relabelled=relabelled,
        rejected=reports[filtered] if filtered else None,
        repaired=reports[relabelled] if relabelled else None,
        labels=measure_labels(rows[filtered], rows[relabelled], truth) if filtered and relabelled else None,
    )


_CAME, _NOW = "#8A8A8A", MODEL
_Mark = tuple[str, str, str, Callable[[Repair], Estimate | None]]
"""Label, colour, shape, and the estimate of a repair that it stands for."""


def _share(when: str, what: str) -> Callable[[Repair], Estimate | None]:
    return lambda one: getattr(one.repaired, when)[what] if one.repaired else None


def detection(report: RepairReport | None) -> Measure | None:
    """Return how wrong turns were found; None where none was wrong, or none was measured."""
    found = report.measures if report else ()
    return next((one for one in found if one.name == "detection" and one.positives), None)


def rejection(repair: Repair) -> Measure | None:
    """Return how conversations of another task were found; None where all are the task's, or none was measured."""
    report = repair.rejected or repair.repaired
    found = report.rejection if report else None
    return found if found and found.positives else None


def _found(repair: Repair) -> Measure | None:
    return detection(repair.repaired)


def _of(measure: Callable[[Repair], Measure | None], what: str) -> Callable[[Repair], Estimate | None]:
    return lambda one: getattr(found, what) if (found := measure(one)) else None


def _before_after(what: str) -> tuple[_Mark, _Mark]:
    return ("as they came", _CAME, "x", _share("before", what)), ("now", _NOW, "o", _share("after", what))


def _found_marks(measure: Callable[[Repair], Measure | None]) -> tuple[_Mark, _Mark]:
    return ("precision", SECOND, "s", _of(measure, "precision")), ("recall", "#009E73", "D", _of(measure, "recall"))


_PANELS: tuple[tuple[str, str, tuple[_Mark, _Mark]], ...] = (
    ("right tool", "not relabelled", _before_after("name")),
    ("service call all right", "not relabelled", _before_after("arguments")),
    ("wrong turns found", "none wrong", _found_marks(_found)),
    ("foreign ones rejected", "none foreign", _found_marks(rejection)),
)
"""Title, the text where there is nothing to measure, and the two marks."""


def draw(repairs: Sequence[Repair], folder: Path) -> Plot:
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
        for axes, panel in zip(grid, _PANELS, strict=True):
            _panel(axes, panel, repairs)
        grid[0].set_yticks(range(len(repairs)), [shown(one.title, 26) for one in repairs])
        grid[0].set_ylim(len(repairs) - 0.5, -0.5)
        legend(figure, grid, "outside lower left")
        note = "shares from 0 to 1; bars: 95 % intervals, by conversation"
        figure.text(0.99, 0.02, note, ha="right", va="bottom", fontsize=8, color=GREY)
        return save(folder, "repairs", figure, _alt(repairs), "Repair of the TFT traces")


def _panel(axes: Axes, panel: tuple[str, str, tuple[_Mark, _Mark]], repairs: Sequence[Repair]) -> None:
    title, nothing, marks = panel
    axes.set_title(title, fontsize=9.5, fontweight="normal")
    for place, repair in enumerate(repairs):
        axes.axhline(place, color="#E5E5E5", linewidth=0.8, zorder=0)
        if all((one := read(repair)) is None or one.value is None for _, _, _, read in marks):
            text: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 8, "style": "italic", "color": GREY}
            axes.text(0.5, place, nothing, **text, backgroundcolor="white")
        for position, (label, color, marker, read) in enumerate(marks):
            _mark(axes, place + 0.14 * (2 * position - 1), read(repair), (label, color, marker))
    axes.set_xlim(-0.06, 1.06)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8)


def _mark(axes: Axes, y: float, one: Estimate | None, style: tuple[str, str, str]) -> None:
    label, color, marker = style
    if one is None or one.value is None:
        return
    if bar := reach(one):
        axes.errorbar(one.value, y, xerr=bar, fmt="none", ecolor=color, capsize=2.5)
    axes.plot(one.value, y, marker, color=color, markersize=6, label=label, linestyle="none")


def _alt(repairs: Sequence[Repair]) -> str:
    told = []
    for repair in repairs:
        parts = []
        for title, nothing, marks in _PANELS:
            figures = [f"{label} {number(one.value)}" for label, _, _, read in marks if (one := read(repair))]
            parts.append(f"{title}: {', '.join(figures) or nothing}")
        told.append(f"{repair.title}: {'; '.join(parts)}")
    return f"Repair of the TFT traces against the clean ones. {'. '.join(told)}."
