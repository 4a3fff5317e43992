"""Writers of messages: one conversation as each API and framework logs its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from harness.data.records import Message, ToolCall

Raw = dict[str, Any]
Talk = Sequence[Message]
Write = Callable[[Talk], list[Any]]


def written(call: ToolCall) -> str:
    return json.dumps(call.arguments, ensure_ascii=False)


def each(write: Callable[[Message], Raw | list[Raw]]) -> Write:
    def messages(talk: Talk) -> list[Any]:
        found = [write(message) for message in talk]
        return [one for written in found for one in (written if isinstance(written, list) else [written])]

    return messages


def _bare(raw: Raw) -> Raw:
    return {key: value for key, value in raw.items() if value is not None and value != []}


def openai_call(call: ToolCall) -> Raw:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": written(call)}}


def openai(message: Message) -> Raw:
    calls = [openai_call(call) for call in message.tool_calls]
    raw = {"role": message.role, "content": message.content, "tool_calls": calls, "tool_call_id": message.tool_call_id}
    return {"content": None, **_bare(raw)}


def openai_parts(message: Message) -> Raw:
    raw = openai(message)
    return raw if raw["content"] is None else {**raw, "content": [{"type": "text", "text": raw["content"]}]}


def trl(message: Message) -> Raw:
    calls = [{"type": "function", "function": {"name": c.name, "arguments": c.arguments}} for c in message.tool_calls]
    return _bare({"role": message.role, "content": message.content, "tool_calls": calls})


def legacy(message: Message) -> Raw:
    (call,) = message.tool_calls or (None,)
    called = {"function_call": {"name": call.name, "arguments": written(call)}} if call else {}
    role = "function" if message.role == "tool" else message.role
    return {"role": role, "content": message.content, **called, **({"name": "f"} if role == "function" else {})}


def camel(message: Message) -> Raw:
    calls = [openai_call(call) for call in message.tool_calls]
    raw = {"role": message.role, "content": message.content, "toolCalls": calls, "toolCallId": message.tool_call_id}
    return _bare(raw)


def ollama(message: Message) -> Raw:
    calls = [{"function": {"name": call.name, "arguments": call.arguments}} for call in message.tool_calls]
    named = {"tool_name": "f"} if message.role == "tool" else {}
    return {"role": message.role, "content": message.content or "", **_bare({"tool_calls": calls}), **named}


def responses(message: Message) -> list[Raw]:
    if message.role == "tool":
        return [{"type": "function_call_output", "call_id": message.tool_call_id, "output": message.content}]
    kind = "output_text" if message.role == "assistant" else "input_text"
    said = [{"type": "message", "role": message.role, "content": [{"type": kind, "text": message.content}]}]
    thought = [{"type": "reasoning", "id": "rs", "summary": []}] if message.role == "assistant" else []
    calls = [
        {"type": "function_call", "id": f"fc{c.id}", "call_id": c.id, "name": c.name, "arguments": written(c)}
        for c in message.tool_calls
    ]
    return [*thought, *(said if message.content is not None else []), *calls]


def anthropic(message: Message) -> Raw:
    if message.role == "tool":
        block = {"type": "tool_result", "tool_use_id": message.tool_call_id, "content": message.content}
        return {"role": "user", "content": [block]}
    if not message.tool_calls:
        return {"role": message.role, "content": message.content}
    said = [{"type": "text", "text": message.content}] if message.content is not None else []
    thought = [{"type": "thinking", "thinking": "Hm.", "signature": "x"}]
    calls = [{"type": "tool_use", "id": c.id, "name": c.name, "input": c.arguments} for c in message.tool_calls]
    return {"role": "assistant", "content": [*thought, *said, *calls]}


def bedrock(message: Message) -> Raw:
    if message.role == "tool":
        result = {"toolUseId": message.tool_call_id, "content": [{"text": message.content}], "status": "success"}
        return {"role": "user", "content": [{"toolResult": result}]}
    said = [{"text": message.content}] if message.content is not None else []
    calls = [{"toolUse": {"toolUseId": c.id, "name": c.name, "input": c.arguments}} for c in message.tool_calls]
    return {"role": message.role, "content": [*said, *calls]}


def gemini(message: Message) -> Raw:
    if message.role == "tool":
        result = {"name": "f", "response": {"result": message.content}}
        return {"role": "user", "parts": [{"functionResponse": result}]}
    said = [{"text": message.content}] if message.content is not None else []
    calls = [{"functionCall": {"name": c.name, "args": c.arguments}} for c in message.tool_calls]
    return {"role": "model" if message.role == "assistant" else message.role, "parts": [*said, *calls]}


def adk(message: Message) -> Raw:
    author = "user" if message.role == "user" else "booker"
    content = json.loads(json.dumps(gemini(message)).replace("functionCall", "function_call"))
    return {"author": author, "invocation_id": "e1", "id": "x", "timestamp": 1.7e9, "actions": {}, "content": content}


def cohere(message: Message) -> Raw:
    if message.role == "tool":
        document = [{"type": "text", "text": message.content}]
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": document}
    calls = {"tool_calls": [openai_call(call) for call in message.tool_calls], "tool_plan": message.content}
    return {"role": message.role, **(calls if message.tool_calls else {"content": message.content})}


_LANGCHAIN = {"system": "System", "user": "Human", "assistant": "AI", "tool": "Tool"}


def langchain(message: Message) -> Raw:
    """Return the fields of a message of LangChain, whatever they are wrapped in."""
    calls = [{"name": c.name, "args": c.arguments, "id": c.id, "type": "tool_call"} for c in message.tool_calls]
    more = {"tool_call_id": message.tool_call_id} if message.role == "tool" else _bare({"tool_calls": calls})
    kind = _LANGCHAIN[message.role].lower()
    return {"content": message.content or "", "type": kind, "additional_kwargs": {}, "response_metadata": {}, **more}


def constructor(message: Message) -> Raw:
    path = ["langchain", "schema", "messages", f"{_LANGCHAIN[message.role]}Message"]
    return {"lc": 1, "type": "constructor", "id": path, "kwargs": langchain(message)}


def wrapped(message: Message) -> Raw:
    data = langchain(message)
    return {"type": data["type"], "data": data}


def langchain_blocks(message: Message) -> Raw:
    """Return a message as LangChain's model of Anthropic has it: calls in the content and beside it."""
    blocks = anthropic(message)["content"] if message.tool_calls else None
    return {**langchain(message), **({"content": blocks} if blocks else {})}


