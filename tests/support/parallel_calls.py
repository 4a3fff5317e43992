"""A task whose turns may have several calls, and conversations with one, two and three of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.data.formats.jsonl import write_json
from harness.data.formats.task import dump_task, read_task
from harness.data.records import Conversation, Message, Task, ToolCall
from harness.data.tasks import TASK, write_test_set

TOWNS = ("Oslo", "Bergen", "Tromsø", "Voss", "Ålesund", "Molde")
COUNTS = (2, 1, 3)
"""Calls of the turns of a conversation, before its reply."""


def tool(name: str, **properties: dict[str, Any]) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": f"{name} it.", "parameters": parameters}}


_TEXT = {"type": "string"}
TOOLS = (
    tool("get_weather", town=_TEXT, days={"type": "integer"}),
    tool("find_hotels", town=_TEXT, stars={"type": "array", "items": {"type": "integer"}}),
    tool("respond_to_user", message=_TEXT),
)


def task(*, parallel: bool = True) -> Task:
    description = "You plan trips. Look up what a user asks for, then tell it."
    return Task(description=description, tools=TOOLS, parallel_tool_calls=parallel)


def calls(number: int, many: int, key: str = "") -> tuple[ToolCall, ...]:
    """Return `many` calls of a turn; the second asks for another town than the first, the third for hotels."""
    towns = [TOWNS[(number + place) % len(TOWNS)] for place in range(many)]
    days = 2 + number % 3
    asked: list[tuple[str, dict[str, Any]]] = [("get_weather", {"town": one, "days": days}) for one in towns[:2]]
    asked += [("find_hotels", {"town": one, "stars": [3, 4]}) for one in towns[2:]]
    return tuple(ToolCall(name=name, arguments=one, id=f"{key}c{i}") for i, (name, one) in enumerate(asked))


def _turn(number: int, place: int, many: int) -> list[Message]:
    made = calls(number + place, many, f"call{number:02d}{place}")
    asked = " and ".join(f"{one.name.split('_')[1]} in {one.arguments['town']}" for one in made)
    results = [json.dumps({"found": one.arguments["town"], "for": one.name}, ensure_ascii=False) for one in made]
    return [
        Message(role="user", content=f"Please look up {asked}."),
        Message(role="assistant", tool_calls=tuple(made)),
        *(Message(role="tool", content=text, tool_call_id=one.id) for text, one in zip(results, made, strict=True)),
        Message(
            role="assistant",
            tool_calls=(
                ToolCall(
                    name="respond_to_user", arguments={"message": f"Here is {asked}."}, id=f"call{number:02d}{place}rr"
                ),
            ),
        ),
    ]


def conversation(number: int, counts: Sequence[int] = COUNTS) -> Conversation:
    messages = [message for place, many in enumerate(counts) for message in _turn(number, place, many)]
    return Conversation(id=f"trip-{number:03d}", messages=tuple(messages), source="")


def conversations(number: int) -> list[Conversation]:
    return [conversation(one) for one in range(number)]


def write(folder: Path, number: int = 4, *, parallel: bool = True) -> None:
    """Write a test set of so many conversations."""
    write_json(folder / TASK, dump_task(task(parallel=parallel)))
    write_test_set(folder, conversations(number), task=(folder / TASK).read_bytes())
    read_task(folder / TASK)
