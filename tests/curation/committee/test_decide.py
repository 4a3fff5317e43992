"""What the committee's votes decide, and what the arbiter gets to see."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.curation.committee.decide import decide, settle
from harness.curation.committee.relabel import Committee, relabel_conversations
from harness.data.pipeline_records import Dispute, Rewrite, Ruling
from harness.data.records import Conversation, Message, ToolCall
from harness.data.tools import Toolbox

TEXT = {"type": "string"}


def tool(name: str, required: str, **properties: dict[str, object]) -> dict[str, object]:
    return {"name": name, "parameters": {"type": "object", "properties": properties, "required": [required]}}


TOOLS = (
    tool("say_to_user", "text", text=TEXT),
    tool("FindBoat", "port", port=TEXT, day=TEXT, berths={"type": "string", "enum": ["2", "4"]}),
    tool("BookBoat", "boat", boat=TEXT),
)
TOOLBOX = Toolbox(TOOLS)


def say(text: str) -> ToolCall:
    return ToolCall(name="say_to_user", arguments={"text": text})


def find(**arguments: str) -> ToolCall:
    return ToolCall(name="FindBoat", arguments=arguments)


def trace(*calls: ToolCall, id: str = "t") -> Conversation:
    messages = []
    for call in calls:
        messages += [Message(role="user", content="and then?"), Message(role="assistant", tool_calls=(call,))]
    return Conversation(id=id, messages=tuple(messages), source="made up")


def rewrites(conversation: Conversation, *members: list[ToolCall | None]) -> list[Rewrite]:
    return [Rewrite(id=conversation.id, labeler=f"m{n}", calls=tuple(calls)) for n, calls in enumerate(members)]


def verdict(raw: ToolCall, *votes: ToolCall | None):
    conversation = trace(raw)
    (found,) = decide(conversation, rewrites(conversation, *([vote] for vote in votes)), TOOLBOX)
    return found


def test_what_all_say_needs_no_arbiter_and_what_means_the_raw_call_stays_as_it_was_written() -> None:
    raw = ToolCall(name="FindBoat", arguments={"port": "Split", "day": "2024-06-01"}, id="call_1")
    found = verdict(raw, find(day="2024-06-01", port="split"), find(port="Split ", day="2024-06-01"))
    assert found.method == "unanimous"
    assert found.call is raw


def test_a_new_call_keeps_the_raw_calls_id() -> None:
    raw = ToolCall(name="say_to_user", arguments={"text": "Hm."}, id="call_7")
    found = verdict(raw, find(port="Split"), find(port="Split"))
    assert found.call == find(port="Split")
    assert found.call is not None
    assert found.call.id == "call_7"


def test_a_majority_decides_level_by_level() -> None:
    found = verdict(say("Hm."), find(port="Split"), find(port="Split"), say("Where to?"))
    assert (found.method, found.call) == ("majority", find(port="Split"))
    # two of three call the tool, and of these the keys differ: nobody has a majority there
    found = verdict(say("Hm."), find(port="Split"), find(port="Split", day="today"), say("Where to?"))
    assert found.dispute is not None
    assert found.dispute.level == "keys"
    assert say("Where to?") not in found.dispute.candidates


@pytest.mark.parametrize(
    ("first", "second", "level"),
    [
        (say("a"), find(port="Bar"), "name"),
        (find(port="Bar"), find(port="Bar", day="today"), "keys"),
        (find(port="Bar"), find(port="Kotor"), "values"),
        (say("Where do you want to go?"), say("What day?"), "text"),
    ],
)
def test_two_who_differ_go_to_the_arbiter_with_the_level_they_differ_on(
    first: ToolCall, second: ToolCall, level: str
) -> None:
    found = verdict(say("Hm."), first, second)
    assert found.call is None
    assert found.dispute is not None
    assert found.dispute.level == level
    assert sorted(found.dispute.candidates, key=repr) == sorted([first, second], key=repr)


def test_a_call_that_the_schema_does_not_allow_is_no_vote() -> None:
    found = verdict(say("Hm."), find(port="Bar"), find(harbour="Bar"))
    assert (found.method, found.call) == ("single", find(port="Bar"))
    found = verdict(say("Hm."), find(harbour="Bar"), ToolCall(name="Dance", arguments={}))
    assert found.method == "undecided"
    assert "harbour" in found.reason


def test_members_that_fail_or_miscount_turns_have_no_vote() -> None:
    conversation = trace(say("a"), say("b"))
    failed = Rewrite(id="t", labeler="x", calls=(), error="no answer")
    short = Rewrite(id="t", labeler="y", calls=(say("a"),))
    whole = Rewrite(id="t", labeler="z", calls=(say("a"), say("b")))
    found = decide(conversation, [failed, short, whole, None], TOOLBOX)
    assert [one.method for one in found] == ["single", "single"]


def test_the_order_of_candidates_says_nothing_about_who_they_are_from() -> None:
    first = 0
    for number in range(400):
        conversation = trace(say("Hm."), id=f"t{number}")
        (found,) = decide(conversation, rewrites(conversation, [find(port="Bar")], [find(port="Kotor")]), TOOLBOX)
        again = decide(conversation, rewrites(conversation, [find(port="Bar")], [find(port="Kotor")]), TOOLBOX)
        assert found.dispute is not None
        assert found.dispute == again[0].dispute
        first += found.dispute.candidates[0] == find(port="Bar")
    assert 160 < first < 240


def test_a_ruling_that_is_not_valid_decides_nothing() -> None:
    found = verdict(say("Hm."), find(port="Bar"), find(port="Kotor"))
    assert found.dispute is not None
    own = Ruling(id=found.dispute.id, call=find(port="Bar", berths="3"), reason="three people")
    decision = settle(found, {own.id: own}, TOOLBOX)
    assert decision.call is None
    assert decision.method == "undecided"
    assert "not valid" in decision.reason


class _Member:
    def __init__(self, name: str, calls: list[ToolCall | None]) -> None:
        self.settings: dict[str, object] = {}
        self.name = name
        self.calls = tuple(calls)

    def relabel(self, conversations, on_rewrite) -> None:
        for conversation in reversed(conversations):  # the order of answers must not matter
            on_rewrite(Rewrite(id=conversation.id, labeler=self.name, calls=self.calls))


class _Coin:
    def __init__(self) -> None:
        self.name = "coin"
        self.settings: dict[str, object] = {}

    def rule(self, disputes: list[Dispute], on_ruling) -> None:
        for dispute in disputes:
            heads = Random(dispute.id).random() < 0.5
            on_ruling(Ruling(id=dispute.id, call=dispute.candidates[0] if heads else None, reason="a coin"))


CALLS = st.sampled_from([None, say("a"), say("b"), find(port="Bar"), find(port="Bar", day="today"), find(harbour="x")])


@given(st.lists(st.tuples(CALLS.filter(bool), CALLS, CALLS, CALLS), min_size=1, max_size=5))
def test_only_assistant_turns_change_every_kept_call_is_valid_and_nothing_moves(turns) -> None:
    conversation = trace(*(turn[0] for turn in turns))
    members = tuple(_Member(f"m{n}", [turn[n] for turn in turns]) for n in (1, 2, 3))
    (result,) = relabel_conversations([conversation], Committee(members=members, arbiter=_Coin()), TOOLBOX)
    before, after = conversation.messages, result.conversation.messages
    assert len(before) == len(after)
    assert [message for message in before if message.role == "user"] == [m for m in after if m.role == "user"]
    assert [decision.position for decision in result.decisions] == list(range(1, len(before), 2))
    undecided = [decision for decision in result.decisions if decision.call is None]
    assert bool(result.reason) == bool(undecided)
    if not result.reason:
        assert not [problem for message in after for call in message.tool_calls for problem in TOOLBOX.problems(call)]


def test_without_an_arbiter_a_dispute_drops_the_conversation_with_the_reason() -> None:
    conversation = trace(say("Hm."))
    members = (_Member("a", [find(port="Bar")]), _Member("b", [find(port="Kotor")]))
    (result,) = relabel_conversations([conversation], Committee(members=members, arbiter=None), TOOLBOX)
    assert "no arbiter" in result.reason
    assert result.conversation == conversation
