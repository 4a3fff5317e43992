"""The sample task as a job folder: traces damaged by the benchmark's recipe, their truth, and a clean test set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.curation.job_folder import TASK, TEST
from harness.data.formats.jsonl import write_json, write_jsonl
from harness.data.formats.messages import dump_conversation
from harness.data.formats.published import dump_row
from harness.data.formats.sgd import Trace
from harness.data.formats.task import dump_task
from harness.data.sample import sample_conversations, sample_task
from harness.data.scenarios._task_scenarios import Damaged, ScenarioMaterial, task_scenarios
from harness.data.sgd_task import CLEAN, dump_truth
from harness.data.tools import Toolbox
from harness.data.traces.trace_input import TRACE_FILES

DAMAGE = "schema-drift"
"""Which of the benchmark's scenarios: a student that learns it calls tools that do not exist, however small it is."""
_TEST_SEED, _TRACES_SEED = 0, 1


def write_job(folder: Path, *, traces: int, test: int) -> Sequence[Damaged]:
    """Write the job folder, and return its traces with what each was before. The same numbers give the same bytes.

    Raises UsageError where a number is not positive.
    """
    task = sample_task()
    clean = [Trace(service="sample", conversation=one) for one in sample_conversations(traces, seed=_TRACES_SEED)]
    material = ScenarioMaterial(traces=clean, toolbox=Toolbox(task.tools), foreign=(), foreign_tools={})
    damaged = task_scenarios(material)[DAMAGE]
    write_json(folder / TASK, dump_task(task))
    write_jsonl(folder / TRACE_FILES[0], (dump_conversation(one.trace.conversation) for one in damaged))
    write_jsonl(folder / CLEAN, map(dump_truth, damaged))
    rows = map(dump_row, sample_conversations(test, seed=_TEST_SEED))
    (folder / TEST).write_text("".join(rows), encoding="utf-8")
    return damaged
