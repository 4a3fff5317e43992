"""What people decided about the held-out test conversations: test.todo.md, which a page and any editor can change.

The file is Markdown. A line that begins with a box is a decision, and everything else is a note: "- [x] `id`", and
behind the id whatever one likes. Text of conversations stands in code spans, in which it cannot make a line, a box or a
link of its own.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.curation.job_folder import TEST
from harness.data.approval import ReviewCounts
from harness.data.formats.jsonl import write_atomic
from harness.data.formats.published import read_test_conversations
from harness.data.locks import locked
from harness.data.records import Conversation
from harness.errors import DataError, UsageError
from harness.terminal import HIDDEN, one_line

TODO = "test.todo.md"
LOGGED = "test.logged.jsonl"
"""The test conversations as they were logged, under the same ids."""
LARGEST_TODO = 16 << 20
"""Bytes of a test.todo.md that is read."""

State = Literal["pending", "accepted", "corrected", "dropped"]
By = Literal["a person", "--yes"]

MARKS: Mapping[str, tuple[State, By | None]] = {
    " ": ("pending", None),
    "x": ("accepted", "a person"),
    "c": ("corrected", "a person"),
    "-": ("dropped", "a person"),
    "y": ("accepted", "--yes"),
}
_MARK = {decision: mark for mark, decision in MARKS.items()}
_BOX = re.compile(r"\s*(?:[-*+]|\d+[.)])?\s*\[[^\]]{0,3}\](?!\()")
"""What may be meant as a box, and not as a link."""
_DECISION = re.compile(r"- \[([ xXcCyY-])\] `([^`]+)`(?:\s.*)?")
_ESCAPED = re.compile(r"(?:\\u[0-9a-f]{4})+")
_TRIES, _PAUSE = 40, 0.05
"""How often, and after how many seconds, a folder is tried again that another process writes to."""
_FIRST_WORDS = 80
_TOOLS_NAMED = 6
_HEAD = """# Test conversations to approve

Models are compared on these conversations, so what the assistant does in them has to be right. `tft job review` opens a
page for it. Or decide here: put one of these marks into the box, and correct conversations in `test.jsonl`.

| mark | means |
|---|---|
| `[ ]` | not decided yet |
| `[x]` | looked at, and right |
| `[c]` | looked at, and corrected in `test.jsonl` |
| `[-]` | looked at, and not to be used |
| `[y]` | taken by `--yes`: nobody looked |

Keep one line per conversation, with its id in backticks; notes behind it and between the lines stay.

## Conversations

"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided about one test conversation, by whom, and on which line (from 1) of test.todo.md."""

    id: str
    state: State
    by: By | None
    line: int


@dataclass(frozen=True, slots=True)
class Review:
    """The decisions, in the order of test.todo.md."""

    decisions: tuple[Decision, ...]

    @property
    def counts(self) -> ReviewCounts:
        """Return how often each was decided."""
        states = Counter(decision.state for decision in self.decisions)
        by = Counter(decision.by for decision in self.decisions)
        return ReviewCounts(
            conversations=len(self.decisions),
            looked_at=by["a person"],
            corrected=states["corrected"],
            dropped=states["dropped"],
            taken=by["--yes"],
            pending=states["pending"],
        )

    @property
    def digest(self) -> str:
        """Return what changes with any decision: half of the SHA-256 of all, whatever their order."""
        decided = sorted((one.id, one.state, one.by or "") for one in self.decisions)
        return hashlib.sha256(json.dumps(decided).encode()).hexdigest()[:32]

    @property
    def dropped(self) -> frozenset[str]:
        """Return the ids of the conversations that are not to be used."""
        return frozenset(decision.id for decision in self.decisions if decision.state == "dropped")


def write_todo(folder: Path, conversations: Sequence[Conversation], decided_by: By | None = None) -> None:
    """List conversations in the folder's test.todo.md: all pending, or all taken by `--yes`.

    Raises DataError where two have one id, or one has none: what was decided could not be told apart.
    """
    unfit = [id for id, count in Counter(one.id for one in conversations).items() if count > 1 or not id]
    if unfit:
        raise DataError(f"the id {unfit[0]!r:.100} does not name one test conversation; give each an id of its own")
    mark = _MARK["accepted", "--yes"] if decided_by == "--yes" else " "
    write_atomic(folder / TODO, [_HEAD, *(f"- [{mark}] {_listed(one)}\n" for one in conversations)])


def read_review(folder: Path, ids: Iterable[str] | None = None) -> Review:
    """Return what test.todo.md says, one decision per conversation of test.jsonl; `ids` are theirs, where known.

    Raises DataError, with the line, for a box that cannot be read and a conversation that is unknown or there twice;
    also for one that is not listed, and for files that cannot be read.
    """
    return Review(_decisions(folder, read_todo(folder), _ids(folder) if ids is None else ids))