def langchain_legacy(message: Message) -> Raw:
    raw = langchain(message)
    raw.pop("tool_calls", None)
    return {**raw, "additional_kwargs": {"tool_calls": [openai_call(call) for call in message.tool_calls]}}


def parts(message: Message) -> Raw:
    """Return a message of OpenTelemetry's convention."""
    if message.role == "tool":
        result = {"type": "tool_call_response", "id": message.tool_call_id, "response": message.content}
        return {"role": "tool", "parts": [result]}
    said = [{"type": "text", "content": message.content}] if message.content is not None else []
    calls = [{"type": "tool_call", "id": c.id, "name": c.name, "arguments": c.arguments} for c in message.tool_calls]
    return {"role": message.role, "parts": [{"type": "reasoning", "content": "Hm."}, *said, *calls]}


def pydantic_ai(message: Message) -> Raw:
    if message.role == "assistant":
        said = [{"part_kind": "text", "content": message.content}] if message.content is not None else []
        calls = [
            {"part_kind": "tool-call", "tool_name": c.name, "args": written(c), "tool_call_id": c.id}
            for c in message.tool_calls
        ]
        return {"kind": "response", "parts": [*said, *calls], "model_name": "m"}
    kind = {"user": "user-prompt", "system": "system-prompt", "tool": "tool-return"}[message.role]
    part = {"part_kind": kind, "content": message.content, "timestamp": "2026-11-01T09:00:00Z"}
    named = {"tool_name": "f", "tool_call_id": message.tool_call_id} if message.role == "tool" else {}
    return {"kind": "request", "parts": [{**part, **named}]}


def model_messages(message: Message) -> Raw:
    """Return a message as the AI SDK sends it to a model."""
    if message.role == "tool":
        output = {"type": "text", "value": message.content}
        part = {"type": "tool-result", "toolCallId": message.tool_call_id, "toolName": "f", "output": output}
        return {"role": "tool", "content": [part]}
    said = [{"type": "text", "text": message.content}] if message.content is not None else []
    calls = [
        {"type": "tool-call", "toolCallId": c.id, "toolName": c.name, "input": c.arguments} for c in message.tool_calls
    ]
    return {"role": message.role, "content": [*said, *calls]}


