"""The one way in which text reaches a person: results on stdout, all else on stderr, bars and tables drawn by rich.

What is said may quote what others have made. So a line stays one line, characters that steer a terminal or hide text
are written out, nothing reads as a workflow command to GitHub Actions, and secrets are masked.
"""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from harness.secrets import known, notes

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import ProgressColumn

Advance = Callable[..., None]
Clock = Callable[[], float]

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


EVERY = 30.0
"""Seconds after which long work says where it is, where there is no terminal to draw on."""


class Pace:
    """Long work as lines of a log: at its start, after each tenth of `total`, and after every half minute.

    What is counted are steps, or bytes with `size`; `done` of them are there already. `clock` returns seconds.
    """

    def __init__(
        self, doing: str, total: int | None, *, done: int = 0, size: bool = False, clock: Clock = time.monotonic
    ) -> None:
        self._doing, self._total, self._done, self._size, self._clock = doing, total, done, size, clock
        self._first, self._note, self._lock = done, "", threading.Lock()
        self._tenth = done * 10 // total if total else 0
        self._began = self._told = clock()
        say(f"{doing}: {self._count()}" if total else f"{doing} ...")

    def advance(self, *, steps: int = 1, note: str | None = None, total: int | None = None) -> None:
        """Count `steps`, with `note` as a remark on the newest one; `total` replaces that of before."""
        with self._lock:
            self._done += steps
            self._note, self._total = self._note if note is None else note, total or self._total
            tenth = self._done * 10 // self._total if self._total else 0
            if tenth > self._tenth or self.due <= 0:
                self._tenth = max(tenth, self._tenth)
                self._tell()

    @property
    def due(self) -> float:
        """Return the seconds until the next line; from 0 on downwards it is time for one."""
        return self._told + EVERY - self._clock()

    def beat(self) -> None:
        """Say where the work is if nothing was said for half a minute."""
        with self._lock:
            if self.due <= 0:
                self._tell()

    def _tell(self) -> None:
        self._told = self._clock()
        took, steps = self._told - self._began, self._done - self._first
        parts = [self._count() if self._total else f"{self._number(self._done)} so far"] if self._done else []
        parts += [self._rate(steps / took)] if steps > 0 and took > 0 else []
        left = (self._total or 0) - self._done
        if steps > 0 and left > 0:
            parts.append(f"{minutes(took * left / steps)} left")
        else:
            parts.append(f"{minutes(took)} {'in all' if self._total and left <= 0 else 'gone'}")
        say(f"{self._doing}: {', '.join(parts)}{self._note and f'; {self._note}'}")

    def _count(self) -> str:
        share = f" ({100 * self._done // self._total} %)" if self._total and self._done else ""
        return f"{self._number(self._done)} of {self._number(self._total or 0)}{share}"

    def _number(self, count: float) -> str:
        return f"{count / 1e6:,.1f} MB" if self._size else f"{count:,}"

    def _rate(self, rate: float) -> str:
        if self._size:
            return f"{self._number(rate)} per second"
        unit, factor = next(((unit, f) for unit, f in _UNITS if rate * f >= 1), _UNITS[-1])
        return f"{rate * factor:,.1f} per {unit}"


_UNITS = (("second", 1), ("minute", 60), ("hour", 3600))


def minutes(seconds: float) -> str:
    """Return seconds as `m:ss`, from an hour on as `h:mm:ss`."""
    whole, rest = divmod(round(seconds), 60)
    hours, left = divmod(whole, 60)
    return f"{hours}:{left:02}:{rest:02}" if hours else f"{left}:{rest:02}"


@contextmanager
def progress(doing: str, total: int | None = None, *, done: int = 0, size: bool = False) -> Iterator[Advance]:
    """Show on stderr how far long work is: a bar with the time left (`total` steps), a spinner, or lines in a log.

    Yields a function: each call is one step, or `steps` of them; its keyword `note` is a remark on the newest one,
    `total` another total. Steps are bytes with `size`; `done` of them are there already. Without a terminal see `Pace`.
    """
    out = console(err=True)
    if out.is_terminal:
        with _bar(out, doing, total, done, size) as advance:
            yield advance
        return
    pace, over = Pace(doing, total, done=done, size=size), threading.Event()

    def beat() -> None:
        while not over.wait(max(pace.due, 0.1)):
            pace.beat()

    thread = threading.Thread(target=beat, name="progress", daemon=True)
    thread.start()
    try:
        yield pace.advance
    finally:
        over.set()
        thread.join()


@contextmanager
def _bar(out: Console, doing: str, total: int | None, done: int, size: bool) -> Iterator[Advance]:
    from rich import progress as rich

    counted: list[ProgressColumn] = [rich.BarColumn()]
    counted += [rich.DownloadColumn(), rich.TransferSpeedColumn()] if size else [rich.MofNCompleteColumn()]
    columns = [rich.SpinnerColumn(), rich.TextColumn("{task.description}", markup=False)]
    columns += [*counted, rich.TimeRemainingColumn()] if total else []
    with rich.Progress(
        *columns, rich.TimeElapsedColumn(), console=out, transient=True, redirect_stdout=False, redirect_stderr=False
    ) as shown:
        task = shown.add_task(doing, total=total, completed=done)

        def advance(*, steps: int = 1, note: str | None = None, total: int | None = None) -> None:
            shown.update(task, advance=steps, description=note or doing, total=total)

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
