"""The test conversations of a job folder as a person goes through them: decided about, corrected, and taken back.

Every change reads both files anew. It names the version of the conversation that the person saw, and is refused where
an editor, another page or another process has changed that conversation since.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from harness.curation.job_folder import TASK, TEST
from harness.curation.job_init.review import LOGGED, By, Decision, State, decide, read_review, read_todo, writing
from harness.data.formats.json_texts import as_value, parse_line
from harness.data.formats.jsonl import write_atomic
from harness.data.formats.messages import dump_conversation, dump_message
from harness.data.formats.published import read_test_conversations
from harness.data.formats.task import read_task
from harness.data.records import Conversation, Message
from harness.data.tools import Toolbox
from harness.errors import DataError, UsageError

_UNDONE_AT_MOST = 1000

Change = Callable[[Conversation], Conversation]


class Stale(UsageError):
    """The conversation is no longer the one that was decided about; nothing was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedConversation:
    """One test conversation with what was decided about it."""

    conversation: Conversation
    decision: Decision
    logged: Conversation | None
    """As it was logged; None where test.logged.jsonl does not say."""
    line: int
    """Its line in test.jsonl, from 1."""
    row: str
    """That line, without its end."""

    @property
    def version(self) -> str:
        """Return what changes with the conversation and with what was decided."""
        seen = json.dumps([self.decision.id, self.decision.state, self.decision.by, self.row])
        return hashlib.sha256(seen.encode("utf-8", "surrogatepass")).hexdigest()[:20]

    @property
    def is_changed(self) -> bool:
        """Return whether it differs from the log."""
        return self.logged is not None and self.logged.messages != self.conversation.messages


@dataclass(frozen=True, slots=True)
class _Step:
    """What undoes a change: the conversation's row and decision before, and its version after."""

    id: str
    row: str
    state: State
    by: By | None
    version: str


class ReviewDesk:
    """The test conversations of one job folder; safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        """Open a folder. Raises DataError where its task, its test set or its decisions cannot be read."""
        read_todo(folder)  # first: it says what to do about a folder without test conversations
        self.folder = folder
        self.toolbox = Toolbox(read_task(folder / TASK).tools)
        self._steps: deque[_Step] = deque(maxlen=_UNDONE_AT_MOST)
        self._log: tuple[tuple[int, int], dict[str, Conversation]] | None = None
        self._lock = threading.Lock()
        self.read()

    def read(self) -> list[ReviewedConversation]:
        """Return the conversations in the order of test.todo.md; DataError says what cannot be read."""
        path = self.folder / TEST
        conversations, logged = read_test_conversations(path), self._logged()
        decisions = read_review(self.folder, [one.id for one in conversations]).decisions
        rows = [(number, line.rstrip("\r")) for number, line in enumerate(_lines(path), start=1) if line.strip()]
        placed = {one.id: (one, *row) for one, row in zip(conversations, rows, strict=False)}
        if not len(placed) == len(conversations) == len(rows) or placed.keys() != {one.id for one in decisions}:
            raise DataError(f"{path} has an id twice, or is just being written; mend the id, or try again")
        return [
            ReviewedConversation(conversation=conversation, decision=one, logged=logged.get(one.id), line=line, row=row)
            for one in decisions
            for conversation, line, row in [placed[one.id]]
        ]

    def _logged(self) -> dict[str, Conversation]:
        """Return the logged conversations by id; they are read again only where the file has changed."""
        path = self.folder / LOGGED
        if not path.is_file():
            return {}
        stat = path.stat()
        if self._log is None or self._log[0] != (stat.st_mtime_ns, stat.st_size):
            self._log = (stat.st_mtime_ns, stat.st_size), {one.id: one for one in read_test_conversations(path)}
        return self._log[1]

    @property
    def can_undo(self) -> bool:
        """Return whether there is a change of this desk to take back."""
        return bool(self._steps)

    def decide(self, id: str, version: str, state: State) -> None:
        """Accept, drop, or put back a conversation; what was corrected stays so. Raises Stale, DataError."""
        with self._lock, writing(self.folder):
            found = self._current(id, version)
            unlogged = found.logged is None and found.decision.state == "corrected"
            if state == "accepted" and (found.is_changed or unlogged):
                state = "corrected"
            self._write(found, found.row, state, None if state == "pending" else "a person")

    def correct(self, id: str, version: str, change: Change) -> None:
        """Change a conversation in test.jsonl, and say so in test.todo.md.

        What is again as it was logged is accepted, not corrected. Raises Stale, DataError, and what `change` raises.
        """
        with self._lock, writing(self.folder):
            found = self._current(id, version)
            changed = change(found.conversation)
            as_logged = found.logged is not None and changed.messages == found.logged.messages
            self._write(found, _row(found, changed), "accepted" if as_logged else "corrected", "a person")

    def undo(self) -> str:
        """Take the latest change of this desk back and return the conversation's id.

        Raises UsageError where there is none, Stale where the conversation was changed since.
        """
        with self._lock, writing(self.folder):
            if not self._steps:
                raise UsageError("there is nothing to undo; decisions of earlier visits are changed by deciding again")
            step = self._steps.pop()
            found = self._current(step.id, step.version)
            self._write(found, step.row, step.state, step.by)
            self._steps.pop()
            return step.id

    def _current(self, id: str, version: str) -> ReviewedConversation:
        found = next((one for one in self.read() if one.decision.id == id), None)
        if found is None or found.version != version:
            raise Stale(
                "This conversation was changed meanwhile, in another page or an editor, so nothing was saved; here it "
                "is as it is now."
            )
        return found

    def _write(self, before: ReviewedConversation, row: str, state: State, by: By | None) -> None:
        """Write the row first: after a kill in between a person looks again at what was corrected."""
        if row != before.row:
            lines = _lines(self.folder / TEST)
            lines[before.line - 1] = row + lines[before.line - 1][len(before.row) :]
            write_atomic(self.folder / TEST, ["\n".join(lines)])
        decide(self.folder, {before.decision.id: (state, by)})
        after = replace(before, row=row, decision=replace(before.decision, state=state, by=by))
        self._steps.append(
            _Step(before.decision.id, before.row, before.decision.state, before.decision.by, after.version)
        )


def replace_turn(conversation: Conversation, at: int, turn: Message, result: str | None = None) -> Conversation:
    """Put an assistant's turn in place of the one at message `at`; a call keeps the id of the one before.

    `result` is what the tool returned, empty for nothing; None leaves the results of a call as they are.
    """
    old, results = conversation.messages[at], results_of(conversation, at)
    turn = _with_id(conversation, turn, old.tool_calls[0].id if old.tool_calls else None)
    if result is not None or not turn.tool_calls:
        results = _result(conversation, turn, result or "", results)
    return _spliced(conversation, at, _end(conversation, at), (turn, *results))


def insert_turn(conversation: Conversation, at: int, turn: Message, result: str | None = None) -> Conversation:
    """Add an assistant's turn before message `at` (0: at the start), but behind the results that stand there."""
    place = _end(conversation, at - 1)
    turn = _with_id(conversation, turn, None)
    return _spliced(conversation, place, place, (turn, *_result(conversation, turn, result or "", ())))