def user_interface(talk: Talk) -> list[Any]:
    """Return messages as the AI SDK shows them: all that an agent did until the user spoke is one."""
    out: list[Any] = []
    for place, message in enumerate(talk):
        if message.role in ("user", "system"):
            out.append({"id": str(place), "role": message.role, "parts": [{"type": "text", "text": message.content}]})
            continue
        if not out or out[-1]["role"] != "assistant":
            out.append({"id": str(place), "role": "assistant", "parts": []})
        if message.role == "tool":
            out[-1]["parts"][-1] |= {"state": "output-available", "output": message.content}
            continue
        said = [{"type": "text", "text": message.content, "state": "done"}] if message.content is not None else []
        calls = [
            {"type": f"tool-{c.name}", "toolCallId": c.id, "state": "input-available", "input": c.arguments}
            for c in message.tool_calls
        ]
        out[-1]["parts"] += [{"type": "step-start"}, *said, *calls]
    return out


def invocations(talk: Talk) -> list[Any]:
    """Return messages of the AI SDK 4: calls with their results, and the reply to them, in one message."""
    out: list[Any] = []
    for message in talk:
        called = out and out[-1].get("toolInvocations")
        if message.role == "tool":
            called[-1] |= {"state": "result", "result": message.content}
        elif message.tool_calls:
            made = [
                {
                    "toolCallId": c.id,
                    "toolName": c.name,
                    "args": c.arguments,
                    "state": "call",
                    "step": len(called or ()),
                }
                for c in message.tool_calls
            ]
            if called:
                called += made
            else:
                out.append({"role": "assistant", "content": "", "toolInvocations": made})
        elif called and message.role == "assistant" and not out[-1]["content"]:
            out[-1]["content"] = message.content
        else:
            out.append({"role": message.role, "content": message.content})
    return out


def llamaindex(message: Message) -> Raw:
    said = [{"block_type": "text", "text": message.content}] if message.content is not None else []
    calls = [
        {"block_type": "tool_call", "tool_call_id": c.id, "tool_name": c.name, "tool_kwargs": c.arguments}
        for c in message.tool_calls
    ]
    more = {"additional_kwargs": {"tool_call_id": message.tool_call_id, "name": "f"}} if message.role == "tool" else {}
    return {"role": message.role, "blocks": [*said, *calls], **more}


def haystack(message: Message) -> Raw:
    if message.role == "tool":
        origin = {"id": message.tool_call_id, "tool_name": "f", "arguments": {}}
        return {"role": "tool", "content": [{"tool_call_result": {"result": message.content, "origin": origin}}]}
    said = [{"text": message.content}] if message.content is not None else []
    calls = [{"tool_call": {"id": c.id, "tool_name": c.name, "arguments": c.arguments}} for c in message.tool_calls]
    return {"role": message.role, "content": [*said, *calls], "meta": {}}


def semantic_kernel(message: Message) -> Raw:
    if message.role == "tool":
        item = {"content_type": "function_result", "id": message.tool_call_id, "name": "f", "result": message.content}
        return {"role": "tool", "items": [item]}
    said = [{"content_type": "text", "text": message.content}] if message.content is not None else []
    calls = [
        {"content_type": "function_call", "id": c.id, "name": c.name, "arguments": written(c)}
        for c in message.tool_calls
    ]
    return {"role": message.role, "items": [*said, *calls]}


def autogen(message: Message) -> Raw | list[Raw]:
    """Return the messages of AutoGen's AgentChat."""
    if message.role == "tool":
        result = {"content": message.content, "name": "f", "call_id": message.tool_call_id, "is_error": False}
        return {"source": "booker", "content": [result], "type": "ToolCallExecutionEvent"}
    source = "user" if message.role == "user" else "booker"
    if not message.tool_calls:
        return {"source": source, "content": message.content, "type": "TextMessage"}
    calls = [{"id": c.id, "name": c.name, "arguments": written(c)} for c in message.tool_calls]
    thought = {"source": source, "content": "Hm.", "type": "ThoughtEvent"}
    return [thought, {"source": source, "content": calls, "type": "ToolCallRequestEvent"}]


