"""What a span says, whichever tool wrote it: its kind, messages and tools, by the names in `span_names.py`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from harness.data.formats.exchanges import exchange, listed_messages
from harness.data.formats.json_texts import decoded, json_value
from harness.data.formats.reading_notes import ReadingNotes
from harness.data.records import Message
from harness.data.traces.parted_messages import parted_messages
from harness.data.traces.span_attributes import Attributes, objects, undotted
from harness.data.traces.span_names import AGENTS, COLUMNS, CONVERSATIONS, FAMILIES, KINDS, MODELS

_JSON = re.compile(r'\s*[\[{]\s*["\[{]')


def kind_of(root: Attributes) -> str | None:
    """Return what a span is of, in lower case, by any family's name for it."""
    found = root.first(KINDS)
    return found.strip('"').lower() if isinstance(found, str) else None


def conversation_of(root: Attributes) -> str:
    """Return the id of the conversation that a span names, empty where it names none."""
    found = root.first(CONVERSATIONS)
    return str(found) if isinstance(found, str | int) else ""


def is_agent(kind: str | None) -> bool:
    """Whether a span is that of an agent, which may say what its models' spans say in parts."""
    return kind in AGENTS


def sides(root: Attributes, kind: str | None) -> tuple[Any, Any] | None:
    """Return what a model, or an agent, was sent and what it sent back, as logged; None for other spans."""
    for family in FAMILIES:
        if kind not in MODELS and not (family.own and (kind is None or kind in AGENTS)):
            continue
        asks, answers = root.first(family.input), root.first(family.output)
        if asks or answers:
            return asks, answers
    return None


def conversation(root: Attributes, notes: ReadingNotes) -> tuple[Message, ...]:
    """Return what a model, or an agent, was sent, and behind it what it sent back; nothing for other spans.

    Raises ValueError for what cannot be read: an unknown form, JSON that is cut off, an answer to nothing.
    """
    asks, answers = sides(root, kind_of(root)) or (None, None)
    asks, answers = _loaded(asks, "user"), _loaded(answers, "model")
    before, after = parted_messages(asks), parted_messages(answers)
    if before and after:
        return after if after[: len(before)] == before else before + after
    asked, answered = _messages(asks, "user", notes), _messages(_answer_of_ai_sdk(answers), "assistant", notes)
    if not asked and answered:
        raise ValueError("the span has an answer and nothing that was asked; expected the messages that were sent")
    return exchange(asked, answered, notes)


def columns(root: Attributes) -> dict[str, Any]:
    """Return what a span says of tools, instructions, model and user, as it was logged."""
    found = {column: root.first(names) for column, names in COLUMNS.items()}
    return {**found, "tools": tools_of(root), "session_id": conversation_of(root)}


def tools_of(root: Attributes) -> list[Any]:
    """Return the definitions of the tools that a model was given, as they were logged."""
    names = (family.tools for family in FAMILIES)
    found = next((json_value(one) for one in (root.first(name) for name in names) if one), None)
    return [*map(_tool, found)] if isinstance(found, list) else []


def _tool(value: Any) -> Any:
    inner = _undotted(json_value(value), "tool")
    return json_value(inner["json_schema"]) if isinstance(inner, Mapping) and "json_schema" in inner else inner


def _loaded(value: Any, side: str) -> Any:
    """Return what a side holds, decoded where it is JSON; ValueError where that is cut off."""
    return (
        decoded(value, f"what the {side}'s side holds is") if isinstance(value, str) and _JSON.match(value) else value
    )


def _messages(value: Any, role: str, notes: ReadingNotes) -> list[Any]:
    if isinstance(value, list):
        value = [_undotted(one, "message") for one in value]
    return [_message(one) for one in listed_messages(value, role, any_object=False, notes=notes)]


def _answer_of_ai_sdk(value: Any) -> Any:
    """Return what the AI SDK has under several names as one message; any other value as it is."""
    if not isinstance(value, Mapping):
        return value
    own = {"text", "toolCalls"} & value.keys() or isinstance(json_value(value.get("object")), Mapping | list)
    if not own or {"role", "choices", "output", "candidates", "content"} & value.keys():  # an API names its own kind
        return value
    text = value.get("text") or value.get("object")
    calls = [{"type": "tool-call", **call} for call in objects(value.get("toolCalls"))]
    return {"role": "assistant", "content": [*([{"type": "text", "text": text}] if text else []), *calls]}


def _message(value: Any) -> Any:
    """Return a message without what OpenInference wraps its parts with, its content decoded where it is JSON."""
    if not isinstance(value, Mapping):
        return value
    out = dict(value)
    contents = [_undotted(one, "message_content") for one in objects(out.pop("contents", None))]
    if contents:
        out["content"] = contents
    calls = out.get("tool_calls")
    if isinstance(calls, list):
        out["tool_calls"] = [_call(_undotted(one, "tool_call")) for one in calls]
    content = out.get("content")
    blocks = json_value(content) if isinstance(content, str) and out.get("role") != "tool" else None
    if isinstance(blocks, list) and blocks and all(isinstance(one, Mapping) and "type" in one for one in blocks):
        out["content"] = blocks
    return out


def _call(value: Any) -> Any:
    """Return a call in OpenAI's form, which is read quickly, where it says the same with fewer keys."""
    if not isinstance(value, Mapping):
        return value
    if value.keys() == {"id", "function"}:
        return {**value, "type": "function"}
    if value.keys() == {"id", "name", "arguments"}:
        function = {"name": value["name"], "arguments": value["arguments"]}
        return {"id": value["id"], "type": "function", "function": function}
    return value


def _undotted(value: Any, wrapper: str) -> Any:
    """Return an object with objects in the place of its dots, out of what OpenInference wraps it in."""
    if not isinstance(value, Mapping):
        return value
    start = f"{wrapper}."
    inside = {name[len(start) :]: one for name, one in value.items() if name.startswith(start)}
    found = inside or value
    if any("." in name for name in found):
        found = undotted(found)
    inner = found.get(wrapper)
    return inner if isinstance(inner, Mapping) and not inside else found
