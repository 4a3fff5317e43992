"""Results against calls, and replies against what the conversation knows by then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.curation.checks.conversation import check
from harness.curation.checks.message_order import CheckConfig
from harness.data import scenarios
from harness.data.pipeline_records import Finding
from harness.data.records import Conversation, Task, ToolCall
from harness.data.scenarios import CleanTraces
from harness.data.tools import Toolbox

Talk = Callable[..., Conversation]
CONFIG = CheckConfig()
REPLIES = ("ungrounded-value", "contradicts-result")


def with_reply(conversation: Conversation, position: int, text: str) -> Conversation:
    messages = list(conversation.messages)
    call = replace(messages[position].tool_calls[0], arguments={"message": text})
    messages[position] = replace(messages[position], tool_calls=(call,))
    return replace(conversation, messages=tuple(messages))


@pytest.mark.parametrize(
    ("position", "says", "name"),
    [
        (3, "There is Paws on Mill Road, call 555-010-9999.", "ungrounded-value"),
        (3, "There is one at 12 Castle Street.", "ungrounded-value"),
        (3, "There is a vet at Huntingdon Lodge.", "ungrounded-value"),
        (3, "Sorry, I could not find any.", "contradicts-result"),
        (5, "Your visit has been booked successfully.", "contradicts-result"),
        (5, "Paws on Mill Road on March 5th at 4:15 pm, is that right?", "ungrounded-value"),
        (9, "It is booked for 11:45 am. Their number is 555-010-4477.", "ungrounded-value"),
        (9, "I am sorry, they are fully booked, the booking failed.", "contradicts-result"),
    ],
)
def test_what_a_reply_makes_up_or_gets_wrong_is_found_where_it_says_so(
    position: int, says: str, name: str, visit: Conversation, toolbox: Toolbox
) -> None:
    findings = check(with_reply(visit, position, says), toolbox, CONFIG)
    assert [(finding.check, finding.severity, finding.position) for finding in findings] == [
        (name, "repairable", position)
    ]


def test_what_only_comes_later_is_not_known_yet(visit: Conversation, toolbox: Toolbox) -> None:
    early = with_reply(visit, 3, "There is Paws on Mill Road. Its first free visit is at 10:30 am on March 5th.")
    assert {finding.check for finding in check(early, toolbox, CONFIG)} == {"ungrounded-value"}


def test_sentences_number_messages_as_positions_do(visit: Conversation, toolbox: Toolbox) -> None:
    (finding,) = check(with_reply(visit, 3, 'Sorry, I could not find any, see "message 7".'), toolbox, CONFIG)
    assert "message 2 returns 1" in finding.problem


def test_a_search_whose_rows_are_not_what_it_asked_for_has_other_arguments(talk: Talk, toolbox: Toolbox) -> None:
    call = ToolCall(name="FindVets", arguments={"city": "Ely", "animal": "cat"})
    row = {"vet_name": "Paws", "city": "Ely", "animal": "dog"}
    (finding,) = check(talk("A vet for my dog in Ely?", call, [row], "There is Paws."), toolbox, CONFIG)
    assert (finding.check, finding.severity, finding.position) == ("result-against-call", "repairable", 1)
    assert "animal" in finding.problem
    assert '"cat"' in finding.problem
    assert '"dog"' in finding.problem


def test_the_same_value_in_other_words_is_no_difference(talk: Talk, toolbox: Toolbox) -> None:
    call = ToolCall(name="FindVets", arguments={"city": "ely"})
    assert (
        check(talk("A vet in Ely?", call, [{"vet_name": "Paws", "city": "Ely"}], "There is Paws."), toolbox, CONFIG)
        == []
    )


@pytest.mark.parametrize("value", ["$60", "60 dollars", "$1,200.50"])
def test_an_amount_with_its_currency_is_known_from_a_result(value: str, talk: Talk, toolbox: Toolbox) -> None:
    row = {"vet_name": "Paws", "city": "Ely", "visit": value}
    call = ToolCall(name="FindVets", arguments={"city": "Ely"})
    assert check(talk("A vet in Ely?", call, [row], f"Paws takes {value}."), toolbox, CONFIG) == []
    (finding,) = check(talk("A vet in Ely?", call, [row], "Paws takes $75."), toolbox, CONFIG)
    assert finding.check == "ungrounded-value"


def test_a_service_that_offers_something_else_is_a_note(talk: Talk, toolbox: Toolbox) -> None:
    call = ToolCall(name="BookVisit", arguments={"vet_name": "Paws", "date": "2019-03-05", "time": "10:30"})
    row = {"vet_name": "Paws", "date": "2019-03-05", "time": "11:00"}
    asked = "Paws on March 5th at 10:30 in the morning please."
    findings = check(talk(asked, call, [row], "They can have you at 11 am, is that fine?"), toolbox, CONFIG)
    assert [(finding.check, finding.severity, finding.position) for finding in findings] == [
        ("other-than-asked", "note", 2)
    ]


def test_it_can_be_left_out(visit: Conversation, toolbox: Toolbox) -> None:
    wrong = with_reply(visit, 3, "Sorry, I could not find any.")
    assert check(wrong, toolbox, CheckConfig(consistency=False)) == []


def test_replies_are_read_whatever_the_tools_are_called(visit: Conversation, toolbox: Toolbox) -> None:
    """Under a drifted name a reply is still a reply, so that the only findings are those of the names."""
    messages = tuple(
        replace(
            message,
            tool_calls=tuple(
                replace(call, name="send_reply", arguments={"text": call.arguments["message"]})
                if call.name == toolbox.reply.tool
                else call
                for call in message.tool_calls
            ),
        )
        for message in visit.messages
    )
    assert {finding.check for finding in check(replace(visit, messages=messages), toolbox, CONFIG)} == {"unknown-tool"}


def _replies(conversation: Conversation, toolbox: Toolbox) -> int:
    return sum(call.name == toolbox.reply.tool for message in conversation.messages for call in message.tool_calls)


@pytest.mark.slow
def test_few_replies_of_clean_traces_raise_an_alarm(dialogues: CleanTraces, published_task: Task) -> None:
    """Measured 0.19 % on the first scenario's 2641 replies; no search of it contradicts its rows."""
    toolbox = Toolbox(published_task.tools)
    traces = [trace.conversation for trace in scenarios.get(1).build(dialogues, "tft")]
    findings = [finding for trace in traces for finding in check(trace, toolbox, CONFIG)]
    replies = sum(_replies(trace, toolbox) for trace in traces)
    assert sum(finding.check in REPLIES for finding in findings) <= 0.005 * replies
    assert not [finding for finding in findings if finding.check == "result-against-call"]


@pytest.mark.slow
def test_findings_on_damaged_traces_are_nearly_always_right(dialogues: CleanTraces, published_task: Task) -> None:
    """A call keeps its id through corruption, so that a finding can be compared with what was changed."""
    toolbox = Toolbox(published_task.tools)
    clean = {call.id: call for trace in scenarios.get(1).build(dialogues, "tft") for call in trace.calls}
    verdicts = [
        _is_changed(trace.conversation, finding, clean)
        for trace in scenarios.get(2).build(dialogues, "tft")
        for finding in check(trace.conversation, toolbox, CONFIG)
        if finding.severity == "repairable"
    ]
    assert len(verdicts) > 1000
    assert sum(verdicts) >= 0.95 * len(verdicts)


def _is_changed(conversation: Conversation, finding: Finding, clean: dict[str | None, ToolCall]) -> bool:
    assert finding.position is not None
    message = conversation.messages[finding.position]
    if not message.tool_calls:  # a result is judged by the call before it
        message = conversation.messages[finding.position - 1]
    return any(call != clean[call.id] for call in message.tool_calls)
