"""Writers of files: one conversation in the layouts of the tools that log, serve, trace and train."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.data.records import Message
from support import message_layouts as m
from support.message_layouts import Talk, Write, each

Raw = dict[str, Any]
Records = Callable[[Talk], list[Any]]
TIME = "2026-11-01T09:00:00Z"
SYSTEM = "You book tables."
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One way to write a conversation into a file, as records (lines), and what it cannot say."""

    write: Records
    ids: bool = True
    words: bool = True
    """Whether a text can stand beside a call."""

    def as_read(self, talk: Talk) -> tuple[Message, ...]:
        """Return the conversation without what this layout cannot say."""
        return tuple(self._as_read(message) for message in talk)

    def _as_read(self, message: Message) -> Message:
        if not self.ids:
            calls = tuple(replace(call, id=None) for call in message.tool_calls)
            message = replace(message, tool_calls=calls, tool_call_id=None)
        return replace(message, content=None) if message.tool_calls and not self.words else message


def row(messages: Write, *path: str, **more: Any) -> Records:
    """Return a writer of one row that holds all messages under a key (in objects under the keys before it)."""

    def write(talk: Talk) -> list[Any]:
        value: Any = messages(talk)
        for key in reversed(path):
            value = {key: value}
        return [{**value, **more} if path else value]

    return write


def exchange(messages: Write, put: Callable[[list[Any], list[Any]], Any]) -> Records:
    """Return a writer of what was asked and what was answered at the end."""
    return lambda talk: [put(messages(talk[:-1]), messages(talk[-1:]))]


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
    made = turns(openai, _CALLS[tool])(talk)
    other = {key: value for key, value in made[0].items() if key not in _INPUTS}
    return [*made, {**other, **_OTHERS[tool]}]


