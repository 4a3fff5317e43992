"""The scenarios: the published random streams, and what they do to the traces."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from harness.data import scenarios
from harness.data.formats.sgd import call_id, parse_dialogues
from harness.data.scenarios import ARMS, Arm, CleanTraces, noisy_labels, schema_drift
from harness.errors import DataError, UsageError

# kind, function of the source, function now -> corruptions in the TFT file, in the Direct file.
CORRUPTIONS = {
    ("swap_tool", "FindRestaurants", "ReserveRestaurant"): (35, 52),
    ("swap_params", "FindRestaurants", "FindRestaurants"): (35, 33),
    ("replace_with_respond_to_user", "FindRestaurants", "respond_to_user"): (40, 30),
    ("swap_tool", "ReserveRestaurant", "FindRestaurants"): (60, 61),
    ("swap_params", "ReserveRestaurant", "ReserveRestaurant"): (55, 61),
    ("replace_with_respond_to_user", "ReserveRestaurant", "respond_to_user"): (54, 73),
    ("replace_with_service_tool", "respond_to_user", "FindRestaurants"): (281, 304),
    ("replace_with_service_tool", "respond_to_user", "ReserveRestaurant"): (296, 326),
    ("replace_with_foreign_message", "respond_to_user", "respond_to_user"): (588, 674),
}


def test_the_source_lists_have_the_published_sizes_and_order(dialogues: CleanTraces) -> None:
    assert len(dialogues.held_out) + len(dialogues.restaurants) == 367
    assert (len(dialogues.other_restaurants), len(dialogues.hotels)) == (146, 142)
    assert [trace.conversation.source for trace in dialogues.restaurants[:8]] == [
        f"train/{name}"
        for name in ("1_00009", "1_00061", "3_00090", "3_00057", "1_00066", "3_00012", "4_00001", "3_00126")
    ]


def test_call_ids_are_unique_well_formed_and_the_same_on_every_build(dialogues: CleanTraces) -> None:
    everything = (*dialogues.held_out, *dialogues.restaurants, *dialogues.other_restaurants, *dialogues.hotels)
    ids = [call.id for trace in everything for call in trace.calls]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("call_[0-9a-f]{12}", name or "") for name in ids)
    assert next(dialogues.restaurants[0].calls).id == call_id("train/1_00009", 0)
    assert call_id("train/1_00009", 0) == "call_d023496a9efa"


def test_scenarios_are_found_by_listing_the_folder() -> None:
    """One scenario per module, the published five among them."""
    found = scenarios.all_scenarios()
    modules = [path for path in Path(scenarios.__path__[0]).glob("*.py") if not path.name.startswith("_")]
    assert len({scenario.number for scenario in found}) == len(found) == len(modules)
    assert {scenario.number: scenario.folder for scenario in found}.items() >= {
        1: "scenario-1-baseline",
        2: "scenario-2-noisy-labels",
        3: "scenario-3-schema-drift",
        4: "scenario-4-low-data",
        5: "scenario-5-trace-mixing",
    }.items()
    with pytest.raises(UsageError, match="known are 1, 2, 3, 4, 5"):
        scenarios.get(99)


@pytest.mark.parametrize("number", [one.number for one in scenarios.all_scenarios()])
def test_every_scenario_is_described_by_the_facts_of_its_traces(dialogues: CleanTraces, number: int) -> None:
    scenario, description = scenarios.get(number), scenarios.describe(number)
    assert (description.slug, bool(description.title), bool(description.summary)) == (scenario.slug, True, True)
    for arm in ARMS:
        assert scenarios.measure(scenario.build(dialogues, arm), dialogues) == description.facts[arm]


def test_building_twice_gives_the_same_traces_and_leaves_the_dialogues_alone(dialogues: CleanTraces) -> None:
    before = [trace.conversation for trace in dialogues.restaurants + dialogues.hotels]
    for scenario in scenarios.all_scenarios():
        for arm in ARMS:
            assert scenario.build(dialogues, arm) == scenario.build(dialogues, arm)
    assert [trace.conversation for trace in dialogues.restaurants + dialogues.hotels] == before


def test_conversation_ids_name_scenario_arm_and_position(dialogues: CleanTraces) -> None:
    conversations = scenarios.get(4).conversations(dialogues, "direct")
    assert [conversation.id for conversation in conversations] == [f"s4-direct-000{i}" for i in range(5)]
    assert conversations[0].source.startswith("train/")


@pytest.mark.parametrize(("arm", "column"), [("tft", 0), ("direct", 1)])
def test_noisy_labels_corrupts_as_often_as_published(dialogues: CleanTraces, arm: Arm, column: int) -> None:
    _, corruptions = noisy_labels.corrupt(dialogues, arm)
    counts = Counter((one.kind, one.before.name, one.after.name) for one in corruptions)
    assert counts == {key: value[column] for key, value in CORRUPTIONS.items()}
    assert all(one.before.id == one.after.id for one in corruptions)


def test_noisy_labels_touches_nothing_but_assistant_calls(dialogues: CleanTraces) -> None:
    for arm in ARMS:
        for clean, noisy in zip(dialogues.restaurants, noisy_labels.build(dialogues, arm), strict=True):
            users = [message for message in clean.conversation.messages if message.role == "user"]
            assert [message for message in noisy.conversation.messages if message.role == "user"] == users


def test_only_the_tft_file_of_noisy_labels_keeps_clean_conversations(dialogues: CleanTraces) -> None:
    noisy = noisy_labels.build(dialogues, "tft")
    same = [i for i, (a, b) in enumerate(zip(dialogues.restaurants, noisy, strict=True)) if a == b]
    assert len(same) == 33
    assert 310 in same
    assert {225, 146, 157, 131, 166, 134, 182, 46, 77, 11, 33, 238, 262, 19} <= set(same)


def test_schema_drift_names_functions_and_parameters_as_often_as_published(dialogues: CleanTraces) -> None:
    for arm, functions, parameters in (("tft", 24, 50), ("direct", 21, 47)):
        calls = [call for trace in schema_drift.build(dialogues, arm) for call in trace.calls]
        assert len({call.name for call in calls}) == functions
        assert len({key for call in calls for key in call.arguments}) == parameters


def test_schema_drift_uses_one_name_for_each_function_in_a_conversation(dialogues: CleanTraces) -> None:
    tools = {name for names in schema_drift.FUNCTIONS.values() for name in names}
    for trace in schema_drift.build(dialogues, "direct"):
        used = {call.name for call in trace.calls} & tools
        assert all(len(used & set(names)) <= 1 for names in schema_drift.FUNCTIONS.values())


def test_trace_mixing_keeps_the_restaurant_traces_and_shuffles_the_hotels(dialogues: CleanTraces) -> None:
    mixed = scenarios.get(5).build(dialogues, "tft")
    restaurants = [trace for trace in mixed if trace.service == "Restaurants_1"]
    hotels = [trace for trace in mixed if trace.service == "Hotels_1"]
    assert len(restaurants) == 36
    assert all(trace in dialogues.restaurants for trace in restaurants)
    assert sum(trace.conversation.messages[0].role == "assistant" for trace in hotels) == 81
    assert sum(trace.conversation.messages[-1].role == "user" for trace in hotels) == 71
    names = {call.name for trace in mixed for call in trace.calls}
    assert names == {"respond_to_user", "FindRestaurants", "ReserveRestaurant"}


def test_a_service_call_becomes_call_results_and_reply() -> None:
    turn = {
        "speaker": "SYSTEM",
        "utterance": "Found one.",
        "frames": [
            {"service_call": {"method": "Find", "parameters": {"b": "1", "a": "2"}}, "service_results": [{"x": "é"}]}
        ],
    }
    dialogue = {"dialogue_id": "9_1", "services": ["Shops_1"], "turns": [{"speaker": "USER", "utterance": "Hi"}, turn]}
    two_services = {"dialogue_id": "9_2", "services": ["Shops_1", "Banks_1"], "turns": []}
    [trace] = parse_dialogues(json.dumps([dialogue, two_services]).encode(), split="dev", where="x.json")
    roles = [message.role for message in trace.conversation.messages]
    assert (trace.service, trace.conversation.source, roles) == (
        "Shops_1",
        "dev/9_1",
        ["user", "assistant", "user", "assistant"],
    )
    assert [(call.name, call.arguments) for call in trace.calls] == [
        ("Find", {"b": "1", "a": "2"}),
        ("respond_to_user", {"message": "Found one."}),
    ]
    assert trace.conversation.messages[2].content == '[{"x": "\\u00e9"}]'


@pytest.mark.parametrize("content", [b"{", b'[{"dialogue_id": "1"}]', b"[3]"])
def test_a_malformed_dialogue_file_is_named(content: bytes) -> None:
    with pytest.raises(DataError, match=r"dev/x\.json"):
        list(parse_dialogues(content, split="dev", where="dev/x.json"))
