"""The one way in which text reaches a person: results on stdout, all else on stderr, bars and tables drawn by rich."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress, ProgressColumn

Advance = Callable[..., None]


def echo(text: object, *, nl: bool = True) -> None:
    """Write a result on stdout, with a line end."""
    import click

    click.echo(text, nl=nl)


def say(text: str) -> None:
    """Print a line for the person on stderr."""
    import click

    click.echo(text, err=True)


def console(*, err: bool = False, width: int | None = None, markup: bool = True) -> Console:
    """Return what draws tables and styled text on stdout, or on stderr; `width` is in columns."""
    from rich.console import Console

    return Console(stderr=err, width=width, markup=markup, highlight=False)


def show(parts: Iterable[RenderableType], *, width: int | None = None, piped: int = 0, markup: bool = True) -> None:
    """Draw parts on stdout, each from the start of a line; at least `piped` columns wide where a pipe has none."""
    out = console(width=width, markup=markup)
    if width is None and not out.is_terminal:
        out.width = max(out.width, piped)
    for part in parts:
        out.print(part)


def plain(text: str) -> str:
    """Return a text from outside as it stands in styled text: its brackets style nothing."""
    from rich.markup import escape

    return escape(text)


def bar(*columns: ProgressColumn, transient: bool = True) -> Progress:
    """Return a progress bar on stderr, which shows nothing without a terminal."""
    from rich.progress import Progress

    out = console(err=True)
    return Progress(*columns, console=out, transient=transient, disable=not out.is_terminal)


@contextmanager
def progress(doing: str, total: int | None = None) -> Iterator[Advance]:
    """Show a bar with an estimate of the time left (`total` steps), or a spinner (no total), on a terminal.

    Yields a function: each call is one step; its keyword `note` replaces the text beside the bar. Without a
    terminal one line says what starts.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    out = console(err=True)
    if not out.is_terminal:
        out.print(f"{doing} ...", markup=False)
        yield lambda **_: None
        return
    counted = [BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()] if total else []
    columns = [SpinnerColumn(), TextColumn("{task.description}"), *counted, TimeElapsedColumn()]
    with Progress(*columns, console=out, transient=True, redirect_stdout=False, redirect_stderr=False) as shown:
        task = shown.add_task(doing, total=total)

        def advance(*, steps: int = 1, note: str | None = None) -> None:
            shown.update(task, advance=steps, description=note or doing)

        yield advance
