"""`rules:labeler-state` and `rules:arbiter`: names and arguments from dialogue, results and batch."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

import pytest

from harness.data.events import events
from harness.data.pipeline_records import Dispute, Rewrite, Ruling
from harness.data.records import Conversation, Message, Task, ToolCall
from harness.data.scenarios import Arm, CleanTraces, noisy_labels
from harness.data.tools import Toolbox
from harness.rules.labeler.arbiter import RulesArbiter
from harness.rules.labeler.state import ServiceCalls, StateLabeler
from harness.rules.labeler.turns import dialogues_of
from support.bike_dialogues import TASK, TOWNS, call, conversation, damaged, returned, say, user

TOOLBOX = Toolbox(TASK.tools)
CLEAN = [conversation(number) for number in range(50)]


def turns(one: Conversation) -> list[ToolCall]:
    return [event.call for event in events(one.messages, TOOLBOX) if event.is_turn and event.call]


def relabelled(batch: list[Conversation]) -> list[Rewrite]:
    rewrites: list[Rewrite] = []
    StateLabeler(TASK).relabel(batch, rewrites.append)
    return rewrites


@cache
def mended() -> tuple[tuple[Conversation, Conversation, Rewrite], ...]:
    """Return clean and damaged conversations with what is made of the damaged ones."""
    raw = damaged(CLEAN)
    return tuple(zip(CLEAN, raw, relabelled(raw), strict=True))


def services(batch: list[Conversation]) -> dict[tuple[str, int], ToolCall | None]:
    found = ServiceCalls(dialogues_of(batch, TOOLBOX), TOOLBOX)
    return {(one.turn.dialogue.id, one.turn.position): found.label(one)[0] for one in found.calls}


def test_clean_service_calls_stay_exactly() -> None:
    for one, rewrite in zip(CLEAN, relabelled(CLEAN), strict=True):
        for was, now in zip(turns(one), rewrite.calls, strict=True):
            assert was.name == "say_to_user" or now == was


def test_every_name_is_found_where_half_of_the_calls_are_wrong() -> None:
    for one, _, rewrite in mended():
        assert [call.name for call in turns(one)] == [call and call.name for call in rewrite.calls]


def test_arguments_come_from_results_and_words_where_the_call_was_replaced() -> None:
    right = wrong = 0
    for one, was, rewrite in mended():
        for expected, before, now in zip(turns(one), turns(was), rewrite.calls, strict=True):
            if expected.name != "say_to_user" and before != expected:
                right += now == expected
                wrong += now != expected
    assert right > 20
    assert right / (right + wrong) >= 0.9


def test_values_have_the_type_that_the_schema_wants() -> None:
    for _, _, rewrite in mended():
        for made in rewrite.calls:
            assert made is None or not TOOLBOX.problems(made)


def test_a_booking_that_failed_has_the_arguments_that_were_asked_for() -> None:
    """An empty result tells nothing: name and arguments come from what was said."""
    raw = list(CLEAN)
    number = next(n for n, one in enumerate(CLEAN) if one.messages[10].content == "[]")
    messages = list(raw[number].messages)
    messages[9] = say("What else?")
    raw[number] = replace(raw[number], messages=tuple(messages))
    assert services(raw)[raw[number].id, 9] == CLEAN[number].messages[9].tool_calls[0]


def test_results_may_be_tool_messages() -> None:
    def as_tools(one: Conversation) -> Conversation:
        messages = [
            replace(message, role="tool") if (message.content or "").startswith("[") else message
            for message in one.messages
        ]
        return replace(one, messages=tuple(messages))

    as_user = [rewrite.calls for _, _, rewrite in mended()]
    assert [rewrite.calls for rewrite in relabelled([as_tools(raw) for _, raw, _ in mended()])] == as_user


def test_a_call_that_ends_a_conversation_stays_where_conversations_are_cut() -> None:
    cut = [replace(one, messages=one.messages[:10]) for one in CLEAN]
    for one, rewrite in zip(cut, relabelled(cut), strict=True):
        assert rewrite.calls[-1] == turns(one)[-1]


def test_a_call_that_ends_a_conversation_is_a_reply_where_such_labels_are_noise() -> None:
    assert any(turns(raw)[-1].name != "say_to_user" for _, raw, _ in mended())
    for _, _, rewrite in mended():
        last = rewrite.calls[-1]
        assert last is not None
        assert last.name == "say_to_user"


def test_of_shuffled_messages_nothing_is_said() -> None:
    shuffled = []
    for one in CLEAN[:15]:
        messages = list(one.messages)
        Random(one.id).shuffle(messages)
        shuffled.append(replace(one, messages=tuple(messages)))
    rewrites = relabelled([*CLEAN[15:], *shuffled])
    silent = [all(made is None for made in rewrite.calls) for rewrite in rewrites]
    assert not any(silent[:35])
    assert sum(silent[35:]) >= 13
    assert all("order" in reason for rewrite in rewrites if rewrite.calls[0] is None for reason in rewrite.reasons)


def test_the_order_of_the_batch_does_not_matter() -> None:
    raw = damaged(CLEAN)
    assert services(raw) == services(raw[::-1])


def test_conversations_with_the_same_id_keep_their_own_labels() -> None:
    twins = [replace(CLEAN[0], id="same"), replace(CLEAN[1], id="same"), *CLEAN[2:]]
    rewrites = relabelled(twins)
    assert [rewrite.id for rewrite in rewrites[:2]] == ["same", "same"]
    for one, rewrite in zip(twins[:2], rewrites[:2], strict=True):
        for was, now in zip(turns(one), rewrite.calls, strict=True):
            assert was.name == "say_to_user" or was == now


@pytest.mark.parametrize(
    "messages",
    [
        (),
        (user("Hello"),),
        (say("Hello"),),
        (say("Hello"), say("Hello again")),
        (call("SearchBikes", town="Delft"), returned({"town": None, "kind": ["a"], "shop": {"x": 1}})),
        (user("\u2028 {"), call("SearchBikes"), Message(role="tool", content="error: no such town")),
        (user("x" * 100_000), call("Unknown", a=1), returned()),
        (user("Hi"), Message(role="assistant"), user("Hi")),
    ],
    ids=["empty", "user only", "reply only", "two replies", "odd rows", "error text", "megabytes", "silent assistant"],
)
def test_odd_conversations_get_as_many_labels_as_they_have_turns(messages: tuple[Message, ...]) -> None:
    odd = Conversation(id="odd", messages=messages, source="made")
    for batch in ([odd], [*CLEAN[:5], odd]):
        assert len(relabelled(batch)[-1].calls) == len(turns(odd))


@pytest.mark.slow
@pytest.mark.parametrize("arm", ["tft", "direct"])
def test_noisy_labels_of_the_benchmark_are_repaired(published_task: Task, dialogues: CleanTraces, arm: Arm) -> None:
    """The published scenario 2, names and service arguments against the clean calls."""
    raw = noisy_labels.SCENARIO.conversations(dialogues, arm)
    toolbox = Toolbox(published_task.tools)
    found = ServiceCalls(dialogues_of(raw, toolbox), toolbox)
    labels = {call.turn.key: found.label(call) for call in found.calls}
    counts: Counter[str] = Counter()
    for turn in found.turns:
        right = toolbox.call_of(dialogues.restaurants[turn.dialogue.number].conversation.messages[turn.position])
        assert right is not None
        state = "damaged" if right != turn.raw else "clean"
        counts[state] += 1
        counts[f"{state}, named"] += found.tools[turn.key] == right.name
        if right.name != toolbox.reply.tool:
            counts["services"] += 1
            counts["exact"] += labels.get(turn.key, (None, ""))[0] == right
    assert counts["damaged, named"] >= 0.995 * counts["damaged"]
    assert counts["clean, named"] >= 0.999 * counts["clean"]
    assert counts["exact"] >= 0.95 * counts["services"]


def disputes() -> list[tuple[Dispute, ToolCall]]:
    found = []
    for one, raw in zip(CLEAN, damaged(CLEAN), strict=True):
        for position, (was, now) in enumerate(zip(one.messages, raw.messages, strict=True)):
            if was != now and was.tool_calls[0].name != "say_to_user":
                right, wrong = was.tool_calls[0], now.tool_calls[0]
                candidates = (right, wrong) if position % 2 else (wrong, right)
                name = f"{one.id}:{position}"
                level = "name" if right.name != wrong.name else "values"
                dispute = Dispute(id=name, conversation=raw, position=position, candidates=candidates, level=level)
                found.append((dispute, right))
    return found


def test_the_arbiter_picks_the_right_service_call_or_none() -> None:
    asked = disputes()
    rulings: list[Ruling] = []
    RulesArbiter(TASK).rule([dispute for dispute, _ in asked], rulings.append)
    ruled = [(ruling.call, right) for ruling, (_, right) in zip(rulings, asked, strict=True)]
    assert sum(call == right for call, right in ruled) >= 0.9 * len(ruled)
    assert sum(call not in (None, right) for call, right in ruled) <= 0.03 * len(ruled)
    for ruling, (dispute, _) in zip(rulings, asked, strict=True):
        assert ruling.reason
        assert ruling.call == (None if ruling.chosen is None else dispute.candidates[ruling.chosen])


def test_the_arbiter_rejects_calls_that_the_schema_does_not_allow() -> None:
    dispute, right = disputes()[0]
    wrong = replace(right, arguments={**right.arguments, "colour": "red"})
    rulings: list[Ruling] = []
    RulesArbiter(TASK).rule([replace(dispute, candidates=(wrong,))], rulings.append)
    assert rulings[0].call is None


def test_the_arbiter_reads_traces_of_older_tools() -> None:
    """A candidate in the task's schema agrees with a call of the same under other names."""
    old = {"SearchBikes": "find_bikes", "RentBike": "hire_bike", "town": "townName", "kind": "kindValue"}
    asked = [dispute for dispute, right in disputes() if right.name == "SearchBikes"]
    clean = {one.id: one for one in CLEAN}
    found: list[Ruling] = []
    moved, expected = [], []
    for dispute in asked:
        one = clean[dispute.conversation.id]
        right = one.messages[dispute.position].tool_calls[0]
        wrong = replace(
            right, arguments={**right.arguments, "town": "Bergen" if right.arguments["town"] != "Bergen" else "Lund"}
        )
        renamed = tuple(
            replace(message, tool_calls=tuple(_renamed(made, old) for made in message.tool_calls))
            for message in one.messages
        )
        moved.append(replace(dispute, conversation=replace(one, messages=renamed), candidates=(wrong, right)))
        expected.append(right)
    RulesArbiter(TASK).rule(moved, found.append)
    assert [ruling.call for ruling in found] == expected


