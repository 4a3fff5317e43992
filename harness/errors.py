"""Every error the harness raises on purpose.

HarnessError            a sentence that says what to do next; the CLI prints it and exits with 2
├── UsageError          an option or a config value that cannot be used
├── DataError           a record that cannot be read (names the file and the line)
├── SourceError         a source file that is missing, damaged or not the pinned one
├── HubError            the Hub refused a request
│   ├── RepoNotFound        no such repository or revision
│   ├── AccessDenied        gated, private, or a token without permission
│   └── HubUnreachable      no answer from the endpoint
├── GitHubError         GitHub refused a request
├── ModelError          a model that cannot be evaluated (no causal LM, no chat template, unsafe weights)
├── EngineError         the inference engine is missing, did not start, or died
├── TrainingError       a training run that cannot continue (no memory left, a loss that is not a number)
├── CheckFailed         a check ran and its answer is no; the CLI exits with 1
└── Inconclusive        a check ran and the data cannot tell; the CLI exits with 3
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

EXIT_INTERRUPTED, EXIT_TERMINATED = 130, 143
"""Exit status after Ctrl-C and after SIGTERM, as in shells."""


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP, which end a command like Ctrl-C, with clean-up."""


_LONGEST_END = 60.0
_came: list[int] = []


def end_on_signals() -> None:
    """Let SIGTERM and SIGHUP end a command like Ctrl-C: the first raises `Terminated` in the main thread.

    A signal that arrives during clean-up does not cut it short: it starts a timer, and after _LONGEST_END seconds the
    process ends in any case. Ignored signals stay ignored (nohup); forked processes end by signals as usual. Ctrl-C
    itself is left to Python, as asyncio requires.
    """
    if threading.current_thread() is not threading.main_thread():  # no other one may say so
        return
    own = os.getpid()
    _came.clear()

    def end(number: int, frame: FrameType | None) -> None:
        if os.getpid() != own:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        elif _is_ending():
            _end_later()
        else:
            _came.append(number)
            interrupt = signal.getsignal(signal.SIGINT)
            if not callable(interrupt) or interrupt is signal.default_int_handler:
                raise Terminated
            interrupt(
                signal.SIGINT, frame
            )  # asyncio cancels its task, and raises KeyboardInterrupt when that has ended

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has one of them
        if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
            signal.signal(number, end)


def _is_ending() -> bool:
    """Whether an interruption is being handled, so that this runs in a `finally`, `except` or `__exit__`."""
    error = sys.exc_info()[1]
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return bool(_came) or error is not None


def _end_later() -> None:
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        if not signal.getitimer(signal.ITIMER_REAL)[0]:
            signal.setitimer(signal.ITIMER_REAL, _LONGEST_END)
    else:
        clock = threading.Timer(_LONGEST_END, os._exit, [EXIT_TERMINATED])
        clock.daemon = True
        clock.start()


def interruption(error: BaseException) -> tuple[str, int]:
    """Return the word for an interruption (itself or its cause), and the exit status."""
    terminated = isinstance(error, Terminated) or isinstance(error.__cause__, Terminated) or bool(_came)
    return ("terminated", EXIT_TERMINATED) if terminated else ("interrupted", EXIT_INTERRUPTED)


class HarnessError(Exception):
    """Base of all errors raised on purpose; `str(error)` is one clear message with a next step."""

    exit_code = 2
    has_lines = False
    """Whether the message has lines of its own below the sentence; otherwise line breaks are not ours."""


class UsageError(HarnessError):
    """An option, a name or a config value that cannot be used."""


class DataError(HarnessError):
    """A record that cannot be read."""

    @classmethod
    def at(cls, path: Path | str, line: int, problem: str) -> DataError:
        """Return an error that points at line `line` (1-based) of `path`."""
        return cls(f"{path}, line {line}: {problem}")


class SourceError(HarnessError):
    """A source file that is missing, damaged, or not the pinned one."""


class HubError(HarnessError):
    """The Hub refused a request."""


class RepoNotFound(HubError):
    """No such repository, revision or file."""


class AccessDenied(HubError):
    """The repository is gated or private, or the token lacks a permission."""


class HubUnreachable(HubError):
    """The endpoint did not answer."""


class CommitConflict(HubError):
    """The branch has moved since the parent commit that was named."""


class GitHubError(HarnessError):
    """GitHub refused a request, or its program is missing."""


class ModelError(HarnessError):
    """A model repository that cannot be evaluated."""


class EngineError(HarnessError):
    """The inference engine is missing, did not start, or died."""

    has_lines = True


class TrainingError(HarnessError):
    """A training run that cannot continue."""


class CheckFailed(HarnessError):
    """A check ran to its end and its answer is no."""

    exit_code = 1


class Inconclusive(HarnessError):
    """A check ran to its end and the data cannot tell yes from no."""

    exit_code = 3


def _lost_certificates(error: OSError) -> str | None:
    """Return a sentence where the file of certificates that the environment names is missing or holds none."""
    if error.filename:
        return None
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if (value := os.environ.get(name)) and not Path(value).exists() and error.errno == errno.ENOENT:
            return f"the variable {name} names {value}, which is not there; correct it or unset it"
        unusable = isinstance(error, IsADirectoryError) or "X509" in str(error)
        if value and unusable and not (name.endswith("DIR") and Path(value).is_dir()):
            return f"the variable {name} names {value}, which holds no certificates; correct it or unset it"
    return None


def explained(error: HarnessError | OSError) -> tuple[str, int]:
    """Return what a person is told of an error that ends a command, in a sentence, and the exit status."""
    if isinstance(error, HarnessError):
        return str(error), error.exit_code
    if certificates := _lost_certificates(error):
        return certificates, UsageError.exit_code
    where = f"{error.filename}: " if error.filename else ""
    advice = "; free some space and run this again (--resume continues an evaluation)"
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return f"{where}{error.strerror or error}{advice if full else ''}", UsageError.exit_code
