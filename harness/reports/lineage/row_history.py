"""One training row followed back: from a synthetic conversation to the traces, and to the dialogues behind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from harness.data.formats.row_layouts import parse_row
from harness.data.formats.stage_rows import parse_decisions
from harness.data.pipeline_records import TurnDecision
from harness.data.records import Conversation, ToolCall
from harness.reports.lineage.chain import Node
from harness.reports.lineage.rows import DialogueReader, RowReader, SourceDialogue, StoredRow

Part = Literal["row", "exemplar", "context"]
_EARLIER = ("filter", "relabel")
"""Stages whose rows keep the ids of the rows they were made from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowHistory:
    """A row of a dataset, and the rows that it was made from."""

    part: Part
    """What it is to the row that was made from it: an exemplar, unlabelled context, or the same row earlier."""
    node: Node
    row: StoredRow
    conversation: Conversation | None
    """None where the row cannot be read; `problems` says why."""
    turns: tuple[TurnDecision, ...] = ()
    """What the committee decided, of a relabelled row."""
    earlier: tuple[RowHistory, ...] = ()
    source: SourceDialogue | None = None
    """What a trace was made from; None where there are earlier rows."""
    tries: tuple[StoredRow, ...] = ()
    """Drafts with this id that were rejected."""
    problems: tuple[str, ...] = ()

    def walk(self) -> Iterator[RowHistory]:
        """Yield this row and all before it, the newest first."""
        yield self
        for one in self.earlier:
            yield from one.walk()

    def line(self) -> list[RowHistory]:
        """Return the stages of this row alone, the oldest first; empty `earlier` or several end it."""
        found = [self]
        while len(found[-1].earlier) == 1 and found[-1].earlier[0].part == "row":
            found.append(found[-1].earlier[0])
        return found[::-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowTracer:
    """Follows rows through the datasets of a chain."""

    reader: RowReader
    dialogues: DialogueReader

    def follow(self, node: Node, row: StoredRow, part: Part = "row") -> RowHistory:
        """Return the history of a row. What does not fit together is in `problems`.

        Raises DataError or HubError where rows cannot be read, SourceError where a source file is not the pinned one.
        """
        tries = tuple(one for one in self.reader.rows(node)[row.id] if one is not row)
        stage = node.stage
        if stage == "synthesize":
            earlier, problems = self._material(node, row)
        elif stage in _EARLIER:
            earlier, problems = self._same(node, row)
        elif "conversation" in row.values:
            earlier, problems = self._whole(node, row)
        else:
            earlier, problems = (), []
        source = None
        if not earlier and not problems:
            source = self.dialogues.find(str(row.values.get("source") or ""), node)
        conversation, turns, unread = _read(row, node)
        return RowHistory(
            part=part,
            node=node,
            row=row,
            conversation=conversation,
            turns=turns,
            earlier=earlier,
            source=source,
            tries=tries,
            problems=(*unread, *problems),
        )

    def _material(self, node: Node, row: StoredRow) -> tuple[tuple[RowHistory, ...], list[str]]:
        """Return the exemplars and the context of a synthetic row."""
        datasets = node.training_data()
        exemplars = [id for id in str(row.values.get("source") or "").split(", ") if id]
        context = [str(id) for id in row.values.get("context") or ()]
        found: list[RowHistory] = []
        problems: list[str] = []
        wanted: list[tuple[Part, str]] = [("exemplar", id) for id in exemplars]
        wanted += [("context", id) for id in context]
        for part, id in wanted if datasets else ():
            # The first dataset has the accepted conversations; context may come from another one.
            order = datasets if part == "exemplar" else datasets[::-1]
            holding = next((one for one in order if self.reader.find(one, id)), None)
            if holding is None:
                names = " and ".join(str(one.artifact) for one in datasets)
                problems.append(f"{row.id} names the {part} {id}, which is not in {names}")
                continue
            found.append(self.follow(holding, self.reader.expect(holding, id), part))
        if not exemplars:
            problems.append(f"{row.id} does not say which conversations it was modelled on")
        return tuple(found), problems

    def _whole(self, node: Node, row: StoredRow) -> tuple[tuple[RowHistory, ...], list[str]]:
        """Return the conversation of the same test set that a turn is of."""
        id = str(row.values["conversation"])
        found = self.reader.find(node, id)
        if found is None:
            return (), [f"{row.id} of {node.artifact} is of the conversation {id}, which is not there"]
        return (self.follow(node, found),), []

    def _same(self, node: Node, row: StoredRow) -> tuple[tuple[RowHistory, ...], list[str]]:
        """Return the row that a row of filter or relabel was made from: it has the same id."""
        before = node.inputs[0] if node.inputs else None
        if before is None or before.kind != "dataset":
            return (), []  # a file: the row itself says which line
        found = self.reader.find(before, row.id)
        if found is None:
            return (), [f"{row.id} is in {node.artifact}, and not in {before.artifact}, which that was made from"]
        redacted = bool(node.record and node.record.lineage.config.get("redact"))
        problems = [] if redacted else _unlike(node, row, found)
        return (self.follow(before, found),), problems


def _read(row: StoredRow, node: Node) -> tuple[Conversation | None, tuple[TurnDecision, ...], tuple[str, ...]]:
    """Return a row's conversation, the committee's decisions on it, and why it cannot be read."""
    try:
        conversation = parse_row(row.values)
        turns = tuple(parse_decisions(row.values)) if row.values.get("turns") else ()
    except ValueError as error:
        return None, (), (f"{row.id} of {node.artifact} cannot be read: {error}",)
    return conversation, turns, ()


def _unlike(node: Node, row: StoredRow, before: StoredRow) -> list[str]:
    """Return what of the row before is not what the later one says it was; nothing of rows that cannot be read."""
    (later, turns, _), (earlier, _, _) = _read(row, node), _read(before, node)
    if later is None or earlier is None:
        return []
    new, old = later.messages, earlier.messages
    where = f"{row.id} of {node.artifact}"
    if len(new) != len(old):
        return [f"{where} has {len(new)} messages, and the row that it was made from {len(old)}"]
    raw = {turn.position: turn.raw for turn in turns}
    for position, (after, message) in enumerate(zip(new, old, strict=True)):
        if position in raw:
            # What an agent says in plain words is a call of the reply tool to the committee.
            if message.tool_calls and message.tool_calls[0] != raw[position]:
                return [
                    f"{where} says of message {position} that it was {raw[position].name}, with other arguments "
                    f"or another tool than in the row that it was made from"
                ]
        elif after != message:
            return [f"message {position} of {where} is not that of the row that it was made from"]
    return []


def calls_of(conversation: Conversation | None) -> dict[int, ToolCall]:
    """Return the first call of each message that has one, by the message's position."""
    messages = conversation.messages if conversation else ()
    return {place: message.tool_calls[0] for place, message in enumerate(messages) if message.tool_calls}
