"""The history of one row in a terminal, from the source to the row: one block per thing it was made from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from harness.data.formats.stage_rows import CONTEXT
from harness.data.pipeline_records import TurnDecision
from harness.data.records import ToolCall
from harness.reports.lineage.chain_view import line, models, short
from harness.reports.lineage.row_history import RowHistory, calls_of
from harness.reports.lineage.rows import SourceDialogue
from harness.statistics.formatting import cut

if TYPE_CHECKING:
    from rich.console import RenderableType

Labelled = tuple[str, str, str]
"""Label, text and style."""

_LONG, _LONG_CALL = 300, 240
"""Characters shown of a text, and of a call."""
_PARTS = {"exemplar": "exemplar", "context": "unlabelled context", "row": "row"}


def render_row(history: RowHistory) -> Iterator[RenderableType]:
    """Yield what is printed about a row: first what it was made from, one block each, then the row itself."""
    yield line(f"How {history.row.id} of {history.node.place} came about, the oldest first", "bold")
    yield from _blocks(history)


def _blocks(history: RowHistory) -> Iterator[RenderableType]:
    stages = history.line()
    first, last = stages[0], stages[-1]
    for one in first.earlier:
        yield from _blocks(one)
    made = f", made from the {len(first.earlier)} above" if first.earlier else ""
    yield _title(f"{_PARTS[history.part]} {history.row.id}{made}")
    if first.source and not first.earlier:
        yield block(_source(first.source))
    dialogue = first.source.conversation if first.source else None
    clean = calls_of(dialogue)
    for one in stages:
        yield block(_stage(one, clean if dialogue else None))
        shown, members = notable_turns(one, clean), member_names(one)
        for turn in shown:
            yield block(_turn(turn, members, clean.get(turn.position)), indent=4)
        if hidden := len(one.turns) - len(shown):
            yield block([("", f"{hidden} more turns: all agreed, and nothing was changed", "dim")], indent=4)
    if history.part == "row" and not last.turns:
        yield block(_messages(last), indent=4)


def block(entries: list[Labelled], indent: int = 2) -> RenderableType:
    """Return labels with their texts beside them."""
    from rich.padding import Padding
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(width=12, no_wrap=True)
    table.add_column(overflow="fold")
    for label, text, style in entries:
        table.add_row(line(label, "cyan" if style == "bold" else "dim"), line(text, style))
    return Padding(table, (0, 0, 0, indent))


def _title(text: str) -> RenderableType:
    from rich.padding import Padding

    return Padding(line(text, "bold green"), (1, 0, 0, 0))


def _source(source: SourceDialogue) -> list[Labelled]:
    where = f" in {short(source.file)}" if source.file else ""
    fetched = f", of {short(source.repository)}" if source.repository else ""
    found = [("source", f"{source.name}{where}{fetched}", "")]
    if source.file and source.repository and source.conversation is None:
        found.append(("", "its text is not here: `tft sources fetch` fetches it, --sources names its folder", "dim"))
    return found


def _stage(history: RowHistory, clean: Mapping[int, ToolCall] | None) -> list[Labelled]:
    """Return what one stage says of the row; `clean` are the calls of its source dialogue, None without its text."""
    node, values = history.node, history.row.values
    stage = node.stage or "dataset"
    found: list[Labelled] = [(stage, f"{short(node.name)}  {history.row.file}", "bold")]
    if node.record is not None:
        found += [(role, model, "") for role, model in models(node.record)]
    if stage == "corrupt" and clean is not None:
        found.append(("damage", _damage(history, clean), ""))
    if stage == "filter":
        found += _ratings(values)
    if stage == "synthesize":
        found += _plan(history)
    if "kept" in values:
        found.append(_decision(values))
    found += [
        ("rejected", f"try {one.values.get('tries')}: {one.values.get('reason')}", "yellow") for one in history.tries
    ]
    found += [("problem", problem, "bold red") for problem in history.problems]
    return found


def _damage(history: RowHistory, clean: Mapping[int, ToolCall]) -> str:
    """Return how the trace differs from the dialogue that it was made from."""
    now = calls_of(history.conversation)
    if now.keys() != clean.keys():
        return f"the trace has {len(now)} calls, and the dialogue {len(clean)}: its messages were changed"
    changed = [place for place, call in now.items() if call != clean[place]]
    if not changed:
        return f"none: its {len(now)} calls are those of the dialogue"
    return f"{len(changed)} of {len(now)} calls are not those of the dialogue: messages {', '.join(map(str, changed))}"


def _ratings(values: Mapping[str, Any]) -> Iterator[Labelled]:
    for quality in ("relevance", "coherence"):
        if values.get(quality) is not None:
            yield quality, f"{values[quality]} of 5: {values.get(f'{quality}_reason')}", ""
    for one in values.get("findings") or ():
        where = "" if one.get("position") is None else f", message {one['position']}"
        yield "finding", f"{one.get('check')} ({one.get('severity')}{where}): {one.get('problem')}", ""


def _plan(history: RowHistory) -> Iterator[Labelled]:
    values, record = history.row.values, history.node.record
    teacher = record.lineage.config.get("teacher") if record else None
    if isinstance(teacher, Mapping) and str(teacher.get("name")).startswith("rules:"):
        yield "", "it learns from all accepted conversations; those above are the ones of this row's plan", "dim"
    size = f"{values.get('length')} messages, complexity {values.get('complexity')}, try {values.get('tries')}"
    yield "planned", size, ""
    if values.get("topic"):
        yield "topic", str(values["topic"]), ""
    yield "plan", cut(values.get("plan"), _LONG), ""


def _decision(values: Mapping[str, Any]) -> Labelled:
    if values.get("kept"):
        return "kept", "yes", "green"
    if values.get("reason") == CONTEXT:
        return "kept", f"no label: {values['reason']}", ""
    return "rejected", str(values.get("reason")), "bold yellow"


def notable_turns(history: RowHistory, clean: Mapping[int, ToolCall]) -> list[TurnDecision]:
    """Return the turns of a relabelled row worth reading: changed, disputed, or still not the source's.

    `clean` are the calls of the source dialogue by position, none without its text.
    """
    return [
        turn
        for turn in history.turns
        if turn.changed or turn.method != "unanimous" or clean.get(turn.position, turn.call) != turn.call
    ]


def member_names(history: RowHistory) -> list[str]:
    """Return the committee's members in the order of the candidates."""
    record = history.node.record
    committee = record.lineage.config.get("committee") if record else None
    names = [str(one.get("name")) for one in committee or () if isinstance(one, Mapping)]
    widest = max((len(one.candidates) for one in history.turns), default=0)
    return names + [f"member {number + 1}" for number in range(len(names), widest)]


