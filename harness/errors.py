"""Every error the harness raises on purpose.

HarnessError            a sentence that says what to do next; the CLI prints it and exits with 2
├── UsageError          an option or a config value that cannot be used
├── DataError           a record that cannot be read (names the file and the line)
├── SourceError         a source file that is missing, damaged or not the pinned one
├── HubError            the Hub said no
│   ├── RepoNotFound        no such repository or revision
│   ├── AccessDenied        gated, private, or a token without the right
│   └── HubUnreachable      no answer from the endpoint
├── GitHubError         GitHub said no
├── ModelError          a model that cannot be evaluated (no causal LM, no chat template, unsafe weights)
├── EngineError         the inference engine is missing, did not start, or died
├── TrainingError       a training run that cannot go on (no memory left, a loss that is not a number)
├── CheckFailed         a check ran and its answer is no; the CLI exits with 1
└── Inconclusive        a check ran and the data cannot tell; the CLI exits with 3
"""

from __future__ import annotations

import errno
import os
import signal
import threading
from pathlib import Path

EXIT_INTERRUPTED, EXIT_TERMINATED = 130, 143
"""Exit status after Ctrl-C and after SIGTERM, as shells have it."""


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does: what it has begun is put away."""


def end_on_sigterm() -> None:
    """Let SIGTERM raise `Terminated` in the main thread; a second one ends the process at once."""

    def end(_number: int, _frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise Terminated

    if threading.current_thread() is threading.main_thread():  # no other one may say so
        signal.signal(signal.SIGTERM, end)


def interruption(error: BaseException) -> tuple[str, int]:
    """Return the word for an interruption, itself or what it was raised from, and the exit status."""
    terminated = isinstance(error, Terminated) or isinstance(error.__cause__, Terminated)
    return ("terminated", EXIT_TERMINATED) if terminated else ("interrupted", EXIT_INTERRUPTED)


class HarnessError(Exception):
    """Base of all errors raised on purpose; `str(error)` is one clear message with a next step."""

    exit_code = 2
    has_lines = False
    """Whether the message has lines of its own below the sentence; in all others a line end is not ours."""


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
    """The repository is gated or private, or the token has not the right that is needed."""


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
    """A training run that cannot go on."""


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
    advice = "; free some space and run this again (--resume goes on with an evaluation)"
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return f"{where}{error.strerror or error}{advice if full else ''}", UsageError.exit_code
