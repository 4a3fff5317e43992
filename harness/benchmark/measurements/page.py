"""The page of measured results and the block of a README, rendered from the files of a folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.benchmark.measurements.cost import costs, say_costs
from harness.benchmark.measurements.read import Measured, read_measured
from harness.benchmark.measurements.record import Measurement
from harness.benchmark.measurements.story import compare, summarize_story
from harness.benchmark.record import deciding_settings
from harness.benchmark.report import losses, plot_scores
from harness.benchmark.report.build import PLOTS
from harness.benchmark.report.records import Row
from harness.benchmark.report.write import TEMPLATES, context_of
from harness.data.formats.jsonl import write_atomic
from harness.data.published_facts import Difference, published_facts
from harness.data.tools import PLAIN_REPLY
from harness.evaluation.metrics import JUDGE_METRIC
from harness.reports.card_block import BEGIN, END, merge_readme
from harness.reports.evaluation_plots import called_tool
from harness.reports.markdown_templates import environment
from harness.reports.plot_style import Plot
from harness.resources import folder as resources
from harness.statistics.estimates import estimate
from harness.statistics.records import Estimate

PAGE = "results.md"
_BINARY = "binary_tool_call"


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedPage:
    """What was measured, as texts, and the plots that they show."""

    page: str
    block: str
    """For a README, with its marks."""
    plots: tuple[Plot, ...]


def write_page(folder: Path, out: Path, readme: Path | None = None) -> RenderedPage:
    """Write results.md and its plots into `out`, and the short form into the marked block of `readme`.

    Equal files in `folder` give equal texts. DataError where they cannot be read or must not stand in one table.
    """
    made = render(folder, out, readme)
    write_atomic(out / PAGE, [made.page])
    if readme:
        text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
        write_atomic(readme, [merge_readme(text, made.block)])
    return made


def render(folder: Path, out: Path, readme: Path | None = None, *, plots: Path | None = None) -> RenderedPage:
    """Return the texts that `write_page` writes; plots are drawn into `plots`, by default where the page has them."""
    measured = read_measured(folder)
    drawn = _draw(measured, plots or out / PLOTS)
    start = (readme or out / PAGE).parent
    context = {
        **context_of(measured.summary),
        **_context(measured),
        "folder": _relative(folder, Path.cwd()),
        "out": _relative(out, Path.cwd()),
        "page": _relative(out / PAGE, start),
        "plots": {plot.name: plot for plot in drawn},
    }
    templates = environment(resources("model_cards") / TEMPLATES)
    texts = {
        name: templates.get_template(f"{name}.md.jinja").render({**context, "below": _relative(out / PLOTS, where)})
        for name, where in (("measured", out), ("measured-readme", start))
    }
    page, block = ("\n".join(map(str.rstrip, text.strip().splitlines())) for text in texts.values())
    return RenderedPage(page=f"{page}\n", block=f"{BEGIN}\n{block}\n{END}", plots=tuple(drawn))


def _relative(path: Path, start: Path) -> str:
    return Path(os.path.relpath(path, start)).as_posix()


def _draw(measured: Measured, folder: Path) -> list[Plot]:
    """Draw what was published, and what was measured where anything was."""
    made = [plot_scores.draw_published(published_facts(), JUDGE_METRIC, folder)]
    if any(cell.done for row in measured.summary.main.rows for cell in row.cells):
        made.append(plot_scores.draw(measured.summary, measured.summary.metric, "measured", folder))
    if measured.summary.losses:
        made.append(losses.draw(measured.summary.losses, folder))
    return made


def _context(measured: Measured) -> Mapping[str, Any]:
    summary = measured.summary
    cells = [(row, cell) for row in summary.main.rows for cell in row.cells]
    told = compare(summary.main.rows, summary.metric, published_facts())
    cost = costs(summary.main.rows, summary.metric, measured.of, published_facts())
    before = deciding_settings(measured.measurements[0].settings) if measured.measurements else {}
    current = deciding_settings(measured.settings.model_dump(mode="json")) if measured.settings else before
    return {
        "preset": measured.preset,
        "cells": len(cells),
        "done_cells": [(row, cell) for row, cell in cells if cell.done],
        "compared": told,
        "story": list(summarize_story(told)),
        "costs": cost,
        "costs_told": list(say_costs(cost)),
        "changed": sorted(key for key in before if before[key] != current.get(key)),
        "published_of": _published,
        "of": measured.of,
        "tools_right": tools_right,
        "services_right": services_right,
        "minutes_asked": lambda one: sum(one.report.run.timings.values()) / 60,
        "hardware": sorted({one.hardware for one in measured.measurements}),
        "untrained": next((one for one in summary.beside if one.kind == "untrained"), None),
        "faults": {(row.scenario, arm): found for row in summary.worth.rows for arm, found in row.faults.items()},
    }


def _published(row: Row, metric: str) -> Difference:
    """Return what was published about a scenario, by any metric."""
    return next(one for one in published_facts().differences(metric) if one.scenario.number == row.number)


def tools_right(one: Measurement) -> float | None:
    """Return the share of turns that call the reference's tool, as the unweighted mean over the tools."""
    found: dict[str | None, list[bool]] = {}
    for row in one.rows:
        if row["prediction"] is not None:
            wanted = called_tool(row["reference"])
            found.setdefault(wanted, []).append(called_tool(row["prediction"]) == wanted)
    shares = [sum(right) / len(right) for right in found.values()]
    return sum(shares) / len(shares) if shares else None


def services_right(one: Measurement) -> Estimate:
    """Return the share of calls of a service (not replies to the user) that are right, arguments included."""
    rows = [row for row in one.rows if called_tool(row["reference"]) != PLAIN_REPLY]
    return estimate([row.get(_BINARY) for row in rows], [row["conversation"] for row in rows])
