"""What a span says, whichever tool wrote it: its attributes in any form, and which of them hold what, per family."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.data.formats.exchanges import listed_messages
from harness.data.formats.json_texts import decoded, json_value

_DEEPEST = 16
"""Dots of an attribute's name that are looked at: the longest known one has nine."""
_JSON = re.compile(r'\s*[\[{]\s*["\[{]')
_VALUES = ("stringValue", "boolValue", "doubleValue", "bytesValue")
_MODELS = ("chat", "generate_content", "text_completion", "completion", "llm", "chat_model")
_AGENTS = ("invoke_agent", "agent")
_EVENT_ROLES = {f"gen_ai.{role}.message": role for role in ("system", "user", "assistant", "tool")}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    """Where the spans of one convention hold what; of several names, the first that is there."""

    kind: tuple[str, ...]
    input: tuple[str, ...]
    output: tuple[str, ...]
    tools: tuple[str, ...]
    own: bool
    """Whether these names say by themselves that a model was asked: then a span needs no kind."""


_FAMILIES = (
    _Family(  # OpenTelemetry GenAI, and the indexed names of before
        kind=("gen_ai.operation.name", "llm.request.type"),
        input=("gen_ai.input.messages", "gen_ai.prompt"),
        output=("gen_ai.output.messages", "gen_ai.completion"),
        tools=("gen_ai.tool.definitions", "llm.request.functions"),
        own=True,
    ),
    _Family(  # OpenInference
        kind=("openinference.span.kind",),
        input=("llm.input_messages",),
        output=("llm.output_messages",),
        tools=("llm.tools",),
        own=True,
    ),
    _Family(
        kind=("openinference.span.kind",),
        input=("input.value",),
        output=("output.value",),
        tools=("llm.tools",),
        own=False,
    ),
    _Family(
        kind=("mlflow.spanType",),
        input=("mlflow.spanInputs",),
        output=("mlflow.spanOutputs",),
        tools=("mlflow.chat.tools",),
        own=False,
    ),
    _Family(  # LangSmith
        kind=("run_type",),
        input=("inputs",),
        output=("outputs",),
        tools=("extra.invocation_params.tools", "inputs.tools"),
        own=False,
    ),
)
EXPECTED = (
    "gen_ai.input.messages and gen_ai.output.messages (OpenTelemetry), llm.input_messages (OpenInference), "
    "inputs and outputs (LangSmith) or mlflow.spanInputs"
)
_CONVERSATIONS = (
    "gen_ai.conversation.id",
    "session.id",
    "traceloop.association.properties.session_id",
    "traceloop.association.properties.thread_id",
    "extra.metadata.thread_id",
    "extra.metadata.session_id",
    "extra.metadata.conversation_id",
    "thread_id",
)


class _Node(dict[str, Any]):
    """An object that the dots of names made, not one that was a value."""


