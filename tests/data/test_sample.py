"""The sample task: simulated conversations in the benchmark's shape, and their test-set repository."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from harness.benchmark.sample_job import write_job
from harness.data.formats.jsonl import read_jsonl
from harness.data.formats.messages import expand_pairs
from harness.data.formats.row_layouts import parse_row
from harness.data.formats.task import read_task
from harness.data.records import Conversation
from harness.data.sample import sample_conversations, sample_task
from harness.errors import UsageError
from harness.hub.client import Hub
from harness.resources import folder
from harness.stages._result import OutputTarget
from harness.stages.job_test_set import JobTestSetRequest, run
from support.sample_test_set import write_test_set

MANY = 200


@pytest.fixture(scope="module")
def conversations() -> list[Conversation]:
    return sample_conversations(MANY)


def test_every_assistant_message_is_one_call_that_its_schema_allows(conversations: list[Conversation]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in sample_task().tools}
    for pair in expand_pairs(conversations):
        jsonschema.validate(pair.reference.arguments, {**schemas[pair.reference.name], "additionalProperties": False})


def test_conversations_alternate_begin_with_the_user_and_end_with_a_call(conversations: list[Conversation]) -> None:
    for conversation in conversations:
        roles = [message.role for message in conversation.messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert all(len(message.tool_calls) == (message.role == "assistant") for message in conversation.messages)
        assert 5 <= len(roles) // 2 <= 15


def test_what_the_service_returns_is_a_user_message_with_a_json_list(conversations: list[Conversation]) -> None:
    for conversation in conversations:
        for message, following in pairwise(conversation.messages):
            if message.tool_calls and message.tool_calls[0].name != "respond_to_user":
                assert following.role == "user"
                assert isinstance(json.loads(following.content or ""), list)


def test_four_conversations_show_every_kind_and_every_tool() -> None:
    first = sample_conversations(4)
    kinds = {conversation.source for conversation in first}
    tools = {pair.reference.name for pair in expand_pairs(first)}
    assert len(kinds) == 4
    assert tools == {tool["function"]["name"] for tool in sample_task().tools}


def test_some_bookings_are_refused_and_some_wishes_change(conversations: list[Conversation]) -> None:
    calls = [Counter(pair.reference.name for pair in expand_pairs([conversation])) for conversation in conversations]
    empty = [any(message.content == "[]" for message in conversation.messages) for conversation in conversations]
    assert any(count["FindRestaurants"] > 1 for count in calls)
    assert any(count["ReserveRestaurant"] > 1 for count in calls)
    assert 0 < sum(empty) < MANY


def test_an_argument_of_a_booking_is_known_from_the_conversation_before_it(conversations: list[Conversation]) -> None:
    for pair in expand_pairs(conversations):
        if pair.reference.name == "ReserveRestaurant":
            said = " ".join(message.content or json.dumps(message.tool_calls[0].arguments) for message in pair.prefix)
            assert all(value in said for value in pair.reference.arguments.values())


def test_a_conversation_depends_on_its_id_and_the_seed_only(conversations: list[Conversation]) -> None:
    assert sample_conversations(7) == conversations[:7]
    assert sample_conversations(7, seed=1) != conversations[:7]


def test_an_empty_sample_is_refused() -> None:
    with pytest.raises(UsageError, match="ask for 1 or more"):
        sample_conversations(0)


def test_the_repository_holds_the_conversations_the_pairs_and_the_task(tmp_path: Path) -> None:
    write_test_set(tmp_path, 8, seed=3)
    rows = [row for _, row in read_jsonl(tmp_path / "data" / "conversations" / "test.jsonl")]
    assert [parse_row(row) for row in rows] == sample_conversations(8, seed=3)
    pairs = [row for _, row in read_jsonl(tmp_path / "data" / "pairs" / "test.jsonl")]
    assert [row["id"] for row in pairs] == [pair.id for pair in expand_pairs(sample_conversations(8, seed=3))]
    assert read_task(tmp_path / "job_description.json") == sample_task()


def test_the_repository_is_written_the_same_twice(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_test_set(tmp_path / name, 5)
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / name).rglob("*.*")} for name in ("one", "two"))
    assert one == two


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The sample task's test set as stage `job-test-set` writes it."""
    write_job(tmp_path / "job", traces=1, test=4)
    request = JobTestSetRequest(job=tmp_path / "job", place=OutputTarget(out=tmp_path / "repository"))
    run(request, Hub("http://127.0.0.1:9", token=False))
    return tmp_path / "repository"


def test_the_card_of_a_test_set_names_its_files_and_the_evaluation_every_metric(repository: Path) -> None:
    _, front, _ = (repository / "README.md").read_text().split("---\n", 2)
    for config in yaml.safe_load(front)["configs"]:
        assert all((repository / file["path"]).is_file() for file in config["data_files"])
    evaluation = yaml.safe_load((folder("datasets") / "eval.yaml").read_text())
    assert {task["id"] for task in evaluation["tasks"]} >= {"staged_tool_call", "binary_tool_call", "rouge"}


def test_the_datasets_library_reads_the_configurations_of_a_test_set(repository: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    for config, rows in (("conversations", 4), ("pairs", len(expand_pairs(sample_conversations(4))))):
        table = datasets.load_dataset(str(repository), config, split="test", cache_dir=str(tmp_path / "cache"))
        assert len(table) == rows
