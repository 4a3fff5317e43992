"""Replies of another domain are found by trusted text alone, and clean ones are left alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.data.records import Conversation, Message, Task, ToolCall
from harness.data.scenarios import Arm, CleanTraces, noisy_labels
from harness.rules.labeler.response_fit import CUT, find_out_of_context
from support.library_dialogues import REPLY, call_at, clean, task, with_call, with_foreign


@pytest.fixture(scope="module")
def noisy() -> tuple[list[Conversation], set[tuple[str, int]]]:
    return with_foreign(clean(60), 0.3)


def test_foreign_replies_are_found_and_others_are_not(noisy: tuple[list[Conversation], set[tuple[str, int]]]) -> None:
    """Recall 0.9 at precision 0.9 on a domain that nothing was fitted on."""
    conversations, places = noisy
    found = {key for key, score in find_out_of_context(conversations, task()).items() if score >= CUT}
    assert len(found & places) >= 0.9 * len(places)
    assert len(found & places) >= 0.9 * len(found)


@pytest.mark.parametrize("count", [1, 2, 5, 12, 60])
def test_clean_batches_raise_next_to_no_alarm(count: int) -> None:
    scores = find_out_of_context(clean(count), task())
    assert sum(score >= CUT for score in scores.values()) <= 0.02 * len(scores)


def test_scores_do_not_depend_on_the_order_of_the_batch(
    noisy: tuple[list[Conversation], set[tuple[str, int]]],
) -> None:
    conversations, _ = noisy
    one, other = find_out_of_context(conversations, task()), find_out_of_context(conversations[::-1], task())
    assert one.keys() == other.keys()
    assert all(other[key] == pytest.approx(score, abs=1e-3) for key, score in one.items())


def test_a_reply_of_another_moment_is_suspected_more_than_where_it_belongs() -> None:
    conversations = clean(60)
    goodbye = call_at(conversations[0], len(conversations[0].messages) - 1)
    moved = with_call(conversations[1], 5, goodbye)
    assert call_at(conversations[1], 5).name == REPLY
    scores = find_out_of_context([*conversations[:1], moved, *conversations[2:]], task())
    assert scores[moved.id, 5] > 5 * scores[conversations[0].id, len(conversations[0].messages) - 1]


def test_a_reply_before_a_result_is_not_scored() -> None:
    """A call belongs there; that is for the labelers to mend."""
    conversation = clean(1)[0]
    position = next(
        at
        for at, message in enumerate(conversation.messages)
        if message.tool_calls and call_at(conversation, at).name == "FindBooks"
    )
    wrong = with_call(conversation, position, ToolCall(name=REPLY, arguments={"message": "Hello"}))
    assert (wrong.id, position) not in find_out_of_context([wrong, *clean(5)[1:]], task())


@pytest.mark.parametrize(
    "messages",
    [
        (),
        (Message(role="user", content="Hello"),),
        (Message(role="assistant", content="\u2028 \x00 你好"), Message(role="user", content="")),
        (Message(role="assistant"), Message(role="tool", content='[1, null, {"a": []}]')),
    ],
)
def test_odd_conversations_are_no_obstacle(messages: tuple[Message, ...]) -> None:
    odd = replace(clean(1)[0], id="odd", messages=messages)
    assert find_out_of_context([odd], task()).keys() <= {("odd", 0)}
    assert len(find_out_of_context([odd, *clean(6)], task())) >= len(find_out_of_context(clean(6), task()))


def test_an_empty_batch_has_no_scores() -> None:
    assert find_out_of_context([], task()) == {}


@pytest.mark.slow
@pytest.mark.parametrize("arm", ["tft", "direct"])
def test_replies_of_another_agent_are_found_in_the_published_scenario(
    published_task: Task, dialogues: CleanTraces, arm: Arm
) -> None:
    """Recall 0.8 at precision 0.9 on scenario 2."""
    traces, corruptions = noisy_labels.corrupt(dialogues, arm)
    replaced = {one.before.id for one in corruptions if one.after.name == one.before.name == REPLY}
    replaced -= {one.before.id for one in corruptions if one.after == one.before}
    conversations = [replace(trace.conversation, id=str(number)) for number, trace in enumerate(traces)]
    places = {
        (conversation.id, position)
        for conversation in conversations
        for position, message in enumerate(conversation.messages)
        if message.tool_calls and message.tool_calls[0].id in replaced
    }
    found = {key for key, score in find_out_of_context(conversations, published_task).items() if score >= CUT}
    assert len(found & places) >= 0.8 * len(places)
    assert len(found & places) >= 0.9 * len(found)


@pytest.mark.slow
def test_the_published_clean_traces_raise_next_to_no_alarm(published_task: Task, dialogues: CleanTraces) -> None:
    conversations = [replace(trace.conversation, id=str(number)) for number, trace in enumerate(dialogues.restaurants)]
    scores = find_out_of_context(conversations, published_task)
    assert sum(score >= CUT for score in scores.values()) < 0.005 * len(scores)
