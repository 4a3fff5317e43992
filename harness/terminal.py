"""What a person sees while a command runs, on stderr; results go to stdout and not through here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[..., None]


@contextmanager
def progress(doing: str, total: int | None = None) -> Iterator[Advance]:
    """Show a bar with an estimate of the time left (`total` steps), or a spinner (no total), on a terminal.

    Yields a function: each call is one step; its keyword `note` replaces the text beside the bar. Without a
    terminal one line says what starts.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    if not console.is_terminal:
        console.print(f"{doing} ...", markup=False, highlight=False)
        yield lambda **_: None
        return
    counted = [BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()] if total else []
    columns = [SpinnerColumn(), TextColumn("{task.description}"), *counted, TimeElapsedColumn()]
    with Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task(doing, total=total)

        def advance(*, steps: int = 1, note: str | None = None) -> None:
            bar.update(task, advance=steps, description=note or doing)

        yield advance


def say(text: str) -> None:
    """Print a line for the person on stderr."""
    import click

    click.echo(text, err=True)
