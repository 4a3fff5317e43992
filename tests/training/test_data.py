"""Training data from any layout and place, counted as it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.data import scenarios
from harness.data.formats.messages import dump_conversation
from harness.data.formats.published import dump_row, dump_trace
from harness.data.records import Conversation, Message, Task, ToolCall
from harness.data.sample import sample_conversations, sample_task
from harness.data.scenarios import CleanTraces
from harness.errors import DataError, RepoNotFound, UsageError
from harness.hub.client import Hub
from harness.hub.publishing import push_folder
from harness.hubd.embedded import running
from harness.training.data import count, read_training_data

SAMPLE = sample_conversations(3)
USER = {"role": "user", "content": "A table, please."}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Write lines (text, or rows) to a file, and return its path."""

    def write(*lines: str | Mapping[str, Any]) -> str:
        path = tmp_path / "traces.jsonl"
        path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
        return str(path)

    return write


LAYOUTS: dict[str, Callable[[Conversation], str]] = {
    "published rows": dump_row,
    "published traces": lambda one: dump_trace(one, null_content=True, pandas=False),
    "rows of our datasets": lambda one: json.dumps(dump_conversation(one)) + "\n",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_gives_the_same_messages(write: Callable[..., str], layout: str) -> None:
    data = read_training_data(write(*map(LAYOUTS[layout], SAMPLE)), None, arm=None, task=sample_task())
    assert [one.messages for one in data.conversations] == [one.messages for one in SAMPLE]
    assert set(data.counts) == {"conversations", "assistant turns", "calls"}


@pytest.mark.parametrize("arguments", [{"city": "Albany"}, '{"city": "Albany"}'], ids=["object", "text"])
def test_openai_messages_may_have_arguments_as_an_object_or_as_text(write: Callable[..., str], arguments: Any) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "Find", "arguments": arguments}}
    messages = [
        {"role": "system", "content": "Be brief."},
        USER,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "[]"},
        {"role": "assistant", "content": "Nothing found."},
    ]
    data = read_training_data(write({"messages": messages}), None, arm=None)
    assert data.conversations[0].messages[2].tool_calls == (ToolCall(name="Find", arguments={"city": "Albany"}),)
    assert data.counts == {
        "conversations": 1,
        "assistant turns": 2,
        "calls": 1,
        "conversations with a system message of their own, in whose place the task's comes": 1,
    }


def test_a_file_is_named_with_its_checksum(write: Callable[..., str]) -> None:
    path = Path(write(*map(dump_row, SAMPLE)))
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    assert read_training_data(str(path), None, arm=None).inputs == (f"traces.jsonl@sha256:{checksum}",)


def test_bad_input_is_refused_with_file_and_line_and_what_to_do(write: Callable[..., str]) -> None:
    for source, words in {"nowhere.jsonl": "'nowhere.jsonl' is neither a file nor", "a/b": "'a/b' is neither"}.items():
        with pytest.raises(UsageError, match=words):
            read_training_data(source, None, arm=None)
    with pytest.raises(UsageError, match="--arm tft is for dataset repositories"):
        read_training_data(write(dump_row(SAMPLE[0])), None, arm="tft")
    with pytest.raises(DataError, match=r"traces\.jsonl is empty; expected JSON"):
        read_training_data(write(), None, arm=None)
    with pytest.raises(DataError, match=r"traces\.jsonl has no assistant turn to learn from"):
        read_training_data(write({"messages": [USER]}), None, arm=None)
    with pytest.raises(DataError, match=r"traces\.jsonl, line 2: message 0: unknown role 'robot'"):
        read_training_data(write(dump_row(SAMPLE[0]), {"messages": [{"role": "robot"}]}), None, arm=None)


def conversation(*messages: Message) -> Conversation:
    return Conversation(id="c", messages=messages, source="test")


def test_what_is_unusual_is_counted() -> None:
    call = ToolCall(name="FindRestaurants", arguments={"city": "Albany"})
    user, text = Message(role="user", content="Hi"), Message(role="assistant", content="Hello")
    calling = Message(role="assistant", tool_calls=(call,))
    usual = count([conversation(user, calling, Message(role="tool", content="[]"), text, user, text)])
    assert usual == {"conversations": 1, "assistant turns": 3, "calls": 1}
    for messages, what in {
        (text, user, text): "conversations with roles out of order",
        (user, user, text): "conversations with roles out of order",
        (user, text, text): "conversations with roles out of order",
        (user, Message(role="tool", content="[]"), text): "conversations with roles out of order",
        (user, text, user): "conversations that end without an assistant turn",
        (Message(role="user", content=" "), text): "messages without content",
        (user, Message(role="assistant")): "messages without content",
    }.items():
        assert count([conversation(*messages)])[what] == 1, messages
    assert (
        count([conversation(user, Message(role="assistant", tool_calls=(call, call)))])["turns with several calls"] == 1
    )


