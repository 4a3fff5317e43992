"""An evaluation as a comment on a pull request."""

from __future__ import annotations

from collections.abc import Sequence

from harness.github import MARK
from harness.judging import JUDGE_METRIC
from harness.leaderboard import DEFAULT_METRIC
from harness.models import ModelName
from harness.records import EvalReport
from harness.report import BESIDE
from harness.wire.reports import config_name, judge_name

TEMPLATE = "evaluate.md.jinja"
_TOOLS = 20
"""Tools in a table."""


def as_comment(reports: Sequence[EvalReport]) -> str:
    """Return the reports as a comment; its first line is a mark by which the comment on the same models is found."""
    from harness.markdown import environment
    from harness.resources import folder

    names = " ".join(config_name(ModelName.parse(report.run.model).id) for report in reports)
    template = environment(folder("eval")).get_template(TEMPLATE)
    # The name holds neither a space nor `>`, so it cannot end the mark.
    return f"{MARK}evaluate {names} -->\n\n{template.render(reports=[_values(report) for report in reports])}\n"


def _values(report: EvalReport) -> dict[str, object]:
    model = report.rows["model"]
    main = next(metric for metric in (JUDGE_METRIC, DEFAULT_METRIC, *model) if metric in model)
    tools = sorted(report.by_tool[main].items(), key=lambda item: -item[1].n)
    return {
        "report": report,
        "main": main,
        "judge": judge_name(report),
        "beside": [(row, label.replace("\n", " ")) for row, label in BESIDE.items() if row in report.rows],
        "tools": tools[:_TOOLS],
        "more_tools": max(0, len(tools) - _TOOLS),
    }
