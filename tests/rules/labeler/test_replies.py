"""Replies that are written fit their place and state what is known there, nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from harness.data.events import events
from harness.data.records import Conversation, ToolCall
from harness.data.tools import Toolbox
from harness.rules.labeler.replies import Replies
from harness.rules.labeler.reply_phrases import compose
from harness.rules.labeler.reply_state import forms, is_known, known_words, reply_state
from support.library_dialogues import REPLY, TITLES, call_at, clean, messages, task

Style = Callable[[Replies, Conversation, int], str]
TOOLBOX = Toolbox(task().tools)


def composed(replies: Replies, conversation: Conversation, position: int) -> str:
    return compose(events(conversation.messages, TOOLBOX), position, TOOLBOX)


STYLES: tuple[Style, ...] = (composed, Replies.retrieve)


@pytest.fixture(scope="module")
def replies() -> Replies:
    return Replies.learn(clean(60), task())


def _reply_positions(conversation: Conversation) -> list[int]:
    return [
        at
        for at, message in enumerate(conversation.messages)
        if message.tool_calls and call_at(conversation, at).name == REPLY
    ]


@pytest.mark.parametrize("style", STYLES)
def test_no_title_or_number_is_stated_that_the_conversation_has_not_told(replies: Replies, style: Style) -> None:
    for conversation in clean(75)[60:]:
        for position in _reply_positions(conversation):
            text = style(replies, conversation, position)
            before = events(conversation.messages[:position], TOOLBOX)
            given = [event for event in before if event.kind in ("user", "result")]
            told_so_far = " ".join(event.text for event in given)
            assert text.strip()
            assert not [title for title in TITLES if title in text and title not in told_so_far], text
            rows = {str(len(event.rows)) for event in given}
            words = {number for word in known_words(given) for number in re.findall(r"\d+", word)} | rows
            assert not [number for number in re.findall(r"\d+", text) if number not in words], text


@pytest.mark.parametrize("style", STYLES)
def test_an_offer_names_a_row_and_a_question_is_answered(replies: Replies, style: Style) -> None:
    row = {"city": "Lund", "shelf": "travel", "title": "A Map of Rivers", "pages": "412"}
    find = ToolCall(name="FindBooks", arguments={"city": "Lund", "shelf": "travel"})
    turns = ["Can you find me a book in Lund? I like travel.", find, [row], "x", "How many pages does it have?", "x"]
    conversation = Conversation(id="new", messages=messages("new", [*turns, "Thank you."]), source="new")
    assert "A Map of Rivers" in style(replies, conversation, 3)
    assert "412" in style(replies, conversation, 5)


def test_nothing_found_is_said_so(replies: Replies) -> None:
    find = ToolCall(name="FindBooks", arguments={"city": "Lund"})
    conversation = Conversation(id="n", messages=messages("n", ["A book in Lund", find, [], "x", "Oh."]), source="n")
    text = composed(replies, conversation, 3)
    assert "could not find" in text


def test_a_missing_argument_is_asked_for_by_the_words_of_the_schema(replies: Replies) -> None:
    find = ToolCall(name="FindBooks", arguments={"city": "Porto"})
    turns = ["Find me a book", "x", "In Porto", find, [{"city": "Porto", "title": "Glass Gardens"}], "x", "Ok"]
    conversation = Conversation(id="n", messages=messages("n", turns), source="n")
    assert "city" in composed(replies, conversation, 1).lower()
    assert "city" in replies.retrieve(conversation, 1).lower()


def test_a_call_that_changes_something_is_confirmed_with_its_arguments(replies: Replies) -> None:
    conversation = clean(61)[60]
    position = (
        next(
            at
            for at, message in enumerate(conversation.messages)
            if message.tool_calls and call_at(conversation, at).name == "BorrowBook"
        )
        - 2
    )
    arguments = call_at(conversation, position + 2).arguments
    text = composed(replies, conversation, position)
    assert arguments["title"] in text
    assert "March" in text


def test_the_reply_does_not_depend_on_what_stands_there(replies: Replies) -> None:
    conversation = clean(61)[60]
    position = _reply_positions(conversation)[1]
    changed = list(conversation.messages)
    changed[position] = messages("x", ["", "Something else"])[1]
    other = Conversation(id=conversation.id, messages=tuple(changed), source="")
    for style in STYLES:
        assert style(replies, conversation, position) == style(replies, other, position)


def test_what_comes_later_is_not_known() -> None:
    conversation = clean(1)[0]
    sequence = events(conversation.messages, TOOLBOX)
    known = reply_state(sequence, 1, TOOLBOX)
    assert not known.facts
    assert not known.row


@pytest.mark.parametrize("style", STYLES)
def test_a_batch_without_anything_to_learn_still_gives_replies(style: Style) -> None:
    conversation = Conversation(id="n", messages=messages("n", ["Hello", "x", "Bye", "x"]), source="n")
    empty = Replies.learn([], task())
    assert all(style(empty, conversation, position).strip() for position in (1, 3))


def test_dates_and_times_are_known_in_the_ways_they_are_said() -> None:
    said = messages("n", ["On March 8th, quarter past five in the evening"])
    words = known_words(events(said, TOOLBOX))
    assert is_known("2019-03-08", words)
    assert is_known("17:15", words)
    assert not is_known("18:15", words)
    assert list(forms("2019-03-21"))[1] == "March 21st"
    assert json.dumps(list(forms("17:30"))) == '["17:30", "5:30 pm"]'
