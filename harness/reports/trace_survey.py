"""A survey of traces in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from harness.curation.inspection.advice import LikelyProblem, likely_problems
from harness.curation.inspection.survey import QUANTILES, Survey, ToolUse
from harness.reports.evaluation_tables import table
from harness.statistics.formatting import whole_percent
from harness.terminal import console, plain, show

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_TOOLS = 12


def print_survey(found: Survey, *, source: str, layout: str, advice: str, width: int | None = None) -> None:
    """Print what is in the traces on stdout: what there is, tools, sizes, what looks wrong, and what comes next."""
    show(_parts(found, source, layout), width=width)
    console(width=width).print(f"\n[bold]next[/bold]  {plain(advice)}", soft_wrap=True)


def _parts(found: Survey, source: str, layout: str) -> Iterable[RenderableType]:
    readable = found.rows - found.unreadable
    yield f"[bold]{plain(source)}[/bold]  {readable:,} conversations, {plain(layout)}"
    yield ""
    yield _overview(found)
    if found.tools:
        yield _tools(found.tools)
    if found.messages:
        yield _sizes(found)
    if found.rated:
        yield _ratings(found)
    problems = likely_problems(found)
    yield _problems(problems) if problems else "\n[green]nothing looks wrong[/green]"
    for problem in found.problems:
        yield f"[yellow]{plain(problem)}[/yellow]"


def _overview(found: Survey) -> Table:
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    grid.add_row("roles", _counted(found.roles))
    grid.add_row("turns", _counted(found.kinds))
    grid.add_row("language", _counted(found.languages))
    return grid


def _counted(counts: Mapping[str, int]) -> str:
    return plain(", ".join(f"{name} {number:,}" for name, number in counts.items())) or "-"


def _tools(tools: Sequence[ToolUse]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    for position, column in enumerate(("tool", "calls", "in the task", "arguments")):
        table.add_column(column, justify="right" if position == 1 else "left", overflow="fold")
    for one in tools[:_TOOLS]:
        known = {None: "-", True: "yes", False: "[red]no[/red]"}[one.known]
        if one.resembles:
            known += f", meant as {plain(one.resembles)}?"
        table.add_row(plain(one.name), f"{one.calls:,}", known, _arguments(one))
    if len(tools) > _TOOLS:
        rest = tools[_TOOLS:]
        unknown = sum(one.known is False for one in rest)
        table.add_row(
            f"{len(rest)} more", f"{sum(one.calls for one in rest):,}", f"{unknown} not" if unknown else "", ""
        )
    return table


def _arguments(one: ToolUse) -> str:
    if not one.known:
        return ""
    parts = []
    if one.unknown_arguments:
        parts.append(f"[red]unknown[/red] {_counted(one.unknown_arguments)}")
    if one.missing_arguments:
        parts.append(f"[yellow]missing[/yellow] {_counted(one.missing_arguments)}")
    return "; ".join(parts) or ("[green]fit[/green]" if one.calls else "never called")


def _sizes(found: Survey) -> Table:
    heads = {0.0: "shortest", 0.5: "median", 1.0: "longest"}
    columns = (heads.get(quantile, whole_percent(quantile)) for quantile in QUANTILES)
    sizes = table("a conversation has", *columns, gap=2)
    sizes.add_row("messages", *(f"{one:,}" for one in found.messages))
    sizes.add_row("characters", *(f"{one:,}" for one in found.characters))
    return sizes


def _ratings(found: Survey) -> Table:
    ratings = table(f"rated by rules, {found.rated:,} of them", *"12345", gap=2)
    for name, counts in (("relevance", found.relevance), ("coherence", found.coherence)):
        ratings.add_row(name, *(f"{counts.get(rating, 0):,}" for rating in range(1, 6)))
    return ratings


def _problems(problems: Sequence[LikelyProblem]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("what looks wrong, or is worth knowing", ratio=3)
    table.add_column("how many", justify="right", no_wrap=True)
    table.add_column("what to do", ratio=4)
    for one in problems:
        style = "yellow" if one.trouble else "dim"
        share = f" ({whole_percent(one.count / one.of)})" if one.of and one.count < one.of else ""
        table.add_row(f"[{style}]{plain(one.what)}[/{style}]", f"{one.count:,}{share}", plain(one.advice))
    return table
