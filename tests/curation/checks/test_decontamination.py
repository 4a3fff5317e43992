"""The gate: five planted test conversations are named whatever was done to them, and clean data passes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.curation.checks.decontamination import ContaminationFound, Decontamination, Overlap, stop_if_contaminated
from harness.data import scenarios
from harness.data.formats.published import read_test_conversations
from harness.data.records import Conversation, Message, ToolCall
from harness.data.scenarios import ARMS, CleanTraces
from harness.errors import CheckFailed

Talk = Callable[..., Conversation]
Edit = Callable[[Conversation], Conversation]


def with_new_ids(conversation: Conversation) -> Conversation:
    def changed(message: Message) -> Message:
        return replace(message, tool_calls=tuple(replace(call, id="call_x") for call in message.tool_calls))

    return replace(conversation, messages=tuple(map(changed, conversation.messages)))


def in_capitals(conversation: Conversation) -> Conversation:
    def changed(message: Message) -> Message:
        is_text = message.content and message.content[0] not in "[{"
        return replace(
            message, content=f"{message.content.upper()}!" if message.content and is_text else message.content
        )

    return replace(conversation, messages=tuple(map(changed, conversation.messages)))


def with_another_greeting(conversation: Conversation) -> Conversation:
    greeting = Message(role="user", content="Good evening, could you give me a hand with finding somewhere nice?")
    return replace(conversation, messages=(greeting, *conversation.messages[1:]))


def without_a_turn(conversation: Conversation) -> Conversation:
    return replace(conversation, messages=conversation.messages[:4] + conversation.messages[6:])


def with_keys_turned(conversation: Conversation) -> Conversation:
    def changed(message: Message) -> Message:
        calls = (replace(call, arguments=dict(reversed(call.arguments.items()))) for call in message.tool_calls)
        return replace(message, tool_calls=tuple(calls))

    return replace(conversation, messages=tuple(map(changed, conversation.messages)))


def first_half(conversation: Conversation) -> Conversation:
    return replace(conversation, messages=conversation.messages[: len(conversation.messages) // 2])


def with_other_labels(conversation: Conversation) -> Conversation:
    """The users' side alone gives it away."""
    call = ToolCall(name="respond_to_user", arguments={"message": "I do not know."})
    messages = (
        replace(message, tool_calls=(call,)) if message.tool_calls else message for message in conversation.messages
    )
    return replace(conversation, messages=tuple(messages))


def with_all_of_it(conversation: Conversation) -> Conversation:
    edits: tuple[Edit, ...] = (with_new_ids, in_capitals, with_another_greeting, without_a_turn, with_keys_turned)
    for edit in edits:
        conversation = edit(conversation)
    return conversation


EDITS: tuple[Edit, ...] = (
    with_new_ids,
    in_capitals,
    with_another_greeting,
    without_a_turn,
    with_keys_turned,
    first_half,
    with_other_labels,
    with_all_of_it,
)


@pytest.fixture(scope="module")
def test_set(sources: Path) -> list[Conversation]:
    return read_test_conversations(sources / "tft-benchmark" / "test.jsonl")


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_every_test_conversation_is_found_after_a_small_edit_and_no_other_is_named(
    edit: Edit, test_set: list[Conversation]
) -> None:
    gate = Decontamination(test_set)
    for conversation in test_set:
        found = gate.find(replace(edit(conversation), id="planted"))
        assert [(overlap.id, overlap.test_id) for overlap in found] == [("planted", conversation.id)]


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_the_traces_of_every_scenario_are_far_from_the_test_set(
    number: int, arm: scenarios.Arm, dialogues: CleanTraces, test_set: list[Conversation]
) -> None:
    """Not only do they pass: no pair comes near the thresholds."""
    gate = Decontamination(test_set)
    for conversation in scenarios.get(number).conversations(dialogues, arm):
        for overlap in gate.compare(conversation):
            assert not overlap.reasons
            assert overlap.short_share <= 0.11
            assert overlap.long_share <= 0.02
            assert overlap.similarity <= 0.1


