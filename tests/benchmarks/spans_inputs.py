"""Conversations of any number, and the records that tools log of them: what `spans.py` reads.

Each style turns what a model was sent and what it answered into one record.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

TURNS = 5
WORDS = ["table", "albany", "thai", "book", "people", "seven", "evening", "food", "find", "cheap", "open", "“été”"]
Row = dict[str, Any]


def conversation(number: int) -> list[Row]:
    """Return the messages of a conversation, as OpenAI's API has them."""
    chance = random.Random(f"conversation:{number}")
    messages: list[Row] = []
    for turn in range(TURNS):
        function = {"name": "Find", "arguments": json.dumps({"city": text(chance, 1)})}
        call = {"id": f"k{turn}", "type": "function", "function": function}
        found = json.dumps([{"name": text(chance, 2), "number": at} for at in range(14)])
        messages += [
            {"role": "user", "content": text(chance, 40)},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"k{turn}", "content": found},
            {"role": "assistant", "content": text(chance, 40)},
        ]
    return messages


def text(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(WORDS, k=words))


def write(path: Path, style: str, conversations: int, apart: int) -> None:
    """Write the records of conversations, those that are written at the same time in a random order."""
    chance, together = random.Random(0), max(apart // (2 * TURNS), 1)
    with path.open("w", encoding="utf-8") as stream:
        for first in range(0, conversations, together):
            numbers = range(first, min(first + together, conversations))
            lines = [line for number in numbers for line in records(number, STYLES[style])]
            if style != "session":  # lines of a session are in the order in which they were said
                chance.shuffle(lines)
            stream.writelines(lines)


def records(number: int, record: Callable[[int, int, list[Row], Row], Row]) -> Iterator[str]:
    """Yield the calls of a model that a conversation takes, as lines."""
    messages = conversation(number)
    for at, said in enumerate(messages):
        if said["role"] == "assistant" or record is session:
            yield json.dumps(record(number, at, messages[:at], said)) + "\n"


def parts(number: int, at: int, asked: list[Row], said: Row) -> Row:
    """OTLP with the messages of OpenTelemetry as JSON texts."""
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m",
        "gen_ai.conversation.id": f"c{number}",
        "gen_ai.input.messages": json.dumps([*map(parted, asked)]),
        "gen_ai.output.messages": json.dumps([{**parted(said), "finish_reason": "stop"}]),
    }
    return otlp(number, at, attributes)


def parted(message: Row) -> Row:
    part: Row = {"type": "text", "content": message.get("content")}
    for call in message.get("tool_calls", ()):
        arguments = json.loads(call["function"]["arguments"])
        part = {"type": "tool_call", "id": call["id"], "name": call["function"]["name"], "arguments": arguments}
    if message["role"] == "tool":
        part = {"type": "tool_call_response", "id": message["tool_call_id"], "response": message["content"]}
    return {"role": message["role"], "parts": [part]}


def indexed(number: int, at: int, asked: list[Row], said: Row) -> Row:
    """OTLP with an attribute per field of a message, `gen_ai.prompt.0.content`."""
    attributes: Row = {
        "llm.request.type": "chat",
        "gen_ai.request.model": "m",
        "traceloop.association.properties.session_id": f"c{number}",
    }
    for side, messages in (("prompt", asked), ("completion", [{**said, "finish_reason": "stop"}])):
        for place, message in enumerate(messages):
            plain = {**message, "tool_calls": [{"id": one["id"], **one["function"]} for one in calls_of(message)]}
            attributes |= leaves(plain, f"gen_ai.{side}.{place}")
    return otlp(number, at, attributes)


def flat(number: int, at: int, asked: list[Row], said: Row) -> Row:
    """OTLP with an attribute per field of a message, `llm.input_messages.0.message.content`."""
    attributes: Row = {"openinference.span.kind": "LLM", "llm.model_name": "m", "session.id": f"c{number}"}
    for side, messages in (("input", asked), ("output", [said])):
        for place, message in enumerate(messages):
            calls = [{"tool_call": {"id": one["id"], "function": one["function"]}} for one in calls_of(message)]
            attributes |= leaves({**message, "tool_calls": calls}, f"llm.{side}_messages.{place}.message")
    return otlp(number, at, attributes)


def calls_of(message: Row) -> list[Row]:
    return list(message.get("tool_calls", ()))


def leaves(value: Any, name: str) -> Row:
    """Return a value with a name per leaf."""
    if not isinstance(value, dict | list):
        return {name: value}
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    return {key: leaf for at, one in inner for key, leaf in leaves(one, f"{name}.{at}").items()}


def otlp(number: int, at: int, attributes: Row) -> Row:
    span = {
        "traceId": f"{number:032x}",
        "spanId": f"{number * 100 + at:016x}",
        "name": "chat m",
        "startTimeUnixNano": str(1_790_000_000_000_000_000 + at),
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()],
    }
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": [span]}]}]}


def langsmith(number: int, at: int, asked: list[Row], said: Row) -> Row:
    """Runs of LangSmith, with LangChain's messages."""
    answer = [{"text": said.get("content", ""), "type": "ChatGeneration", "message": langchain(said)}]
    return {
        "id": f"r{number}-{at}",
        "trace_id": f"t{number}",
        "start_time": f"2026-09-21T13:46:{at:02}+00:00",
        "run_type": "llm",
        "inputs": {"messages": [[*map(langchain, asked)]]},
        "outputs": {"generations": [answer]},
        "extra": {"metadata": {"thread_id": f"c{number}"}},
    }


def langchain(message: Row) -> Row:
    kind = {"user": "HumanMessage", "assistant": "AIMessage", "tool": "ToolMessage"}[message["role"]]
    kwargs = {
        "content": message.get("content", ""),
        "type": {"user": "human", "assistant": "ai"}.get(message["role"], "tool"),
    }
    if calls := calls_of(message):
        functions = [(one["id"], one["function"]) for one in calls]
        kwargs["tool_calls"] = [
            {"id": id, "name": one["name"], "args": json.loads(one["arguments"]), "type": "tool_call"}
            for id, one in functions
        ]
    if message["role"] == "tool":
        kwargs["tool_call_id"] = message["tool_call_id"]
    return {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", kind], "kwargs": kwargs}


def langfuse(number: int, at: int, asked: list[Row], said: Row) -> Row:
    """Observations of Langfuse."""
    return {
        "id": f"o{number}-{at}",
        "traceId": f"t{number}",
        "sessionId": f"c{number}",
        "type": "GENERATION",
        "startTime": f"2026-09-21T13:46:{at:02}Z",
        "model": "m",
        "input": asked,
        "output": said,
    }


def session(number: int, at: int, asked: list[Row], said: Row) -> Row:
    """A table with a message per line."""
    return {"conversation_id": f"c{number}", "time": f"2026-09-21T13:46:{at:02}Z", **said}


STYLES: dict[str, Callable[[int, int, list[Row], Row], Row]] = {
    one.__name__: one for one in (parts, indexed, flat, langsmith, langfuse, session)
}
