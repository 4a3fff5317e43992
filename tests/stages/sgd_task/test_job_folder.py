"""`tft task from-sgd`: a job folder from any service, its damaged scenarios and the truth beside them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from harness.cli.__main__ import tft
from harness.data.formats.jsonl import read_jsonl
from harness.data.formats.published import read_test_conversations
from harness.data.formats.sgd import REPLY_TOOL
from harness.data.formats.task import read_task
from harness.data.records import Conversation, ToolCall
from harness.data.scenarios._synonyms import drifted_names
from harness.data.sgd_task import write_job_folder
from harness.data.sources import Sources, locate
from harness.data.tools import Toolbox
from harness.data.traces.read import read_traces
from harness.errors import UsageError

SLUGS = ["low-data", "noisy-labels", "schema-drift", "trace-mixing"]


def read_whole(path: Path) -> list[Conversation]:
    """The conversations of a file of traces, all of which can be read."""
    found = list(read_traces(path))
    assert [row.problem for row in found if row.problem] == []
    return [row.conversation for row in found]


def rows(path: Path) -> list[dict[str, Any]]:
    return [row for _, row in read_jsonl(path)]


def calls(conversation: Conversation) -> dict[str | None, ToolCall]:
    return {call.id: call for message in conversation.messages for call in message.tool_calls}


def pairs(folder: Path) -> list[tuple[Conversation, Conversation, dict[str, Any]]]:
    """Each trace of a scenario with its clean conversation and the row of the latter."""
    clean = read_whole(folder / "clean.jsonl")
    return list(zip(read_whole(folder / "traces.jsonl"), clean, rows(folder / "clean.jsonl"), strict=True))


@pytest.fixture
def job(services: Sources, sgd: SimpleNamespace, tmp_path: Path) -> Path:
    write_job_folder(services, sgd.PLANTS, tmp_path / "job")
    return tmp_path / "job"


def test_the_dialogues_are_split_into_traces_and_a_tenth_for_the_test(job: Path) -> None:
    traces, test = read_whole(job / "traces.jsonl"), read_test_conversations(job / "test.jsonl")
    assert (len(traces), len(test)) == (36, 4)
    openings = [one.messages[0].content for one in (*traces, *test)]
    assert sorted(openings) == sorted(f"I want a plant, number {number}." for number in range(40))
    clean = read_whole(job / "clean.jsonl")
    assert [one.messages for one in clean] == [one.messages for one in traces]
    assert all(one.id == one.source == f"train/{one.id.split('/')[1]}" for one in clean)


def test_every_clean_call_is_valid_in_the_task(job: Path) -> None:
    toolbox = Toolbox(read_task(job / "job_description.json").tools)
    assert (toolbox.reply.tool, toolbox.services) == (REPLY_TOOL, ("FindPlants", "OrderPlant"))
    found = [call for one in read_whole(job / "clean.jsonl") for call in calls(one).values()]
    assert [problem for call in found for problem in toolbox.problems(call)] == []
    assert toolbox.parameters("FindPlants")["pot_size"].choices == ("small", "large")
    assert toolbox.problems(ToolCall(name="OrderPlant", arguments={"species": "fern"}))


def test_a_value_outside_the_schema_and_a_required_slot_left_out_become_part_of_the_task(
    services: Sources, sgd: SimpleNamespace, tmp_path: Path
) -> None:
    odd = sgd.plant_dialogue(77)
    odd["turns"][3] = sgd.say("Some.", ("FindPlants", {"pot_size": "dontcare"}))
    sgd.write(services.folder, "dev", [odd], [sgd.PLANTS_SCHEMA])
    write_job_folder(services, sgd.PLANTS, tmp_path / "job")
    parameters = Toolbox(read_task(tmp_path / "job" / "job_description.json").tools).parameters("FindPlants")
    assert parameters["pot_size"].choices == ("small", "large", "dontcare")
    assert not parameters["species"].required


def test_dialogues_that_share_an_id_across_splits_are_two(
    services: Sources, sgd: SimpleNamespace, tmp_path: Path
) -> None:
    sgd.write(services.folder, "dev", [sgd.plant_dialogue(1)], [sgd.PLANTS_SCHEMA])
    summary = write_job_folder(services, sgd.PLANTS, tmp_path / "job")
    assert summary.traces + summary.test == 41
    ids = [call for one in read_whole(tmp_path / "job" / "clean.jsonl") for call in calls(one)]
    assert len(set(ids)) == len(ids)


def test_writing_twice_gives_the_same_bytes(services: Sources, sgd: SimpleNamespace, job: Path, tmp_path: Path) -> None:
    write_job_folder(services, sgd.PLANTS, tmp_path / "again")
    files = sorted(path.relative_to(job) for path in job.rglob("*") if path.is_file())
    assert len(files) == 4 * (1 + len(SLUGS))
    assert all((job / file).read_bytes() == (tmp_path / "again" / file).read_bytes() for file in files)


@pytest.mark.parametrize("slug", ["noisy-labels", "schema-drift"])
def test_the_truth_lists_exactly_the_calls_that_differ(job: Path, slug: str) -> None:
    """And nothing but calls differs: ids, users and results stay, and so does every position."""
    folder = job / "scenarios" / slug
    untouched = 0
    for trace, clean, row in pairs(folder):
        different = {
            (position, was.tool_calls[0].id)
            for position, (now, was) in enumerate(zip(trace.messages, clean.messages, strict=True))
            if now != was
        }
        assert {(one["position"], one["call_id"]) for one in row["corruptions"]} == different
        assert calls(trace).keys() == calls(clean).keys()
        assert row["belongs"] is True
        untouched += not different
    assert untouched >= 3  # a tenth of 36


def test_noisy_labels_draws_every_kind_of_damage(job: Path) -> None:
    kinds = Counter(
        one["kind"] for row in rows(job / "scenarios" / "noisy-labels" / "clean.jsonl") for one in row["corruptions"]
    )
    assert set(kinds) == {
        "swap_tool",
        "swap_params",
        "replace_with_respond_to_user",
        "replace_with_service_tool",
        "replace_with_foreign_message",
    }
    turns = sum(len(calls(one)) for one in read_whole(job / "clean.jsonl"))
    assert 0.35 < sum(kinds.values()) / turns < 0.55


def test_drifted_names_can_be_undone_and_are_none_of_the_tasks(job: Path) -> None:
    toolbox = Toolbox(read_task(job / "job_description.json").tools)
    own = {*toolbox.names, *(name for tool in toolbox.names for name in toolbox.parameters(tool))}
    for trace, clean, row in pairs(job / "scenarios" / "schema-drift"):
        if not row["corruptions"]:
            continue
        names: dict[str, set[str]] = {}
        for id, call in calls(trace).items():
            true = calls(clean)[id]
            names.setdefault(call.name, set()).add(true.name)
            assert list(call.arguments.values()) == list(true.arguments.values())
            for new, old in zip(call.arguments, true.arguments, strict=True):
                names.setdefault(f"argument {new}", set()).add(old)
        assert all(len(meant) == 1 for meant in names.values())
        assert not own & {name.removeprefix("argument ") for name in names}


def test_foreign_conversations_wear_the_tasks_tools_and_do_not_belong(job: Path) -> None:
    mixed = pairs(job / "scenarios" / "trace-mixing")
    own = [trace for trace, _, row in mixed if row["belongs"]]
    foreign = [trace for trace, _, row in mixed if not row["belongs"]]
    assert (len(own), len(foreign)) == (7, 28)
    assert {call.name for one in foreign for call in calls(one).values()} == {REPLY_TOOL, "FindPlants", "OrderPlant"}
    assert all("line" in str(one.messages) for one in foreign)
    assert all(trace.messages == clean.messages for trace, clean, row in mixed if row["belongs"])
    assert len(read_whole(job / "scenarios" / "low-data" / "traces.jsonl")) == 5


def test_one_service_tool_is_never_swapped(services: Sources, sgd: SimpleNamespace, tmp_path: Path) -> None:
    schema = sgd.TRAMS_SCHEMA | {"service_name": "Ferries_1", "intents": sgd.TRAMS_SCHEMA["intents"][:1]}
    ferries = [sgd.tram_dialogue(number) | {"services": ["Ferries_1"]} for number in range(20)]
    for one in ferries:
        one["turns"] = one["turns"][:2]
    sgd.write(services.folder, "test", ferries, [schema])
    write_job_folder(services, "Ferries_1", tmp_path / "job")
    found = rows(tmp_path / "job" / "scenarios" / "noisy-labels" / "clean.jsonl")
    kinds = {one["kind"] for row in found for one in row["corruptions"]}
    assert "swap_tool" not in kinds
    assert "replace_with_respond_to_user" in kinds


def test_an_unknown_service_is_answered_with_those_that_are_there(
    services: Sources, sgd: SimpleNamespace, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"Plant_1.*Plants_1 \(40\), Trams_1 \(30\)"):
        write_job_folder(services, "Plant_1", tmp_path / "job")
    with pytest.raises(UsageError, match="itself"):
        write_job_folder(services, sgd.PLANTS, tmp_path / "job", foreign=sgd.PLANTS)
    sgd.write(services.folder, "dev", [sgd.plant_dialogue(0) | {"services": ["Single_1"]}], [])
    with pytest.raises(UsageError, match="a task needs two"):
        write_job_folder(services, "Single_1", tmp_path / "job")
    assert not (tmp_path / "job").exists()


def test_opaque_names_have_alternatives_too() -> None:
    function = {"name": "q7", "parameters": {"properties": {"x": {"type": "string"}, "fooBarBaz": {"type": "string"}}}}
    names = drifted_names(Toolbox([function]))
    assert len(names.functions["q7"]) >= 2
    assert all(len(one) >= 2 for one in names.parameters.values())
    assert not {"q7", "x", "fooBarBaz"} & {name for one in names.parameters.values() for name in one}


def test_the_command_makes_a_folder_from_the_real_files(sources: Path, tmp_path: Path) -> None:
    out = tmp_path / "flights"
    arguments = ["task", "from-sgd", "Flights_1", "--out", str(out), "--sources", str(sources), "--json"]
    result = CliRunner().invoke(tft, arguments, catch_exceptions=False)
    summary = json.loads(result.stdout)
    assert (summary["traces"], summary["test"], summary["foreign"]) == (139, 16, "Restaurants_1")
    assert sorted(path.name for path in (out / "scenarios").iterdir()) == SLUGS


@pytest.mark.slow
@pytest.mark.parametrize("service", ["Buses_1", "Calendar_1", "Events_1", "Hotels_3", "RideSharing_1", "Restaurants_2"])
def test_services_of_every_shape_become_tasks(sources: Path, tmp_path: Path, service: str) -> None:
    """One tool, tools never called, empty results, required slots left out, five dialogues, ids in two splits."""
    summary = write_job_folder(locate(sources), service, tmp_path)
    assert summary.scenarios["noisy-labels"]["changed_calls"] > 0
    toolbox = Toolbox(read_task(tmp_path / "job_description.json").tools)
    found = [call for one in read_whole(tmp_path / "clean.jsonl") for call in calls(one).values()]
    assert [problem for call in found for problem in toolbox.problems(call)] == []
