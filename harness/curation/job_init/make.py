"""A job folder from an export: read once, chosen from, written whole, with a record of what was made from what."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.curation.checks.decontamination import Decontamination, Overlap
from harness.curation.job_folder import TASK, TEST
from harness.curation.job_init.gather import Gathered, SetAside
from harness.curation.job_init.hold_out import HeldOut, hold_out
from harness.curation.job_init.record import (
    ASIDE,
    RECORD,
    JobRecord,
    counted,
    detectable_difference,
    dump_record,
)
from harness.curation.job_init.review import LOGGED, By, write_todo
from harness.curation.job_init.task_description import FoundDescription
from harness.curation.job_init.tool_definitions import FoundTool, as_given
from harness.data.atomic_files import replace_folder, scratch_folder
from harness.data.formats.jsonl import read_jsonl, write_json, write_jsonl
from harness.data.formats.row_layouts import parse_row
from harness.data.formats.task import dump_task, read_task
from harness.data.pipeline_records import TraceRow
from harness.data.records import Conversation, Task
from harness.data.traces.export_files import export_files
from harness.data.traces.trace_input import TRACE_FILES, TraceInput
from harness.errors import DataError, UsageError
from harness.hub.artifact import FileInput
from harness.secrets import known
from harness.statistics.formatting import most_common_first
from harness.terminal import Advance

TRACES = TRACE_FILES[0]
_ROWS = "rows.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class InitRequest:
    """What a job folder is made from, and how."""

    source: TraceInput
    out: Path
    test: int | None = None
    """Test conversations; None for the default share."""
    seed: int = 42
    tools: Sequence[dict[str, Any]] | None = None
    """The task's tools, where the caller gives them."""
    description: str | None = None
    """The task's description, where the caller gives it."""
    redact: bool = False
    """Whether what looks personal is masked in all that is written."""
    parallel: bool = False
    """Whether several calls of a turn stay together, and the task says that there may be such turns."""
    decided_by: By | None = None
    """Who has accepted the test conversations: `--yes`, or None where a person is still to."""


def _nothing() -> None:
    pass


def make_job(request: InitRequest, *, advance: Advance = _nothing) -> JobRecord:
    """Write the job folder `request.out` from an export, whole or not at all, and return its record.

    Raises UsageError where the folder has files already or the test set cannot be had, DataError where the export
    cannot be read or nothing of it is of use.
    """
    refuse_files(request.out)
    request.out.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(request.out) as folder:
        found = Gathered(redacted=request.redact, parallel=request.parallel)
        rows = folder / _ROWS
        write_jsonl(rows, found.pass_over(_counting(request.source.rows(parallel=request.parallel), advance)))
        if all(row.aside for row in found.rows):
            problem = next(row.aside.reason for row in found.rows if row.aside)
            raise DataError(f"no conversation of {request.source.name} is of use ({problem}); correct the export")
        held = hold_out(found.rows, size=request.test, seed=request.seed)
        test = [_conversation(row) for position, (_, row) in enumerate(read_jsonl(rows)) if position in held.test]
        reasons = _write_rows(folder, found, held, test)
        task, described, tools = _task(request, found)
        write_json(folder / TASK, dump_task(task))
        read_task(folder / TASK)
        if test:
            write_todo(folder, test, request.decided_by)
        else:  # rather none than an empty one
            (folder / TEST).unlink()
            (folder / LOGGED).unlink()
        record = JobRecord(
            source=request.source.name,
            files=_files(request.source.path),
            seed=request.seed,
            rows=len(found.rows),
            traces=len(found.rows) - len(held.test) - reasons.total(),
            test=len(held.test),
            set_aside=reasons.total(),
            reasons=most_common_first(reasons),
            test_wanted=held.wanted,
            usable=held.usable,
            test_candidates=held.candidates,
            groups=held.groups,
            shared=held.shared,
            detectable=detectable_difference(len(held.test)),
            description=described,
            tools=tools,
            rows_with_tools=found.tools.rows_with_tools,
            overlooked_tools=found.tools.overlooked,
            personal=most_common_first(found.personal),
            reading=most_common_first(found.reading),
            columns=most_common_first(found.columns),
            redacted=request.redact,
            decided_by=request.decided_by,
        )
        if not record.traces:
            raise UsageError(
                f"of {record.rows:,} rows {record.test:,} are held out and none is left to train on: "
                f"{counted(reasons)} are set aside; give a smaller --test, or a larger export"
            )
        write_json(folder / RECORD, dump_record(record))
        replace_folder(folder, request.out)
    return record


