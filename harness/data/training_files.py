"""Files that other trainers and viewers read: written whole or not at all, and what is lost is counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data.atomic_files import replace_folder, scratch_folder
from harness.data.formats.jsonl import json_lines, write_jsonl
from harness.data.formats.messages import dump_arguments, without_system
from harness.data.formats.reading_notes import in_words
from harness.data.formats.task import row_tools
from harness.data.formats.training_rows import WRITERS
from harness.data.pipeline_records import TraceRow
from harness.data.records import Conversation, Message
from harness.errors import CheckFailed, UsageError
from harness.secrets import known

if TYPE_CHECKING:
    from datasets import Features

SESSIONS = "sts"
_AT_ONCE = 1000
"""Rows of a group in Parquet."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
REPLACED = "conversations with a system message of their own, in whose place the task's comes"
NO_TOOLS = "conversations without tools: name their task"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instructions:
    """What a task says in place of what the conversations themselves say."""

    system: str
    tools: Sequence[Mapping[str, Any]]


@dataclass(slots=True)
class ExportCounts:
    """What became of the rows of an input."""

    written: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    """Reason -> conversations."""
    problem: str | None = None
    """Why the first row that cannot be read cannot."""
    notes: Counter[str] = field(default_factory=Counter)
    """What is in the file and not as it was -> how often."""

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as JSON has them."""
        return {
            "written": self.written,
            "left_out": dict(self.left_out),
            "notes": dict(self.notes),
            "first_problem": self.problem,
        }


def export(rows: Iterable[TraceRow], kind: str, out: Path, instructions: Instructions | None = None) -> ExportCounts:
    """Write the conversations of an input in a format of `WRITERS`, to a file (.jsonl, .parquet) or a folder (`sts`).

    Rows that cannot be read, that an earlier stage rejected, or that the format cannot hold are left out and counted.
    Raises UsageError for a place that does not suit the format, CheckFailed where nothing is left: then nothing is
    written.
    """
    _check_place(kind, out)
    counts = ExportCounts()
    written = _written(rows, kind, instructions, counts)
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(out.absolute()) as scratch:
        made = scratch / (out.name if kind != SESSIONS else "sessions")
        if kind == SESSIONS:
            _write_sessions(made, written)
        elif out.suffix == ".parquet":
            _write_parquet(made, kind, written)
        else:
            write_jsonl(made, written)
        if not counts.written:
            why = "; ".join(f"{reason}: {number}" for reason, number in counts.left_out.items()) or "it has no rows"
            raise CheckFailed(f"no conversation can be written as {kind} ({why})")
        if kind == SESSIONS:
            replace_folder(made, out.resolve())
        else:
            made.replace(out)
    return counts


def _check_place(kind: str, out: Path) -> None:
    if kind == SESSIONS:
        if out.is_file() or (out.is_dir() and any(out.iterdir())):
            raise UsageError(f"{out} is there already; sessions are a file each: give a new or empty folder with --out")
        if out.suffix in (".jsonl", ".parquet"):
            raise UsageError(f"sessions are a file each, and {out} is named like one file; give a folder with --out")
    elif out.suffix not in (".jsonl", ".parquet") or out.is_dir():
        raise UsageError(f"cannot tell what kind of file {out} shall be; name one that ends in .jsonl or .parquet")


def _written(
    rows: Iterable[TraceRow], kind: str, instructions: Instructions | None, counts: ExportCounts
) -> Iterator[Any]:
    write = WRITERS[kind]
    for row in rows:
        if row.problem is not None:
            counts.left_out["rows that cannot be read"] += 1
            counts.problem = counts.problem or row.problem
            continue
        if not row.kept:
            counts.left_out["rejected by an earlier stage"] += 1
            continue
        notes: Counter[str] = Counter()
        conversation = _instructed(row, instructions, notes)
        tools = instructions.tools if instructions else row_tools(row.columns)
        notes[NO_TOOLS] += not tools
        try:
            value = write(conversation, tools, notes)
        except ValueError as error:
            counts.left_out[str(error)] += 1
            continue
        counts.written += 1
        counts.notes.update({note: number for note, number in notes.items() if number})
        counts.notes.update(in_words(row.findings))
        yield value


def _instructed(row: TraceRow, instructions: Instructions | None, notes: Counter[str]) -> Conversation:
    """Return the conversation below the task's system message, or below what its row says of one."""
    one, own = row.conversation, any(message.role == "system" for message in row.conversation.messages)
    if instructions is None:
        said = row.columns.get("system")
        if own or not isinstance(said, str) or not said:
            return one
    else:
        notes[REPLACED] += own
        said = instructions.system
    messages = (Message(role="system", content=said), *without_system(one.messages))
    return Conversation(id=one.id, messages=messages, source=one.source)


def _write_sessions(folder: Path, sessions: Iterator[list[dict[str, Any]]]) -> None:
    folder.mkdir()
    for number, lines in enumerate(sessions):
        name = _UNSAFE.sub("_", lines[0]["id"])[:80]
        # Not one by one: the whole folder takes its place at once.
        (folder / f"{number:05d}-{name}.jsonl").write_text("".join(json_lines(lines)), encoding="utf-8", newline="\n")


def _write_parquet(path: Path, kind: str, rows: Iterator[dict[str, Any]]) -> None:
    from datasets import Dataset
    from pyarrow import parquet

    features, secrets = _features(kind), known()
    absent = dict.fromkeys(features)
    with parquet.ParquetWriter(path, features.arrow_schema) as file:
        while chunk := list(islice(rows, _AT_ONCE)):
            texts = [secrets.mask_value({**absent, **_with_texts(row)}) for row in chunk]
            file.write_table(Dataset.from_list(texts, features=features).data.table)


def _with_texts(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with messages and tools as JSON text, as which `Json()` columns store them: no number changes."""
    if "messages" not in row:
        return row
    texts = {
        key: [value if isinstance(value, str) else dump_arguments(value) for value in row.get(key, ())]
        for key in ("messages", "tools")
    }
    return {**row, **texts}


def _features(kind: str) -> Features:
    from datasets import Features, Json, List, Value

    text = Value("string")
    if kind == "sharegpt":
        turns = List({"from": text, "value": text})
        return Features({"id": text, "conversations": turns, "system": text, "tools": text})
    return Features({**({"id": text} if kind == "trl" else {}), "messages": List(Json()), "tools": List(Json())})