def test_calls_that_the_tools_do_not_allow_are_counted(write: Callable[..., str]) -> None:
    """Whatever the tools are; without a task nothing is known of them.

    A schema may be `true`, and a task without a tool for replies knows none by the name that the harness uses.
    """
    properties = {"city": {}, "open": True, "area": None, "kind": {"enum": 5}}
    tool = {"type": "function", "function": {"name": "Find", "parameters": {"properties": properties}}}
    task = Task(description="Help.", tools=(tool, {"type": "function", "function": {"name": "Stop"}}))
    calls = [("Find", {"city": "A"}), ("Find", {}), ("Find", {"town": "A"}), ("Search", {}), ("Stop", {"now": True})]
    calls += [("Find", {"open": True, "area": "N", "kind": "x"}), ("respond_to_user", {"message": "Hi"})]
    messages = [Message(role="assistant", tool_calls=(ToolCall(name=name, arguments=given),)) for name, given in calls]
    row = write(json.dumps(dump_conversation(conversation(*messages))))
    counts = read_training_data(row, None, arm=None, task=task).counts
    assert (counts["calls of unknown tools"], counts["calls with unknown arguments"]) == (2, 2)
    assert not any("unknown" in what for what in read_training_data(row, None, arm=None).counts)


def test_direct_training_data_of_the_scenarios_is_counted(
    published_task: Task, dialogues: CleanTraces, write: Callable[..., str]
) -> None:
    """71 of the fifth scenario's 178 conversations end with the user; all of them are there to be trained on."""
    built = {one.number: list(one.conversations(dialogues, "direct")) for one in scenarios.all_scenarios()}
    counts = {}
    for number, conversations in built.items():
        data = read_training_data(write(*map(dump_row, conversations)), None, arm=None, task=published_task)
        counts[number] = data.counts
        assert data.counts["conversations"] == len(conversations)
        assert data.counts["assistant turns"] == data.counts["calls"]
    open_ends = "conversations that end without an assistant turn"
    assert [counts[number].get(open_ends, 0) for number in range(1, 6)] == [0, 0, 0, 0, 71]
    assert counts[5]["conversations with roles out of order"] > 100
    assert counts[3]["calls of unknown tools"] == counts[3]["calls"]
    assert counts[1] == {"conversations": 327, "assistant turns": 3277, "calls": 3277}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with running(tmp_path_factory.mktemp("hub")) as embedded:
        yield Hub(embedded.url, embedded.token)


def push(hub: Hub, name: str, files: Mapping[str, str], folder: Path) -> tuple[str, str]:
    """Push the files as a dataset, and return its name and commit."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    artifact = push_folder(hub, "dataset", f"{hub.namespace()}/{name}", folder, message="Data of a test")
    return artifact.repo_id, artifact.revision


def test_of_a_repository_the_arm_is_read_at_its_commit(hub: Hub, tmp_path: Path) -> None:
    """Without --arm the only one is; of several one has to be chosen."""
    lines = [json.dumps(dump_conversation(one)) + "\n" for one in SAMPLE]
    files = {"data/tft/train.jsonl": lines[0], "data/direct/train.jsonl": "".join(lines[1:]), "notes.txt": "Traces"}
    files["lineage.json"] = "{}"
    name, commit = push(hub, "traces", files, tmp_path / "two")
    direct = read_training_data(name, hub, arm="direct")
    assert direct.inputs == (f"{name}@{commit}",)
    assert [one.id for one in direct.conversations] == [one.id for one in SAMPLE[1:]]
    with pytest.raises(UsageError, match=r"has several files \(direct, tft\); choose one with --arm"):
        read_training_data(name, hub, arm=None)
    with pytest.raises(UsageError, match=r"has no arm 'raw'; it has direct, tft"):
        read_training_data(name, hub, arm="raw")
    push(hub, "traces", {"data/direct/train.jsonl": lines[0]}, tmp_path / "one")
    assert [one.id for one in read_training_data(name, hub, arm=None).conversations] == [SAMPLE[0].id]
    assert len(read_training_data(f"{name}@{commit}", hub, arm="direct").conversations) == 2


def test_a_repository_without_arms_may_have_one_file_below_data(hub: Hub, tmp_path: Path) -> None:
    row = dump_row(SAMPLE[0])
    name, commit = push(hub, "plain", {"data/mine.jsonl": row}, tmp_path / "plain")
    assert read_training_data(name, hub, arm=None).inputs == (f"{name}@{commit}",)
    with pytest.raises(UsageError, match="has no arm 'tft'; it has no arms: leave it out"):
        read_training_data(name, hub, arm="tft")
    several, _ = push(hub, "several", {"data/a.jsonl": row, "data/b.jsonl": row}, tmp_path / "several")
    with pytest.raises(UsageError, match=r"several files \(data/a\.jsonl, data/b\.jsonl\); download the right one"):
        read_training_data(several, hub, arm=None)
    empty, _ = push(hub, "empty", {"notes.txt": "Nothing"}, tmp_path / "empty")
    with pytest.raises(DataError, match=r"has no \.jsonl file below data/"):
        read_training_data(empty, hub, arm=None)
    broken, _ = push(hub, "broken", {"data/a.jsonl": "{\n"}, tmp_path / "broken")
    with pytest.raises(DataError, match=rf"dataset {broken}@.*: data/a\.jsonl, line 1: .* correct it there"):
        read_training_data(broken, hub, arm=None)
    with pytest.raises(RepoNotFound):
        read_training_data(f"{hub.namespace()}/nothing", hub, arm=None)
