"""Repair quality by scenario: the filtered and relabelled traces that models came from, against the clean ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.benchmark.report.records import Repair, Row, Table
from harness.errors import SourceError
from harness.hub.artifact import Artifact, parse_input
from harness.hub.chain import follow_data
from harness.hub.client import Hub

if TYPE_CHECKING:
    from harness.curation.repair.scores import RepairReport
    from harness.data.sources import Sources

NO_TRACES = "Repairs are not measured: no model of the TFT pipeline names relabelled traces that are on this Hub."
NO_TRUTH = "Repairs are not measured: what traces of one's own should have been is not known."
_CHAIN = ("synthesize", "relabel", "filter")
"""Stages of the TFT pipeline from the model back."""


def measure_repairs(hub: Hub, main: Table, sources: Path | None) -> tuple[tuple[Repair, ...], str | None]:
    """Return the repairs of the published scenarios, or none and the reason in a sentence.

    Which datasets: those at the commits that the TFT models were trained from, by the record of the run, else by the
    chain of `lineage.json`. Without source files there is no truth to measure against: that is a reason, unless
    `sources` was named, in which case it is a SourceError.
    """
    from harness.data.sources import locate

    known = [row for row in main.rows if row.number is not None]
    if not known:
        return (), NO_TRUTH
    found = {row.scenario: _stages(hub, row) for row in known}
    wanted = {scenario: stages for scenario, stages in found.items() if stages}
    if not wanted:
        return (), NO_TRACES
    try:
        located = locate(sources)
    except SourceError:
        if sources is not None:
            raise
        return (), (
            "Repairs are not measured: the clean traces are not at hand; fetch them with `tft sources fetch` or name "
            "their folder with --sources."
        )
    rows = {row.scenario: row for row in main.rows}
    return tuple(_repair(hub, rows[scenario], stages, located) for scenario, stages in wanted.items()), None


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


def _repair(hub: Hub, row: Row, stages: Mapping[str, Artifact], sources: Sources) -> Repair:
    filtered, relabelled = stages.get("filter"), stages.get("relabel")
    return Repair(
        scenario=row.scenario,
        title=row.title,
        filtered=filtered,
        relabelled=relabelled,
        rejected=_measure(hub, row, filtered, sources) if filtered else None,
        repaired=_measure(hub, row, relabelled, sources) if relabelled else None,
    )


def _measure(hub: Hub, row: Row, artifact: Artifact, sources: Sources) -> RepairReport:
    from harness.curation.repair.ground_truth import published_truth
    from harness.curation.repair.measure import Against, measure
    from harness.data.formats.task import read_task
    from harness.data.tools import Toolbox
    from harness.data.traces.trace_input import read_input

    task = read_task(sources.folder / "tft-benchmark" / "job_description.json")
    against = Against(
        truths=published_truth(sources, row.number or 0, "tft"),
        toolbox=Toolbox(task.tools),
        source=artifact.short,
        truth=f"scenario {row.number}, arm tft",
    )
    return measure(read_input(str(artifact), hub).rows(), against)
