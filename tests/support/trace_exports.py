"""Exports of production tools, written from conversations: a record for each turn, with all that was said before it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.data.formats.messages import dump_message
from harness.data.records import Conversation, Message

Raw = dict[str, Any]
Tools = Sequence[Raw] | None


def otlp(conversation: Conversation, tools: Tools, user: str | None = None) -> Iterator[Raw]:
    """A document of the collector's file exporter for each call of a model, by OpenTelemetry's GenAI conventions."""
    for number, asked, said in _turns(conversation):
        named = {
            "gen_ai.operation.name": "chat",
            "gen_ai.conversation.id": conversation.id,
            "gen_ai.input.messages": json.dumps([_parts(message) for message in asked]),
            "gen_ai.output.messages": json.dumps([_parts(said) | {"finish_reason": "stop"}]),
            **({"gen_ai.tool.definitions": json.dumps(tools)} if tools else {}),
            **({"user.id": user} if user else {}),
        }
        span = {
            "traceId": f"{conversation.id}-trace",
            "spanId": f"{conversation.id}-{number}",
            "parentSpanId": "",
            "name": "chat",
            "startTimeUnixNano": str((1_700_000_000 + number) * 10**9),
            "endTimeUnixNano": str((1_700_000_001 + number) * 10**9),
            "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in named.items()],
        }
        yield {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


def langfuse(conversation: Conversation, tools: Tools, user: str | None = None) -> Iterator[Raw]:
    """An observation for each call of a model, with texts of JSON as in the blob export."""
    for number, asked, said in _turns(conversation):
        yield {
            "id": f"{conversation.id}-{number}",
            "trace_id": f"{conversation.id}-trace",
            "session_id": conversation.id,
            "user_id": user,
            "type": "GENERATION",
            "parent_observation_id": None,
            "start_time": f"2026-11-01T09:{number // 60:02d}:{number % 60:02d}Z",
            "model": "m",
            "input": json.dumps([dump_message(message) for message in asked]),
            "output": json.dumps(dump_message(said)),
            "tool_definitions": {tool["function"]["name"]: json.dumps(tool) for tool in tools} if tools else None,
        }


def langsmith(conversation: Conversation, tools: Tools, user: str | None = None) -> Iterator[Raw]:
    """A run for each call of a model, with LangChain's messages."""
    for number, asked, said in _turns(conversation):
        metadata = {"thread_id": conversation.id, **({"user_id": user} if user else {})}
        yield {
            "id": f"{conversation.id}-{number}",
            "trace_id": f"{conversation.id}-trace-{number}",
            "dotted_order": f"20261101T09{number // 60:02d}{number % 60:02d}Z{conversation.id}-{number}",
            "run_type": "llm",
            "name": "ChatOpenAI",
            "start_time": f"2026-11-01T09:{number // 60:02d}:{number % 60:02d}Z",
            "extra": {"metadata": metadata, **({"invocation_params": {"tools": list(tools)}} if tools else {})},
            "inputs": {"messages": [[_constructor(message) for message in asked]]},
            "outputs": {"generations": [[{"message": _constructor(said)}]]},
        }


LAYOUTS: dict[str, Callable[[Conversation, Tools, str | None], Iterator[Raw]]] = {
    "otlp": otlp,
    "langfuse": langfuse,
    "langsmith": langsmith,
}


def write_export(
    path: Path,
    layout: str,
    conversations: Sequence[Conversation],
    tools: Tools = None,
    user: Callable[[int], str] | None = None,
) -> Path:
    """Write an export, one record per line; `user` gives the user of each conversation by its position."""
    with path.open("w", encoding="utf-8") as stream:
        for position, conversation in enumerate(conversations):
            for record in LAYOUTS[layout](conversation, tools, user(position) if user else None):
                stream.write(json.dumps(record) + "\n")
    return path


def as_exported(conversation: Conversation) -> tuple[Message, ...]:
    """Return what an export can hold of a conversation: all up to the last turn of the assistant."""
    last = max(at for at, message in enumerate(conversation.messages) if message.role == "assistant")
    return conversation.messages[: last + 1]


def _turns(conversation: Conversation) -> Iterator[tuple[int, tuple[Message, ...], Message]]:
    for position, message in enumerate(conversation.messages):
        if message.role == "assistant":
            yield position, conversation.messages[:position], message


def _parts(message: Message) -> Raw:
    if message.role == "tool":
        part = {"type": "tool_call_response", "id": message.tool_call_id, "response": message.content}
        return {"role": "tool", "parts": [part]}
    text = [{"type": "text", "content": message.content}] if message.content is not None else []
    calls = [
        {"type": "tool_call", "id": call.id, "name": call.name, "arguments": call.arguments}
        for call in message.tool_calls
    ]
    return {"role": message.role, "parts": [*text, *calls]}


def _constructor(message: Message) -> Raw:
    kinds = {"system": "SystemMessage", "user": "HumanMessage", "assistant": "AIMessage", "tool": "ToolMessage"}
    inner: Raw = {"content": message.content or ""}
    if message.tool_calls:
        inner["tool_calls"] = [{"id": one.id, "name": one.name, "args": one.arguments} for one in message.tool_calls]
    if message.tool_call_id:
        inner["tool_call_id"] = message.tool_call_id
    return {"lc": 1, "type": "constructor", "id": ["langchain", "schema", kinds[message.role]], "kwargs": inner}