def _files(export: Path) -> tuple[str, ...]:
    """Return the files of a folder of exports, each with its hash; none for one file, which the source names."""
    if not export.is_dir():
        return ()
    places = dict.fromkeys(file.path for file in export_files(export).files)
    return tuple(f"{place.relative_to(export).as_posix()}@sha256:{FileInput.of(place).sha256}" for place in places)


def _counting(rows: Iterable[TraceRow], advance: Advance) -> Iterator[TraceRow]:
    for row in rows:
        advance()
        yield row


def refuse_files(out: Path, export: Path | None = None) -> None:
    """Raise UsageError where a folder to be written has something in it, is none, or lies in the export."""
    if export and export.is_dir() and export.resolve() in out.resolve().parents:
        raise UsageError(f"{out} lies in the export itself, and would be read with it; give another --out")
    if out.is_dir() and not any(out.iterdir()):
        return
    if out.exists():
        what = "has files in it already" if out.is_dir() else "is a file"
        raise UsageError(
            f"{out} {what}, and decisions may stand there; give another folder with --out, or move it away"
        )


def _task(request: InitRequest, found: Gathered) -> tuple[Task, FoundDescription, tuple[FoundTool, ...]]:
    calls = found.tools.tools()
    tools = tuple(as_given(request.tools, calls)) if request.tools else tuple(calls)
    if not tools:
        raise DataError(
            f"the traces of {request.source.name} define no tools and call none, and a task needs tools; give them "
            "with --tools FILE"
        )
    if request.description:
        described = FoundDescription(text=request.description, draft=False)
    else:
        described = found.systems.description([one.name for one in tools])
    definitions = tuple(one.definition for one in tools)
    task = Task(description=described.text, tools=definitions, parallel_tool_calls=request.parallel)
    return task, described, tools


def _write_rows(folder: Path, found: Gathered, held: HeldOut, test: Sequence[Conversation]) -> Counter[str]:
    """Distribute the rows over the files, and return why those set aside were."""
    overlapping, secrets = Decontamination(test), known()
    reasons: Counter[str] = Counter()

    def line(row: dict[str, Any]) -> str:
        masked: str = secrets.mask_value(json.dumps(row, ensure_ascii=False))  # a reason may quote what was masked
        return masked + "\n"

    with ExitStack() as files:
        traces, first, logged, aside = (
            files.enter_context((folder / name).open("w", encoding="utf-8", newline="\n"))
            for name in (TRACES, TEST, LOGGED, ASIDE)
        )
        for position, (_, row) in enumerate(read_jsonl(folder / _ROWS)):
            system, conversation = row.pop("system", None), _conversation(row)
            why = held.aside.get(position)
            if why is None and position not in held.test:
                why = _overlap(overlapping.find(conversation, found.rows[position].print))
            if why is not None:
                reasons[why.kind] += 1
                aside.write(line({**row, "kind": why.kind, "reason": why.reason}))
                continue
            found.use(conversation, system)
            for stream in (first, logged) if position in held.test else (traces,):
                stream.write(line(row))
    (folder / _ROWS).unlink()
    return reasons


def _overlap(found: Sequence[Overlap]) -> SetAside | None:
    if not found:
        return None
    return SetAside(kind="overlap with the test", reason=f"it is {found[0].test_id}: {'; '.join(found[0].reasons)}")


def _conversation(row: dict[str, Any]) -> Conversation:
    return parse_row(row, strict=True)
