"""Exact and near duplicates: what is one, what is none, and that none above the threshold is overlooked."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.curation.checks.duplicates import SHINGLE, Duplicates, all_words, grams, words
from harness.data.records import Conversation, Message, ToolCall
from harness.data.sample import sample_conversations
from harness.errors import UsageError

Talk = Callable[..., Conversation]
WORDS = [f"{a}{b}{c}" for a in "bdfgklm" for b in "aeiou" for c in "nrst"]


def story(id: str, length: int = 200) -> list[str]:
    return random.Random(id).choices(WORDS, k=length)


def said(id: str, text: list[str]) -> Conversation:
    return Conversation(id=id, messages=(Message(role="user", content=" ".join(text)),), source="")


def varied(text: list[str], changes: int, id: str) -> list[str]:
    rng = random.Random(id)
    changed = list(text)
    for position in rng.sample(range(len(text)), changes):
        changed[position] = rng.choice(WORDS)
    return changed


def similarity(one: list[str], other: list[str]) -> float:
    a, b = grams(one, SHINGLE), grams(other, SHINGLE)
    return len(a & b) / len(a | b)


def test_case_punctuation_ids_and_the_order_of_arguments_make_no_new_conversation(visit: Conversation) -> None:
    def changed(message: Message) -> Message:
        text = message.content and (message.content if message.content[0] == "[" else f"{message.content.upper()} !!")
        calls = (replace(call, id="x", arguments=dict(reversed(call.arguments.items()))) for call in message.tool_calls)
        return replace(message, content=text, tool_calls=tuple(calls))

    seen = Duplicates()
    assert seen.add(visit) is None
    found = seen.add(Conversation(id="again", messages=tuple(map(changed, visit.messages)), source=""))
    assert found
    assert (found.id, found.of, found.similarity, found.exact) == ("again", "visit", 1.0, True)
    assert len(seen) == 1


def test_a_reply_is_the_same_with_and_without_a_tool_for_it(visit: Conversation) -> None:
    plain = [
        Message(role="assistant", content=message.tool_calls[0].arguments["message"])
        if message.tool_calls and "message" in message.tool_calls[0].arguments
        else message
        for message in visit.messages
    ]
    assert all_words(replace(visit, messages=tuple(plain))) == all_words(visit)


def test_a_small_change_makes_a_near_duplicate_and_another_name_of_a_tool_a_difference(visit: Conversation) -> None:
    seen = Duplicates()
    seen.add(visit)
    changed = replace(visit, id="b", messages=(*visit.messages[:-1], Message(role="assistant", content="Goodbye now.")))
    found = seen.find(changed)
    assert found
    assert not found.exact
    assert 0.8 <= found.similarity < 1
    assert all_words(_renamed(visit)) != all_words(visit)


def _renamed(conversation: Conversation) -> Conversation:
    messages = (
        replace(message, tool_calls=tuple(replace(call, name=call.name + "Now") for call in message.tool_calls))
        for message in conversation.messages
    )
    return replace(conversation, messages=tuple(messages))


def test_what_all_agents_are_told_makes_no_conversations_alike() -> None:
    told = Message(role="system", content=" ".join(story("system", 2_000)))
    one, other = (said(id, story(id, 60)) for id in ("one", "other"))
    seen = Duplicates()
    assert seen.add(replace(one, messages=(told, *one.messages))) is None
    assert seen.add(replace(other, messages=(told, *other.messages))) is None
    assert seen.add(one) is not None


def test_among_many_that_follow_one_template_a_repeat_is_found() -> None:
    template = story("template", 160)
    seen = Duplicates()
    for number in range(600):
        assert seen.add(said(str(number), [*template, *story(str(number), 60)])) is None
    again = seen.add(said("again", [*template, *varied(story("100", 60), 1, "again")]))
    assert again
    assert again.of == "100"


def test_find_keeps_nothing(visit: Conversation) -> None:
    seen = Duplicates()
    assert seen.find(visit) is None
    assert seen.find(visit) is None
    assert len(seen) == 0


@pytest.mark.parametrize("threshold", [0.6, 0.8, 0.95])
def test_what_is_clearly_above_the_threshold_is_found_and_what_is_clearly_below_is_not(threshold: float) -> None:
    """Against the exact similarity, 0.15 from the threshold: nearly four standard errors of the estimate."""
    seen = Duplicates(threshold)
    for number in range(40):
        original = story(f"{number}", 300)
        assert seen.add(said(f"{number}", original)) is None
        for changes in (0, 1, 2, 5, 10, 15, 25, 40, 80):
            text = varied(original, changes, f"{number}:{changes}")
            exact, found = similarity(original, text), seen.find(said("new", text))
            if exact >= min(1.0, threshold + 0.14):
                assert found is not None, (exact, number)
                assert found.of == str(number)
            if exact <= threshold - 0.15:
                assert found is None, (exact, number)
            if found:
                assert abs(found.similarity - exact) < 0.16


def test_it_finds_them_among_more_than_it_first_has_room_for() -> None:
    seen = Duplicates()
    stories = [story(f"{number}", 30) for number in range(1500)]
    assert not [number for number, text in enumerate(stories) if seen.add(said(f"{number}", text))]
    for number in range(0, 1500, 97):
        found = seen.add(said("again", [word.upper() for word in stories[number]]))
        assert found
        assert (found.of, found.exact) == (str(number), True)
        near = seen.find(said("near", [*stories[number], "nothing", "more"]))
        assert near
        assert near.of == str(number)


def test_different_conversations_of_one_service_are_no_duplicates() -> None:
    seen = Duplicates()
    assert [found for conversation in sample_conversations(150) if (found := seen.add(conversation))] == []


def test_conversations_without_words_repeat_each_other(talk: Talk) -> None:
    seen = Duplicates()
    assert seen.add(talk(id="a")) is None
    assert seen.add(talk(id="b"))


def test_texts_that_no_file_can_hold_and_any_arguments_have_a_fingerprint() -> None:
    call = ToolCall(name="Do", arguments={"what": {"b": [1, None], "a": "\ud83d"}, "who": True})
    messages = (Message(role="user", content="half \ud83d"), Message(role="assistant", tool_calls=(call,)))
    seen = Duplicates()
    assert seen.add(Conversation(id="a", messages=messages, source="")) is None


def test_scripts_without_spaces_are_words_too() -> None:
    assert words("獣医を探す") == ["獣", "医", "を", "探", "す"]
    assert words("Ｐaws, ÉLY straße") == ["paws", "ély", "strasse"]


@pytest.mark.parametrize("threshold", [0, -1, 1.5])
def test_a_threshold_that_is_no_similarity_is_refused(threshold: float) -> None:
    with pytest.raises(UsageError, match="threshold"):
        Duplicates(threshold)
