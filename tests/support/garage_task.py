"""A task about garages, and what the roles of the pipeline are asked about it: conversations, disputes and plans."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from harness.data.pipeline_records import ConversationPlan, Dispute
from harness.data.records import Conversation, Message, Task, ToolCall


def tool(name: str, required: Sequence[str] = (), **properties: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": list(required)}
    return {"type": "function", "function": {"name": name, "description": f"Does {name}.", "parameters": parameters}}


TEXT = {"type": "string"}
TASK = Task(
    description="The assistant finds and books garages.",
    tools=(
        tool("FindGarage", ["city"], city=TEXT, covered={"type": "string", "enum": ["yes", "no"]}),
        tool("BookGarage", ["city", "place"], city=TEXT, place=TEXT),
        tool("respond_to_user", ["message"], message=TEXT),
    ),
)


def call(name: str, **arguments: Any) -> Message:
    return Message(role="assistant", tool_calls=(ToolCall(name=name, arguments=arguments),))


def garages(number: int) -> Conversation:
    """A conversation of four turns, the second of which is a search."""
    messages = (
        Message(role="user", content=f"A garage for {number} cars."),
        call("respond_to_user", message="In which city?"),
        Message(role="user", content="Ulm."),
        call("FindGarage", city="Ulm"),
        Message(role="user", content=json.dumps([{"place": f"Tor {number}"}])),
        call("respond_to_user", message=f"There is Tor {number}."),
        Message(role="user", content="Take it."),
        call("BookGarage", city="Ulm", place=f"Tor {number}"),
    )
    return Conversation(id=f"t-{number}", messages=messages, source="test")


def dispute(number: int) -> Dispute:
    candidates = (
        ToolCall(name="FindGarage", arguments={"city": "Ulm"}),
        ToolCall(name="respond_to_user", arguments={"message": "Where?"}),
    )
    conversation = garages(number)
    return Dispute(id=f"t-{number}:3", conversation=conversation, position=3, candidates=candidates, level="name")


def plan(number: int) -> ConversationPlan:
    return ConversationPlan(id=f"s-{number}", seed=0, length=6, topic="", complexity=1, exemplars=(garages(1),))