def _renamed(made: ToolCall, names: dict[str, str]) -> ToolCall:
    arguments = {names.get(key, key): value for key, value in made.arguments.items()}
    return replace(made, name=names.get(made.name, made.name), arguments=arguments)


def test_an_empty_call_is_not_taken_for_its_own_where_the_user_asked_for_what_came_back() -> None:
    """All of the tool's parameters may be left out, so that a call without any always fits the schema."""
    free = Task(description=TASK.description, tools=(TASK.tools[0], _all_optional(TASK.tools[1]), TASK.tools[2]))
    batch = [conversation(number) for number in range(20)]
    place = next(
        n
        for n, message in enumerate(batch[0].messages)
        if message.tool_calls[0:1] and message.tool_calls[0].name == "SearchBikes"
    )
    emptied = list(batch[0].messages)
    right = emptied[place].tool_calls[0]
    emptied[place] = call("SearchBikes")
    rewrites: list[Rewrite] = []
    StateLabeler(free).relabel([replace(batch[0], messages=tuple(emptied)), *batch[1:]], rewrites.append)
    made = next(one for one in rewrites[0].calls if one is not None and one.name == "SearchBikes")
    assert made.arguments["town"] == right.arguments["town"]


def _all_optional(tool: dict[str, Any]) -> dict[str, Any]:
    function = tool["function"]
    return {**tool, "function": {**function, "parameters": {**function["parameters"], "required": []}}}


def test_a_few_empty_results_after_calls_mislabelled_as_replies_are_no_receipts() -> None:
    """Most searches that found nothing were relabelled as replies; replies themselves are answered by the user."""
    batch = []
    for number in range(12):
        town = TOWNS[number % len(TOWNS)]
        search = call("SearchBikes", town=town) if number % 3 == 0 else say("Bye.")
        messages = (
            user(f"A bike in {town}?"),
            search,
            returned(),
            say("There is none."),
            user("Thanks, bye."),
            say("Bye."),
        )
        batch.append(Conversation(id=f"none-{number}", messages=messages, source="made"))
    named = [rewrite.calls[0] and rewrite.calls[0].name for rewrite in relabelled([*batch, *CLEAN[:6]])[:12]]
    assert named == ["SearchBikes"] * 12
