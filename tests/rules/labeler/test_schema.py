"""The canonicaliser on the tools of a garden-tool library: a task that no data of the labeler was written for."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from harness.data.pipeline_records import Rewrite
from harness.data.records import Conversation, Message, Task, ToolCall
from harness.data.scenarios import Arm, CleanTraces, get
from harness.data.tools import Toolbox
from harness.rules.labeler.schema import Canonical, SchemaLabeler, canonicalise

LEVELS = ["inexpensive", "moderate", "expensive"]
MACHINES = ["Mower", "Chainsaw", "Tiller", "Sprayer"]
TOWNS = ["Elmford", "Norwick", "Saltby"]
Change = Callable[[ToolCall, random.Random], ToolCall]


def tool(name: str, description: str, required: list[str], **properties: Any) -> dict[str, Any]:
    schema = {
        key: {"type": "string", "description": key.replace("_", " ")} if isinstance(value, str) else value
        for key, value in properties.items()
    }
    parameters = {"type": "object", "properties": schema, "required": required}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


SAY = tool("respond_to_user", "Say something to the user", ["message"], message="text")
SEARCH = tool(
    "FindMachines",
    "Look for garden machines in a town",
    ["machine_type", "town"],
    machine_type="text",
    town="text",
    price_level={"type": "string", "enum": LEVELS, "description": "How much it costs"},
    is_electric={"type": "string", "enum": ["True", "False"], "description": "Whether it runs on electricity"},
)
BORROW = tool(
    "BorrowMachine",
    "Borrow a garden machine",
    ["machine_name", "town", "pickup_date"],
    machine_name="text",
    town="text",
    pickup_date="date",
    pickup_time="time",
    number_of_days={"type": "string", "enum": ["1", "2", "3", "4"], "description": "Days that it is kept"},
)
TASK = Task(description="A library of garden machines", tools=(SAY, SEARCH, BORROW))


def call(name: str, arguments: dict[str, Any], id: str) -> Message:
    return Message(role="assistant", tool_calls=(ToolCall(name=name, arguments=arguments, id=id),))


def conversation(number: int) -> Conversation:
    """A clean conversation: question, search, result, offer, booking, result, goodbye."""
    rng = random.Random(f"garden:{number}")
    kind, town = rng.choice(MACHINES), rng.choice(TOWNS)
    wish = {"price_level": rng.choice(LEVELS)} if rng.random() < 0.5 else {"is_electric": rng.choice(["True", "False"])}
    full = {"price_level": rng.choice(LEVELS), "is_electric": rng.choice(["True", "False"]), **wish}
    names = [f"{word} {kind} {rng.randint(100, 999)}" for word in ("Green", "Stout")]
    rows = [{"machine_name": name, "machine_type": kind, "town": town, **full, "phone": "555 0101"} for name in names]
    booking = {
        "machine_name": names[0],
        "town": town,
        "pickup_date": f"2021-05-{rng.randint(10, 28)}",
        "pickup_time": f"{rng.randint(10, 18)}:30",
        "number_of_days": str(rng.randint(1, 4)),
    }
    done = [{**rows[0], **booking}]
    messages = (
        Message(role="user", content=f"I need a {kind.lower()} in {town}."),
        call("FindMachines", {"machine_type": kind, "town": town, **wish}, f"call_{number}_0"),
        Message(role="user", content=json.dumps(rows)),
        call("respond_to_user", {"message": f"There is the {names[0]} and one more. Which one?"}, f"call_{number}_1"),
        Message(role="user", content="The first one, please."),
        call("BorrowMachine", booking, f"call_{number}_2"),
        Message(role="user", content=json.dumps(done)),
        call("respond_to_user", {"message": "It is yours. Have fun with it!"}, f"call_{number}_3"),
    )
    return Conversation(id=f"garden-{number}", messages=messages, source=f"garden/{number}")


CLEAN = [conversation(number) for number in range(24)]
TRUTH = {call.id: call for clean in CLEAN for message in clean.messages for call in message.tool_calls}


def changed(change: Change, *, seed: int = 1) -> list[Conversation]:
    """Return the conversations with all calls changed; each conversation draws from a stream of its own."""
    return [
        replace(
            clean,
            messages=tuple(
                replace(
                    message,
                    tool_calls=tuple(change(call, random.Random(f"{seed}:{clean.id}")) for call in message.tool_calls),
                )
                for message in clean.messages
            ),
        )
        for clean in CLEAN
    ]


def renamed(tools: Mapping[str, list[str]], arguments: Mapping[str, list[str]]) -> list[Conversation]:
    def change(call: ToolCall, rng: random.Random) -> ToolCall:
        names = {name: rng.choice(others) for name, others in sorted({**tools, **arguments}.items())}
        return replace(
            call,
            name=names.get(call.name, call.name),
            arguments={names.get(key, key): value for key, value in call.arguments.items()},
        )

    return changed(change)


def wrong(canonical: Canonical) -> list[tuple[ToolCall, ToolCall | None]]:
    return [(made.raw, made.call) for calls in canonical.calls for made in calls if made.call != TRUTH[made.raw.id]]


OTHER_TOOLS = {
    "respond_to_user": ["tell_visitor", "sayToPerson", "output"],
    "FindMachines": ["equipment_search", "listDevices", "browse_catalogue"],
    "BorrowMachine": ["checkout_item", "reserveEquipment", "take_home"],
}
OTHER_ARGUMENTS = {
    "message": ["words", "txt", "out"],
    "machine_type": ["kind", "category", "what"],
    "town": ["city", "where", "branch_place"],
    "price_level": ["cost", "budget", "spend"],
    "is_electric": ["electrical", "cordless", "battery"],
    "machine_name": ["item", "title", "which"],
    "pickup_date": ["day", "from_day", "starts"],
    "pickup_time": ["hour", "collect_at", "clock"],
    "number_of_days": ["duration", "day_count", "how_long"],
}


def test_what_fits_comes_out_as_it_is() -> None:
    canonical = canonicalise(CLEAN, TASK)
    assert all(after is before for after, before in zip(canonical.conversations, CLEAN, strict=True))


def test_values_outside_the_schema_do_not_make_a_conversation_foreign() -> None:
    """Noise of labels is not drift: a call of a known tool with known names is left to the rest of the committee."""
    noisy = changed(lambda call, _: replace(call, name="BorrowMachine") if call.name == "FindMachines" else call)
    assert canonicalise(noisy, TASK).conversations == tuple(noisy)


def test_names_drawn_anew_for_every_conversation_are_mapped_back() -> None:
    canonical = canonicalise(renamed(OTHER_TOOLS, OTHER_ARGUMENTS), TASK)
    assert not wrong(canonical)
    assert canonical.conversations == tuple(CLEAN)


@pytest.mark.parametrize("styles", [1, 3])
def test_names_that_say_nothing_are_mapped_by_values_and_results(styles: int) -> None:
    """The same opaque names everywhere, and ones that mean something else in every other conversation."""
    tools = {name: [f"fn_{7 * (at + shift) % 3}" for shift in range(styles)] for at, name in enumerate(OTHER_TOOLS)}
    keys = {
        name: [f"p{at + shift}" for shift in range(styles)] if styles == 1 else [f"p{at}", f"q{at}", f"p{8 - at}x"]
        for at, name in enumerate(OTHER_ARGUMENTS)
    }
    if styles > 1:
        tools = {name: [f"fn_{at}", f"op_{2 - at}", f"fn_{(at + 1) % 3}_b"] for at, name in enumerate(OTHER_TOOLS)}
    assert not wrong(canonicalise(renamed(tools, keys), TASK))


def test_arguments_without_counterpart_are_dropped_and_said() -> None:
    def change(call: ToolCall, _: random.Random) -> ToolCall:
        extra = {"has_trailer_hitch": "True"} if call.name == "FindMachines" else {}
        return replace(call, name=f"old_{call.name}", arguments={**call.arguments, **extra})

    canonical = canonicalise(changed(change), TASK)
    assert not wrong(canonical)
    searches = [made for calls in canonical.calls for made in calls if made.raw.name == "old_FindMachines"]
    assert all(made.dropped == ("has_trailer_hitch",) and "has_trailer_hitch" in made.reason for made in searches)


def test_levels_of_another_vocabulary_map_by_rank_and_unknown_ones_are_reported() -> None:
    other = {"inexpensive": "cheap", "moderate": "mid-range", "expensive": "Pricey"}

    def change(call: ToolCall, _: random.Random) -> ToolCall:
        level = call.arguments.get("price_level")
        word = "purple" if call.id == strange else other.get(str(level))
        arguments = {**call.arguments, "price_level": word} if level else call.arguments
        return replace(call, name=f"old_{call.name}", arguments=arguments)

    strange = next(call.id for call in TRUTH.values() if "price_level" in call.arguments)
    canonical = canonicalise(changed(change), TASK)
    assert [raw.id for raw, _ in wrong(canonical)] == [strange]
    made = next(made for calls in canonical.calls for made in calls if made.raw.id == strange)
    assert made.problems
    assert made.call is None or made.call.arguments["price_level"] == "purple"


def test_a_required_argument_comes_from_the_result_or_is_reported() -> None:
    """The search has rows with the town; without any result, and nothing said before, the call stays invalid."""

    def change(call: ToolCall, _: random.Random) -> ToolCall:
        arguments = {key: value for key, value in call.arguments.items() if key != "town"}
        return replace(call, name=f"old_{call.name}", arguments=arguments)

    looked_up = canonicalise(changed(change), TASK)
    assert not [1 for calls in looked_up.calls for made in calls if made.problems]
    assert looked_up.calls[0][0].call == CLEAN[0].messages[1].tool_calls[0]
    assert looked_up.calls[0][0].filled == ("town",)
    silent = [replace(one, messages=(*one.messages[:2], *one.messages[3:5])) for one in changed(change)]
    made = canonicalise(silent, TASK).calls[0][0]
    assert made.call is not None
    assert "town" not in made.call.arguments
    assert any("'town' is a required property" in problem for problem in made.problems)


def test_the_order_of_the_batch_does_not_matter() -> None:
    drifted = renamed(OTHER_TOOLS, OTHER_ARGUMENTS)
    backwards = canonicalise(drifted[::-1], TASK).conversations[::-1]
    assert canonicalise(drifted, TASK).conversations == backwards


def test_a_task_without_a_tool_for_it_gets_plain_replies() -> None:
    plain = Task(description=TASK.description, tools=TASK.tools[1:])
    canonical = canonicalise(renamed(OTHER_TOOLS, OTHER_ARGUMENTS), plain)
    replies = [one.messages[3] for one in canonical.conversations]
    assert [reply.content for reply in replies] == [one.messages[3].tool_calls[0].arguments["message"] for one in CLEAN]
    assert not any(reply.tool_calls for reply in replies)


def test_types_of_the_schema_are_met() -> None:
    typed = json.loads(json.dumps(BORROW))
    typed["function"]["parameters"]["properties"]["number_of_days"] = {"type": "integer"}
    task = Task(description=TASK.description, tools=(SAY, SEARCH, typed))
    canonical = canonicalise(renamed(OTHER_TOOLS, OTHER_ARGUMENTS), task)
    days = [calls[2].call.arguments["number_of_days"] for calls in canonical.calls if calls[2].call]
    assert days == [int(one.messages[5].tool_calls[0].arguments["number_of_days"]) for one in CLEAN]


def test_odd_traces_come_through() -> None:
    """Several calls in a message, none, empty and nested arguments, a tool of no use, an empty batch."""
    call_a = ToolCall(name="old_search", arguments={"what": ["Mower", {"x": 1}], "where": None})
    call_b = ToolCall(name="dance", arguments={})
    messages = (
        Message(role="user", content="\u2028 hello"),
        Message(role="assistant", tool_calls=(call_a, call_b)),
        Message(role="tool", content="{not json"),
        Message(role="assistant", content="  "),
        Message(role="assistant", tool_calls=(ToolCall(name="", arguments={"": "x" * 100_000}),)),
    )
    odd = Conversation(id="odd", messages=messages, source="odd")
    canonical = canonicalise([odd, *CLEAN], TASK)
    assert [message.role for message in canonical.conversations[0].messages] == [one.role for one in messages]
    assert len(canonical.calls[0]) == 3
    assert canonical.conversations[1:] == tuple(CLEAN)
    assert canonicalise([], TASK).conversations == ()
    nothing = Task(description="nothing", tools=())
    assert len(canonicalise(renamed(OTHER_TOOLS, OTHER_ARGUMENTS), nothing).conversations) == len(CLEAN)


def test_the_labeler_says_something_of_every_turn() -> None:
    rewrites: list[Rewrite] = []
    SchemaLabeler(TASK).relabel(renamed(OTHER_TOOLS, OTHER_ARGUMENTS), rewrites.append)
    assert [rewrite.id for rewrite in rewrites] == [one.id for one in CLEAN]
    for rewrite, clean in zip(rewrites, CLEAN, strict=True):
        assert list(rewrite.calls) == [call for message in clean.messages for call in message.tool_calls]
        assert len(rewrite.reasons) == len(rewrite.calls)
        assert all(Toolbox(TASK.tools).problems(call) == [] for call in rewrite.calls if call)


@pytest.mark.parametrize("arm", ["tft", pytest.param("direct", marks=pytest.mark.slow)])
def test_the_drifted_traces_of_the_benchmark_become_the_original_calls(
    arm: Arm, published_task: Task, dialogues: CleanTraces
) -> None:
    """All calls valid; those of the service itself exactly the originals, joined by id."""
    originals = {call.id: call for trace in dialogues.restaurants for call in trace.calls}
    canonical = canonicalise(get(3).conversations(dialogues, arm), published_task)
    made = [one for calls in canonical.calls for one in calls]
    assert not [one for one in made if one.call is None or one.problems]
    drifted = [one for one in made if one.raw.id in originals]
    assert len(drifted) > 1000
    exact = sum(one.call == originals[one.raw.id] for one in drifted)
    assert exact >= 0.995 * len(drifted)


@pytest.mark.parametrize("number", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_scenarios_in_the_task_schema_are_left_alone(number: int, published_task: Task, dialogues: CleanTraces) -> None:
    conversations = get(number).conversations(dialogues, "tft")
    assert canonicalise(conversations, published_task).conversations == tuple(conversations)
