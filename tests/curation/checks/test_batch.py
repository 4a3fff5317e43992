"""Many traces at once: the same findings in the same order for any number of processes, read only as needed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from harness.curation.checks.batch import Inspected, Inspection, inspect_traces
from harness.curation.checks.message_order import CheckConfig
from harness.data.pipeline_records import TraceRow
from harness.data.records import Conversation
from harness.data.sample import sample_conversations, sample_task


def rows(conversations: list[Conversation]) -> list[TraceRow]:
    return [TraceRow(conversation=conversation, columns={"n": n}) for n, conversation in enumerate(conversations)]


@pytest.fixture(scope="module")
def mixed() -> list[TraceRow]:
    """Good ones, duplicates, a test conversation, broken ones and one that cannot be read."""
    good = sample_conversations(80, seed=4)
    good[40] = replace(good[7], id="again")
    good[50] = replace(good[8], messages=good[8].messages[1:])
    good[60] = replace(sample_conversations(1, seed=77)[0], id="planted")
    found = rows(good)
    found[70] = TraceRow(conversation=replace(good[70], messages=()), problem="line 71: not valid JSON")
    return found


def inspection(**changes: Any) -> Inspection:
    test = tuple(sample_conversations(1, seed=77))
    return Inspection(tools=sample_task().tools, test=test, config=CheckConfig(consistency=False), workers=1, **changes)


def test_everything_is_found_in_one_pass_and_in_order(mixed: list[TraceRow]) -> None:
    found = list(inspect_traces(mixed, inspection()))
    assert [inspected.row for inspected in found] == mixed
    assert [n for n, inspected in enumerate(found) if inspected.rejection] == [50, 70]
    assert found[70].findings[0].check == "unreadable"
    assert "line 71" in found[70].findings[0].problem
    assert {n: inspected.duplicate.of for n, inspected in enumerate(found) if inspected.duplicate} == {
        40: mixed[7].conversation.id
    }
    planted = found[60].overlaps
    assert [(overlap.id, overlap.test_id) for overlap in planted] == [("planted", "sample-0000")]


def test_a_rejected_trace_is_nobodys_original(mixed: list[TraceRow]) -> None:
    broken = replace(mixed[3].conversation, messages=mixed[3].conversation.messages[1:])
    found = list(inspect_traces(rows([broken, replace(broken, id="b"), mixed[3].conversation]), inspection()))
    assert [inspected.duplicate for inspected in found] == [None, None, None]


def test_rows_are_read_as_they_are_needed() -> None:
    taken = 0

    def endless() -> Iterator[TraceRow]:
        nonlocal taken
        conversation = sample_conversations(1)[0]
        while True:
            taken += 1
            yield TraceRow(conversation=replace(conversation, id=f"t{taken}"))

    assert len(list(islice(inspect_traces(endless(), inspection()), 20))) == 20
    assert taken <= 300


def test_no_rows_are_no_findings() -> None:
    assert list(inspect_traces([], inspection())) == []


def _comparable(found: Inspected) -> tuple[Any, ...]:
    return found.row.conversation.id, found.row.columns, found.findings, found.duplicate, found.overlaps


@pytest.mark.slow
def test_processes_change_nothing_but_the_time(mixed: list[TraceRow]) -> None:
    many = [*mixed, *rows(sample_conversations(300, seed=5)), *mixed]
    alone = list(inspect_traces(many, inspection()))
    together = list(inspect_traces(iter(many), replace(inspection(), workers=3)))
    assert list(map(_comparable, together)) == list(map(_comparable, alone))


_ENDLESS = """
import itertools
from harness.curation.checks.batch import Inspection, inspect_traces
from harness.data.sample import sample_conversations, sample_task
from harness.data.pipeline_records import TraceRow

if __name__ == "__main__":
    rows = itertools.repeat(TraceRow(conversation=sample_conversations(1)[0]))
    for _ in inspect_traces(rows, Inspection(tools=sample_task().tools, workers=2)):
        print("checked", flush=True)
"""


@pytest.mark.slow
def test_a_killed_run_leaves_no_process_behind(tmp_path: Path) -> None:
    script = tmp_path / "endless.py"
    script.write_text(_ENDLESS, encoding="utf-8")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE) as run:
        assert run.stdout
        assert run.stdout.readline() == b"checked\n"
        children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text(encoding="ascii").split()
        assert len(children) >= 2
        run.kill()
    deadline = time.monotonic() + 30
    while alive := [child for child in children if _is_alive(child)]:
        assert time.monotonic() < deadline, alive
        time.sleep(0.1)


def _is_alive(pid: str) -> bool:
    """Whether a process runs; one that has ended and that nobody waits for does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