def attributes(span: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the attributes of a span as one nested object, with those of its events that hold messages."""
    if "run_type" in span:
        return {key: span[key] for key in ("run_type", "inputs", "outputs", "extra") if key in span}
    root = nested(_flat(span.get("attributes")))
    asked: list[dict[str, Any]] = []
    answered: list[dict[str, Any]] = []
    for event in objects(span.get("events")):
        name, held = str(event.get("name") or event.get("event_name")), _flat(event.get("attributes"))
        if name in _EVENT_ROLES:
            asked.append({"role": _EVENT_ROLES[name], **_event(held)})
        elif name == "gen_ai.choice":
            answered.append(_event(held))
        elif name.startswith("gen_ai."):
            _put(root, held)
    if (asked or answered) and not _at(root, "gen_ai.input.messages"):
        _put(root, {"gen_ai.input.messages": asked, "gen_ai.output.messages": answered})
    return root


def _event(held: Mapping[str, Any]) -> dict[str, Any]:
    return {key: one if key == "content" else json_value(one) for key, one in held.items()}


def kind_of(root: Mapping[str, Any]) -> str | None:
    """Return what a span is of, in lower case, by any family's name for it."""
    found = (_at(root, name) for family in _FAMILIES for name in family.kind)
    return next((str(one).strip('"').lower() for one in found if isinstance(one, str) and one), None)


def conversation_of(root: Mapping[str, Any]) -> str:
    """Return the id of the conversation that a span names, empty where it names none."""
    found = (_at(root, name) for name in _CONVERSATIONS)
    return next((str(one) for one in found if isinstance(one, str | int) and one), "")


def is_agent(root: Mapping[str, Any]) -> bool:
    """Whether a span is that of an agent, which may say what its models' spans say in parts."""
    return kind_of(root) in _AGENTS


def messages(root: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
    """Return the messages that a model, or an agent, was sent and those it sent back; none for other spans.

    Raises ValueError for JSON that is cut off, and for an answer to nothing.
    """
    kind = kind_of(root)
    for family in _FAMILIES:
        asks, answers = _first(root, family.input), _first(root, family.output)
        if not (asks or answers) or not (kind in _MODELS or (family.own and kind in (None, *_AGENTS))):
            continue
        asked, answered = _messages(asks, "user"), _messages(answers, "assistant")
        if not asked and answered:
            raise ValueError(f"the span has an answer and nothing that was asked; expected {family.input[0]}")
        instructions = json_value(_at(root, "gen_ai.system_instructions"))
        if asked and instructions and not _begins_with_system(asked):
            said = {"parts": instructions} if isinstance(instructions, list) else {"content": instructions}
            asked = [{"role": "system", **said}, *asked]
        return asked, answered
    return [], []


def tools_of(root: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the definitions of the tools that a model was given, as they were logged."""
    names = (family.tools for family in _FAMILIES)
    found = next((json_value(one) for one in (_first(root, name) for name in names) if one), None)
    return tuple(map(_tool, found)) if isinstance(found, list) else ()


def _tool(value: Any) -> Any:
    inner = _undotted(json_value(value), "tool")
    return json_value(inner["json_schema"]) if isinstance(inner, Mapping) and "json_schema" in inner else inner


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object whose names with dots have become objects in objects; values stay as they are."""
    root = _Node()
    _put(root, flat)
    return root


def _put(root: dict[str, Any], flat: Mapping[str, Any]) -> None:
    for name, value in flat.items():
        *path, last = str(name).split(".", _DEEPEST)
        node = root
        for part in path:
            inner = node.get(part)
            if not isinstance(inner, _Node):
                inner = node[part] = _Node(inner if isinstance(inner, dict) else {})
            node = inner
        if not isinstance(node.get(last), _Node):
            node[last] = value
        elif isinstance(value, dict):
            node[last] |= value


def _lists(value: Any) -> Any:
    """Return a value with the objects that dots made, and whose names are numbers, as lists."""
    if not isinstance(value, _Node):
        return value
    if value and all(name.isdecimal() and len(name) < 10 for name in value):
        return [_lists(value[name]) for name in sorted(value, key=int)]
    return {name: _lists(one) for name, one in value.items()}


def _at(root: Mapping[str, Any], name: str) -> Any:
    """Return what stands under a name, in objects that may be JSON texts; None where nothing does."""
    found: Any = root
    for part in name.split("."):
        found = json_value(found)
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return _lists(found)


def _first(root: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((found for name in names if (found := _at(root, name))), None)


def _flat(value: Any) -> Mapping[str, Any]:
    """Return attributes as an object: OTLP writes them as a list of keys and values."""
    value = json_value(value)
    if isinstance(value, list):
        return {str(one.get("key")): _typed(one.get("value")) for one in objects(value)}
    return value if isinstance(value, Mapping) else {}


def _typed(value: Any) -> Any:
    """Return the value that OTLP wraps with its type."""
    if not isinstance(value, Mapping):
        return value
    if "arrayValue" in value:
        return [_typed(one) for one in _held(value["arrayValue"])]
    if "kvlistValue" in value:
        return _flat(_held(value["kvlistValue"]))
    if "intValue" in value:
        number = str(value["intValue"])
        return int(number) if len(number) < 30 and number.lstrip("-").isdecimal() else number
    return next((value[key] for key in _VALUES if key in value), None)


def _held(value: Any) -> list[Any]:
    values = value.get("values") if isinstance(value, Mapping) else None
    return values if isinstance(values, list) else []


def objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a list; it and they may be JSON texts."""
    value = json_value(value)
    for one in value if isinstance(value, list) else ():
        found = json_value(one)
        if isinstance(found, Mapping):
            yield found


def _messages(value: Any, role: str) -> list[Any]:
    if isinstance(value, str) and _JSON.match(value):
        value = decoded(value, f"what the {'user' if role == 'user' else 'model'}'s side holds is")
    if isinstance(value, list):
        value = [_undotted(one, "message") for one in value]
    return [_message(one) for one in listed_messages(value, role, any_object=False)]


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
        out["tool_calls"] = [_undotted(one, "tool_call") for one in calls]
    content = out.get("content")
    blocks = json_value(content) if isinstance(content, str) and out.get("role") != "tool" else None
    if isinstance(blocks, list) and blocks and all(isinstance(one, Mapping) and "type" in one for one in blocks):
        out["content"] = blocks
    return out


def _undotted(value: Any, wrapper: str) -> Any:
    """Return what OpenInference wraps in an object of one name, be it nested or with dots."""
    if not isinstance(value, Mapping):
        return value
    if any(str(name).startswith(f"{wrapper}.") for name in value):
        value = _lists(nested(value))
    inner = value.get(wrapper)
    return inner if isinstance(inner, Mapping) else value


def _begins_with_system(asked: list[Any]) -> bool:
    return isinstance(asked[0], Mapping) and asked[0].get("role") in ("system", "developer")