def _turn(turn: TurnDecision, members: list[str], clean: ToolCall | None) -> list[Labelled]:
    """Return the calls of a turn: the source's where it differs, the trace's, the members', the result."""
    found: list[Labelled] = [(f"message {turn.position}", _verdict(turn, clean), "bold")]
    if clean is not None and clean != turn.raw:
        found.append(("source", _call_text(clean), ""))
    found.append(("trace", _call_text(turn.raw), "red"))
    found += [
        ("said", f"{member}: {_candidate_text(call, turn)}", "")
        for member, call in zip(members, turn.candidates, strict=False)
    ]
    found.append(("now", _call_text(turn.call) if turn.call else "undecided, so it stays as it was", "green"))
    if turn.reason:
        found.append(("because", turn.reason, "dim"))
    return found


def _candidate_text(call: ToolCall | None, turn: TurnDecision) -> str:
    if call is None:
        return "nothing"
    if call == turn.raw:
        return "as in the trace"
    return "as it is now" if call == turn.call else _call_text(call)


def _verdict(turn: TurnDecision, clean: ToolCall | None) -> str:
    how = turn.method if turn.level is None else f"{turn.method}, where the {turn.level} differed"
    text = f"{how}; {f'{turn.changed} changed' if turn.changed else 'unchanged'}"
    if clean is None or turn.call is None:
        return text
    if turn.call == clean:
        return f"{text}; as in the source"
    same_tool = turn.call.name == clean.name
    return text + ("; the source's tool, with other values" if same_tool else "; another tool than the source's")


def _call_text(call: ToolCall) -> str:
    """Return a call as `Tool(key="value", ...)`."""
    arguments = ", ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in call.arguments.items())
    text = f"{call.name}({arguments})"
    return text if len(text) <= _LONG_CALL else f"{text[:_LONG_CALL]}…"


def _messages(history: RowHistory) -> list[Labelled]:
    """Return what is said and called in a row, one line per message."""
    messages = history.conversation.messages if history.conversation else ()
    texts = ("; ".join(map(_call_text, one.tool_calls)) or one.content or "(empty)" for one in messages)
    return [
        (f"{place} {message.role}", cut(text, _LONG), "dim")
        for place, (message, text) in enumerate(zip(messages, texts, strict=True))
    ]
