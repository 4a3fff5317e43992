"""The checks of one conversation: what is of no use, what a committee may mend, and what is only worth knowing."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.curation.checks.conversation import check, rejected
from harness.curation.checks.message_order import CheckConfig
from harness.data import scenarios
from harness.data.records import Conversation, Message, Task, ToolCall
from harness.data.scenarios import CleanTraces
from harness.data.tools import Toolbox

Talk = Callable[..., Conversation]
SEARCH = ToolCall(name="FindVets", arguments={"city": "Ely"}, id="call_1")
CONFIG, STRICT = CheckConfig(), CheckConfig(strict=True)
LAYOUT = CheckConfig(consistency=False)


def found(conversation: Conversation, toolbox: Toolbox, config: CheckConfig = CONFIG) -> set[tuple[str, str]]:
    return {(finding.check, finding.severity) for finding in check(conversation, toolbox, config)}


def test_a_conversation_in_which_nothing_is_wrong_has_no_findings(visit: Conversation, toolbox: Toolbox) -> None:
    assert check(visit, toolbox, CONFIG) == []
    assert check(visit, toolbox, STRICT) == []


def test_a_system_message_may_come_first(visit: Conversation, toolbox: Toolbox) -> None:
    system = Message(role="system", content="You help people who have animals.")
    assert check(replace(visit, messages=(system, *visit.messages)), toolbox, STRICT) == []


@pytest.mark.parametrize(
    ("turns", "name"),
    [
        ((), "no-messages"),
        (("Hello?",), "no-turns"),
        ((">Hello!", "Hi, a vet please.", "Where?"), "first-message"),
        (([], "Where?"), "first-message"),
        (("A vet please.", "<Hello?", "Where?"), "role-order"),
        (("A vet please.", [], "Where?"), "role-order"),
        (("A vet please.", SEARCH, [], "<Well?", "None."), "role-order"),
        (("A vet please.", SEARCH, [], [], "None."), "role-order"),
    ],
)
def test_an_order_that_nobody_can_mend_is_rejected(turns: tuple, name: str, talk: Talk, toolbox: Toolbox) -> None:
    assert (name, "reject") in found(talk(*turns), toolbox)


@pytest.mark.parametrize(
    ("turns", "name"),
    [
        (("A vet please.", SEARCH, "<Well?", "None."), "call-without-result"),
        (("A vet please.", ">I look.", [], "None."), "result-without-call"),
        (("A vet please.", ToolCall(name="LookForVets", arguments={"city": "Ely"}), [], "None."), "unknown-tool"),
        (("A vet please.", ToolCall(name="FindVets", arguments={"town": "Ely"}), [], "None."), "invalid-arguments"),
        (("A vet please.", ToolCall(name="FindVets", arguments={}), [], "None."), "invalid-arguments"),
        (("A vet please.", ToolCall(name="BookVisit", arguments={"vet_name": 7}), [], "None."), "invalid-arguments"),
        (("A vet please.", ">  "), "empty-text"),
    ],
)
def test_damaged_labels_can_be_mended_and_are_rejected_in_what_is_trained_on(
    turns: tuple, name: str, talk: Talk, toolbox: Toolbox
) -> None:
    conversation = talk(*turns)
    assert (name, "repairable") in found(conversation, toolbox)
    assert not rejected(check(conversation, toolbox, CONFIG))
    assert (name, "reject") in found(conversation, toolbox, STRICT)


def test_a_trace_may_break_off_and_training_data_may_not(talk: Talk, toolbox: Toolbox) -> None:
    broken_off = talk("A vet please.", "Where?", "In Ely.")
    assert found(broken_off, toolbox) == {("last-message", "note")}
    assert found(broken_off, toolbox, STRICT) == {("last-message", "reject")}
    assert found(talk("A vet please.", SEARCH), toolbox, STRICT) == set()


def test_an_assistant_that_goes_on_after_a_reply_is_a_note(talk: Talk, toolbox: Toolbox) -> None:
    assert found(talk("A vet please.", ">One moment.", SEARCH, [], "None."), toolbox) == {("consecutive-turns", "note")}


def test_several_calls_in_a_message_are_rejected_and_their_results_are_no_disorder(
    talk: Talk, toolbox: Toolbox
) -> None:
    both = Message(role="assistant", tool_calls=(SEARCH, replace(SEARCH, id="call_2")))
    results = (Message(role="tool", content="[]", tool_call_id=name) for name in ("call_1", "call_2"))
    conversation = replace(
        talk("x"), messages=(Message(role="user", content="Hi."), both, *results, *talk(">None.").messages)
    )
    assert found(conversation, toolbox) == {("several-calls", "reject")}


def test_an_assistant_message_with_nothing_in_it_is_rejected(talk: Talk, toolbox: Toolbox) -> None:
    messages = (*talk("Hi.").messages, Message(role="assistant"))
    assert ("empty-turn", "reject") in found(replace(talk("x"), messages=messages), toolbox)


def test_a_result_that_names_another_call_is_a_note(talk: Talk, toolbox: Toolbox) -> None:
    before, after = talk("A vet please.", SEARCH).messages, talk(">None.").messages
    result = Message(role="tool", content="[]", tool_call_id="call_9")
    assert found(replace(talk("x"), messages=(*before, result, *after)), toolbox) == {("result-id", "note")}


def test_a_text_in_the_place_of_the_reply_tool_can_be_mended(talk: Talk, toolbox: Toolbox, tools: tuple) -> None:
    messages = (*talk("Hi.").messages, Message(role="assistant", content="Hello!"))
    assert found(replace(talk("x"), messages=messages), toolbox) == {("plain-reply", "repairable")}
    plain = Toolbox(tools[1:])  # without a tool for replies
    assert found(replace(talk("x"), messages=messages), plain) == set()


@pytest.mark.parametrize(
    ("character", "name"),
    [
        ("\x00", "control-characters"),
        ("\x1b", "control-characters"),
        ("\x85", "control-characters"),
        ("\u2028", "line-separators"),
        ("\u2029", "line-separators"),
        ("\u200b", "invisible-characters"),
        ("\ufeff", "invisible-characters"),
        ("\u202e", "invisible-characters"),
        ("\u2066", "invisible-characters"),
        ("\U000e0041", "invisible-characters"),
    ],
)
def test_characters_that_nobody_sees_are_noted_where_a_user_wrote_them_and_mended_where_the_agent_did(
    character: str, name: str, talk: Talk, toolbox: Toolbox
) -> None:
    user = talk(f"A vet{character} please.", "Where?")
    agent = talk("A vet please.", f"Where{character}?")
    assert found(user, toolbox) == found(user, toolbox, STRICT) == {(name, "note")}
    assert found(agent, toolbox) == {(name, "repairable")}
    argument = ToolCall(name="FindVets", arguments={"city": f"E{character}ly"})
    assert (name, "repairable") in found(talk("A vet please.", argument, [], "None."), toolbox)
    (finding,) = check(agent, toolbox, CONFIG)
    assert finding.position == 1
    assert f"U+{ord(character):04X}" in finding.problem


def test_half_a_surrogate_pair_is_rejected_because_it_cannot_be_written(talk: Talk, toolbox: Toolbox) -> None:
    assert ("broken-characters", "reject") in found(talk("A vet \ud83d please.", "Where?"), toolbox)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("دامپزشک می\u200cخواهم", "کجا؟"),
        ("\u200fאני צריך וטרינר", "איפה?"),
        ("獣医を探しています。", "どちらの町ですか。"),
        ("🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f 👩\u200d⚕️?", "👍"),
        ("Ich suche einen Tierarzt.\n\tFür Häschen.", "Wo?"),
    ],
)
def test_other_languages_and_emoji_are_text(asked: str, said: str, talk: Talk, toolbox: Toolbox) -> None:
    assert found(talk(asked, said), toolbox, STRICT) == set()


def test_megabytes_in_one_message_are_rejected_at_once(talk: Talk, toolbox: Toolbox) -> None:
    conversation = talk("A vet please. " * 300_000, "Where?", "In Ely.", "Paws at 12 Mill Road, 10:30 am.")
    start = time.process_time()
    findings = check(conversation, toolbox, CONFIG)
    assert time.process_time() - start < 2
    assert {(finding.check, finding.position) for finding in findings} == {("too-long", None), ("long-message", 0)}
    assert "4,200,1" in next(finding.problem for finding in findings if finding.check == "too-long")


def test_a_conversation_of_too_many_messages_is_rejected_in_few_findings(talk: Talk, toolbox: Toolbox) -> None:
    unknown = ToolCall(name="Nothing", arguments={"a": "b"})
    findings = check(talk(*(["Hi.", unknown] * 500)), toolbox, CheckConfig(max_length=10**6))
    assert rejected(findings)
    assert len(findings) < 100
    assert any("475 more findings" in finding.problem for finding in findings)


def _nested(depth: int) -> ToolCall:
    value: object = "Ely"
    for _ in range(depth):
        value = [value]
    return ToolCall(name="FindVets", arguments={"city": value})


def test_nested_arguments_are_a_finding_that_can_be_read(talk: Talk, toolbox: Toolbox) -> None:
    findings = check(talk("A vet please.", _nested(300), [], "None."), toolbox, CONFIG)
    assert "invalid-arguments" in {finding.check for finding in findings}
    assert max(len(finding.problem) for finding in findings) < 400


def test_arguments_nested_too_deeply_are_rejected_and_no_crash(talk: Talk, toolbox: Toolbox) -> None:
    assert found(talk("A vet please.", _nested(5000), [], "None."), toolbox) == {("too-deep", "reject")}


def test_every_sentence_says_what_was_expected_and_where(talk: Talk, toolbox: Toolbox) -> None:
    conversation = talk(">Hi.", "<A vet", "<please", SEARCH, "<Ely", "< ", ToolCall(name="No", arguments={}))
    findings = check(conversation, toolbox, CONFIG)
    assert len(findings) >= 6
    for finding in findings:
        assert "expected" in finding.problem
        assert finding.position is not None
        assert finding.check == finding.check.lower().replace(" ", "-")


def test_a_wrong_key_of_the_limits_is_refused() -> None:
    with pytest.raises(ValueError, match="max_lenght"):
        CheckConfig.model_validate({"max_lenght": 3})


def test_shuffled_messages_are_rejected_by_their_order(visit: Conversation, toolbox: Toolbox) -> None:
    """Of all orders of a conversation's messages next to none has roles that take turns."""
    rng = random.Random(5)
    kept = 0
    for _ in range(200):
        messages = list(visit.messages)
        rng.shuffle(messages)
        kept += not rejected(check(replace(visit, messages=tuple(messages)), toolbox, LAYOUT))
    assert kept <= 4