def test_the_gate_stops_and_names_exactly_the_five_that_were_planted(
    dialogues: CleanTraces, test_set: list[Conversation]
) -> None:
    traces = scenarios.get(1).conversations(dialogues, "tft")
    planted = {7: 3, 60: 12, 150: 20, 201: 28, 320: 33}
    for (position, number), edit in zip(planted.items(), EDITS[3:], strict=True):
        traces[position] = replace(edit(test_set[number]), id=traces[position].id)
    gate = Decontamination(test_set)
    with pytest.raises(ContaminationFound) as caught:
        stop_if_contaminated(overlap for trace in traces for overlap in gate.find(trace))
    named = {(overlap.id, overlap.test_id) for overlap in caught.value.overlaps}
    assert named == {(traces[position].id, test_set[number].id) for position, number in planted.items()}
    assert all(f"{id} is {test_id}" in str(caught.value) for id, test_id in named)


def test_the_sentence_counts_all_and_names_ten() -> None:
    overlaps = [
        Overlap(
            id=f"trace-{number}",
            test_id=f"test-{number % 12}",
            same_user_text=True,
            short_runs=0,
            short_share=0.0,
            long_runs=0,
            long_share=0.0,
            similarity=0.0,
            same_transaction=False,
        )
        for number in range(25)
    ]
    error = ContaminationFound(overlaps)
    assert isinstance(error, CheckFailed)
    assert str(error).startswith("12 conversations of the test set")
    assert "trace-9 is test-9" in str(error)
    assert "trace-10" not in str(error)
    assert "15 more" in str(error)


def test_clean_overlaps_stop_nothing(visit: Conversation, talk: Talk) -> None:
    other = talk(
        "My rabbit is unwell, is there a vet for it in Ely?", "Which day?", "Any day next week will do for us."
    )
    stop_if_contaminated(Decontamination([visit]).compare(other))


def test_the_same_transaction_is_no_evidence_by_itself(visit: Conversation, talk: Talk) -> None:
    booking = next(call for message in visit.messages for call in message.tool_calls if call.name == "BookVisit")
    other = talk(
        "We have been to Paws before. Same slot as my neighbour, Tuesday the 5th.", booking, [], "They are full."
    )
    (overlap,) = Decontamination([visit]).compare(other)
    assert overlap.same_transaction
    assert not overlap.reasons


def test_a_transaction_is_the_same_under_drifted_names(visit: Conversation, talk: Talk) -> None:
    booking = next(call for message in visit.messages for call in message.tool_calls if call.name == "BookVisit")
    drifted = ToolCall(name="make_visit", arguments=dict(zip("cba", reversed(booking.arguments.values()), strict=True)))
    (overlap,) = Decontamination([visit]).compare(talk("Paws please.", drifted, [], "They are full."))
    assert overlap.same_transaction


def test_a_result_is_nothing_that_a_user_says(visit: Conversation, talk: Talk) -> None:
    rows = [json.loads(message.content or "") for message in visit.messages if (message.content or "")[:1] == "["]
    other = talk(
        "Anything.", ToolCall(name="FindVets", arguments={"city": "Ely", "animal": "cat"}), rows[0], "Nothing."
    )
    assert Decontamination([visit]).find(other) == []


def test_what_many_test_conversations_say_tells_none_of_them(talk: Talk) -> None:
    phrase = "Good morning to you, I would like to ask whether you could help me to find a vet for my cat."
    stories = (
        "It has been limping since it fell from the roof of our neighbour's garage on Sunday.",
        "She eats nothing but tuna, and now her fur comes off in handfuls all over the sofa.",
        "He is to be chipped and vaccinated before we all move to Portugal at the end of May.",
    )
    test = [talk(phrase, "Of course, what is the matter?", story, id=story[:2]) for story in stories]
    gate = Decontamination(test)
    assert gate.find(talk(phrase, "Sure, where do you live?", "On a farm by the sea.")) == []
    for conversation in test:
        assert [overlap.test_id for overlap in gate.find(conversation)] == [conversation.id]


def test_without_a_test_set_nothing_is_contaminated(visit: Conversation) -> None:
    assert Decontamination([]).find(visit) == []
