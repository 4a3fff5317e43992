"""Terminal output: results on stdout, everything else on stderr, progress bars and tables drawn by rich.

Messages may quote untrusted text. So a line stays one line, characters that control a terminal or hide text are spelled
out, nothing is taken for a workflow command by GitHub Actions, and secrets are masked.
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
"""Control characters except tab and line feed, and those that reorder, hide or join the text around them."""
_BREAKS = re.compile("[ \t]*(?:[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+[ \t]*)+")
_COMMAND = re.compile(r"^(\s*):(?=:)|(?<=#)#(?=\w*\[)", re.MULTILINE)
"""What GitHub's runner and similar ones take for a command: `::` at the start of a line, `##[` anywhere."""
_STYLE = re.compile("(\x1b\\[[0-9;]*m)")
_DRAWING = re.compile("(\x1b\\[[0-9;?]*[A-HJKfhlm]|[\r\b])")
"""Colours, and what redrawn bars and tables need besides."""


def visible(text: object) -> str:
    """Return a text with its lines kept and hidden characters spelled out as in JSON (`\\u202e`)."""
    return HIDDEN.sub(lambda found: _spelled(found[0]), str(text))


def _spelled(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def one_line(text: object) -> str:
    """Return untrusted text as one printable line: hidden characters spelled out, line breaks as spaces."""
    return visible(_BREAKS.sub(" ", str(text)))


def harmless(text: object) -> str:
    """Return lines that are safe to print: hidden characters spelled out, no workflow commands, no secrets."""
    return _tame(visible(known().mask(str(text))))


def _tame(text: str) -> str:
    return _COMMAND.sub(lambda found: f"{found[1] or ''}{_spelled(found[0][-1])}", text)


def echo(text: object, *, nl: bool = True) -> None:
    """Write one line of a result to stdout; for whole documents there is `write`."""
    write(one_line(text), nl=nl)


def write(text: object, *, nl: bool = True) -> None:
    """Write a result of several lines to stdout; its line breaks are kept."""
    import click

    click.echo(harmless(text), nl=nl, file=sys.stdout)


def reveal(text: object) -> None:
    """Write a line to stdout whose purpose is to show a secret: the token of a Hub, to whoever started it."""
    import click

    click.echo(_tame(one_line(text)), file=getattr(sys.stdout, "stream", sys.stdout))


def say(text: str, *, lines: bool = False) -> None:
    """Print a message to stderr, on one line; with `lines` its line breaks are ours and are kept."""
    import click

    click.echo(harmless(text if lines else one_line(text)), file=sys.stderr)


def console(*, err: bool = False, width: int | None = None, markup: bool = True) -> Console:
    """Return a rich console on stdout, or on stderr; `width` is in columns."""
    from rich.console import Console, ConsoleOptions
    from rich.segment import Segment

    class Plain(Console):
        """A console that spells out hidden characters."""

        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
            for part in super().render(renderable, options):
                style = part.style.update_link(None) if part.style and part.style.link else part.style
                yield part if part.control else Segment(_tame(visible(part.text)), style)

    return Plain(stderr=err, width=width, markup=markup, highlight=False)


def show(parts: Iterable[RenderableType], *, width: int | None = None, piped: int = 0, markup: bool = True) -> None:
    """Draw parts on stdout, each on a new line; without a terminal, at least `piped` columns wide."""
    out = console(width=width, markup=markup)
    if width is None and not out.is_terminal:
        out.width = max(out.width, piped)
    for part in parts:
        out.print(part)


def plain(text: str) -> str:
    """Return untrusted text for use in styled text: one line, with its brackets escaped."""
    from rich.markup import escape

    return escape(one_line(known().mask(text)))


EVERY = 30.0
"""Seconds between progress lines without a terminal."""


class Pace:
    """Progress as lines of a log: at the start, after each tenth of `total`, and at least every half minute.

    It counts steps, or bytes with `size`; `done` of them are complete already. `clock` returns seconds.
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
        """Count `steps`; `note` is a remark on the latest one, `total` a new total."""
        with self._lock:
            self._done += steps
            self._note, self._total = self._note if note is None else note, total or self._total
            tenth = self._done * 10 // self._total if self._total else 0
            told = EVERY - self.due  # seconds ago
            if (tenth > self._tenth and (told >= 1 or self._done == self._total)) or told >= EVERY:
                self._tenth = max(tenth, self._tenth)
                self._tell()

    @property
    def due(self) -> float:
        """Return the seconds until the next line is due; it is due at 0 or below."""
        return self._told + EVERY - self._clock()

    def beat(self) -> None:
        """Print a progress line if there was none for half a minute."""
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
    """Return seconds as `m:ss`, or `h:mm:ss` from an hour on."""
    whole, rest = divmod(round(seconds), 60)
    hours, left = divmod(whole, 60)
    return f"{hours}:{left:02}:{rest:02}" if hours else f"{left}:{rest:02}"


@contextmanager
def progress(doing: str, total: int | None = None, *, done: int = 0, size: bool = False) -> Iterator[Advance]:
    """Show progress on stderr: a bar with the time left (`total` steps), a spinner, or lines in a log.

    Yields a function: each call is one step, or `steps` of them; its keyword `note` is a remark on the latest one,
    `total` a new total. Steps are bytes with `size`; `done` are complete already. Without a terminal, see `Pace`.
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
    """A text stream that libraries, warnings and tracebacks write through as well."""

    def __init__(self, stream: IO[str]) -> None:
        self.stream = stream
        self._begins = True
        """Whether the next write starts a line."""

    def write(self, text: str) -> int:
        """Write the sanitised text; on a terminal it may draw."""
        if not isinstance(text, str):
            raise TypeError(f"expected text, got {type(text).__name__}")  # how click finds out what a stream takes
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
    """Sanitise everything written to stdout and stderr within the block; a bug still ends in its traceback."""
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
    """Run a program with guarded output and return its exit status, after a note on each secret that was masked."""
    with guarded():
        try:
            return run()
        finally:
            for note in notes():
                say(f"note: {note}")
