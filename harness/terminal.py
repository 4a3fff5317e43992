"""The one way in which text reaches a person: results on stdout, all else on stderr, bars and tables drawn by rich.

What is said may quote what others have made. So a line stays one line, characters that steer a terminal or hide text
are written out, nothing reads as a workflow command to GitHub Actions, and secrets are masked.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from harness.secrets import known, notes

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress, ProgressColumn

Advance = Callable[..., None]

HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Control characters but for tab and line feed, and those that reorder, hide or join the text around them."""
_BREAKS = re.compile("[ \t]*(?:[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+[ \t]*)+")
_COMMAND = re.compile(r"^(\s*):(?=:)|(?<=#)#(?=\w*\[)", re.MULTILINE)
"""What GitHub's runner, and others like it, take for a command: `::` that begins a line, `##[` anywhere in it."""
_STYLE = re.compile("(\x1b\\[[0-9;]*m)")
_DRAWING = re.compile("(\x1b\\[[0-9;?]*[A-HJKfhlm]|[\r\b])")
"""What colours text, and what bars and tables that are drawn anew need besides."""


def visible(text: object) -> str:
    """Return a text with all its lines, its hidden characters written out as in JSON (`\\u202e`)."""
    return HIDDEN.sub(lambda found: _spelled(found[0]), str(text))


def _spelled(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def one_line(text: object) -> str:
    """Return a text from outside as one line that can be shown: hidden characters written out, line ends as spaces."""
    return visible(_BREAKS.sub(" ", str(text)))


def harmless(text: object) -> str:
    """Return lines that can be printed anywhere: hidden characters written out, no workflow commands, no secrets."""
    return _tame(visible(known().mask(str(text))))


def _tame(text: str) -> str:
    return _COMMAND.sub(lambda found: f"{found[1] or ''}{_spelled(found[0][-1])}", text)


def echo(text: object, *, nl: bool = True) -> None:
    """Write a result on stdout, one line of it; `write` takes whole documents."""
    write(one_line(text), nl=nl)


def write(text: object, *, nl: bool = True) -> None:
    """Write a result of any number of lines on stdout, each of which is ours or that of a document."""
    import click

    click.echo(harmless(text), nl=nl, file=sys.stdout)


def reveal(text: object) -> None:
    """Write a line on stdout that is there to tell a secret: the token of a Hub, to who has started it."""
    import click

    click.echo(_tame(one_line(text)), file=getattr(sys.stdout, "stream", sys.stdout))


def say(text: str, *, lines: bool = False) -> None:
    """Print a line for the person on stderr; with `lines` the line ends in the text are ours and stay."""
    import click

    click.echo(harmless(text if lines else one_line(text)), file=sys.stderr)


def console(*, err: bool = False, width: int | None = None, markup: bool = True) -> Console:
    """Return what draws tables and styled text on stdout, or on stderr; `width` is in columns."""
    from rich.console import Console, ConsoleOptions
    from rich.segment import Segment

    class Plain(Console):
        """A console that draws hidden characters of a text as what they are."""

        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
            for part in super().render(renderable, options):
                style = part.style.update_link(None) if part.style and part.style.link else part.style
                yield part if part.control else Segment(_tame(visible(part.text)), style)

    return Plain(stderr=err, width=width, markup=markup, highlight=False)


def show(parts: Iterable[RenderableType], *, width: int | None = None, piped: int = 0, markup: bool = True) -> None:
    """Draw parts on stdout, each from the start of a line; at least `piped` columns wide where a pipe has none."""
    out = console(width=width, markup=markup)
    if width is None and not out.is_terminal:
        out.width = max(out.width, piped)
    for part in parts:
        out.print(part)


def plain(text: str) -> str:
    """Return a text from outside as it stands in styled text: one line, whose brackets style nothing."""
    from rich.markup import escape

    return escape(one_line(known().mask(text)))


def cut(text: object, size: int) -> str:
    """Return a text of at most `size` characters, and how many more there are where it was longer."""
    whole = str(text)
    return whole if len(whole) <= size else f"{whole[:size]}… ({len(whole) - size:,} more characters)"


def first_of(names: Sequence[str], most: int, what: str = "") -> str:
    """Return names in a row, `a, b and 3 more`; `what` follows the number."""
    more = f" and {len(names) - most} more{what}" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


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
    columns = [SpinnerColumn(), TextColumn("{task.description}", markup=False), *counted, TimeElapsedColumn()]
    with Progress(*columns, console=out, transient=True, redirect_stdout=False, redirect_stderr=False) as shown:
        task = shown.add_task(doing, total=total)

        def advance(*, steps: int = 1, note: str | None = None) -> None:
            shown.update(task, advance=steps, description=note or doing)

        yield advance


class _Guarded:
    """A stream of text through which libraries, warnings and tracebacks write, too."""

    def __init__(self, stream: IO[str]) -> None:
        self.stream = stream
        self._begins = True
        """Whether what is written next begins a line."""

    def write(self, text: str) -> int:
        """Write what is harmless of a text; on a terminal it may draw."""
        if not isinstance(text, str):
            raise TypeError(f"expected text, got {type(text).__name__}")  # by which click tells what a stream takes
        drawing = self.stream.isatty()
        if not drawing:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        kept = _DRAWING if drawing else _STYLE
        parts = kept.split(known().mask(text))
        parts[::2] = map(visible, parts[::2])
        whole = "".join(parts)
        tamed = _tame(whole) if self._begins else _tame(f".{whole}")[1:]
        self._begins = not whole.rpartition("\n")[2].strip() and ("\n" in whole or self._begins)
        self.stream.write(tamed)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def guarded() -> Iterator[None]:
    """Have all that anything writes on stdout and stderr be harmless, for the block; a bug ends in its traceback."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Guarded(sys.stdout), _Guarded(sys.stderr)
    try:
        yield
    except Exception:
        import traceback

        traceback.print_exc()  # here, since what Python prints itself comes after the guard has gone
        sys.exit(1)
    finally:
        sys.stdout, sys.stderr = before


def run_guarded(run: Callable[[], int]) -> int:
    """Return the exit status of a program with guarded output, after a note on each secret that was masked in it."""
    with guarded():
        try:
            return run()
        finally:
            for note in notes():
                say(f"note: {note}")