def agent_kit(message: Message) -> Raw:
    """Return a message of smolagents as its models are sent it."""
    role = {"tool": "tool-response", "assistant": "assistant"}.get(message.role, message.role)
    calls = [
        {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
        for c in message.tool_calls
    ]
    content = None if message.content is None else [{"type": "text", "text": message.content}]
    return _bare({"role": role, "content": content, "tool_calls": calls, "tool_call_id": message.tool_call_id})


def genkit(message: Message) -> Raw:
    if message.role == "tool":
        result = {"ref": message.tool_call_id, "name": "f", "output": message.content}
        return {"role": "tool", "content": [{"toolResponse": result}]}
    said = [{"text": message.content}] if message.content is not None else []
    calls = [{"toolRequest": {"ref": c.id, "name": c.name, "input": c.arguments}} for c in message.tool_calls]
    return {"role": "model" if message.role == "assistant" else message.role, "content": [*said, *calls]}


def langchain4j(message: Message) -> Raw:
    if message.role == "tool":
        result = {"id": message.tool_call_id, "toolName": "f", "text": message.content}
        return {"type": "TOOL_EXECUTION_RESULT", **result}
    if message.role == "user":
        return {"type": "USER", "contents": [{"type": "TEXT", "text": message.content}]}
    calls = [{"id": c.id, "name": c.name, "arguments": written(c)} for c in message.tool_calls]
    return _bare({"type": "AI", "text": message.content, "toolExecutionRequests": calls})


_SHAREGPT = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation"}


def sharegpt(message: Message) -> Raw:
    for call in message.tool_calls:
        value = json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False)
        return {"from": "function_call", "value": value}
    return {"from": _SHAREGPT[message.role], "value": message.content}


def hermes(message: Message) -> Raw:
    calls = "".join(
        f"\n<tool_call>\n{json.dumps({'name': c.name, 'arguments': c.arguments})}\n</tool_call>"
        for c in message.tool_calls
    )
    if message.role == "tool":
        return {"from": "tool", "value": f"<tool_response>\n{message.content}\n</tool_response>"}
    return {"from": _SHAREGPT[message.role], "value": f"{message.content or ''}{calls}"}


def toolace(message: Message) -> Raw:
    """Return a message with calls as Python writes them, as ToolACE and BFCL have them."""
    calls = ", ".join(
        f"{c.name}({', '.join(f'{key}={value!r}' for key, value in c.arguments.items())})" for c in message.tool_calls
    )
    role = {"user": "user", "assistant": "assistant", "tool": "tool", "system": "system"}[message.role]
    return {"from": role, "value": f"[{calls}]" if calls else message.content}


def glaive(message: Message) -> Raw:
    for call in message.tool_calls:
        value = json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False)
        return {"role": "assistant", "content": f"<functioncall> {value}"}
    return {"role": "function" if message.role == "tool" else message.role, "content": message.content}


def bare_json(message: Message) -> Raw:
    """Return a message whose call is its whole text, as Llama's models write it."""
    for call in message.tool_calls:
        return {"role": "assistant", "content": json.dumps({"name": call.name, "parameters": call.arguments})}
    return {"role": "ipython" if message.role == "tool" else message.role, "content": message.content}


def mistral(message: Message) -> Raw:
    calls = json.dumps([{"name": c.name, "arguments": c.arguments} for c in message.tool_calls])
    content = f"[TOOL_CALLS]{calls}" if message.tool_calls else message.content
    return {"role": message.role, "content": content}


def atif(talk: Talk) -> list[Any]:
    steps: list[Any] = []
    for message in talk:
        if message.role == "tool":
            result = {"source_call_id": message.tool_call_id, "content": message.content}
            steps[-1]["observation"] = {"results": [result]}
            continue
        source = "agent" if message.role == "assistant" else message.role
        calls = [{"tool_call_id": c.id, "function_name": c.name, "arguments": c.arguments} for c in message.tool_calls]
        step = {"step_id": len(steps) + 1, "source": source, "message": message.content or ""}
        steps.append({**step, **_bare({"tool_calls": calls})})
    return steps


def rows_of(talk: Talk) -> Iterator[Raw]:
    yield from each(openai)(talk)
