"""The task's description is what system messages have in common, or says that it is a draft."""

from __future__ import annotations

from collections.abc import Sequence

from harness.curation.job_init.task_description import DRAFT, VARIES, FoundDescription, SystemTally
from harness.data.records import Conversation, Message

TOLD = "You book tables for {name}.\nToday is {day}, {day}.\nAsk for the city, the day and the number of people first."


def found(texts: Sequence[str | None], *, column: bool = False) -> FoundDescription:
    tally = SystemTally()
    for text in texts:
        messages = (Message(role="system", content=text),) if text and not column else ()
        conversation = Conversation(id="a", messages=(*messages, Message(role="user", content="Hi")), source="")
        tally.add(conversation, text if column else None)
    return tally.description(["Find", "Book"])


def test_one_text_is_taken_as_it_is_from_a_message_or_a_column() -> None:
    for column in (False, True):
        assert found([TOLD] * 3, column=column).text == TOLD


def test_what_differs_between_traces_is_marked_and_counted() -> None:
    texts = [TOLD.format(name=name, day=f"2026-11-{day:02d}") for name, day in [("Ann", 1), ("Bo Li", 2), ("Cy", 17)]]
    one = found(texts)
    assert one.text == TOLD.format(name=VARIES, day=VARIES).replace(f"{VARIES}, {VARIES}", VARIES)
    assert (one.varies, one.wordings, one.seen, one.draft) == (2, 3, 3, False)


def test_what_differs_in_long_texts_of_frequent_words_is_marked_too() -> None:
    words = [f"word{1000 % number}" for number in range(1, 3_000)]
    texts = [" ".join([*words[:700], f"Ann{one}", "or", f"Bo{one}", *words[700:]]) for one in range(5)]
    one = found(texts)
    assert one.text == " ".join([*words[:700], VARIES, "or", VARIES, *words[700:]])
    assert one.varies == 2


def test_the_most_frequent_kind_counts_and_others_are_counted() -> None:
    other = "Summarise the article below in three sentences, in the language in which it was written."
    one = found([*[TOLD] * 4, other, other, None])
    assert (one.text, one.seen, one.other_kinds, one.other_seen, one.without) == (TOLD, 4, 1, 2, 1)


def test_without_any_a_draft_says_that_it_is_one_and_names_the_tools() -> None:
    one = found([None, None])
    assert one.draft
    assert one.text.startswith(DRAFT)
    assert "Find, Book" in one.text
