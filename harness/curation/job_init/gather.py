"""One pass over an export: its conversations go to a file aside, and what choosing among them takes is kept."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from harness.curation.checks.conversation import check
from harness.curation.checks.duplicates import Fingerprint, fingerprint
from harness.curation.checks.message_order import CheckConfig
from harness.curation.inspection.redaction import find_pii, redact
from harness.curation.job_init.task_description import SystemTally
from harness.curation.job_init.tool_definitions import ToolTally
from harness.data.formats.messages import MOST_CALLS, dump_conversation
from harness.data.pipeline_records import TraceRow
from harness.data.records import Conversation, Message
from harness.data.tools import Toolbox

CARRIED = ("time", "model", "session_id", "user_id")
"""Columns of the export that stay beside a conversation; all others are left behind, secrets among them."""
_LINKS = ("user_id", "session_id")
_ORDER = {
    parallel: CheckConfig(max_length=1 << 40, max_messages=1 << 40, consistency=False, parallel=parallel)
    for parallel in (False, True)
}
"""How long a conversation may be is for the filter to say."""
_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """Why a row of the export is neither a trace nor a test conversation."""

    kind: str
    """In words, as counts name it."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFacts:
    """What is kept of a row while the others are read: about a kilobyte."""

    id: str
    tools: frozenset[str]
    length: int
    """Messages."""
    links: tuple[str, ...]
    """Users and sessions that it belongs to."""
    begins: array[int]
    """A hash of all that was said up to each message."""
    print: Fingerprint | None = None
    """None where it is set aside."""
    aside: SetAside | None = None
    untestable: str = ""
    """Why it cannot be a test conversation, though it may be a trace."""


@dataclass(slots=True)
class Gathered:
    """What a pass over an export has found."""

    redacted: bool = False
    """Whether what looks personal is masked, and users and sessions are numbered instead of named."""
    parallel: bool = False
    """Whether a turn may have several calls."""
    rows: list[RowFacts] = field(default_factory=list)
    tools: ToolTally = field(default_factory=ToolTally)
    systems: SystemTally = field(default_factory=SystemTally)
    personal: Counter[str] = field(default_factory=Counter)
    """Kind of personal data -> conversations that hold some."""
    reading: Counter[str] = field(default_factory=Counter)
    """What reading left out, reordered or guessed (`harness.data.formats.reading_notes`) -> conversations."""
    columns: Counter[str] = field(default_factory=Counter)
    """Column that is carried on -> rows that have it."""
    _numbers: dict[str, str] = field(default_factory=dict)

    def pass_over(self, rows: Iterable[TraceRow]) -> Iterator[dict[str, Any]]:
        """Yield each row as it is put aside in the file, and keep what is to be known of it."""
        for row in map(self._redact, rows) if self.redacted else rows:
            aside = why_aside(row)
            carried = {key: row.columns[key] for key in CARRIED if isinstance(row.columns.get(key), str)}
            self.columns.update(key for key in carried if carried[key])
            self.rows.append(self._facts(row, carried, aside))
            if aside is None:
                self.tools.add_definitions(row)
                self.reading.update({one.check for one in row.findings})
            told = {"system": row.columns["system"]} if isinstance(row.columns.get("system"), str) else {}
            yield {**dump_conversation(row.conversation), **carried, **told}

    def use(self, conversation: Conversation, system: str | None) -> None:
        """Count what a conversation says that is used; those set aside would count repeated calls again."""
        self.tools.add_calls(conversation)
        self.systems.add(conversation, system)
        self.personal.update(set(find_pii(conversation)))

    def _redact(self, row: TraceRow) -> TraceRow:
        columns = dict(row.columns)
        for key in ("system", "error"):
            if isinstance(text := columns.get(key), str):
                columns[key] = _masked(text)
        for link in links_of(columns):
            kind = link.split(" ", 1)[0]
            columns[kind] = self._numbers.setdefault(link, f"{kind.removesuffix('_id')}-{len(self._numbers) + 1}")
        problem = None if row.problem is None else _masked(row.problem)
        return replace(row, conversation=redact(row.conversation), columns=columns, problem=problem)

    def _facts(self, row: TraceRow, carried: Mapping[str, str], aside: SetAside | None) -> RowFacts:
        conversation = row.conversation
        return RowFacts(
            id=conversation.id,
            tools=frozenset(call.name for message in conversation.messages for call in message.tool_calls),
            length=len(conversation.messages),
            links=links_of(carried),
            begins=array("Q", () if aside else _begins(conversation)),
            print=None if aside else fingerprint(conversation),
            aside=aside,
            untestable="" if aside else why_untestable(conversation, parallel=self.parallel),
        )


def _masked(text: str) -> str:
    told = redact(Conversation(id="", messages=(Message(role="system", content=text),), source=""))
    return told.messages[0].content or ""


def links_of(columns: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the user and the session that a row names, each with what it is."""
    return tuple(f"{key} {columns[key]}" for key in _LINKS if isinstance(columns.get(key), str) and columns[key])


def why_aside(row: TraceRow) -> SetAside | None:
    """Return why a row is of no use by itself: unreadable (cut, for one) or failed; None where it is."""
    if row.problem is not None:
        return SetAside(kind="unreadable", reason=row.problem)
    if not row.kept:
        return SetAside(kind="rejected", reason=f"an earlier stage rejected it: {row.columns.get('reason') or '-'}")
    if error := row.columns.get("error"):
        return SetAside(kind="failed", reason=f"the export marks it as failed: {str(error)[:_SHOWN]}")
    messages = row.conversation.messages
    if not any(one.role == "assistant" and (one.tool_calls or (one.content or "").strip()) for one in messages):
        return SetAside(kind="no assistant turn", reason="the assistant says and calls nothing")
    return None


def why_untestable(conversation: Conversation, *, parallel: bool = False) -> str:
    """Return why a conversation cannot be a test conversation; empty where it can."""
    calls = [len(message.tool_calls) for message in conversation.messages if message.tool_calls]
    if not calls:
        return "it has no call, so there is nothing to compare with"
    if max(calls) > 1 and not parallel:
        return "it has several calls in one turn"
    if max(calls) > MOST_CALLS:
        return f"it has more than {MOST_CALLS} calls in one turn"
    found = check(conversation, Toolbox(()), _ORDER[parallel])
    # Agents that greet speak first; that is for the filter to judge, and their calls can be compared.
    return next((one.problem for one in found if one.severity == "reject" and one.check != "first-message"), "")


def _begins(conversation: Conversation) -> Iterator[int]:
    """Yield a 64-bit hash of the conversation up to each message; ids and system messages do not count."""
    said = hashlib.blake2b(digest_size=8)
    for message in conversation.messages:
        if message.role == "system":
            continue
        calls = [(call.name, call.arguments) for call in message.tool_calls]
        text = json.dumps([message.role, (message.content or "").strip(), calls], sort_keys=True)
        said.update(text.encode("utf-8", "surrogatepass"))
        yield int.from_bytes(said.copy().digest(), "little")
