"""Files of spans (OpenTelemetry, OpenInference, LangSmith, MLflow, Jaeger): what models were sent and answered.

Each span of a model holds all that was said before, so that a file is read twice: first only to see which spans none
goes on from, then to read those. A number per message and per span is held in memory, and no text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from harness.data.formats.json_texts import encodable_value
from harness.data.formats.message_reader import whole
from harness.data.formats.reading_notes import REPEATED, ReadingNotes
from harness.data.formats.row_columns import read_columns
from harness.data.prefixes import hashable
from harness.data.traces.beginnings import Beginnings, Numbers, chain
from harness.data.traces.json_document import FileRecord
from harness.data.traces.logged_conversations import Again, LoggedConversation, as_continued
from harness.data.traces.message_digests import MessageDigests
from harness.data.traces.span_contents import columns, conversation, is_agent, kind_of, sides
from harness.data.traces.span_names import COLUMNS, EXPECTED
from harness.data.traces.span_records import LoggedSpan, is_export, spans
from harness.data.traces.span_tree import SpanTree
from harness.errors import DataError

_AT, _NUMBER, _SPAN, _TRACE, _GROUP, _AGENT, _START, _BEGUN = range(8)
_OF_AGENTS = 0x5DEECE66D
"""Sets records of agents apart from those of the models they ask, which say the same."""

_LOST = (
    "a later span of the conversation was cut at a size limit, so that its end is missing; raise the limit of the tool "
    "that logs, and export again"
)


class SpanReader:
    """Reads files of spans in any order."""

    words = "spans (OpenTelemetry, OpenInference, LangSmith, MLflow or Jaeger)"
    record = "span"
    parallel = False

    def __init__(self) -> None:
        self._kinds: Counter[str] = Counter()
        self._tree = SpanTree()
        self._digests = MessageDigests()
        self._said = Beginnings()
        self._began: dict[int, int] = {}
        """When the first model's span of a conversation began."""
        self._whole: dict[int, int] = {}
        """Characters of the longest input, of conversations that begin alike."""
        self._cut: dict[int, int] = {}
        """The same of inputs that a size limit has cut, where there are any."""
        self._of_root: dict[int, dict[str, Any]] = {}
        """What the outermost span of a trace says of the whole."""

    def add(self, record: FileRecord) -> bool:
        """Take one record of the file: a span, a trace, or a document of many; False for any other value."""
        if not is_export(record.value):
            return False
        for number, span in enumerate(spans(record.value)):
            self._note(record, number, span)
        return True

    def _note(self, record: FileRecord, number: int, span: LoggedSpan) -> None:
        root = span.attributes
        kind = kind_of(root)
        self._kinds[kind or "(none)"] += 1
        own = hash((span.trace, span.id))
        self._tree.add(own, hash((span.trace, span.parent)) if span.parent else 0, span.conversation)
        trace, group = hash(span.trace), hash(span.conversation or span.trace)
        heard = sides(root, kind)
        if (heard is None and not span.parent) or span.of_trace:
            self._of_root[trace] = _of_whole(span)
        if heard is None:
            return
        found, cut = self._digests.of(*heard)
        agent = is_agent(kind)
        start = span.start
        parts = chain(found) or [own]
        begun = hash((group, parts[0]))
        lengths = self._cut if cut else self._whole
        lengths[begun] = max(lengths.get(begun, 0), len(heard[0]) if isinstance(heard[0], str) else 0)
        facts = (record.at, (record.inner << 32) + number, own, trace, group, agent, start, begun)
        if start:
            self._began[group] = min(start, self._began.get(group, start))
        self._said.add(group ^ _OF_AGENTS if agent else group, parts, facts, cut=cut)

    def conversations(self, again: Again) -> Iterator[LoggedConversation]:
        """Yield what all spans said, each conversation once, in the order of the file.

        Of several in one trace or session, the first is the outermost agent's; the others have numbers in their ids.
        """
        left = self._said.left()
        if not len(left):
            return
        told = left[left[:, _AGENT] == 0, _TRACE]
        left = left[(left[:, _AGENT] == 0) | ~np.isin(left[:, _TRACE], told)]
        left = self._compared(self._resolved(left), again)
        names, depths = self._tree.place(left[:, _SPAN])
        repeated = self._tree.repeated(left[:, _SPAN])
        ranks = _ranks(left, depths)
        found = _read_again(left, again)
        begun = left[:, _BEGUN].tolist()
        for (span, record), name, rank, twice, key in zip(found, names, ranks, repeated, begun, strict=True):
            session = self._tree.names[name] if name >= 0 else span.trace
            told = self._told(span, record, id=f"{session}-{rank + 1}" if rank else session, twice=bool(twice))
            # A size limit cuts what is longer than all that it leaves whole: the rest was in the span that was cut.
            lost = self._cut.get(key, 0) and self._cut[key] >= self._whole.get(key, 0)
            yield replace(told, messages=(), problem=_LOST) if lost and not told.problem else told

    def _resolved(self, left: Numbers) -> Numbers:
        """Return the records with their groups by the conversations that the spans above them name."""
        names, _ = self._tree.place(left[:, _SPAN])
        known = np.array([*map(hash, self._tree.names), 0], dtype=np.int64)
        left[:, _GROUP] = np.where(names < 0, left[:, _GROUP], known[names])
        return left

    def _compared(self, left: Numbers, again: Again) -> Numbers:
        """Return the records of groups with several of them without those that others continue, message by message."""
        _, groups, counts = np.unique(left[:, _GROUP], return_inverse=True, return_counts=True)
        several = counts[groups] > 1
        if not several.any():
            return left
        compared = Beginnings()
        rows = left[several]
        for (span, _), row in zip(_read_again(rows, again), rows, strict=True):
            try:
                told = conversation(span.attributes, ReadingNotes(parallel=self.parallel))
                said = [hash(hashable(one)) for one in (told if self.parallel else as_continued(told))]
            except ValueError:
                said = []
            compared.add(int(row[_GROUP]), chain(said) or [int(row[_SPAN])], row.tolist())
        found: Numbers = np.concatenate([left[~several], compared.left()])
        order = np.lexsort((found[:, _NUMBER], found[:, _AT]))
        ordered: Numbers = found[order]
        return ordered

    def _told(self, span: LoggedSpan, record: FileRecord, *, id: str, twice: bool) -> LoggedConversation:
        """Return what a span says, or why that cannot be read."""
        notes = ReadingNotes(parallel=self.parallel)
        if twice:
            notes.add(REPEATED, "its span stands in the export more than once")
        place = LoggedConversation(id=id, session=id, line=record.line, file=record.file)
        try:
            said = columns(span.attributes)
            said["time"] = self._began.get(hash(span.conversation or span.trace))
            said = {**self._of_root.get(hash(span.trace), {}), **{key: one for key, one in said.items() if one}}
            said |= {"error": span.error} if span.error else {}
            whole(said, "what the span says")
            return replace(
                place,
                messages=conversation(span.attributes, notes),
                columns=read_columns(said),
                findings=tuple(notes.findings),
            )
        except ValueError as error:
            return replace(place, problem=f"span {span.id or '(without an id)'}: {error}")

    def nothing(self) -> str:
        """Return what was found in the place of conversations, and what to export."""
        there = ", ".join(f"{kind} ({count})" for kind, count in self._kinds.most_common(10))
        return (
            f"has spans of the kinds {there or '(no span at all)'}, and none holds messages; expected spans of a "
            f"model's calls with {EXPECTED}: switch on that messages are recorded, and export again"
        )


