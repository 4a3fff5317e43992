"""Checks, duplicates and contamination over any number of traces: streamed, in several processes, order kept."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from harness.curation.checks.conversation import check, rejected
from harness.curation.checks.decontamination import Decontamination, Overlap
from harness.curation.checks.duplicates import (
    THRESHOLD,
    Duplicate,
    Duplicates,
    Fingerprint,
    fingerprint,
)
from harness.curation.checks.message_order import CheckConfig
from harness.data.pipeline_records import Finding, TraceRow
from harness.data.records import Conversation
from harness.data.tools import Toolbox
from harness.errors import HarnessError

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess


_CHUNK = 64
"""Conversations that go to a process at once."""
_FEW = 4 * _CHUNK
"""Up to this many are examined in this process: starting others takes longer."""
_MOST_WORKERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What traces are inspected for."""

    tools: tuple[Mapping[str, Any], ...]
    config: CheckConfig = field(default_factory=CheckConfig)
    test: tuple[Conversation, ...] = ()
    """The test set; none of it may be among the traces."""
    threshold: float = THRESHOLD
    """Similarity with an earlier trace from which one is a duplicate."""
    workers: int | None = None
    """Processes; None for one per core, 1 for none beside this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """One trace, and what was found."""

    row: TraceRow
    findings: tuple[Finding, ...]
    duplicate: Duplicate | None
    """Of an earlier trace that was not rejected."""
    overlaps: tuple[Overlap, ...]
    """Conversations of the test set that it is."""

    @property
    def rejection(self) -> Finding | None:
        """The first finding that rejects it; whether duplicates and overlaps do is for the stage to say."""
        return next((finding for finding in self.findings if finding.severity == "reject"), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Examined:
    """What can be said of a conversation without the others."""

    findings: tuple[Finding, ...]
    print: Fingerprint | None
    """None where the conversation is rejected."""
    overlaps: tuple[Overlap, ...]


class _Examiner:
    """Examines one conversation at a time; each process has its own."""

    def __init__(self, inspection: Inspection) -> None:
        self._toolbox = Toolbox(inspection.tools)
        self._config = inspection.config
        self._decontamination = Decontamination(inspection.test)

    def __call__(self, row: TraceRow) -> _Examined:
        if row.problem is not None:
            unreadable = Finding(check="unreadable", severity="reject", problem=row.problem)
            return _Examined(findings=(unreadable,), print=None, overlaps=())
        findings = (*row.findings, *check(row.conversation, self._toolbox, self._config))
        if rejected(findings):
            return _Examined(findings=findings, print=None, overlaps=())
        found = fingerprint(row.conversation)
        overlaps = tuple(self._decontamination.find(row.conversation, found))
        return _Examined(findings=findings, print=found, overlaps=overlaps)


def inspect_traces(rows: Iterable[TraceRow], inspection: Inspection) -> Iterator[Inspected]:
    """Yield each row in its order with what was found, while the next ones are being read.

    Memory holds a few hundred rows and about a kilobyte for each one that is kept. The result is the same for any
    number of processes. Raises HarnessError where a process was ended from outside.
    """
    kept = Duplicates(inspection.threshold)
    for row, examined in _examine_all(iter(rows), inspection):
        duplicate = kept.add_fingerprint(examined.print) if examined.print is not None else None
        yield Inspected(row=row, findings=examined.findings, duplicate=duplicate, overlaps=examined.overlaps)


def _examine_all(rows: Iterator[TraceRow], inspection: Inspection) -> Iterator[tuple[TraceRow, _Examined]]:
    first = list(islice(rows, _FEW))
    workers = inspection.workers or min(_MOST_WORKERS, len(os.sched_getaffinity(0)))
    if len(first) < _FEW or workers == 1:
        examine = _Examiner(inspection)
        for row in chain(first, rows):
            yield row, examine(row)
        return
    try:
        yield from _in_processes(chain(first, rows), inspection, workers)
    except BrokenProcessPool as error:
        raise HarnessError(
            "a process that checks traces was ended from outside, probably for want of memory; "
            "free some, or use fewer workers"
        ) from error


def _in_processes(
    rows: Iterator[TraceRow], inspection: Inspection, workers: int
) -> Iterator[tuple[TraceRow, _Examined]]:
    import multiprocessing

    # Spawned, because a fork of a process with threads may hang.
    context = multiprocessing.get_context("spawn")
    pending: deque[tuple[list[TraceRow], Future[list[_Examined]]]] = deque()
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(inspection,))
    try:
        while True:
            while len(pending) < 2 * workers and (chunk := list(islice(rows, _CHUNK))):
                with _uninterrupted():
                    future = pool.submit(_examine_chunk, [_bare(row) for row in chunk])
                pending.append((chunk, future))
            if not pending:
                return
            chunk, future = pending.popleft()
            yield from zip(chunk, future.result(), strict=True)
    except BaseException:
        for child in multiprocessing.active_children():  # they may still be starting up, which takes seconds
            child.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Start processes that leave Ctrl-C to this one, which answers it when they are started.

    Ctrl-C reaches the whole group, and what starts up would print a traceback: it inherits the mask, from before it can
    ignore a signal. It would print one too if its parent were interrupted before it has told it all.
    """
    kinds = (signal.SIGINT, signal.SIGTERM)
    came: list[int] = []
    here = threading.current_thread() is threading.main_thread()
    handlers = [signal.signal(kind, lambda number, _: came.append(number)) for kind in kinds] if here else []
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, kinds)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for kind, handler in zip(kinds, handlers, strict=False):
            signal.signal(kind, handler)
        for number in came[:1]:
            signal.raise_signal(number)


def _bare(row: TraceRow) -> TraceRow:
    """Return the row without its columns, which are not examined."""
    return replace(row, columns={})


_examiner: _Examiner | None = None


def _start(inspection: Inspection) -> None:
    """Make this process ready: its examiner, and a thread that ends it when the process that started it is gone.

    Without the thread a process whose parent was killed would wait for work for ever.
    """
    import multiprocessing

    global _examiner  # noqa: PLW0603 - a process has one, made once
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()
    _examiner = _Examiner(inspection)


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _examine_chunk(rows: list[TraceRow]) -> list[_Examined]:
    if _examiner is None:
        raise RuntimeError("the process was not started by inspect_traces")
    return [_examiner(row) for row in rows]
