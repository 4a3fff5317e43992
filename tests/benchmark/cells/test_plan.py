"""The plan of a run: commands that exist, each step once, everything that is read made before or named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import pytest
from pydantic import ValidationError

from harness.benchmark.cells import FAIR_SCENARIOS, Cell, Job, Setup, all_cells
from harness.benchmark.execute import check_jobs, shares
from harness.benchmark.plan import BenchmarkPlan, pinned, step_tag, steps
from harness.benchmark.presets import Preset, read_preset
from harness.benchmark.record import complete, deciding_settings
from harness.benchmark.steps import batches, joined
from harness.cli.__main__ import tft as command
from harness.data.cell_names import CellName
from harness.data.scenarios import ARMS, all_scenarios
from harness.errors import UsageError
from harness.hub.artifact import Artifact
from harness.models.imports.package_index import find_published

PRESETS = ("published", "tiny", "pretrained")
STAGES = ("collect", "student", "corrupt", "filter", "relabel", "synthesize", "train", "evaluate")
OF_TFT = STAGES[3:6]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def _parse(words: tuple[str, ...]) -> None:
    """Parse a command as click does; raises for one that is not there, and for unknown or malformed options."""
    context = click.Context(command, info_name="tft", **command.context_settings)
    name, verb, rest = command.resolve_command(context, list(words))
    assert verb is not None
    while isinstance(verb, click.Group):
        context = click.Context(verb, parent=context, info_name=name)
        name, verb, rest = verb.resolve_command(context, rest)
        assert verb is not None
    verb.make_context(name, list(rest), parent=context)


def _plan(preset: str = "tiny", **choice: int | bool) -> BenchmarkPlan:
    cells = all_cells(fair=bool(choice.get("fair")), seeds=int(choice.get("seeds", 1)))
    return BenchmarkPlan.of(cells, Setup(namespace="me", preset=read_preset(preset)))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("fair", [False, True])
def test_every_command_can_be_parsed_before_and_after_its_inputs_are_pinned(preset: str, fair: bool) -> None:
    plan = _plan(preset, fair=fair, seeds=2)
    artifacts = {step.makes: Artifact(kind=step.kind, repo_id=step.makes, revision=COMMIT) for step in plan.steps}
    for step in plan.steps:
        _parse((*step.words, *step.places))
        _parse((*pinned(step, artifacts).words, *step.places))


def test_every_command_of_a_job_can_be_parsed(tmp_path: Path) -> None:
    setup = Setup(namespace="me", preset=read_preset("tiny"), job=Job(name="agent", folder=str(tmp_path)))
    plan = BenchmarkPlan.of([Cell(scenario=None, arm=arm) for arm in ARMS], setup)
    for step in plan.steps:
        _parse((*step.words, *step.places))
    made = {step.makes for step in plan.steps if step.stage in ("train", "evaluate")}
    assert made == {"me/agent-tft-tft-tiny", "me/agent-direct-tft-tiny"}


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("scenario", ["s1", "s2", "s3", "s4", "s5"])
def test_a_cell_has_the_stages_of_its_pipeline_in_order(scenario: str, arm: str) -> None:
    chain = steps(Cell.parse(scenario, arm), Setup(namespace="me", preset=read_preset("tiny")))
    expected = [stage for stage in STAGES if arm == "tft" or stage not in OF_TFT]
    assert [step.stage for step in chain] == expected


def test_what_a_step_reads_is_made_by_a_step_before_it() -> None:
    plan = _plan(fair=True, seeds=2)
    made: set[str] = set()
    for step in plan.steps:
        assert {*step.needs} <= made
        assert {maker.makes for maker in plan.makers(step)} == {*step.needs}
        made.add(step.makes)


def test_steps_that_cells_share_are_in_the_plan_once_and_no_two_make_the_same() -> None:
    plan = _plan(fair=True, seeds=2)
    keys = [step.key for step in plan.steps]
    assert len(keys) == len({*keys})
    makers = [step.makes for step in plan.steps if step.stage != "evaluate"]
    assert len(makers) == len({*makers})
    counts = {stage: sum(step.stage == stage for step in plan.steps) for stage in STAGES}
    scenarios = len(all_scenarios())
    cells = 2 * (2 * scenarios + 2 * len(FAIR_SCENARIOS))
    assert (counts["collect"], counts["student"], counts["corrupt"]) == (1, 1, scenarios)
    assert counts["train"] == counts["evaluate"] == cells
    assert counts["filter"] == counts["relabel"] == scenarios + len(FAIR_SCENARIOS)  # repetitions begin later
    assert counts["synthesize"] == 2 * (scenarios + len(FAIR_SCENARIOS))


def test_the_fair_arms_read_the_other_pipelines_traces() -> None:
    setup = Setup(namespace="me", preset=read_preset("tiny"))
    for arm, other in (("tft", "direct"), ("direct", "tft")):
        chain = steps(Cell.parse("s2", arm, fair=True), setup)
        reader = next(step for step in chain if step.needs and step.needs[0].endswith("-traces"))
        assert reader.words[reader.words.index("--arm") + 1] == other
    with pytest.raises(UsageError, match="no fair arms"):
        Cell.parse("s1", "tft", fair=True)


def test_names_say_what_they_stand_for() -> None:
    setup = Setup(namespace="me", preset=read_preset("published"))
    for cell in all_cells(fair=True, seeds=3):
        name = CellName.parse(setup.model(cell))
        assert name is not None
        assert (name.scenario, name.arm, name.fair, name.seed) == (cell.scenario, cell.arm, cell.fair, cell.seed)
        assert name.student == "Qwen3-1.7B"


def test_pinning_leaves_what_is_written_and_what_is_not_read_alone() -> None:
    plan = _plan()
    artifacts = {step.makes: Artifact(kind=step.kind, repo_id=step.makes, revision=COMMIT) for step in plan.steps}
    (relabel,) = [step for step in plan.steps if step.key == "relabel me/tft-benchmark-s2-relabelled"]
    exact = pinned(relabel, artifacts)
    words = exact.words
    assert words[1] == f"me/tft-benchmark-s2-filtered@{COMMIT}"
    assert words[words.index("--to") + 1] == "me/tft-benchmark-s2-relabelled"
    assert words[words.index("--task") + 1] == f"me/tft-benchmark-testset@{COMMIT}"
    assert exact.request["source"] == f"me/tft-benchmark-s2-filtered@{COMMIT}"
    assert exact.request["task"] == f"me/tft-benchmark-testset@{COMMIT}"
    assert exact.request["place"] == {"repo_id": "me/tft-benchmark-s2-relabelled"}
    (train,) = [step for step in plan.steps if step.key == "train me/tft-benchmark-s2-tft-tft-tiny"]
    words = pinned(train, artifacts).words
    assert words[words.index("--student") + 1] == f"me/tft-tiny@{COMMIT}"
    assert words[words.index("--to") + 1] == "me/tft-benchmark-s2-tft-tft-tiny"


def test_the_mark_of_a_result_follows_inputs_settings_code_and_models() -> None:
    step = _plan().steps[-1]
    tag = step_tag(step, "salt", 1)
    assert step_tag(step, "salt", 1) == tag
    assert step_tag(replace(step, words=(*step.words, "--limit", "3")), "salt", 1) != tag
    assert step_tag(step, "pepper", 1) != tag
    assert step_tag(step, "salt", 2) != tag


def test_the_published_preset_relabels_as_many_seeds_as_were_published() -> None:
    chain = steps(Cell.parse("s2", "tft"), Setup(namespace="me", preset=read_preset("published")))
    (relabel,) = [step for step in chain if step.stage == "relabel"]
    assert relabel.words[relabel.words.index("--seeds") + 1] == "90"


def test_a_student_is_fetched_first_and_a_new_file_of_it_is_a_new_student(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = _plan("pretrained")
    (student,) = [step for step in plan.steps if step.stage == "student"]
    assert student.words[:3] == ("student", "fetch", "smollm2")
    assert all(student.makes in step.needs for step in plan.steps if step.stage in ("train", "evaluate"))
    other = find_published("smollm2").model_copy(update={"version": "9"})
    monkeypatch.setattr("harness.benchmark.plan.find_published", lambda _: other)
    assert _plan("pretrained").salt != plan.salt


def test_adapters_of_one_base_are_one_command_with_the_untrained_student_in_it() -> None:
    setup = Setup(namespace="me", preset=read_preset("pretrained"), baselines=frozenset({"untrained"}))
    plan = BenchmarkPlan.of(all_cells(fair=False, seeds=1), setup)
    one = joined(batches(plan.steps)[-1])
    _parse((*one.words, *one.places))
    assert one.words[1] == one.request["base"] == "me/SmolLM2-135M-Instruct"
    assert one.request["models"] == [setup.model(cell) for cell in plan.cells]
    assert one.words.count("--adapters") == len(plan.cells)
    assert one.request["with_base"] is True
    untrained = plan.baselines.steps["untrained"]
    assert joined([untrained]) == untrained  # where all adapters have their results


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"fetch_student": "gpt"}, "students that can be fetched: smollm2"),
        ({"fetch_student": "smollm2", "make_student": {"params": "1M", "vocabulary": 99}}, "two origins"),
        ({"together": True, "train": {"method": "full"}}, "train with method lora"),
    ],
)
def test_a_preset_that_contradicts_itself_is_refused(wrong: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Preset(student="mine", **wrong)


def test_a_record_of_before_a_setting_existed_means_its_default() -> None:
    settings = read_preset("tiny").model_dump(mode="json")
    before = {key: value for key, value in settings.items() if key not in ("fetch_student", "together")}
    assert complete(before) == settings


def test_what_a_preset_says_in_words_decides_about_no_result() -> None:
    preset = read_preset("tiny")
    said = preset.model_copy(update={"summary": "Another.", "caveat": None})
    assert deciding_settings(said.model_dump(mode="json")) == deciding_settings(preset.model_dump(mode="json"))
    other = preset.model_copy(update={"max_tokens": preset.max_tokens + 1})
    assert deciding_settings(other.model_dump(mode="json")) != deciding_settings(preset.model_dump(mode="json"))


def test_a_run_up_to_a_stage_leaves_out_what_comes_after_it_in_every_cell() -> None:
    cells = [Cell.parse("s2", arm) for arm in ARMS]
    plan = BenchmarkPlan.of(cells, Setup(namespace="me", preset=read_preset("tiny")), until="synthesize")
    assert [step.stage for step in plan.of_cell[cells[0]]] == [*STAGES[:6]]
    assert [step.stage for step in plan.of_cell[cells[1]]] == [*STAGES[:3]]


def test_a_stage_that_reads_files_of_this_machine_is_refused_as_a_job() -> None:
    setup = Setup(namespace="me", preset=read_preset("published"), endpoints="endpoints.yaml")
    plan = BenchmarkPlan.of(all_cells(fair=False, seeds=1), setup)
    check_jobs(plan, {"train": "a100-large"})
    with pytest.raises(UsageError, match="the stage relabel cannot run as a job: --endpoints"):
        check_jobs(plan, {"relabel": "a100-large"})


@pytest.mark.parametrize("parallel", [1, 2, 3])
def test_commands_side_by_side_share_no_core(parallel: int) -> None:
    found = [{*share.split(",")} for share in shares(parallel) if share]
    assert len(shares(parallel)) == parallel
    assert sum(map(len, found)) == len(set().union(*found))


@pytest.mark.parametrize(("scenario", "arm"), [("s99", "tft"), ("two", "tft"), ("s2", "both")])
def test_an_unknown_cell_is_refused(scenario: str, arm: str) -> None:
    with pytest.raises(UsageError, match="known are"):
        Cell.parse(scenario, arm)


def test_a_scenario_is_chosen_whole_or_by_pipeline() -> None:
    assert Cell.choose("s1") == [(1, "tft"), (1, "direct")]
    assert Cell.choose("s4-direct") == [(4, "direct")]
    with pytest.raises(UsageError, match="no pipeline 'drect'; known are tft, direct"):
        Cell.choose("s4-drect")


def test_an_unknown_stage_or_preset_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    setup = Setup(namespace="me", preset=read_preset("tiny"))
    with pytest.raises(UsageError, match="stages are collect, student, corrupt, train, evaluate"):
        BenchmarkPlan.of([Cell.parse("s2", "direct")], setup, until="relabel")
    with pytest.raises(UsageError, match="published, tiny, pretrained"):
        read_preset("huge")
    file = tmp_path / "mine.yaml"
    file.write_text("student: me/x\nepoch: 3\n", encoding="utf-8")
    with pytest.raises(UsageError, match="settings are summary, student"):
        read_preset(str(file))
