"""A comparison in a terminal, as a pull request comment, and as JSON."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from harness import terminal
from harness.evaluation.comparison.compare import Comparison, Flip
from harness.evaluation.comparison.sides import ComparedResult
from harness.models.engine.arithmetic import USUAL
from harness.reports.evaluation_tables import table
from harness.statistics.formatting import cell, cut, half_width, interval, p_value, signed

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

TEMPLATE = "compare.md.jinja"
MARKER = "<!-- tft-harness:compare -->"
"""The comment's first line, by which a bot finds its own comment again. No printed text can contain it."""
MAX_BYTES = 65_000
"""GitHub refuses a comment of more than 65,536 characters."""

_TEXT = 600
"""Characters that are shown of a text."""
_MAX_FLIPS = 500
"""More turns than fit into a comment."""
_TOOLS = 20
"""Tools in a table."""


def print_comparison(comparison: Comparison, show: int, width: int | None = None) -> None:
    """Print the comparison on stdout, with the first `show` turns that differ."""
    terminal.show(_parts(comparison, show), width=width, piped=100)


def _parts(comparison: Comparison, show: int) -> Iterator[RenderableType]:
    for label, side in (("A", comparison.a), ("B", comparison.b)):
        yield f"[bold]{label}[/bold]  {terminal.plain(cut(describe(side), _TEXT))}"
    for warning in comparison.warnings:
        yield f"[bold yellow]{terminal.plain(warning)}[/bold yellow]"
    yield _metrics(comparison)
    yield _note(comparison)
    yield _pairs(comparison)
    yield _tools(comparison)
    yield from _flips(comparison, show)
    if comparison.verdict:
        color = {"GO": "green", "NO-GO": "red"}.get(comparison.verdict.decision, "yellow")
        yield f"[bold {color}]{comparison.verdict.decision}[/bold {color}]: {terminal.plain(comparison.verdict.reason)}"


def describe(side: ComparedResult) -> str:
    """Return who a side is: model, test set, judge, size, and where it was read."""
    conversations = len({row.conversation for row in side.rows})
    several = f", {side.samples} samples of each" if side.samples > 1 else ""
    size = f"{len(side.rows)} pairs of {conversations} conversations{several}"
    if side.report is None:
        return f"{side.source}: {size}"
    run = side.report.run
    model = run.model + (f" at {run.model_revision[:12]}" if run.model_revision else "")
    judge = side.report.run.judge
    judged = f", judged by {judge}" if judge else ""
    answered = f", answered in {run.arithmetic}" if run.arithmetic not in (None, *USUAL) else ""
    return f"{model} on {run.dataset} at {run.dataset_revision[:12]}{judged}{answered}: {size} ({side.source})"


def _metrics(comparison: Comparison) -> Table:
    made = table("metric", "A", "B", "B - A", "p", "p\n(Holm)", "detect-\nable")
    for metric, test in comparison.metrics.items():
        numbers = (cell(test.a.value), cell(test.b.value), half_width(test.difference))
        p = (_p(test.p), _p(comparison.adjusted[metric]))
        made.add_row(metric, *numbers, *p, cell(test.smallest_detectable))
    return made


def _pairs(comparison: Comparison) -> Table:
    made = table("pairs where B is", "better", "worse", "equal", "unscored in A", "in B")
    for metric, test in comparison.metrics.items():
        made.add_row(metric, *map(str, (test.better, test.worse, test.equal, *comparison.unscored[metric])))
    return made


_p = partial(p_value, missing="-")


def _note(comparison: Comparison) -> str:
    conversations = comparison.metrics[comparison.main].difference.clusters
    return (
        f"{comparison.matching.common} common pairs; intervals (95 %) and p are clustered by {conversations} "
        "conversations. detectable: the true difference that these would show with 80 % power. Pairs without a "
        "score on both sides are left out."
    )


def _tools(comparison: Comparison) -> Table:
    made = table(f"{comparison.main} by tool", "pairs", "A", "B", "B - A", "better", "worse")
    for tool, test in list(comparison.by_tool.items())[:_TOOLS]:
        numbers = (cell(test.a.value), cell(test.b.value), half_width(test.difference))
        made.add_row(terminal.plain(cut(tool, 40)), str(test.difference.n), *numbers, str(test.better), str(test.worse))
    return made


