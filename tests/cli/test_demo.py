"""What `tft demo` brings to the benchmark: a damaged job folder, a preset, a student that starts from nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from harness.benchmark.cells import Cell, Job, Setup
from harness.benchmark.plan import steps
from harness.benchmark.presets import StudentRecipe, read_preset
from harness.benchmark.run import BenchmarkRequest
from harness.benchmark.sample_job import write_job
from harness.cli import benchmark, demo
from harness.cli.__main__ import tft as command
from harness.curation.job_folder import JobFolder
from harness.curation.repair.ground_truth import read_truth
from harness.data.formats.published import read_test_conversations
from harness.data.sample import sample_task
from harness.data.scenarios import ARMS
from harness.data.tools import Toolbox
from harness.data.traces.read import read_traces
from harness.errors import UsageError

TRACES, TEST = 20, 4


def _bytes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_the_job_folder_can_be_read_and_only_its_traces_are_damaged(tmp_path: Path) -> None:
    damaged = write_job(tmp_path, traces=TRACES, test=TEST)
    job = JobFolder.open(tmp_path)
    toolbox = Toolbox(job.task.task.tools)
    assert job.task.task == sample_task()
    assert job.test is not None
    test = list(read_test_conversations(job.test))
    assert [len(test), len(damaged)] == [TEST, TRACES]
    calls = [call for one in test for message in one.messages for call in message.tool_calls]
    assert not any(toolbox.problems(call) for call in calls)
    read = [row.conversation for row in read_traces(job.traces, "trace") if row.problem is None]
    assert [one.id for one in read] == [one.clean.conversation.id for one in damaged]
    for one in damaged:
        known = [not toolbox.problems(call) for call in one.trace.calls]
        assert not any(known) if one.changes else all(known)
    assert sum(not one.changes for one in damaged) == TRACES // 10


def test_the_truth_in_the_job_folder_is_what_each_trace_was_before(tmp_path: Path) -> None:
    damaged = write_job(tmp_path, traces=TRACES, test=TEST)
    truths = read_truth(tmp_path / "clean.jsonl")
    for one in damaged:
        truth = truths.of(one.trace.conversation)
        assert truth is not None
        assert truth.conversation.messages == one.clean.conversation.messages
        assert sorted(truth.kinds) == [change.position for change in one.changes]


def test_a_student_that_the_demonstration_does_not_have_is_refused_with_those_it_has(tmp_path: Path) -> None:
    done = CliRunner().invoke(command, ["demo", "--student", "gpt", "--folder", str(tmp_path / "demo")])
    assert isinstance(done.exception, UsageError)
    assert "'gpt'" in str(done.exception)
    assert all(name in str(done.exception) for name in demo._PRESETS)
    assert not (tmp_path / "demo").exists()


def test_the_order_of_a_preset_is_the_same_whichever_student(tmp_path: Path) -> None:
    """The steps before the training are shared, so that a second student finds them done."""
    job = Job(name="sample", folder=str(tmp_path))
    write_job(tmp_path, traces=TRACES, test=TEST)
    found = []
    for preset in demo._PRESETS.values():
        setup = Setup(namespace="me", preset=read_preset(preset), job=job)
        plan = steps(Cell(scenario=None, arm="tft"), setup)
        found.append([one.words for one in plan if one.stage not in ("student", "train", "evaluate")])
    assert found[0] == found[1]


def test_no_test_conversation_is_among_the_traces(tmp_path: Path) -> None:
    damaged = write_job(tmp_path, traces=TRACES, test=TEST)
    tested = [one.messages for one in read_test_conversations(tmp_path / "test.jsonl")]
    assert not any(one.clean.conversation.messages in tested for one in damaged)


def test_the_same_numbers_give_the_same_bytes(tmp_path: Path) -> None:
    """So that a second run finds everything there."""
    write_job(tmp_path / "one", traces=TRACES, test=TEST)
    write_job(tmp_path / "two", traces=TRACES, test=TEST)
    assert _bytes(tmp_path / "one") == _bytes(tmp_path / "two")


@pytest.mark.parametrize("student", demo._PRESETS)
@pytest.mark.parametrize("arm", ARMS)
def test_the_demonstrations_commands_can_be_parsed_and_need_no_sources(arm: str, student: str, tmp_path: Path) -> None:
    write_job(tmp_path, traces=TRACES, test=TEST)
    job = Job(name="sample", folder=str(tmp_path))
    preset = read_preset(demo._PRESETS[student])
    assert preset.caveat
    setup = Setup(namespace="me", preset=preset, job=job, sources="nowhere")
    plan = steps(Cell(scenario=None, arm="direct" if arm == "direct" else "tft"), setup)
    assert [step.stage for step in plan][:2] == ["collect", "student"]
    for step in plan:
        assert "--sources" not in step.places
        context = click.Context(command, info_name="tft", **command.context_settings)
        name, verb, rest = command.resolve_command(context, [*step.words, *step.places])
        while isinstance(verb, click.Group):
            context = click.Context(verb, parent=context, info_name=name)
            name, verb, rest = verb.resolve_command(context, rest)
        assert verb is not None
        verb.make_context(name, list(rest), parent=context)


@pytest.mark.parametrize("public", [True, False])
def test_a_jobs_data_are_public_where_the_run_is(public: bool) -> None:
    """The links of the demonstration's page lead to its test set."""
    setup = Setup(namespace="me", preset=read_preset("demo"), job=Job(name="sample", folder="job"), public=public)
    plan = steps(Cell(scenario=None, arm="tft"), setup)
    assert {step.stage: "--public" in step.places for step in plan if step.words[0] == "data"} == {
        "collect": public,
        "corrupt": public,
    }


def test_a_start_on_dialogues_is_given_whole_or_not_at_all() -> None:
    assert StudentRecipe(params="1M", vocabulary=300).dialogues is None
    with pytest.raises(ValueError, match="belong together"):
        StudentRecipe(params="1M", vocabulary=300, dialogues=5)


def test_what_a_request_leaves_out_is_as_the_options_have_it_whatever_the_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TFT_ENDPOINTS", "/nowhere/endpoints.yaml")
    monkeypatch.setenv("TFT_SOURCES", "/nowhere")
    request = BenchmarkRequest(cells=[], preset="demo")
    verb = click.command(benchmark.options(lambda **chosen: chosen))
    nobody = dict.fromkeys(("endpoints", "sources"))
    chosen = click.Context(verb).invoke(verb, **nobody)
    assert {name: getattr(request, name) for name in chosen} == chosen
    assert (request.endpoints, request.sources, request.jobs) == (None, None, ())


def test_a_preset_that_is_not_there_lists_the_demonstrations() -> None:
    with pytest.raises(UsageError, match="demo"):
        read_preset("huge")