_INPUTS = ("input", "inputs", "output", "outputs")
_CALLS: dict[str, Callable[[list[Any], list[Any], int], Any]] = {
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


LAYOUTS: dict[str, Layout] = {
    # Messages, as each API and framework writes them.
    "OpenAI": Layout(write=row(openai, "messages")),
    "OpenAI, parts": Layout(write=row(each(m.openai_parts), "messages")),
    "OpenAI fine-tuning": Layout(write=row(openai, "messages", tools=TOOLS, parallel_tool_calls=False)),
    "OpenAI, legacy calls": Layout(write=row(each(m.legacy), "messages"), ids=False),
    "a list of messages": Layout(write=row(openai)),
    "messages as JSON text": Layout(write=lambda talk: [{"messages": text(openai(talk))}]),
    "conversation": Layout(write=row(openai, "conversation")),
    "history": Layout(write=row(openai, "history")),
    "camel case": Layout(write=row(each(m.camel), "messages")),
    "TRL": Layout(write=row(each(m.trl), "messages", tools=text(TOOLS)), ids=False),
    "TRL, prompt and completion": Layout(
        write=exchange(each(m.trl), lambda a, b: {"prompt": a, "completion": b}), ids=False
    ),
    "Ollama": Layout(
        write=exchange(
            each(m.ollama), lambda a, b: {"request": {"model": "m", "messages": a}, "response": {"message": b[-1]}}
        ),
        ids=False,
    ),
    "Responses, items": Layout(write=row(responses, "messages")),
    "Responses": Layout(
        write=exchange(
            responses,
            lambda a, b: {"id": "resp_1", "object": "response", "instructions": SYSTEM, "input": a, "output": b},
        )
    ),
    "Anthropic": Layout(write=row(anthropic, "messages", system=SYSTEM)),
    "Anthropic, request and response": Layout(
        write=exchange(
            anthropic,
            lambda a, b: {"request": {"system": SYSTEM, "messages": a}, "response": {"type": "message", **b[-1]}},
        )
    ),
    "Bedrock": Layout(
        write=exchange(bedrock, lambda a, b: {"request": {"messages": a}, "response": {"output": {"message": b[-1]}}})
    ),
    "Bedrock invocation log": Layout(
        write=exchange(
            bedrock,
            lambda a, b: {
                **{"schemaType": "ModelInvocationLog", "timestamp": TIME, "modelId": "m", "operation": "Converse"},
                "input": {"inputContentType": "application/json", "inputBodyJson": {"messages": a}},
                "output": {"outputBodyJson": {"output": {"message": b[-1]}, "stopReason": "end_turn"}},
            },
        )
    ),
    "Gemini": Layout(write=row(gemini, "contents"), ids=False),
    "Vertex AI request-response log": Layout(
        write=exchange(
            gemini,
            lambda a, b: {
                **{"endpoint": "e", "logging_time": TIME, "request_id": 1},
                "full_request": {"contents": a, "system_instruction": {"parts": [{"text": SYSTEM}]}},
                "full_response": {"candidates": [{"content": b[-1], "finishReason": "STOP"}]},
            },
        ),
        ids=False,
    ),
    "Google ADK": Layout(write=row(each(m.adk), "events", id="s1", app_name="a", user_id="u1", state={}), ids=False),
    "Cohere": Layout(write=row(cohere, "messages"), words=False),
    "LangChain": Layout(write=row(langchain, "messages")),
    "LangChain, constructors": Layout(write=row(each(m.constructor), "messages")),
    "LangChain, data": Layout(write=row(each(m.wrapped), "messages")),
    "LangChain, blocks": Layout(write=row(each(m.langchain_blocks), "messages")),
    "LangChain, additional_kwargs": Layout(write=row(each(m.langchain_legacy), "messages")),
    "LangGraph state": Layout(write=row(langchain, "values", "messages", config={})),
    "OpenTelemetry messages": Layout(write=row(parts, "messages")),
    "pydantic-ai": Layout(write=row(each(m.pydantic_ai), "messages")),
    "pydantic-ai, a list": Layout(write=row(each(m.pydantic_ai))),
    "Logfire": Layout(write=row(each(m.pydantic_ai), "all_messages")),
    "AI SDK, user interface": Layout(write=row(m.user_interface, "messages")),
    "AI SDK, models": Layout(write=row(each(m.model_messages), "messages")),
    "AI SDK 4": Layout(write=row(m.invocations, "messages"), words=False),
    "LlamaIndex": Layout(write=row(each(m.llamaindex), "messages")),
    "Haystack": Layout(write=row(each(m.haystack), "messages")),
    "Semantic Kernel": Layout(write=row(each(m.semantic_kernel), "messages")),
    "Strands": Layout(write=row(bedrock, "messages", agent_id="a", session_id="s1")),
    "AutoGen": Layout(write=row(each(m.autogen), "messages"), words=False),
    "smolagents": Layout(write=row(each(m.agent_kit), "messages")),
    "OpenAI Agents SDK, items": Layout(write=row(responses, "items", session_id="s1")),
    "DSPy history": Layout(
        write=exchange(openai, lambda a, b: {"model": "m", "prompt": None, "messages": a, "response": chat(b)})
    ),
    "Genkit": Layout(write=row(each(m.genkit), "messages")),
    "LangChain4j": Layout(write=row(each(m.langchain4j), "messages")),
    "ATIF": Layout(write=row(m.atif, "steps", schema_version="ATIF-v1.4", session_id="s1", agent={"name": "a"})),
    # Calls in texts.
    "ShareGPT": Layout(write=row(each(m.sharegpt), "conversations", tools=text(TOOLS)), ids=False, words=False),
    "Hermes": Layout(write=row(each(m.hermes), "conversations"), ids=False),
    "ToolACE": Layout(write=row(each(m.toolace), "conversations", system=SYSTEM), ids=False, words=False),
    "Glaive": Layout(write=row(each(m.glaive), "messages"), ids=False, words=False),
    "Llama's JSON": Layout(write=row(each(m.bare_json), "messages"), ids=False, words=False),
    "Mistral's text": Layout(write=row(each(m.mistral), "messages"), ids=False, words=False),
    # Logs of gateways.
    "request and response": Layout(
        write=exchange(openai, lambda a, b: {"request": {"model": "m", "messages": a}, "response": chat(b)})
    ),
    "input and output": Layout(write=exchange(openai, lambda a, b: {"input": a, "output": b[-1]})),
    "messages and output": Layout(write=exchange(openai, lambda a, b: {"messages": a, "output": b[-1]})),
    "messages and choices": Layout(write=exchange(openai, lambda a, b: {"messages": a, "choices": chat(b)["choices"]})),
    "Helicone": Layout(
        write=exchange(
            openai,
            lambda a, b: {
                **{"request_id": "q", "request_created_at": TIME, "request_user_id": "u1"},
                **{"request_body": {"model": "m", "messages": a}, "response_body": chat(b)},
            },
        )
    ),
    "Portkey": Layout(
        write=exchange(
            openai,
            lambda a, b: {
                **{"id": "q", "trace_id": "t1", "created_at": TIME, "ai_model": "m", "metadata": {}},
                **{"request": {"body": {"messages": a}}, "response": {"body": chat(b), "status": 200}},
            },
        )
    ),
    "LiteLLM": Layout(
        write=exchange(
            openai,
            lambda a, b: {
                **{"id": "q", "call_type": "acompletion", "startTime": 1793523600.1, "status": "success", "model": "m"},
                **{"messages": a, "response": chat(b), "metadata": {}, "error_str": None},
            },
        )
    ),
    "Azure API Management": Layout(
        write=exchange(
            openai,
            lambda a, b: {
                "time": TIME,
                "properties": {"backendRequestBody": text({"messages": a}), "backendResponseBody": text(chat(b))},
            },
        )
    ),
    "PromptLayer": Layout(
        write=exchange(
            each(m.openai_parts),
            lambda a, b: {
                **{"request_id": 7, "request_start_time": TIME, "provider": "openai"},
                "input": {"type": "chat", "messages": a, "tools": []},
                "output": {"type": "chat", "messages": b},
            },
        )
    ),
    "OpenAI batch": Layout(
        write=exchange(
            openai,
            lambda a, b: {
                **{"custom_id": "c", "body": {"messages": a}},
                "response": {"status_code": 200, "body": chat(b)},
            },
        )
    ),
    # Traces.
    "OTLP": Layout(write=turns(parts, lambda a, b, n: otlp(genai(a, b), n))),
    "OpenTelemetry spans": Layout(write=turns(parts, lambda a, b, n: span(genai(a, b), n))),
    "OpenTelemetry, indexed": Layout(write=turns(openai, lambda a, b, n: span(indexed(a, b), n))),
    "Phoenix": Layout(write=turns(openai, lambda a, b, n: span(openinference(a, b), n))),
    "MLflow": Layout(write=exchange(openai, mlflow)),
    "Langfuse, observations": Layout(write=turns(openai, lambda a, b, n: langfuse(a, b[-1], n))),
    "Langfuse, blob storage": Layout(write=turns(openai, lambda a, b, n: snake(a, b[-1], n))),
    "Langfuse with parts": Layout(write=turns(parts, langfuse)),
    "Langfuse, a trace": Layout(write=observed),
    "LangSmith, constructors": Layout(
        write=turns(
            each(m.constructor),
            lambda a, b, n: {
                **{"id": f"r{n}", "trace_id": "t1", "run_type": "llm", "name": "ChatOpenAI"},
                **{"inputs": {"messages": [a]}, "outputs": {"generations": [[{"text": "", "message": b[-1]}]]}},
            },
        )
    ),
    **{tool: Layout(write=lambda talk, tool=tool: calls_of(tool, talk)) for tool in _CALLS},
    # Sessions, one message per line.
    "Hugging Face sessions": Layout(write=sts),
    "Claude Code": Layout(write=claude_code),
    "Codex": Layout(write=codex),
    "one message per line": Layout(write=flat("conversation_id")),
    "one message per line, camel case": Layout(write=flat("threadId")),
}


def lines(records: Sequence[Any]) -> str:
    return "".join(f"{text(record)}\n" for record in records)