def read_todo(folder: Path) -> str:
    """Return the text of test.todo.md; DataError where it cannot be read."""
    path = folder / TODO
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST_TODO + 1)
        if len(data) > LARGEST_TODO:
            raise DataError(f"{path} has more than {LARGEST_TODO >> 20} MiB; expected a line per test conversation")
        return data.decode("utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(f"{folder} has no {TODO}; tft job init makes it where it holds conversations out") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DataError.at(path, line, "this is no UTF-8; save the file in that encoding") from error


def decide(folder: Path, decisions: Mapping[str, tuple[State, By | None]]) -> Review:
    """Write decisions into test.todo.md, where only their marks change; return all that stand there then.

    To be called within `writing`.
    """
    text = read_todo(folder)
    ids = _ids(folder)
    lines = text.split("\n")
    for known in _decisions(folder, text, ids):
        if known.id in decisions:
            start, rest = lines[known.line - 1].split("[", 1)
            lines[known.line - 1] = f"{start}[{_MARK[decisions[known.id]]}{rest[1:]}"
    changed = "\n".join(lines)
    write_atomic(folder / TODO, [changed])
    return Review(_decisions(folder, changed, ids))


def take_pending(folder: Path) -> Review:
    """Take all conversations that nobody decided about, as `--yes` does."""
    with writing(folder):
        pending = [one.id for one in read_review(folder).decisions if one.state == "pending"]
        return decide(folder, dict.fromkeys(pending, ("accepted", "--yes")))


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Keep other processes from changing decisions for the block, which reads what it changes within it.

    Raises UsageError where another one takes longer than a moment.
    """
    with ExitStack() as held:
        for left in reversed(range(_TRIES)):
            try:
                held.enter_context(locked(folder))
                break
            except UsageError:
                if not left:
                    raise
                time.sleep(_PAUSE)
        yield


def _ids(folder: Path) -> list[str]:
    return [one.id for one in read_test_conversations(folder / TEST)]


def _decisions(folder: Path, text: str, ids: Iterable[str]) -> tuple[Decision, ...]:
    path, missing = folder / TODO, dict.fromkeys(ids)
    found: dict[str, Decision] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not _BOX.match(line):
            continue
        parts = _DECISION.fullmatch(line.rstrip("\r"))
        if parts is None:
            marks = ", ".join(f"[{mark}]" for mark in MARKS)
            raise DataError.at(
                path, number, f'found {one_line(line)[:60]!r}; expected "- [ ] `id`" with one of the marks {marks}'
            )
        id = _uncoded(parts[2])
        if id in found:
            raise DataError.at(path, number, f"{parts[2]:.60} is on line {found[id].line} too; keep one of the lines")
        if id not in missing:
            raise DataError.at(
                path, number, f"{TEST} has no conversation {parts[2]:.60}; delete the line or mend its id"
            )
        state, by = MARKS[parts[1].lower()]
        found[id] = Decision(id=id, state=state, by=by, line=number)
    if lost := [id for id in missing if id not in found]:
        raise DataError(f'{path} does not list {len(lost)} of {TEST}; add the line "- [ ] {_coded(lost[0])}"')
    return tuple(found.values())


def _listed(conversation: Conversation) -> str:
    """Return the id of a conversation, its length, its tools and how it begins, as one line of Markdown."""
    tools = dict.fromkeys(call.name for message in conversation.messages for call in message.tool_calls)
    named = [_coded(name[:_FIRST_WORDS]) for name in tools if name][:_TOOLS_NAMED]
    more = [f"{len(tools) - len(named)} more"] if len(tools) > len(named) else []
    turns = sum(message.role == "assistant" for message in conversation.messages)
    said = next((one.content for one in conversation.messages if one.role == "user" and one.content), "")
    parts = [f"{turns} turn{'' if turns == 1 else 's'} of the assistant", ", ".join([*named, *more])]
    words = " ".join(said[: 4 * _FIRST_WORDS].split())[:_FIRST_WORDS].strip()
    parts.append(_coded(words) if words else "")
    return " · ".join([_coded(conversation.id), *filter(None, parts)])


def _coded(text: str) -> str:
    """Return text as a code span that holds nothing but printable characters; `_uncoded` reads its inside."""
    shown = "".join(char if _is_plain(char) else _escape(char) for char in text)
    return f"`{shown}`"


def _is_plain(char: str) -> bool:
    return char not in "`\\" and char.isprintable() and not HIDDEN.match(char)


def _escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def _uncoded(shown: str) -> str:
    """Return the text of a code span. Two halves of one character are that character."""

    def read(found: re.Match[str]) -> str:
        return bytes.fromhex(found[0].replace("\\u", "")).decode("utf-16-be", "surrogatepass")

    return _ESCAPED.sub(read, shown)