def _of_whole(span: LoggedSpan) -> dict[str, Any]:
    """Return what the outermost span of a trace says of the whole."""
    said = {"user_id": span.attributes.first(COLUMNS["user_id"]), "error": span.error, **span.of_trace}
    return {key: encodable_value(one) for key, one in said.items() if one}


def _ranks(left: Numbers, depths: Numbers) -> Numbers:
    """Return the place of each record among those of its group: the outermost first, then the earliest."""
    order = np.lexsort((left[:, _AT], left[:, _START], depths, left[:, _GROUP]))
    groups = left[order, _GROUP]
    begins = np.flatnonzero(np.concatenate([[True], groups[1:] != groups[:-1]]))
    within = np.arange(len(groups)) - np.repeat(begins, np.diff([*begins, len(groups)]))
    ranks = np.empty(len(groups), dtype=np.int64)
    ranks[order] = within
    return ranks


def _read_again(wanted: Numbers, again: Again) -> Iterator[tuple[LoggedSpan, FileRecord]]:
    """Yield the spans that are wanted, which are in the order of the file.

    Raises DataError where the file is another one by now.
    """
    places = iter(wanted[:, [_AT, _NUMBER, _SPAN]].tolist())
    at, inside, id = next(places, (-1, 0, 0))
    for record in again(frozenset(wanted[:, _AT].tolist())):
        if record.at != at or record.inner != inside >> 32 or not is_export(record.value):
            continue
        for number, span in enumerate(spans(record.value), start=record.inner << 32):
            if (record.at, number) != (at, inside):
                continue
            if hash((span.trace, span.id)) != id:
                break
            yield span, record
            at, inside, id = next(places, (-1, 0, 0))
        if at < 0:
            return
    if at >= 0:
        raise DataError("the file was changed while it was read; read it again when nothing writes to it")