def remove_turn(conversation: Conversation, at: int) -> Conversation:
    """Take the assistant's turn at message `at` out, with the results of its calls."""
    return _spliced(conversation, at, _end(conversation, at), ())


def _spliced(conversation: Conversation, start: int, end: int, new: tuple[Message, ...]) -> Conversation:
    messages = (*conversation.messages[:start], *new, *conversation.messages[end:])
    if not any(message.tool_calls for message in messages):
        raise ValueError("no call would be left in this conversation, so nothing could be compared; drop it instead")
    return replace(conversation, messages=messages)


def is_result(message: Message) -> bool:
    """Return whether a message is what a tool returned: in the benchmark's layout a user's JSON is one."""
    return message.role == "tool" or (message.role == "user" and as_value(message.content or "") is not None)


def results_of(conversation: Conversation, at: int) -> tuple[Message, ...]:
    """Return the results that follow message `at`."""
    return conversation.messages[at + 1 : _end(conversation, at)]


def _end(conversation: Conversation, at: int) -> int:
    """Return the place behind a message and the results that follow it."""
    end = at + 1
    while 0 < end < len(conversation.messages) and is_result(conversation.messages[end]):
        end += 1
    return end


def _with_id(conversation: Conversation, turn: Message, id: str | None) -> Message:
    taken = {call.id for message in conversation.messages for call in message.tool_calls}
    own = id or next(name for name in (f"added-{number}" for number in range(len(taken) + 1)) if name not in taken)
    return replace(turn, tool_calls=tuple(replace(call, id=own) for call in turn.tool_calls))


def _result(conversation: Conversation, turn: Message, text: str, before: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return what a tool returned as a message like the one before, else like the others of the conversation."""
    if not text or not turn.tool_calls:
        return ()
    if before:
        return (replace(before[0], content=text),)
    found = [message.role for message in conversation.messages if is_result(message)]
    new = Message(role="user", content=text)
    if found and "tool" not in found and is_result(new):
        return (new,)
    return (Message(role="tool", content=text, tool_call_id=turn.tool_calls[0].id),)


def _row(found: ReviewedConversation, changed: Conversation) -> str:
    """Return the conversation's line of test.jsonl; its other columns stay."""
    row = parse_line(found.row.encode("utf-8"))
    if isinstance(row, dict) and row.get("messages") is not None:
        row = {**row, "messages": [dump_message(message) for message in changed.messages]}
    else:  # in another layout, whose rows have no ids
        row = dump_conversation(changed)
    return json.dumps(row, ensure_ascii=False)


def _lines(path: Path) -> list[str]:
    return path.read_bytes().decode("utf-8").split("\n")
