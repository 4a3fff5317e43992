"""Writers of the records of tools that trace, log and keep sessions: spans, observations, lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from support import message_layouts as m
from support.message_layouts import Raw, Talk, Write, each

Records = Callable[[Talk], list[Any]]
TIME = "2026-11-01T09:00:00Z"
SYSTEM = "You book tables."


def turns(messages: Write, put: Callable[[list[Any], list[Any], int], Any]) -> Records:
    """Return a writer of one record for each call of a model, with all that was said before it."""

    def write(talk: Talk) -> list[Any]:
        ends = [place for place, one in enumerate(talk) if one.role == "assistant"]
        return [put(messages(talk[:place]), messages(talk[place : place + 1]), n) for n, place in enumerate(ends)]

    return write


def text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def chat(answered: list[Any]) -> Raw:
    return {"id": "r1", "object": "chat.completion", "choices": [{"index": 0, "message": answered[-1]}]}


def otlp_value(value: Any) -> Raw:
    return {"stringValue": value if isinstance(value, str) else text(value)}


def otlp(attributes: Raw, n: int) -> Raw:
    listed = [{"key": key, "value": otlp_value(value)} for key, value in attributes.items()]
    span = {"traceId": "t1", "spanId": f"s{n}", "startTimeUnixNano": str(10**18 + n), "name": "chat m"}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [{**span, "attributes": listed}]}]}]}


def span(attributes: Raw, n: int) -> Raw:
    context = {"trace_id": "t1", "span_id": f"s{n}"}
    return {"name": "llm", "context": context, "parent_id": None, "start_time": TIME, "attributes": attributes}


def genai(asked: list[Any], answered: list[Any]) -> Raw:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": text(asked),
        "gen_ai.output.messages": text(answered),
    }


def indexed(asked: list[Any], answered: list[Any]) -> Raw:
    """Return the attributes of the convention before that of parts."""
    out: Raw = {"llm.request.type": "chat"}
    for side, messages in (("prompt", asked), ("completion", answered)):
        for place, one in enumerate(messages):
            key = f"gen_ai.{side}.{place}"
            out |= {f"{key}.{name}": one[name] for name in ("role", "content", "tool_call_id") if one.get(name)}
            for number, call in enumerate(one.get("tool_calls", ())):
                about = {"id": call["id"], **call["function"]}
                out |= {f"{key}.tool_calls.{number}.{name}": value for name, value in about.items()}
    return out


def openinference(asked: list[Any], answered: list[Any]) -> Raw:
    out: Raw = {"openinference.span.kind": "LLM"}
    for side, messages in (("input", asked), ("output", answered)):
        for place, one in enumerate(messages):
            key = f"llm.{side}_messages.{place}.message"
            out |= {f"{key}.{name}": one[name] for name in ("role", "content", "tool_call_id") if one.get(name)}
            for number, call in enumerate(one.get("tool_calls", ())):
                about = {"id": call["id"], **{f"function.{name}": value for name, value in call["function"].items()}}
                out |= {f"{key}.tool_calls.{number}.tool_call.{name}": value for name, value in about.items()}
    return out


def langfuse(asked: Any, answered: Any, n: int, **more: Any) -> Raw:
    own = {"id": f"o{n}", "traceId": "t1", "type": "GENERATION", "startTime": TIME, "model": "m"}
    return {**own, "input": asked, "output": answered, **more}


def snake(asked: Any, answered: Any, n: int) -> Raw:
    own = {"id": f"o{n}", "trace_id": "t1", "session_id": "s1", "type": "GENERATION", "parent_observation_id": None}
    return {**own, "start_time": TIME, "input": text(asked), "output": text(answered)}


def observed(talk: Talk) -> list[Any]:
    """Return a trace of Langfuse with its observations, those of tools and of the agent among them."""
    generations = turns(openai, lambda asked, answered, n: langfuse(asked, answered[-1], n))(talk)
    tool = {"id": "x", "traceId": "t1", "type": "TOOL", "startTime": TIME, "input": {"a": 1}, "output": "[]"}
    return [{"trace": {"id": "t1", "timestamp": TIME}, "observations": [*generations, tool]}]


openai, parts, responses, anthropic = map(each, (m.openai, m.parts, m.responses, m.anthropic))
gemini, bedrock, langchain, cohere = map(each, (m.gemini, m.bedrock, m.langchain, m.cohere))


def calls_of(tool: str, talk: Talk) -> list[Any]:
    """Return the spans of a tool that logs calls of models with their inputs and outputs, and those of functions."""
    made = turns(openai, CALLS[tool])(talk)
    other = {key: value for key, value in made[0].items() if key not in _INPUTS}
    return [*made, {**other, **_OTHERS[tool]}]


_INPUTS = ("input", "inputs", "output", "outputs")
CALLS: dict[str, Callable[[list[Any], list[Any], int], Any]] = {
    "Opik": lambda asked, answered, n: {
        **{"id": f"o{n}", "trace_id": "t1", "parent_span_id": "p", "type": "llm", "start_time": TIME, "model": "m"},
        **{"input": {"messages": asked, "model": "m"}, "output": chat(answered), "metadata": {}},
    },
    "Weave": lambda asked, answered, n: {
        **{
            "id": f"w{n}",
            "trace_id": "t1",
            "parent_id": "p",
            "op_name": "weave:///e/p/op/openai.chat.completions.create:x",
        },
        **{
            "inputs": {"model": "m", "messages": asked},
            "output": chat(answered),
            "started_at": TIME,
            "exception": None,
        },
    },
    "Braintrust": lambda asked, answered, n: {
        **{"id": f"b{n}", "span_id": f"b{n}", "root_span_id": "t1", "span_parents": ["r"], "created": TIME},
        **{"span_attributes": {"type": "llm", "name": "Chat Completion"}, "metadata": {"model": "m"}},
        **{"input": asked, "output": [{"index": 0, "message": answered[-1], "finish_reason": "stop"}]},
    },
    "Lunary": lambda asked, answered, n: {
        **{"id": f"l{n}", "traceId": "t1", "type": "llm", "name": "m", "createdAt": TIME, "status": "success"},
        **{"input": asked, "output": answered[-1], "userId": "u1"},
    },
    "Datadog": lambda asked, answered, n: {
        **{"span_id": f"d{n}", "trace_id": "t1", "parent_id": "p", "name": "chat", "start_ns": 10**18 + n},
        "meta": {"kind": "llm", "input": {"messages": asked}, "output": {"messages": answered}},
    },
    "HoneyHive": lambda asked, answered, n: {
        **{"event_id": f"h{n}", "session_id": "s1", "event_type": "model", "start_time": n, "config": {"model": "m"}},
        **{"inputs": {"chat_history": asked}, "outputs": answered[-1]},
    },
    "OpenAI Agents SDK, spans": lambda asked, answered, n: {
        **{"object": "trace.span", "id": f"a{n}", "trace_id": "t1", "parent_id": "p", "started_at": TIME},
        "span_data": {"type": "generation", "input": asked, "output": answered, "model": "m"},
    },
    "LangSmith": lambda asked, answered, n: {
        **{"id": f"r{n}", "trace_id": "t1", "dotted_order": f"{n}", "run_type": "llm", "name": "ChatOpenAI"},
        **{"inputs": {"messages": asked}, "outputs": chat(answered), "extra": {"metadata": {}}},
    },
}
_OTHERS: dict[str, Raw] = {
    "Opik": {"id": "p", "type": "tool", "input": {"city": "Ulm"}, "output": {"found": "[]"}},
    "Weave": {"id": "p", "op_name": "weave:///e/p/op/find:x", "inputs": {"city": "Ulm"}, "output": "[]"},
    "Braintrust": {"id": "r", "span_attributes": {"type": "task"}, "input": {"city": "Ulm"}, "output": "[]"},
    "Lunary": {"id": "p", "type": "tool", "input": {"city": "Ulm"}, "output": "[]"},
    "Datadog": {"span_id": "p", "meta": {"kind": "tool", "input": {"value": "Ulm"}, "output": {"value": "[]"}}},
    "HoneyHive": {"event_id": "p", "event_type": "tool", "inputs": {"city": "Ulm"}, "outputs": {"found": "[]"}},
    "OpenAI Agents SDK, spans": {"id": "p", "span_data": {"type": "function", "input": "{}", "output": "[]"}},
    "LangSmith": {"id": "p", "run_type": "tool", "inputs": {"city": "Ulm"}, "outputs": {"output": "[]"}},
}


def mlflow(asked: list[Any], answered: list[Any]) -> Raw:
    attributes = {
        "mlflow.spanType": text("CHAT_MODEL"),
        "mlflow.spanInputs": text({"messages": asked}),
        "mlflow.spanOutputs": text(chat(answered)),
    }
    one = {"span_id": "a", "parent_span_id": None, "name": "Completions", "attributes": attributes}
    return {"info": {"trace_id": "t1", "state": "OK"}, "data": {"spans": [one]}}


def sts(talk: Talk) -> list[Any]:
    begun = {"type": "session", "harness": "pi", "id": "s1", "timestamp": TIME}
    lines = [{"type": "message", "id": str(n), "message": m.camel(one)} for n, one in enumerate(talk)]
    return [begun, *lines]


def pi(talk: Talk) -> list[Any]:
    lines: list[Any] = []
    for n, one in enumerate(talk):
        said = [] if one.content is None else [{"type": "text", "text": one.content}]
        calls = [{"type": "toolCall", "id": c.id, "name": c.name, "arguments": c.arguments} for c in one.tool_calls]
        result = {"role": "toolResult", "toolCallId": one.tool_call_id, "toolName": "f"}
        message = {**(result if one.role == "tool" else {"role": one.role}), "content": [*said, *calls]}
        parent = str(n - 1) if n else None
        lines.append({"type": "message", "id": str(n), "parentId": parent, "timestamp": TIME, "message": message})
    return lines


def claude_code(talk: Talk) -> list[Any]:
    lines: list[Any] = [{"type": "summary", "summary": "Tables", "leafUuid": "u"}]
    for n, one in enumerate(talk):
        kind = "assistant" if one.role == "assistant" else "user"
        own = {"type": kind, "sessionId": "s1", "uuid": f"u{n}", "parentUuid": f"u{n - 1}" if n else None}
        lines.append({**own, "isSidechain": False, "cwd": "/", "timestamp": TIME, "message": m.anthropic(one)})
    return lines


def codex(talk: Talk) -> list[Any]:
    begun = {"type": "session_meta", "timestamp": TIME, "payload": {"id": "s1", "cwd": "/", "instructions": SYSTEM}}
    items = [{"type": "response_item", "timestamp": TIME, "payload": item} for item in responses(talk)]
    return [begun, *items, {"type": "event_msg", "timestamp": TIME, "payload": {"type": "token_count"}}]


def flat(key: str) -> Records:
    """Return a writer of one message per line, each with the id of its conversation."""
    return lambda talk: [{key: "s1", "created_at": TIME, **one} for one in openai(talk)]
