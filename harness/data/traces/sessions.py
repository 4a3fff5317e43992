"""Sessions of agents, one message per line: Hugging Face's format, Pi, Claude Code, Codex, and tables of messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.data.formats.framework_messages import is_message
from harness.data.formats.message_reader import read_messages
from harness.data.formats.reading_notes import REPEATED, ReadingNotes
from harness.data.formats.row_columns import columns_of, instant
from harness.data.prefixes import hashable
from harness.data.traces.json_document import FileRecord
from harness.data.traces.logged_conversations import Again, LoggedConversation

_IDS = (
    *("conversation_id", "conversationId", "session_id", "sessionId", "thread_id", "threadId", "chat_id", "chatId"),
    *("dialogue_id", "dialog_id"),
)
_TIMES = ("created_at", "createdAt", "timestamp", "time")
_CODEX = ("session_meta", "response_item", "event_msg", "turn_context", "compacted", "world_state")
_BESIDE = (
    *("summary", "file-history-snapshot", "queue-operation", "system", "progress", "attachment", "custom-title"),
    *("ai-title", "agent-name", "last-prompt", "tag", "pr-link", "mode", "permission-mode", "result", "model_change"),
    *("thinking_level_change", "compaction", "branch_summary", "custom", "custom_message", "label", "session_info"),
    *_CODEX,
)
"""Types of lines that hold nothing that was said."""
_CALLS_OF_CODEX = {"custom_tool_call": "input", "local_shell_call": "action"}


@dataclass(slots=True, kw_only=True)
class _Entry:
    id: str
    message: Mapping[str, Any]
    time: str | None = None


@dataclass(slots=True, kw_only=True)
class _Session:
    """What the lines of one session say; a prompt that was written anew begins another branch of it."""

    line: int
    file: Path
    entries: list[_Entry] = field(default_factory=list)
    left: list[list[_Entry]] = field(default_factory=list)
    """Branches that were given up."""
    table: bool = False
    """Whether it comes from a table, which may be in any order."""
    about: dict[str, Any] = field(default_factory=dict)
    lines: dict[int, Path] = field(default_factory=dict)
    """Numbers of the lines with messages, and the file that has each first."""
    repeated: bool = False

    def has(self, record: FileRecord) -> bool:
        """Return whether another file has the same line of this session: it was exported twice."""
        number = hash(hashable(record.value))
        again = self.lines.setdefault(number, record.file) != record.file
        self.repeated = self.repeated or again
        return again

    def add(self, entry: _Entry, parent: str) -> None:
        """Take a message; one of the user whose parent came before another prompt takes its place."""
        place = next((n for n, one in enumerate(self.entries) if one.id == parent), None) if _is_prompt(entry) else None
        if place is not None and any(map(_is_prompt, self.entries[place + 1 :])):
            self.left.append(self.entries)
            self.entries = self.entries[: place + 1]
        last = self.entries[-1].message if self.entries else {}
        if entry.message.get("id") and _pieces(last, entry.message):
            self.entries[-1].message = {**last, "content": [*last["content"], *entry.message["content"]]}
            self.entries[-1].id = entry.id
        else:
            self.entries.append(entry)

    def branches(self) -> Iterator[list[Mapping[str, Any]]]:
        """Yield the messages of each branch, the last one first."""
        for entries in (self.entries, *self.left):
            timed = self.table and all(entry.time for entry in entries)
            ordered = sorted(entries, key=lambda one: str(one.time)) if timed else entries
            yield [entry.message for entry in ordered]


class SessionReader:
    """Reads a file of sessions."""

    words = "sessions, one message per line"
    record = "line of a session"
    parallel = False

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}
        self._types: Counter[str] = Counter()
        self._current = ""

    def add(self, record: FileRecord) -> bool:
        """Take one line; False for one of no session."""
        value, line = record.value, record.line
        if not isinstance(value, Mapping):
            return False
        named = value.get("type")
        message = _message(value)
        self._types[str(named)] += 1
        if message is None:
            return self._begin(value, record) or (named in _BESIDE and named != "response_item") or _is_unsaid(value)
        self._current = own = _session(value) or self._current
        side = f"{own}-{value.get('agentId') or 'sidechain'}" if value.get("isSidechain") else own
        session = self._sessions.setdefault(side, _Session(line=line, file=record.file))
        if session.has(record):
            return True
        session.table = "message" not in value and "payload" not in value
        for key, one in columns_of(value, [message]).items():
            session.about.setdefault(key, one)
        if value.get("isApiErrorMessage"):
            session.about["error"] = "the model's API failed"
        time = next((instant(value[key]) for key in _TIMES if value.get(key)), None)
        entry = _Entry(id=str(value.get("uuid") or value.get("id") or ""), message=message, time=time)
        session.add(entry, str(value.get("parentUuid") or value.get("parentId") or "-"))
        return True

    def _begin(self, value: Mapping[str, Any], record: FileRecord) -> bool:
        """Begin the session that a line announces; False for one that announces none."""
        held = value.get("payload") if value.get("type") == "session_meta" else value
        if value.get("type") not in ("session", "session_meta") or not isinstance(held, Mapping):
            return False
        self._current = str(held.get("id") or f"session-{record.line}")
        begun = self._sessions.setdefault(self._current, _Session(line=record.line, file=record.file))
        begun.about = {**columns_of(held), **columns_of({key: value.get(key) for key in _TIMES}), **begun.about}
        return True

    def conversations(self, again: Again) -> Sequence[LoggedConversation]:  # noqa: ARG002 - all is held
        """Return each session, and each branch of one that was given up."""
        every = self._sessions.items()
        return [one for id, session in every for one in _logged(id, session, parallel=self.parallel)]

    def nothing(self) -> str:
        """Return what was found in the place of messages."""
        there = ", ".join(f"{kind} ({count})" for kind, count in self._types.most_common(10))
        return (
            f"has lines of the types {there or '(none)'}, and none holds a message; expected user and assistant lines"
        )


def is_line(value: Any) -> bool:
    """Return whether a record is a line of a session: its beginning, or a message."""
    if not isinstance(value, Mapping):
        return False
    if value.get("type") == "session":
        return "harness" in value or ("id" in value and "messages" not in value and "cwd" in value)
    return value.get("type") == "session_meta" or _message(value) is not None


def _message(value: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the message that a line holds, None for a line without one."""
    named, inner, payload = value.get("type"), value.get("message"), value.get("payload")
    if named == "response_item" and isinstance(payload, Mapping):
        return _item(payload)
    if named not in _BESIDE and isinstance(inner, Mapping) and is_message(inner):
        enveloped = named == "message" or any(key in value for key in ("uuid", *_IDS))
        return inner if enveloped else None
    if _session(value) and is_message(value) and "message" not in value and "messages" not in value:
        return {key: one for key, one in value.items() if key not in ("id", *_IDS)}
    return None