@pytest.fixture(scope="module")
def restaurants(published_task: Task) -> Toolbox:
    return Toolbox(published_task.tools)


def _verdicts(dialogues: CleanTraces, number: int, arm: scenarios.Arm, toolbox: Toolbox) -> list[tuple[str, bool]]:
    """Return, for each trace of a scenario, the service that it is from and whether its layout is rejected."""
    return [
        (trace.service, rejected(check(trace.conversation, toolbox, LAYOUT)))
        for trace in scenarios.get(number).build(dialogues, arm)
    ]


@pytest.mark.parametrize("arm", ["tft", "direct"])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_no_trace_with_damaged_labels_is_rejected(
    number: int, arm: scenarios.Arm, dialogues: CleanTraces, restaurants: Toolbox
) -> None:
    assert not any(verdict for _, verdict in _verdicts(dialogues, number, arm, restaurants))


@pytest.mark.parametrize("arm", ["tft", "direct"])
def test_all_shuffled_hotel_traces_are_rejected_and_no_restaurant_trace_is(
    arm: scenarios.Arm, dialogues: CleanTraces, restaurants: Toolbox
) -> None:
    verdicts = _verdicts(dialogues, 5, arm, restaurants)
    assert [service == "Hotels_1" for service, _ in verdicts] == [verdict for _, verdict in verdicts]
