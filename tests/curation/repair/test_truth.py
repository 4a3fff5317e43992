"""The truth: read from a file or made for a published scenario, and joined to traces whatever they are called."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.curation.repair.ground_truth import Truths, published_truth, read_drifts, read_truth
from harness.data import scenarios
from harness.data.formats.jsonl import write_jsonl
from harness.data.formats.messages import dump_conversation
from harness.data.records import Conversation, Task, ToolCall
from harness.data.scenarios import CleanTraces
from harness.data.sources import locate
from harness.data.tools import Toolbox
from harness.errors import DataError


def without_ids(conversation: Conversation) -> Conversation:
    messages = [
        replace(message, tool_calls=tuple(replace(call, id=None) for call in message.tool_calls))
        for message in conversation.messages
    ]
    return replace(conversation, id="trace-0000", source="", messages=tuple(messages))


def test_a_trace_is_joined_by_whatever_it_has_kept(library: SimpleNamespace) -> None:
    wanted = library.clean[3]
    renamed = replace(wanted, id="trace-0099", source="traces.jsonl:99")
    anonymous = without_ids(wanted)
    masked = [replace(one, content="[masked]" if one.role == "user" else one.content) for one in wanted.messages]
    for trace in (
        wanted,
        replace(renamed, source=wanted.source),
        replace(renamed, messages=tuple(masked)),  # by the ids of its calls
        anonymous,  # by what was said
        replace(anonymous, messages=tuple(reversed(anonymous.messages))),  # also where it is shuffled
        replace(without_ids(replace(wanted, messages=tuple(masked))), source="traces.jsonl:4"),  # by its line
    ):
        found = library.truths.of(trace)
        assert found is not None
        assert found.conversation == wanted


def test_a_stranger_is_not_joined(library: SimpleNamespace) -> None:
    stranger = without_ids(library.clean[3])
    other = replace(stranger, messages=stranger.messages[1:], source="traces.jsonl:4")
    assert library.truths.of(other) is None
    assert library.truths.of(replace(other, source="traces.jsonl:400")) is None


def test_what_two_conversations_share_joins_neither(library: SimpleNamespace) -> None:
    twins = Truths([*library.truths, *library.truths])
    assert twins.of(without_ids(library.clean[3])) is None


def test_a_file_of_clean_conversations_is_read_with_what_is_known(library: SimpleNamespace, tmp_path: Path) -> None:
    known = {"belongs": False, "corruptions": [{"position": 3, "kind": "swap", "call_id": "x"}]}
    write_jsonl(
        tmp_path / "clean.jsonl", [dump_conversation(library.clean[0]), dump_conversation(library.clean[1]) | known]
    )
    first, second = read_truth(tmp_path / "clean.jsonl")
    assert (first.conversation, first.belongs, first.kinds) == (library.clean[0], True, {})
    assert (second.belongs, second.kinds) == (False, {3: "swap"})


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"id": "a"}, "messages"),
        ({"messages": []}, 'needs an "id"'),
        ({"id": "a", "messages": [], "belongs": "yes"}, "true or false"),
        ({"id": "a", "messages": [], "corruptions": [{"kind": "x"}]}, "position"),
    ],
)
def test_a_malformed_row_is_named_by_file_and_line(tmp_path: Path, row: dict[str, object], problem: str) -> None:
    path = tmp_path / "clean.jsonl"
    path.write_text(json.dumps({"id": "fine", "messages": []}) + "\n" + json.dumps(row) + "\n")
    with pytest.raises(DataError, match=rf"clean.jsonl, line 2: .*{problem}.*expected"):
        read_truth(path)
    path.write_text("")
    with pytest.raises(DataError, match="no rows"):
        read_truth(path)


def test_a_declared_drift_drops_what_has_no_counterpart_and_maps_values_by_rank() -> None:
    [drift] = [one for one in read_drifts() if one.service == "Restaurants_2"]
    arguments = {"location": "Fresno", "price_range": "ultra high-end", "has_seating_outdoors": "True"}
    mapped = drift(ToolCall(name="FindRestaurants", arguments=arguments, id="kept"))
    assert mapped == ToolCall(name="FindRestaurants", arguments={"city": "Fresno", "price_range": "very expensive"})
    assert mapped.id == "kept"


@pytest.mark.parametrize("arm", ["tft", "direct"])
def test_the_truth_of_noisy_labels_has_the_published_number_of_wrong_calls(sources: Path, arm: scenarios.Arm) -> None:
    kinds = Counter(kind for truth in published_truth(locate(sources), 2, arm) for kind in truth.kinds.values())
    assert kinds["swap_tool"] == {"tft": 95, "direct": 113}[arm]
    assert kinds["replace_with_service_tool"] == {"tft": 577, "direct": 630}[arm]
    assert kinds.total() == {"tft": 1443, "direct": 1614}[arm]


def test_the_truth_of_schema_drift_is_valid_in_the_task(
    sources: Path, published_task: Task, dialogues: CleanTraces
) -> None:
    """All of it, the other service's half too; and its ids are those of the dataset."""
    located = locate(sources)
    truths = published_truth(located, 3, "tft")
    toolbox = Toolbox(published_task.tools)
    calls = [call for one in truths for message in one.conversation.messages for call in message.tool_calls]
    assert [problem for call in calls for problem in toolbox.problems(call)] == []
    assert [one.conversation.id for one in truths][:2] == ["s3-tft-0000", "s3-tft-0001"]
    kinds = [set(one.kinds.values()) for one in truths]
    assert (kinds.count({"other_service"}), kinds.count({"renamed"}), kinds.count(set())) == (146, 132, 14)
    traces = scenarios.get(3).conversations(dialogues, "tft")
    assert all(truths.of(replace(one, id="?", source="?")) is not None for one in traces)


def test_hotel_conversations_do_not_belong(sources: Path) -> None:
    assert Counter(one.belongs for one in published_truth(locate(sources), 5, "tft")) == {True: 36, False: 142}