def flip_counts(comparison: Comparison) -> tuple[int, int]:
    """Return on how many turns B scores lower, and higher, in the main metric."""
    test = comparison.metrics[comparison.main]
    return test.worse, test.better


def _flips(comparison: Comparison, show: int) -> Iterator[str]:
    worse, better = flip_counts(comparison)
    shown = comparison.flips[:show]
    if shown:
        yield (
            f"[bold]Turns that differ in {comparison.main}:[/bold] {worse} lower and {better} higher in B; "
            f"{len(shown)} shown, the largest drops first.\n"
        )
    for flip in shown:
        conversation = terminal.plain(cut(flip.conversation, 100))
        yield f"[bold]{conversation}[/bold], turn {flip.turn}: {flip.a_value:g} -> {flip.b_value:g}"
        yield "\n".join(f"  {label:<9} {terminal.plain(text)}" for label, text in flip_lines(flip)) + "\n"


def flip_lines(flip: Flip) -> list[tuple[str, str]]:
    """Return what there is to read about a turn that differs, label by label, each text cut to a size."""
    lines = [
        ("user", flip.question),
        ("reference", flip.reference),
        ("A", "(no answer)" if flip.a is None else flip.a),
        ("judge of A", flip.a_reason),
        ("B", "(no answer)" if flip.b is None else flip.b),
        ("judge of B", flip.b_reason),
    ]
    return [(label, cut(text, _TEXT) or "(empty)") for label, text in lines if text is not None]


def as_markdown(comparison: Comparison, show: int) -> str:
    """Return the comparison as a pull request comment: as many of the first `show` turns as its size allows."""
    from harness.reports.markdown_templates import environment
    from harness.resources import folder

    template = environment(folder("eval")).get_template(TEMPLATE)

    def render(shown: int) -> str:
        return f"{template.render(_values(comparison, shown))}\n"

    most = min(show, len(comparison.flips), _MAX_FLIPS)
    # Texts are cut to a size, so without turns the comment always fits.
    fitting = bisect_left(range(1, most + 1), True, key=lambda shown: len(render(shown).encode()) > MAX_BYTES)
    return render(fitting)


def _values(comparison: Comparison, shown: int) -> dict[str, Any]:
    return {
        "marker": MARKER,
        "comparison": comparison,
        "main": comparison.metrics[comparison.main],
        "sides": [("A", cut(describe(comparison.a), _TEXT)), ("B", cut(describe(comparison.b), _TEXT))],
        "warnings": [cut(warning, _TEXT) for warning in comparison.warnings],
        "tools": [(cut(tool, 100), test) for tool, test in list(comparison.by_tool.items())[:_TOOLS]],
        "more_tools": max(0, len(comparison.by_tool) - _TOOLS),
        "counts": flip_counts(comparison),
        "flips": [(flip, cut(flip.conversation, 100), flip_lines(flip)) for flip in comparison.flips[:shown]],
        "p_value": _p,
        "signed": partial(interval, write=signed),
    }


def as_document(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as plain JSON values, with every turn that differs."""
    matching = comparison.matching
    only_a = sum(j is None for _, j in matching.places)
    only_b = sum(i is None for i, _ in matching.places)
    return {
        "a": _side(comparison.a),
        "b": _side(comparison.b),
        "pairs": {"common": matching.common, "only_a": only_a, "only_b": only_b},
        "warnings": list(comparison.warnings),
        "main": comparison.main,
        "alpha": comparison.alpha,
        "metrics": {
            metric: {
                **asdict(test),
                "p_holm": comparison.adjusted[metric],
                "unscored": dict(zip("ab", comparison.unscored[metric], strict=True)),
            }
            for metric, test in comparison.metrics.items()
        },
        "by_tool": {tool: asdict(test) for tool, test in comparison.by_tool.items()},
        "verdict": asdict(comparison.verdict) if comparison.verdict else None,
        "flips": [asdict(flip) for flip in comparison.flips],
    }


def _side(side: ComparedResult) -> dict[str, Any]:
    run = side.report.run if side.report else None
    return {
        "name": side.name,
        "source": side.source,
        "model": run.model if run else None,
        "model_revision": run.model_revision if run else None,
        "dataset": run.dataset if run else None,
        "dataset_revision": run.dataset_revision if run else None,
        "judge": side.report.run.judge if side.report else None,
        "arithmetic": run.arithmetic if run else None,
        "pairs": len(side.rows),
        "conversations": len({row.conversation for row in side.rows}),
    }
