"""The main table of the report in a terminal."""

from __future__ import annotations

from harness.summary.records import Summary


def print_summary(summary: Summary, width: int | None = None) -> None:
    """Print the main table and the verdict on stdout."""
    from rich.console import Console

    console = Console(width=width, highlight=False, markup=False)
    console.print(f"{summary.results}")
