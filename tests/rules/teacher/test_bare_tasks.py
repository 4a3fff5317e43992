"""`rules:teacher` on tasks that say little of themselves: few words, tools without parameters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from harness.data.pipeline_records import ConversationPlan, Draft, Rating
from harness.data.records import Conversation, Message, Task, ToolCall
from harness.rules.teacher.rating import RulesRater
from harness.rules.teacher.writer import RulesWriter


def _tool(name: str, description: str, **parameters: str) -> dict[str, Any]:
    properties = {key: {"type": "string", "description": text} for key, text in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


REPLY = _tool("say", "Speak to the user", message="What to say")
TIDES = Task(description="Look things up.", tools=(REPLY, _tool("GetTide", "Look it up", city="The place", date="Day")))
LOCKERS = Task(
    description="Lockers.",
    tools=(
        REPLY,
        _tool("ListLockers", "List the lockers in use"),
        _tool("RentLocker", "Rent a locker", locker_size="How large"),
    ),
)


def _talk(name: str, *messages: Message) -> Conversation:
    return Conversation(id=name, messages=messages, source="test")


def _user(text: str) -> Message:
    return Message(role="user", content=text)


def _call(tool: str, **arguments: str) -> Message:
    return Message(role="assistant", tool_calls=(ToolCall(name=tool, arguments=arguments),))


def _rows(*rows: dict[str, str]) -> Message:
    return _user(json.dumps(list(rows)))


def _tide(name: str, tool: str, reply: str = "say", town: str = "city", day: str = "date") -> Conversation:
    row = {"city": "Brest", "date": "2030-05-02", "high_water": "04:10", "swell": "3"}
    asked = _call(tool, **{town: "Brest", day: "2030-05-02"})
    return _talk(name, _user("When may I sail at Brest?"), asked, _rows(row), _call(reply, message="At ten past four."))


def _other(name: str) -> Conversation:
    asked = _call("GetTide", plant="fern")
    row = {"plant": "fern", "watering": "daily"}
    return _talk(name, _user("How do I keep a fern?"), asked, _rows(row), _call("say", message="Water it daily."))


def _relevance(task: Task, traces: Sequence[Conversation]) -> dict[str, int | None]:
    found: list[Rating] = []
    RulesRater(task).rate(traces, found.append)
    return {one.id: one.relevance for one in found}


def test_results_like_those_of_fitting_calls_tell_traces_of_older_tools_in_any_order() -> None:
    clean = [_tide(f"clean {number}", "GetTide") for number in range(3)]
    drifted = [_tide(f"old {number}", "fetch_water", "speak", "spot", "when") for number in range(9)]
    other = [_other(f"other {number}") for number in range(20)]
    rated = _relevance(TIDES, [*other, *drifted, *clean])
    assert rated == _relevance(TIDES, [*clean, *drifted, *other])
    assert {rated[one.id] for one in (*clean, *drifted)} == {4}
    assert {rated[one.id] for one in other} == {1}
    assert _relevance(TIDES, drifted)["old 0"] == 1, "nothing shows what the tools return"


def test_a_stray_trace_whose_calls_fit_by_chance_does_not_let_its_like_in() -> None:
    stray = _talk("stray", _user("A fern?"), _call("GetTide", city="x", date="y"), _rows({"plant": "fern"}))
    like = _talk("like", _user("A fern?"), _call("GetTide", plant="fern"), _rows({"plant": "fern"}))
    rated = _relevance(TIDES, [stray, like, *(_tide(f"clean {number}", "GetTide") for number in range(3))])
    assert rated["like"] == 1


def test_a_call_that_needs_no_arguments_fits_where_the_users_speak_of_the_task() -> None:
    bye, none = (_user("Bye."), _call("say", message="Bye.")), _call("say", message="None.")
    empty = _talk("own", _user("Any lockers in use?"), _call("ListLockers"), _rows(), none, *bye)
    silent = _talk("silent", _user("Any songs?"), _call("ListLockers"), _rows(), none, *bye)
    songs = _talk("songs", _user("Songs on lockers?"), _call("ListLockers"), _rows({"song": "Locked"}), none, *bye)
    rated = _relevance(LOCKERS, [empty, silent, songs])
    assert rated["own"] == 4
    assert rated["silent"] == rated["songs"] == 1


def test_conversations_are_written_with_a_search_that_takes_nothing() -> None:
    """There is nothing that the user could change about such a search."""
    rows = [{"locker_number": "12", "locker_size": "small"}, {"locker_number": "31", "locker_size": "large"}]
    seed = _talk(
        "seed",
        _user("Which lockers are in use?"),
        _call("ListLockers"),
        _rows(*rows),
        _call("say", message="Number 12, a small one."),
        _user("Thanks, bye."),
        _call("say", message="Bye."),
    )
    plans = [
        ConversationPlan(id=f"p{number}", seed=1, length=20, topic="", complexity=1 + number % 5, exemplars=(seed,))
        for number in range(60)
    ]
    drafts: list[Draft] = []
    RulesWriter(LOCKERS).write(plans, drafts.append)
    assert [draft.error for draft in drafts if draft.error] == []
    assert len(drafts) == len(plans)
