"""A task of our own, about parcels, with plain replies and `tool` messages, and the pieces to write plans with."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from harness.data.pipeline_records import ConversationPlan, Draft
from harness.data.records import Conversation, Message, Task, ToolCall
from harness.data.sample import sample_conversations, sample_task
from harness.rules.teacher.writer import RulesWriter

Write = Callable[..., list[Draft]]


def _tool(name: str, description: str, properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": required}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


@pytest.fixture(scope="session")
def parcels() -> Task:
    """Numbers, whole numbers, truth values, lists, nested objects; no tool to reply with."""
    slot = {
        "type": "object",
        "properties": {"day": {"type": "string", "enum": ["monday", "friday"]}, "hour": {"type": "integer"}},
        "required": ["day", "hour"],
    }
    search = {
        "weight": {"type": "number", "minimum": 1},
        "pieces": {"type": "integer", "minimum": 1, "maximum": 5},
        "fragile": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string", "enum": ["gift", "book", "food"]}},
    }
    pickup = {"parcel_id": {"type": "string"}, "slot": slot, "pickup_date": {"type": "string", "format": "date"}}
    tools = (
        _tool("search_parcels", "Search for parcels of a sender", search, ["pieces"]),
        _tool("create_pickup", "Create a pickup for a parcel", pickup, ["parcel_id", "slot"]),
    )
    return Task(description="Parcels.", tools=tools)


@pytest.fixture(scope="session")
def parcel_trace() -> Conversation:
    """One accepted conversation of that task."""
    rows = [
        {"parcel_id": "PX-4711", "pieces": 2, "weight": 3.5, "fragile": True},
        {"parcel_id": "PX-4712", "pieces": 2, "weight": 7.25, "fragile": False},
    ]
    messages = (
        Message(role="system", content="You look after parcels."),
        Message(role="user", content="Any parcels with 2 pieces?"),
        _call("c1", "search_parcels", {"pieces": 2}),
        Message(role="tool", tool_call_id="c1", content=json.dumps({"parcels": rows})),
        Message(role="assistant", content="There are PX-4711 and PX-4712. Which one?"),
        Message(role="user", content="PX-4711, Friday at 9 please."),
        Message(role="assistant", content="Shall I create a pickup for PX-4711 on Friday at 9?"),
        Message(role="user", content="Yes."),
        _call("c2", "create_pickup", {"parcel_id": "PX-4711", "slot": {"day": "friday", "hour": 9}}),
        Message(role="tool", tool_call_id="c2", content=json.dumps({"status": "ok", "pickup_id": "K-1"})),
        Message(role="assistant", content="The pickup is booked."),
    )
    return Conversation(id="parcels", messages=messages, source="own")


def _call(name: str, tool: str, arguments: dict[str, Any]) -> Message:
    return Message(role="assistant", tool_calls=(ToolCall(name=tool, arguments=arguments, id=name),))


@pytest.fixture(scope="session")
def seeds() -> tuple[Conversation, ...]:
    """Eight conversations of the sample task."""
    return tuple(sample_conversations(8))


@pytest.fixture(scope="session")
def sample() -> Task:
    """The sample task: replies are a tool, results are the user's messages."""
    return sample_task()


@pytest.fixture(scope="session")
def write() -> Write:
    """Return a function that has conversations of these lengths written."""

    def run(task: Task, seeds: Sequence[Conversation], lengths: Sequence[int], seed: int = 0) -> list[Draft]:
        drafts: list[Draft] = []
        RulesWriter(task).write(
            [
                ConversationPlan(
                    id=f"p{place}", seed=seed, length=length, topic="", complexity=place % 5 + 1, exemplars=tuple(seeds)
                )
                for place, length in enumerate(lengths)
            ],
            drafts.append,
        )
        return drafts

    return run