def _item(payload: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return an item of Codex as one of the Responses API: its own tools take a text, or an action."""
    named = str(payload.get("type"))
    if named in _CALLS_OF_CODEX:
        key = _CALLS_OF_CODEX[named]
        arguments = {key: payload.get(key)}
        name = payload.get("name") or named.removesuffix("_call")
        return {"type": "function_call", "call_id": payload.get("call_id"), "name": name, "arguments": arguments}
    if named in ("custom_tool_call_output", "local_shell_call_output"):
        return {**payload, "type": "function_call_output"}
    return None if named == "ghost_snapshot" else payload


def _is_unsaid(value: Mapping[str, Any]) -> bool:
    """Return whether a line is an item of Codex that says nothing: a snapshot of the files."""
    payload = value.get("payload")
    return isinstance(payload, Mapping) and payload.get("type") == "ghost_snapshot"


def _session(value: Mapping[str, Any]) -> str:
    return next((str(value[key]) for key in _IDS if value.get(key)), "")


def _is_prompt(entry: _Entry) -> bool:
    """Return whether a message is what a user wrote, and not a result of a tool."""
    content = entry.message.get("content")
    blocks = content if isinstance(content, list) else []
    results = any(isinstance(one, Mapping) and one.get("type") == "tool_result" for one in blocks)
    return entry.message.get("role") == "user" and not results


def _pieces(last: Mapping[str, Any], message: Mapping[str, Any]) -> bool:
    """Return whether two messages are one: Claude Code has a line for each block of an answer."""
    same = last.get("id") == message.get("id") and last.get("role") == message.get("role") == "assistant"
    return same and all(isinstance(one.get("content"), list) for one in (last, message))


def _logged(id: str, session: _Session, *, parallel: bool) -> Iterator[LoggedConversation]:
    for messages in session.branches():
        if not messages:
            continue
        notes, problem = ReadingNotes(parallel=parallel), None
        if session.repeated:
            notes.add(REPEATED, "its lines stand in several files of the export")
        try:
            read = read_messages(messages, "session", strict=False, notes=notes)
        except ValueError as error:
            read, problem = (), str(error)
        columns = {"session_id": id, **session.about} if id else session.about
        yield LoggedConversation(
            id=id,
            session=id,
            line=session.line,
            file=session.file,
            messages=read,
            columns=columns,
            findings=tuple(notes.findings),
            problem=problem,
        )
