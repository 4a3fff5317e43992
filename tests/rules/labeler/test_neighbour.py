"""The nearest-neighbour labeler mends names and arguments, and leaves clean turns as they are."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from harness.data.pipeline_records import Rewrite
from harness.data.records import Conversation, ToolCall
from harness.rules.labeler.neighbour import NeighbourLabeler
from support.library_dialogues import REPLY, call_at, clean, task, with_call


def _relabel(labeler: NeighbourLabeler, conversations: list[Conversation]) -> list[Rewrite]:
    found: list[Rewrite] = []
    labeler.relabel(conversations, found.append)
    return found


def _turns(conversation: Conversation) -> list[int]:
    return [position for position, message in enumerate(conversation.messages) if message.tool_calls]


def _mislabelled(conversations: list[Conversation]) -> tuple[list[Conversation], int]:
    """Return the conversations with every third call under a wrong name."""
    found, wrong = [], 0
    for conversation in conversations:
        rng = Random(f"wrong:{conversation.id}")
        changed = conversation
        for position in _turns(conversation):
            if rng.random() < 0.33:
                call, wrong = call_at(conversation, position), wrong + 1
                other = rng.choice([name for name in ("FindBooks", "BorrowBook", REPLY) if name != call.name])
                arguments = {"message": "Which city are you in?"} if other == REPLY else {"city": "Lund"}
                changed = with_call(changed, position, ToolCall(name=other, arguments=arguments))
        found.append(changed)
    return found, wrong


def test_names_are_mended() -> None:
    truth = clean(50)
    noisy, wrong = _mislabelled(truth)
    assert wrong > 100
    right = total = 0
    for conversation, rewrite in zip(truth, _relabel(NeighbourLabeler(task()), noisy), strict=True):
        for position, call in zip(_turns(conversation), rewrite.calls, strict=True):
            total += 1
            right += call is not None and call.name == call_at(conversation, position).name
    assert right >= 0.98 * total


def test_clean_conversations_stay_as_they_are() -> None:
    conversations = clean(30)
    for conversation, rewrite in zip(conversations, _relabel(NeighbourLabeler(task()), conversations), strict=True):
        assert list(rewrite.calls) == [call_at(conversation, position) for position in _turns(conversation)]


def test_arguments_come_from_result_and_user() -> None:
    conversations = clean(30)
    position = next(at for at in _turns(conversations[4]) if call_at(conversations[4], at).name == "BorrowBook")
    right = call_at(conversations[4], position)
    conversations[4] = with_call(conversations[4], position, ToolCall(name=REPLY, arguments={"message": "Hm?"}))
    rewrite = _relabel(NeighbourLabeler(task()), conversations)[4]
    assert rewrite.calls[_turns(conversations[4]).index(position)] == right


def test_trusted_conversations_teach_a_batch_of_one() -> None:
    *trusted, conversation = clean(21)
    position = next(at for at in _turns(conversation) if call_at(conversation, at).name == "FindBooks")
    right = call_at(conversation, position)
    wrong = with_call(conversation, position, ToolCall(name=REPLY, arguments={"message": "Hm?"}))
    rewrite = _relabel(NeighbourLabeler(task(), trusted=trusted), [wrong])[0]
    assert rewrite.calls[_turns(conversation).index(position)] == right


def test_repeated_ids_and_call_ids_are_kept() -> None:
    conversations = [replace(conversation, id="same") for conversation in clean(12)]
    found = _relabel(NeighbourLabeler(task()), conversations)
    assert [rewrite.id for rewrite in found] == ["same"] * 12
    for conversation, rewrite in zip(conversations, found, strict=True):
        ids = [call.id if call else None for call in rewrite.calls]
        assert ids == [call_at(conversation, position).id for position in _turns(conversation)]


def test_the_same_batch_gives_the_same_labels() -> None:
    noisy, _ = _mislabelled(clean(20))
    assert _relabel(NeighbourLabeler(task()), noisy) == _relabel(NeighbourLabeler(task()), noisy)
