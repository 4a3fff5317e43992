"""The history of one row in a terminal, from the source to the row: a block for each thing it was made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from harness.data.formats.stage_rows import CONTEXT
from harness.reports.lineage.chain_view import line
from harness.reports.lineage.row_history import RowHistory, calls_of
from harness.reports.lineage.settings import models, short
from harness.reports.lineage.source_dialogue import SourceDialogue
from harness.reports.lineage.turn_history import TurnStory, say_call, turns

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

Entry = tuple[str, str, str]
"""Label, text and style."""

_LONG = 300
_STYLES = {"trace": "red", "now": "green"}
_ROLES = {"exemplar": "exemplar", "context": "unlabelled context", "row": "row"}


def row_story(history: RowHistory) -> Iterator[RenderableType]:
    """Yield what is printed about a row: first what it was made from, one block each, then the row itself."""
    yield line(f"How {history.row.id} of {history.node.place} came about, the oldest first", "bold")
    yield from _blocks(history)


def _blocks(history: RowHistory) -> Iterator[RenderableType]:
    line_of = history.line()
    for one in line_of[0].earlier:
        yield from _blocks(one)
    if not line_of[0].earlier:
        yield _title(f"{_ROLES[history.part]} {history.row.id}")
        if line_of[0].source:
            yield block(_source(line_of[0].source))
    else:
        yield _title(f"{_ROLES[history.part]} {history.row.id}, made from the {len(line_of[0].earlier)} above")
    dialogue = line_of[0].source.conversation if line_of[0].source else None
    for one in line_of:
        yield block(_stage(one, dialogue is not None, calls_of(dialogue)))
        shown, hidden = turns(one, calls_of(dialogue))
        for turn in shown:
            yield block(_turn(turn), indent=4)
        if hidden:
            yield block([("", f"{hidden} more turns: all agreed, and nothing was changed", "dim")], indent=4)
    last = line_of[-1]
    if history.part == "row" and not last.turns:
        yield block(_messages(last), indent=4)


def block(entries: list[Entry], indent: int = 2) -> Table:
    """Return labels with their texts beside them."""
    from rich.padding import Padding
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(width=12, no_wrap=True)
    table.add_column(overflow="fold")
    for label, text, style in entries:
        table.add_row(line(label, "cyan" if style == "bold" else "dim"), line(text, style))
    return Padding(table, (0, 0, 0, indent))  # type: ignore[return-value] # it is printed, nothing else


def _title(text: str) -> RenderableType:
    from rich.padding import Padding

    return Padding(line(text, "bold green"), (1, 0, 0, 0))


def _source(source: SourceDialogue) -> list[Entry]:
    where = f" in {short(source.file)}" if source.file else ""
    fetched = f", of {short(source.repository)}" if source.repository else ""
    found = [("source", f"{source.name}{where}{fetched}", "")]
    if source.file and source.repository and source.conversation is None:
        found.append(("", "its text is not at hand: `tft sources fetch` fetches it, --sources names its folder", "dim"))
    return found


def _stage(history: RowHistory, has_source: bool, clean: Mapping[int, Any]) -> list[Entry]:
    """Return what one stage says of the row."""
    node, values = history.node, history.row.values
    stage = node.stage or "dataset"
    found: list[Entry] = [(stage, f"{short(node.name)}  {history.row.file}", "bold")]
    if node.record is not None:
        found += [(role, model, "") for role, model in models(node.record)]
    if stage == "corrupt" and has_source:
        found.append(("damage", _damage(history, clean), ""))
    if stage == "filter":
        found += _ratings(values)
    if stage == "synthesize":
        found += _plan(history)
    if "kept" in values:
        found.append(_decision(history))
    found += [
        ("rejected", f"try {one.values.get('tries')}: {one.values.get('reason')}", "yellow") for one in history.tries
    ]
    found += [("problem", problem, "bold red") for problem in history.problems]
    return found


def _damage(history: RowHistory, clean: Mapping[int, Any]) -> str:
    """Return how the trace differs from the dialogue that it was made from."""
    now = calls_of(history.conversation)
    if now.keys() != clean.keys():
        return f"the trace has {len(now)} calls, and the dialogue {len(clean)}: its messages were changed"
    changed = [place for place, call in now.items() if call != clean[place]]
    if not changed:
        return f"none: its {len(now)} calls are those of the dialogue"
    return f"{len(changed)} of {len(now)} calls are not those of the dialogue: messages {', '.join(map(str, changed))}"


def _ratings(values: Mapping[str, Any]) -> list[Entry]:
    found: list[Entry] = []
    for quality in ("relevance", "coherence"):
        if values.get(quality) is not None:
            found.append((quality, f"{values[quality]} of 5: {values.get(f'{quality}_reason')}", ""))
    for one in values.get("findings") or ():
        where = "" if one.get("position") is None else f", message {one['position']}"
        found.append(("finding", f"{one.get('check')} ({one.get('severity')}{where}): {one.get('problem')}", ""))
    return found


def _plan(history: RowHistory) -> list[Entry]:
    values, record = history.row.values, history.node.record
    teacher = record.lineage.config.get("teacher") if record else None
    by_rules = isinstance(teacher, Mapping) and str(teacher.get("name")).startswith("rules:")
    found: list[Entry] = []
    if by_rules:
        found.append(
            ("", "it learns from all accepted conversations; those above are the ones of this row's plan", "dim")
        )
    found.append(
        (
            "planned",
            f"{values.get('length')} messages, complexity {values.get('complexity')}, try {values.get('tries')}",
            "",
        )
    )
    if values.get("topic"):
        found.append(("topic", str(values["topic"]), ""))
    found.append(("plan", _cut(str(values.get("plan"))), ""))
    return found


def _decision(history: RowHistory) -> Entry:
    values = history.row.values
    if values.get("kept"):
        return "kept", "yes", "green"
    if values.get("reason") == CONTEXT:
        return "kept", f"no label: {values['reason']}", ""
    return "rejected", str(values.get("reason")), "bold yellow"


def _turn(turn: TurnStory) -> list[Entry]:
    found: list[Entry] = [(f"message {turn.position}", turn.verdict, "bold")]
    found += [(who, call, _STYLES.get(who, "")) for who, call in turn.calls]
    if turn.reason:
        found.append(("because", turn.reason, "dim"))
    return found


def _messages(history: RowHistory) -> list[Entry]:
    """Return what is said and called in a row, a line a message."""
    messages = history.conversation.messages if history.conversation else ()
    return [
        (
            f"{place} {message.role}",
            _cut("; ".join(map(say_call, message.tool_calls)) or message.content or "(empty)"),
            "dim",
        )
        for place, message in enumerate(messages)
    ]


def _cut(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[:_LONG]}… ({len(text) - _LONG:,} more characters)"
