"""Claims of a message against what the conversation and the tools say; each bad verdict names both sides."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.data.records import Case, Task, ToolCall
from harness.rules.judge.rubric import NAME, judge, settings

MakeCase = Callable[..., Case]

FIND = ToolCall(name="FindRestaurants", arguments={"city": "Fresno", "cuisine": "Thai"})
ROW = {
    "city": "Fresno",
    "cuisine": "Thai",
    "has_live_music": "False",
    "phone_number": "559-555-0142",
    "price_range": "moderate",
    "restaurant_name": "Lotus 9 Garden",
    "serves_alcohol": "True",
    "street_address": "4410 North Palm Avenue",
}
OTHER = {**ROW, "restaurant_name": "Basil Court", "serves_alcohol": "False", "price_range": "inexpensive"}
FAR = {
    **OTHER,
    "restaurant_name": "Mango Tree Kitchen",
    "phone_number": "559-555-0177",
    "street_address": "88 Olive Road",
}
BOOK = ToolCall(
    name="ReserveRestaurant",
    arguments={
        "restaurant_name": "Lotus 9 Garden",
        "city": "Fresno",
        "date": "2019-03-04",
        "time": "17:30",
        "party_size": "4",
    },
)
BOOKED = {**ROW, "date": "2019-03-04", "time": "17:30", "party_size": "4"}
SEARCH = ("Thai food in Fresno please", FIND, [ROW])
TWO = ("Thai food in Fresno please", FIND, [ROW, FAR])
ASKED = (*SEARCH, "I found Lotus 9 Garden.", "Book it for 4 next Monday at 5:30 pm")
DONE = (*ASKED, "Please confirm: 4 people on Monday at 5:30 pm.", "Yes", BOOK, [BOOKED])
FAILED = (*DONE[:-1], [])

BAD = [
    (SEARCH, "I found Lotus 9 Garden in Bakersfield.", "Bakersfield"),
    (SEARCH, "How about a table at Siam Orchid?", "Siam Orchid"),
    (SEARCH, "They have live music.", "has_live_music is False"),
    (SEARCH, "**Live music:** Yes", "has_live_music is False"),
    (SEARCH, "Sorry, they don't serve any alcohol.", "serves_alcohol is True"),
    (SEARCH, "Lotus 9 Garden is an expensive place.", "price range is moderate"),
    (SEARCH, "Call them at 559-555-0199.", "559-555-0142"),
    (SEARCH, "The address is 1200 North Palm Avenue.", "4410"),
    (SEARCH, "I found 6 restaurants for you.", "returns 1"),
    (SEARCH, "I couldn't find any restaurants there.", "returns 1"),
    (SEARCH, "I have booked a table for you.", "no tool has booked"),
    (("Thai food in Fresno please", FIND, []), "I found a nice place for you.", "returns nothing"),
    (ASKED, "Confirming a table for 2 next Monday at 5:30 pm.", "for 4"),
    (ASKED, "So that is 4 people on Monday at 6:30 pm?", "5:30 pm"),
    (ASKED, "A table for 4 tomorrow at 5:30 pm, right?", "next monday"),
    (ASKED, "What time would you like?", "5:30 pm"),
    (ASKED, "How many people will be there?", "for 4"),
    (ASKED, "Yes, 8:15 pm is available.", "8:15 pm"),
    (DONE, "Unfortunately I was unable to book it.", "it was made"),
    (DONE, "Would you like me to book the table?", "it was made"),
    (FAILED, "Your reservation is confirmed!", "returns nothing"),
    (DONE, "Your table is booked for 7:45 pm.", "7:45 pm"),
    ((*DONE, "Done.", "Do they have live music?"), "Yes.", "has_live_music is False"),
    ((*DONE, "Done.", "Do they have live music?"), "Do they have live music?", "own question"),
    (SEARCH, "  ", "empty"),
    (TWO, "1. Lotus 9 Garden, 559-555-0177\n2. Mango Tree Kitchen, 559-555-0142", "another one"),
    ((*TWO, "I like Lotus 9 Garden.", "Where is it?"), "It is at 88 Olive Road.", "4410 North Palm Avenue"),
    (TWO, "- Lotus 9 Garden: expensive, no live music\n- Mango Tree Kitchen: cheap", "price range is moderate"),
    (DONE, "Your table couldn't be booked, I'm afraid.", "it was made"),
]

GOOD = [
    (TWO, "Lotus 9 Garden, 559-555-0142. Mango Tree, for comparison, is at 88 Olive Road."),
    (TWO, "None has live music. Mango Tree Kitchen: inexpensive, no alcohol."),
    (SEARCH, "I can book for 1 to 6 people there."),
    (
        (*SEARCH, "For 2 people?", "For 2, yes.", "When?", "Make it for 4"),
        "First you said 2 people, now 4: I go with 4.",
    ),
    (SEARCH, "I found one place: Lotus 9 Garden in Fresno. Shall I book it?"),
    (SEARCH, "**Lotus 9 Garden** (4410 North Palm Avenue) - moderate | Live music: No | Alcohol: Yes"),
    (SEARCH, "It has no live music, but it does serve alcohol. Call 559-555-0142."),
    (SEARCH, "What time would you like, for example 7 pm?"),
    (("A table in Fresno",), "Are you interested in Italian, Mexican or Thai food?"),
    (FAILED, "Sorry, that failed. How about 6:45 pm?"),
    (DONE, "Reservation confirmed! Would you like to book another table?"),
    (("Thai in Fresno", FIND, [ROW, OTHER]), "Lotus 9 Garden serves alcohol while Basil Court does not."),
    (("Thai in Fresno", FIND, [ROW, OTHER]), "Basil Court is cheap. There are 2 restaurants in all."),
    (("Thai food in Fresno please", FIND, []), "I'm sorry, I couldn't find any restaurants."),
    (ASKED, "Please confirm: a table for four at Lotus 9 Garden on March 4th at 17:30."),
    (ASKED, "Would you like anything else today?"),
    (DONE, "You're all set: Monday, March 4th, 5:30 PM, party of 4. Enjoy!"),
    (DONE, "Your reservation is confirmed. Have a nice day today!"),
    (FAILED, "Sorry, there are no tables available at that time. Would you like to try 6 pm?"),
    ((*DONE, "Done.", "Do they serve alcohol?"), "Yes."),
]


@pytest.mark.parametrize(("turns", "says", "named"), BAD)
def test_a_claim_that_is_contradicted_is_bad_and_the_reason_names_what_contradicts_it(
    make_case: MakeCase, turns: tuple[object, ...], says: str, named: str
) -> None:
    vote = judge(make_case(*turns, says=says), None)
    assert (vote.judge, vote.value) == (NAME, 0.0), vote.reason
    assert named.lower() in vote.reason.lower()


@pytest.mark.parametrize(("turns", "says"), GOOD)
def test_a_true_message_is_good(make_case: MakeCase, turns: tuple[object, ...], says: str) -> None:
    vote = judge(make_case(*turns, says=says), None)
    assert vote.value == 1.0, vote.reason


def test_a_time_that_may_be_morning_or_evening_is_taken_as_the_reference_takes_it(make_case: MakeCase) -> None:
    turns, reference = (*SEARCH, "I found one.", "Make it 11:15"), "Please confirm 11:15 am."
    assert judge(make_case(*turns, says="So 11:15 pm.", reference=reference), None).value == 0.0
    assert judge(make_case(*turns, says="So 11:15.", reference=reference), None).value == 1.0


def test_going_ahead_is_bad_where_the_reference_reports_a_refusal(make_case: MakeCase) -> None:
    reference = "Sorry, I wasn't able to make the reservation. They have 6 pm."
    case = make_case(*SEARCH, says="I'll book a table. Is that okay?", reference=reference)
    assert judge(case, None).value == 0.0


def test_another_tool_or_none_is_bad(make_case: MakeCase) -> None:
    assert judge(make_case(*ASKED, says=FIND, reference=BOOK), None).reason.startswith("calls FindRestaurants")
    assert judge(make_case(*ASKED, says=None, reference=BOOK), None).reason.startswith("holds no tool call")


def test_an_argument_is_missed_only_where_the_conversation_states_it(make_case: MakeCase) -> None:
    def without(key: str) -> ToolCall:
        return ToolCall(name=BOOK.name, arguments={k: v for k, v in BOOK.arguments.items() if k != key})

    vote = judge(make_case(*ASKED, says=without("party_size"), reference=BOOK), None)
    assert (vote.value, vote.reason) == (0.0, 'party_size is missing, but message 5 says "4"')
    unsaid = make_case(*SEARCH, "I found one.", "Book it", says=without("time"), reference=BOOK)
    assert judge(unsaid, None).value == 1.0


def test_an_argument_that_the_tool_requires_is_missed_where_a_task_is_given(make_case: MakeCase) -> None:
    parameters = {"type": "object", "properties": {}, "required": ["restaurant_name", "time"]}
    tool = {"type": "function", "function": {"name": BOOK.name, "parameters": parameters}}
    case = make_case("Book it", says=ToolCall(name=BOOK.name, arguments={}), reference=BOOK)
    assert judge(case, None).value == 1.0
    assert "requires it" in judge(case, Task(description="", tools=(tool,))).reason


def test_an_extra_argument_is_good_unless_it_is_a_date_or_time_that_nobody_said(make_case: MakeCase) -> None:
    def extra(**arguments: str) -> float | None:
        call = ToolCall(name=FIND.name, arguments={**FIND.arguments, **arguments})
        return judge(make_case("Thai in Fresno, moderate", says=call, reference=FIND), None).value

    assert extra(price_range="moderate") == extra(date="2019-03-01") == 1.0
    assert extra(date="2023-08-06") == extra(time="19:45") == 0.0


def test_the_rubric_says_what_today_is(make_case: MakeCase) -> None:
    task = Task(description="", tools=(), rubric="Accept 'today' for '2024-05-06'.")
    call = ToolCall(name=BOOK.name, arguments={**BOOK.arguments, "date": "tomorrow"})
    reference = ToolCall(name=BOOK.name, arguments={**BOOK.arguments, "date": "2024-05-07"})
    assert judge(make_case("Tomorrow", says=call, reference=reference), task).value == 1.0


def test_today_is_inferred_from_the_calls_where_nothing_says_it(make_case: MakeCase) -> None:
    made = ToolCall(name=BOOK.name, arguments={**BOOK.arguments, "date": "2031-07-09"})
    turns = ("A table for tomorrow", made, [{**BOOKED, "date": "2031-07-09"}])
    assert judge(make_case(*turns, says="It is booked for July 9th."), None).value == 1.0
    assert judge(make_case(*turns, says="It is booked for July 8th or so."), None).value is not None
    assert judge(make_case(*turns, says="It is booked for the day after tomorrow."), None).value == 0.0


def test_a_tool_of_another_domain_is_judged_by_the_same_rules(make_case: MakeCase) -> None:
    book = ToolCall(name="book_visit", arguments={"dentist_name": "Dr. Lin", "appointment_time": "09:00"})
    row = {"dentist_name": "Dr. Lin", "appointment_time": "09:00", "offers_cosmetic_services": False}
    turns = ("Dr. Lin at 9 am", book, [row])
    assert judge(make_case(*turns, says="Your appointment is confirmed for 9 am."), None).value == 1.0
    assert judge(make_case(*turns, says="The booking failed, sorry."), None).value == 0.0
    assert judge(make_case(*turns, says="They offer cosmetic services."), None).value == 0.0


def test_settings_identify_the_data() -> None:
    assert len(settings()["data_sha256"]) == 64
    assert isinstance(settings()["version"], int)
