"""Writers of files: one conversation in the layouts of the tools that log, serve, trace and train."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.data.records import Message
from support import message_layouts as m
from support.message_layouts import Raw, Talk, Write, each
from support.trace_records import (
    CALLS,
    SYSTEM,
    TIME,
    Records,
    anthropic,
    bedrock,
    calls_of,
    chat,
    claude_code,
    codex,
    cohere,
    flat,
    gemini,
    genai,
    indexed,
    langchain,
    langfuse,
    mlflow,
    observed,
    openai,
    openinference,
    otlp,
    parts,
    pi,
    responses,
    snake,
    span,
    sts,
    text,
    turns,
)

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


def renamed(write: Records, **names: str) -> Records:
    """Return a writer of the same records with other spellings of keys."""

    def respelled(value: Any) -> Any:
        if isinstance(value, dict):
            return {names.get(key, key): respelled(one) for key, one in value.items()}
        return [respelled(one) for one in value] if isinstance(value, list) else value

    return lambda talk: [respelled(record) for record in write(talk)]


def unfolded(flat: Raw) -> Raw:
    """Return an object whose names with dots are objects in objects, and lists where parts of names are numbers."""
    root: Raw = {}
    for name, value in flat.items():
        *path, last = name.split(".")
        node = root
        for part in path:
            node = node.setdefault(part, {})
        node[last] = value
    return listed(root)


def listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdecimal() for key in value):
        return [listed(one) for one in value.values()]
    return {key: listed(one) for key, one in value.items()}


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
    "Gemini, snake case": Layout(
        write=renamed(row(gemini, "contents"), functionCall="function_call", functionResponse="function_response"),
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
    "OTLP, snake case": Layout(
        write=renamed(
            turns(parts, lambda a, b, n: otlp(genai(a, b), n)),
            **{"resourceSpans": "resource_spans", "scopeSpans": "scope_spans", "traceId": "trace_id"},
            **{"spanId": "span_id", "startTimeUnixNano": "start_time_unix_nano"},
        )
    ),
    "OpenTelemetry spans, nested": Layout(write=turns(parts, lambda a, b, n: span(unfolded(genai(a, b)), n))),
    "Phoenix, nested": Layout(write=turns(openai, lambda a, b, n: span(unfolded(openinference(a, b)), n))),
    "MLflow, a text of data": Layout(
        write=exchange(openai, lambda a, b: {**mlflow(a, b), "data": text(mlflow(a, b)["data"])})
    ),
    "OpenTelemetry, indexed": Layout(write=turns(openai, lambda a, b, n: span(indexed(a, b), n))),
    "Phoenix": Layout(write=turns(openai, lambda a, b, n: span(openinference(a, b), n))),
    "MLflow": Layout(write=exchange(openai, mlflow)),
    "Langfuse, observations": Layout(write=turns(openai, lambda a, b, n: langfuse(a, b[-1], n))),
    "Langfuse, blob storage": Layout(write=turns(openai, lambda a, b, n: snake(a, b[-1], n))),
    "Langfuse, requests": Layout(
        write=turns(openai, lambda a, b, n: langfuse({"model": "m", "messages": a}, chat(b), n))
    ),
    "Langfuse, a trace per turn": Layout(
        write=turns(openai, lambda a, b, n: langfuse(a, b[-1], n, traceId=f"t{n}", sessionId="s1", type=None))
    ),
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
    **{tool: Layout(write=lambda talk, tool=tool: calls_of(tool, talk)) for tool in CALLS},
    # Sessions, one message per line.
    "Hugging Face sessions": Layout(write=sts),
    "Claude Code": Layout(write=claude_code),
    "Codex": Layout(write=codex),
    "one message per line": Layout(write=flat("conversation_id")),
    "Pi": Layout(write=lambda talk: [{"type": "session", "version": 3, "id": "s1", "cwd": "/"}, *pi(talk)]),
    "one message per line, camel case": Layout(write=flat("threadId")),
}


def lines(records: Sequence[Any]) -> str:
    return "".join(f"{text(record)}\n" for record in records)
