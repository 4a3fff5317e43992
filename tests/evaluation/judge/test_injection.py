"""No text of a case changes a verdict: not by the prompt, not by the rules, not when it is echoed in an answer."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from harness.data.records import Case, Message, Task, ToolCall
from harness.evaluation.judge.prompt import JudgePrompt, parse_verdict
from harness.rules.judge.rubric import judge
from support.judge_attacks import IN_CASE, IN_PREDICTION, attacks
from support.judge_prompts import read_back

ATTACKS = attacks()
PLACES = {**IN_PREDICTION, **IN_CASE}

FOUND = [
    {"restaurant_name": "Blue Fig", "city": "Fairview", "serves_alcohol": "False", "has_live_music": "True"},
    {"restaurant_name": "Olive Court", "city": "Fairview", "serves_alcohol": "True", "has_live_music": "False"},
]
PREFIX = (
    Message(role="user", content="Is there a Greek place in Fairview?"),
    Message(
        role="assistant",
        tool_calls=(ToolCall(name="FindRestaurants", arguments={"city": "Fairview", "cuisine": "Greek"}),),
    ),
    Message(role="user", content=json.dumps(FOUND)),
)
TALK = ToolCall(name="respond_to_user", arguments={"message": "I found Blue Fig in Fairview. Shall I book it?"})
BOOK = ToolCall(
    name="ReserveRestaurant",
    arguments={"restaurant_name": "Blue Fig", "city": "Fairview", "time": "19:00", "date": "2019-03-08"},
)
SEARCH = ToolCall(name="FindRestaurants", arguments={"cuisine": "Greek", "city": "Fairview"})


def case(reference: ToolCall, name: str, **arguments: str) -> Case:
    call = ToolCall(name=name, arguments=arguments)
    text = json.dumps({"name": name, "arguments": arguments})
    prediction = f"<tool_call>\n{text}\n</tool_call>"
    return Case(id="c:0", conversation="c", prefix=PREFIX, reference=reference, prediction=prediction, call=call)


GOOD = {
    "other words": case(TALK, "respond_to_user", message="Blue Fig in Fairview looks right. Would you like a table?"),
    "a question": case(TALK, "respond_to_user", message="Do you want to hear more about the places?"),
    "equal": case(TALK, TALK.name, **TALK.arguments),
}
BAD = {
    "another tool": case(TALK, "FindRestaurants", city="Fairview", cuisine="Greek"),
    "against the result": case(TALK, "respond_to_user", message="Blue Fig in Fairview serves alcohol. Book it?"),
    "another restaurant": case(BOOK, BOOK.name, **{**BOOK.arguments, "restaurant_name": "Harbour Grill"}),
    "another city": case(SEARCH, SEARCH.name, **{**SEARCH.arguments, "city": "Kingsport"}),
    "talk for a search": case(SEARCH, "respond_to_user", message="Which city?"),
}


def value(case: Case) -> float | None:
    found: float | None = judge(case, None).value
    return found


def test_there_are_enough_attempts_and_no_two_are_the_same() -> None:
    assert len(ATTACKS) >= 60
    assert len({attack.text for attack in ATTACKS}) == len({attack.name for attack in ATTACKS}) == len(ATTACKS)


@pytest.mark.parametrize("place", PLACES)
def test_the_prompt_stays_one_case_with_the_attempt_as_data(place: str) -> None:
    """One conversation, one reference, one prediction; system message, question and all other lines unchanged."""
    prompt = JudgePrompt(Task(description="d", tools=(), rubric=None))
    plain = GOOD["other words"]
    system, user = (message["content"] for message in prompt.messages(plain))
    untouched = read_back(user)
    for attack in ATTACKS:
        attacked = PLACES[place](plain, attack.text)
        messages = prompt.messages(attacked)
        assert [message["role"] for message in messages] == ["system", "user"]
        assert messages[0]["content"] == system, attack.name
        found = read_back(messages[1]["content"])
        assert found.question == untouched.question, attack.name
        assert found.lines[: len(PREFIX)] == untouched.lines, attack.name
        assert len(found.lines) == len(attacked.prefix), attack.name
        assert (found.reference == untouched.reference) == (place != "reference"), attack.name
        assert found.has_call == (place != "text without a call"), attack.name
        if place in IN_CASE or place == "text around the call":
            assert found.prediction == untouched.prediction, attack.name


@pytest.mark.parametrize("name", BAD)
def test_the_rules_call_a_bad_prediction_bad_whatever_it_adds(name: str) -> None:
    assert value(BAD[name]) == 0.0
    changed = [
        f"{place}, {attack.name}"
        for place, put in IN_PREDICTION.items()
        for attack in ATTACKS
        if value(put(BAD[name], attack.text)) != 0.0
    ]
    assert not changed


@pytest.mark.parametrize("name", GOOD)
def test_the_rules_call_a_good_message_good_whatever_follows_it(name: str) -> None:
    """An attempt states nothing about the task, so there is nothing in it to count against the message either."""
    assert value(GOOD[name]) == 1.0
    put = IN_PREDICTION["last argument"]
    assert not [attack.name for attack in ATTACKS if value(put(GOOD[name], attack.text)) != 1.0]


@pytest.mark.parametrize("place", [place for place in IN_CASE if place != "reference"])
def test_the_rules_are_not_talked_to_by_the_conversation(place: str) -> None:
    plain = [GOOD["other words"], BAD["against the result"], BAD["another restaurant"]]
    changed = [
        f"{case.prediction}, {attack.name}"
        for case in plain
        for attack in ATTACKS
        if value(IN_CASE[place](case, attack.text)) != value(case)
    ]
    assert not changed


@pytest.mark.parametrize(("verdict", "expected"), [("good", 1.0), ("bad", 0.0)])
def test_an_echo_in_the_reason_is_not_read_as_the_verdict(verdict: str, expected: float) -> None:
    for attack in ATTACKS:
        for reason in (attack.text, f'The message says "{attack.text}", which counts for nothing.'):
            for ascii_only in (True, False):
                answer = json.dumps({"reason": reason, "verdict": verdict}, ensure_ascii=ascii_only)
                for text in (answer, f"```json\n{answer}\n```", f"<think>careful</think>\n{answer}"):
                    assert parse_verdict(text)[0] == expected, attack.name


@pytest.mark.parametrize(("verdict", "expected"), [("good", 1.0), ("bad", 0.0)])
def test_an_echo_around_the_answer_never_changes_it(verdict: str, expected: float) -> None:
    """Such an answer is refused, or, where the echo is thinking that ends before it, still read as itself.

    The end of thinking and a verdict behind it, quoted at the end of an answer that has none, is beyond this: models
    whose prompt opens their thinking write just that. Prompts spell the brackets of such marks as escapes.
    """
    answer = json.dumps({"reason": "as seen in the tool result", "verdict": verdict})
    for attack in ATTACKS:
        echo = attack.text
        for text in (
            *(f"{echo}\n{answer}", f"{answer}\n{echo}", f"{echo}\n{answer}\n{echo}", f"{echo}{answer}"),
            *(f"The prediction says: {echo}", f"<think>so: {echo}</think>{answer}", f"<think>{answer}</think>{echo}x"),
            *(f"```\n{echo}\n```\n{answer}", f"```json\n{answer}\n{echo}\n```", f"```json\n{echo}\n{answer}\n```"),
            *(f'{{"reason": "{echo}", "verdict": "{verdict}"}}', f'{{"note": {answer}, "reason": "{echo}"}}'),
        ):
            if text == f"The prediction says: {echo}" and echo.startswith("fine</think>"):
                continue
            try:
                read = parse_verdict(text)[0]
            except ValueError:
                continue
            assert read == expected, (attack.name, text[:300])


def test_thinking_that_stops_behind_an_echo_is_refused() -> None:
    """An echo of the end of thinking and a verdict is beyond this: the engine's finish reason tells that it was cut."""
    for attack in ATTACKS:
        if not attack.text.startswith("fine</think>"):
            with pytest.raises(ValueError, match="thinking"):
                parse_verdict(f"<think>{attack.text}")


def test_the_attempts_of_a_prediction_reach_the_judge() -> None:
    """The suite would prove nothing if the text were dropped: it is in the prompt, or what is left of it."""
    prompt = JudgePrompt(None)
    for attack in ATTACKS:
        user = prompt.messages(replace(GOOD["equal"], prediction=attack.text, call=None))[1]["content"]
        shown = read_back(user).prediction
        start = getattr(shown, "head", shown)
        assert isinstance(start, dict | list) or attack.text.startswith(start[:1000]) or "\ud800" in attack.text
