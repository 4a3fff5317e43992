"""Files of spans give each conversation once, whichever tool wrote them and in whatever order."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.data.pipeline_records import TraceRow
from harness.data.records import Message, ToolCall
from harness.data.traces.json_document import FileRecord
from harness.data.traces.read import layout, read_traces
from harness.data.traces.spans import SpanReader
from harness.errors import DataError

ARGUMENTS = {"city": "Ulm", "near.by": True}
CALL = {"id": "c1", "type": "function", "function": {"name": "Find", "arguments": json.dumps(ARGUMENTS)}}
ASKED: dict[str, Any] = {"role": "user", "content": "Anything open in Ulm?"}
CALLED: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": [CALL]}
FOUND: dict[str, Any] = {"role": "tool", "tool_call_id": "c1", "content": "[]"}
SAID: dict[str, Any] = {"role": "assistant", "content": "Nothing, sorry."}
STEPS = [([ASKED], CALLED), ([ASKED, CALLED, FOUND], SAID)]
READ = (
    Message(role="user", content="Anything open in Ulm?"),
    Message(role="assistant", tool_calls=(ToolCall(name="Find", arguments=ARGUMENTS, id="c1"),)),
    Message(role="tool", content="[]", tool_call_id="c1"),
    Message(role="assistant", content="Nothing, sorry."),
)
TOOL = {"type": "function", "function": {"name": "Find", "parameters": {"type": "object"}}}
SECRET = "sk-not-to-be-carried-on"
Steps = list[tuple[list[dict[str, Any]], dict[str, Any]]]


def parts(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message as OpenTelemetry has it."""
    if message["role"] == "tool":
        part: dict[str, Any] = {"type": "tool_call_response", "id": "c1", "response": message["content"]}
    elif message.get("tool_calls"):
        part = {"type": "tool_call", "id": "c1", "name": "Find", "arguments": ARGUMENTS}
    else:
        part = {"type": "text", "content": message["content"]}
    return {"role": message["role"], "parts": [part]}


def semantic(asked: list[dict[str, Any]], said: dict[str, Any]) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.conversation.id": "c7",
        "gen_ai.tool.definitions": json.dumps([TOOL]),
        "gen_ai.input.messages": json.dumps([*map(parts, asked)]),
        "gen_ai.output.messages": json.dumps([{**parts(said), "finish_reason": "stop"}]),
        "http.request.header.authorization": SECRET,
    }


def structured(asked: list[dict[str, Any]], said: dict[str, Any]) -> dict[str, Any]:
    flat = {key: json.loads(one) if one[0] == "[" else one for key, one in semantic(asked, said).items()}
    return {**flat, "gen_ai.operation.name": "generate_content"}


def indexed(asked: list[dict[str, Any]], said: dict[str, Any]) -> dict[str, Any]:
    """Return the names that OpenTelemetry's emitters used before."""
    out = {"llm.request.type": "chat", "traceloop.association.properties.session_id": "c7"}
    for side, messages in (("prompt", asked), ("completion", [said])):
        for number, message in enumerate(messages):
            for key, value in message.items():
                if key != "tool_calls" and value is not None:
                    out[f"gen_ai.{side}.{number}.{key}"] = value
            for at, _ in enumerate(message.get("tool_calls", ())):
                start = f"gen_ai.{side}.{number}.tool_calls.{at}"
                out |= {f"{start}.id": "c1", f"{start}.name": "Find", f"{start}.arguments": json.dumps(ARGUMENTS)}
    return out | {
        "llm.request.functions.0.name": "Find",
        "llm.request.functions.0.parameters": '{"type": "object"}',
    }


def vercel(asked: list[dict[str, Any]], said: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of the AI SDK: its own model messages, and the answer under several names."""
    call = {"type": "tool-call", "toolCallId": "c1", "toolName": "Find", "input": ARGUMENTS}
    result = {"type": "tool-result", "toolCallId": "c1", "toolName": "Find", "output": {"type": "text", "value": "[]"}}
    messages = [
        {**one, "content": [call if one.get("tool_calls") else result if one["role"] == "tool" else
                            {"type": "text", "text": one["content"]}]}
        for one in asked
    ]  # fmt: skip
    for one in messages:
        one.pop("tool_calls", None)
        one.pop("tool_call_id", None)
    answer = (
        {"ai.response.toolCalls": json.dumps([{**call, "toolCallType": "function", "input": json.dumps(ARGUMENTS)}])}
        if said.get("tool_calls")
        else {"ai.response.text": said["content"], "ai.response.finishReason": "stop"}
    )
    return {
        "operation.name": "ai.generateText.doGenerate find",
        "ai.operationId": "ai.generateText.doGenerate",
        "ai.telemetry.metadata.sessionId": "c7",
        "ai.prompt.messages": json.dumps(messages),
        "ai.prompt.tools": [json.dumps({"type": "function", "name": "Find", "inputSchema": {"type": "object"}})],
        "ai.request.headers.authorization": SECRET,
        **answer,
    }


def wrapped(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message as Phoenix nests it."""
    calls = [{"tool_call": {"id": "c1", "function": CALL["function"]}} for _ in message.get("tool_calls", ())]
    inner = {key: value for key, value in message.items() if value is not None and key != "tool_calls"}
    return {"message": inner | ({"tool_calls": calls} if calls else {})}


def phoenix(asked: list[dict[str, Any]], said: dict[str, Any]) -> dict[str, Any]:
    return {
        "openinference": {"span": {"kind": "LLM"}},
        "session": {"id": "c7"},
        "llm": {
            "input_messages": [*map(wrapped, asked)],
            "output_messages": [wrapped(said)],
            "tools": [{"tool": {"json_schema": json.dumps(TOOL)}}],
        },
        "input": {"value": SECRET},
    }


def flattened(value: Any, name: str = "") -> dict[str, Any]:
    """Return a value with a name per leaf."""
    if not isinstance(value, dict | list):
        return {name: value}
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    return {key: leaf for at, one in inner for key, leaf in flattened(one, f"{name}.{at}" if name else at).items()}


def span(number: int, attributes: dict[str, Any], trace: str = "t", parent: str = "root") -> dict[str, Any]:
    context = {"trace_id": trace, "span_id": f"s{number}"}
    return {"name": "m", "context": context, "parent_id": parent, "start_time": number, "attributes": attributes}


ROOT = {**span(0, {"openinference.span.kind": "CHAIN", "gen_ai.conversation.id": "c7"}, parent=""), "name": "root"}
ROOT["context"]["span_id"] = "root"


def typed(value: Any) -> dict[str, Any]:
    """Return a value as OTLP has it."""
    if isinstance(value, list):
        return {"arrayValue": {"values": [*map(typed, value)]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": [{"key": key, "value": typed(one)} for key, one in value.items()]}}
    if isinstance(value, bool):
        return {"boolValue": value}
    return {"stringValue": value}


def otlp(spans: list[dict[str, Any]]) -> dict[str, Any]:
    resource = {"attributes": [{"key": "api.key", "value": {"stringValue": SECRET}}]}
    written = [
        {
            "traceId": one["context"]["trace_id"],
            "spanId": one["context"]["span_id"],
            "parentSpanId": one["parent_id"],
            "startTimeUnixNano": str(one["start_time"]),
            "attributes": [{"key": key, "value": typed(value)} for key, value in one["attributes"].items()],
        }
        for one in spans
    ]
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": written}]}]}


def langchain(message: dict[str, Any]) -> dict[str, Any]:
    name = {"user": "HumanMessage", "assistant": "AIMessage", "tool": "ToolMessage"}[message["role"]]
    kwargs = {**message, "content": message["content"] or ""}
    if kwargs.pop("tool_calls", None):
        kwargs["tool_calls"] = [{"id": "c1", "name": "Find", "args": ARGUMENTS, "type": "tool_call"}]
    return {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", name], "kwargs": kwargs}


def run(number: int, inputs: Any, outputs: Any) -> dict[str, Any]:
    extra = {"metadata": {"thread_id": "c7", "key": SECRET}, "invocation_params": {"tools": [TOOL]}}
    return {
        "id": f"r{number}",
        "trace_id": "t",
        "session_id": "the project",
        "run_type": "llm",
        "inputs": inputs,
        "outputs": outputs,
        "extra": extra,
    }


def generation(message: dict[str, Any]) -> dict[str, Any]:
    return {"generations": [[{"text": "", "type": "ChatGeneration", "message": langchain(message)}]]}


def mlflow(*, text: bool) -> dict[str, Any]:
    spans = [
        {
            "span_id": f"s{number}",
            "parent_span_id": None,
            "attributes": {
                "mlflow.spanType": '"CHAT_MODEL"',
                "mlflow.spanInputs": json.dumps({"model": "m", "messages": asked}),
                "mlflow.spanOutputs": json.dumps({"choices": [{"message": said}]}),
                "mlflow.chat.tools": json.dumps([TOOL]),
            },
        }
        for number, (asked, said) in enumerate(STEPS)
    ]
    info = {"trace_id": "tr-1", "trace_metadata": {"mlflow.trace.session": "c7"}}
    return {"info": info, "data": json.dumps({"spans": spans}) if text else {"spans": spans}}


def spans_of(write: Callable[..., dict[str, Any]]) -> list[dict[str, Any]]:
    return [span(number, write(*step)) for number, step in enumerate(STEPS, start=1)]


EXPORTS: dict[str, list[Any]] = {
    "OTLP, a document": [otlp(spans_of(semantic))],
    "OTLP, a document per line": [otlp([one]) for one in spans_of(semantic)],
    "OTLP, values that are no text": [otlp(spans_of(structured))],
    "OTLP, indexed": [otlp(spans_of(indexed))],
    "OTLP, AI SDK": [otlp(spans_of(vercel))],
    "OTel spans": spans_of(semantic),
    "OTel spans, values that are no text": spans_of(structured),
    "OTel spans, indexed": spans_of(indexed),
    "Phoenix, nested": spans_of(phoenix),
    "Phoenix, flat": [span(one["start_time"], flattened(one["attributes"])) for one in spans_of(phoenix)],
    "Phoenix, a row of its data frame": [
        {"context.span_id": f"s{number}", "context.trace_id": "t", **flattened({"attributes": one["attributes"]})}
        for number, one in enumerate(spans_of(phoenix))
    ],
    "Phoenix, messages with dots": [
        span(1, {"openinference.span.kind": "LLM", "session.id": "c7", "llm.tools": [{"tool.json_schema": TOOL}]}
             | {f"llm.{key}_messages": [flattened(wrapped(one)) for one in side]
                for key, side in (("input", STEPS[1][0]), ("output", [SAID]))})
    ],
    "LangSmith, LangChain": [
        run(number, {"messages": [[*map(langchain, asked)]]}, generation(said))
        for number, (asked, said) in enumerate(STEPS)
    ],
    "LangSmith, OpenAI": [
        run(number, {"messages": asked}, {"choices": [{"message": said}]}) for number, (asked, said) in enumerate(STEPS)
    ],
    "LangSmith, rows of Parquet": [
        {key: json.dumps(one) if isinstance(one, dict) else one for key, one in row.items()}
        for row in (run(n, {"messages": asked}, {"messages": [said]}) for n, (asked, said) in enumerate(STEPS))
    ],
    "LangSmith, a tree": [
        {"id": "top", "trace_id": "t", "run_type": "chain", "inputs": {}, "outputs": {}, "child_runs": [
            run(number, {"messages": asked}, {"message": said}) for number, (asked, said) in enumerate(STEPS)]}
    ],
    "MLflow": [mlflow(text=False)],
    "MLflow, JSON in it as text": [mlflow(text=True)],
}  # fmt: skip


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., list[TraceRow]]:
    """Write rows as JSON lines, or one document, and read them."""

    def read(rows: list[Any], *, lines: bool = True) -> list[TraceRow]:
        path = tmp_path / "traces.json"
        text = "".join(json.dumps(row) + "\n" for row in rows)
        path.write_text(text if lines else json.dumps(rows[0] if len(rows) == 1 else rows, indent=1))
        return list(read_traces(path))

    return read


@pytest.mark.parametrize("lines", [False, True], ids=["document", "lines"])
@pytest.mark.parametrize("name", EXPORTS)
def test_spans_of_any_tool_give_the_conversation_once(
    read: Callable[..., list[TraceRow]], tmp_path: Path, name: str, lines: bool
) -> None:
    (row,) = read(EXPORTS[name], lines=lines)
    assert (row.problem, row.conversation.messages, row.conversation.id) == (None, READ, "c7")
    assert row.columns["tools"][0].get("function", row.columns["tools"][0])["name"] == "Find"
    assert SECRET not in repr(row)
    assert layout(tmp_path / "traces.json").startswith("spans")


def agents() -> list[dict[str, Any]]:
    """Return an agent that calls another one, in a trace whose root alone names the conversation."""
    other = [{"role": "user", "content": "Rank: Ulm, Bonn"}]
    spans = [span(n, semantic(*step)) for n, step in enumerate(STEPS, start=1)]
    spans.append(span(3, semantic(other, SAID), parent="s1"))
    for one in spans:
        del one["attributes"]["gen_ai.conversation.id"]
    tool = span(4, {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.arguments": "{}"})
    return [ROOT, tool, *spans]


@pytest.mark.parametrize("seed", range(4))
def test_spans_come_in_any_order_and_an_agent_called_by_one_stays_apart(
    read: Callable[..., list[TraceRow]], seed: int
) -> None:
    rows = agents()
    random.Random(seed).shuffle(rows)
    found = {row.conversation.id: row.conversation.messages for row in read(rows)}
    assert found["c7"] == READ
    assert [message.content for message in found["c7-2"]] == ["Rank: Ulm, Bonn", "Nothing, sorry."]
    assert len(found) == 2


def test_calls_in_parallel_are_a_beginning_of_what_follows_them(read: Callable[..., list[TraceRow]]) -> None:
    second = {**CALL, "id": "c2"}
    both = {**CALLED, "tool_calls": [CALL, second]}
    follow = [ASKED, both, FOUND, {**FOUND, "tool_call_id": "c2"}]
    rows = [run(1, {"messages": [ASKED]}, {"message": both}), run(2, {"messages": follow}, {"message": SAID})]
    (row,) = read(rows * 2)
    assert [message.role for message in row.conversation.messages] == [
        "user", "assistant", "tool", "assistant", "tool", "assistant",
    ]  # fmt: skip


def test_a_long_conversation_of_many_spans_is_one(read: Callable[..., list[TraceRow]]) -> None:
    turns = [message for at in range(60) for message in ({**ASKED, "content": f"{at}?"}, SAID)]
    rows = [
        run(at, {"messages": turns[: at + 1]}, {"message": SAID}) | {"trace_id": f"t{at}"} for at in range(0, 120, 2)
    ]
    (row,) = read(rows)
    assert len(row.conversation.messages) == 120


def test_an_agents_own_span_is_read_where_its_models_say_nothing(read: Callable[..., list[TraceRow]]) -> None:
    agent = span(9, {**semantic(*STEPS[1]), "gen_ai.operation.name": "invoke_agent"})
    mute = span(1, {"gen_ai.operation.name": "chat"}, parent="s9")
    (row,) = read([mute, agent])
    assert row.conversation.messages == READ
    (row,) = read([agent, *spans_of(indexed)])
    assert row.conversation.messages == READ


def test_what_spans_say_beside_the_messages_becomes_columns(read: Callable[..., list[TraceRow]]) -> None:
    told = json.dumps([{"type": "text", "content": "You find places."}])
    said = {"gen_ai.system_instructions": told, "gen_ai.request.model": "m-1"}
    failed = {"status": {"code": 2, "message": "timed out"}, "start_time": "2026-11-01T10:00:00+01:00"}
    root = {**ROOT, "attributes": {**ROOT["attributes"], "user.id": "u1"}}
    (row,) = read([root, {**span(1, {**semantic(*STEPS[1]), **said}), **failed}])
    assert row.conversation.messages == READ
    assert row.columns == {
        "tools": [TOOL],
        "system": "You find places.",
        "model": "m-1",
        "time": "2026-11-01T09:00:00Z",
        "session_id": "c7",
        "user_id": "u1",
        "error": "timed out",
    }


def test_messages_that_are_events_of_a_span_are_read(read: Callable[..., list[TraceRow]]) -> None:
    events = [
        {"name": "gen_ai.user.message", "attributes": {"content": "Hi"}},
        {"name": "gen_ai.choice", "attributes": {"index": 0, "message": '{"content": "Hello"}'}},
    ]
    (row,) = read([{**span(1, {"gen_ai.operation.name": "chat"}), "events": events}])
    assert row.conversation.messages == (Message(role="user", content="Hi"), Message(role="assistant", content="Hello"))


def test_spans_without_messages_are_passed_over_and_named_where_there_is_nothing_else(
    read: Callable[..., list[TraceRow]],
) -> None:
    mute = span(1, {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 7})
    with pytest.raises(DataError, match=r"chat \(2\), chain \(1\).*gen_ai.input.messages"):
        read([ROOT, mute, mute])
    (row,) = read([ROOT, mute, *spans_of(semantic)])
    assert row.conversation.messages == READ


def cut(**more: Any) -> dict[str, Any]:
    return span(7, {**semantic([ASKED], SAID), "gen_ai.conversation.id": "c8", **more})


UNREADABLE = {
    "JSON that is cut off": (cut(**{"gen_ai.input.messages": '[{"role": "user", "par'}), "not valid JSON"),
    "an unknown role": (cut(**{"gen_ai.input.messages": '[{"role": "robot", "content": "Hi"}]'}), "robot"),
    "an answer to nothing": (cut(**{"gen_ai.input.messages": "[]"}), "nothing that was asked"),
    "an unknown form": (run(7, {"what": "Hi"}, {"message": SAID}), "keys what"),
    "no span": ({"score": 1}, "no span"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_span_that_cannot_be_read_says_why_and_the_rest_goes_on(
    read: Callable[..., list[TraceRow]], name: str
) -> None:
    unreadable, reason = UNREADABLE[name]
    rows = read([*spans_of(semantic), unreadable])
    assert [row.problem is None for row in rows] == [True, False]
    assert rows[0].conversation.messages == READ
    assert reason in str(rows[1].problem)
    assert "line 3" in str(rows[1].problem)


def test_spans_that_are_each_others_parent_end(read: Callable[..., list[TraceRow]]) -> None:
    rows = [span(1, indexed([ASKED], SAID), parent="s2"), span(2, {}, parent="s1")]
    (row,) = read(rows)
    assert row.conversation.id == "c7"


JUNK: list[Any] = [None, 0, 1.5, True, "", "x", "[1", "[{}]", [], {}, [[]], [None], {"a": 1}, {"0": 1}, "\ud83d", SAID]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return each place in a value, as what holds it and its key."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [one for key in keys for one in ((value, key), *places(value[key]))]


def test_any_value_in_the_place_of_another_is_read_or_has_a_reason(read: Callable[..., list[TraceRow]]) -> None:
    chance = random.Random(0)
    for number in range(300):
        rows = json.loads(json.dumps([*EXPORTS.values()][number % len(EXPORTS)]))
        for _ in range(2):
            holder, key = chance.choice(places(rows))
            holder[key] = json.loads(json.dumps(chance.choice(JUNK)))
        try:
            found = read([ROOT, *rows])  # the first record says that it is a file of spans
        except DataError:
            continue
        for row in found:
            assert row.problem or row.conversation.messages
            json.dumps([row.conversation.id, *(one.content for one in row.conversation.messages)]).encode()
            json.dumps(row.columns, ensure_ascii=False).encode()


def test_a_line_that_is_cut_does_not_hide_what_the_file_is(tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    path.write_text('{"resourceSpans": [{"sc\n' + "".join(json.dumps(one) + "\n" for one in spans_of(semantic)))
    cut_off, row = read_traces(path)
    assert "line 1: not valid JSON" in str(cut_off.problem)
    assert row.conversation.messages == READ


def test_a_conversation_whose_longest_span_is_cut_is_set_aside_whole(read: Callable[..., list[TraceRow]]) -> None:
    asked = json.dumps([parts(one) for one in (ASKED, CALLED, FOUND, SAID, ASKED)])
    cut_off = span(3, {**semantic(*STEPS[1]), "gen_ai.input.messages": asked[: len(asked) - 40]})
    other = span(9, {**semantic([ASKED], SAID), "gen_ai.conversation.id": "c8"})
    for rows in ([*spans_of(semantic), cut_off, other], [cut_off, *spans_of(semantic), other]):
        row, good = read(rows)
        assert "not valid JSON" in str(row.problem)
        assert (good.problem, good.conversation.id) == (None, "c8")
    whole = span(4, {**semantic(*STEPS[1]), "gen_ai.input.messages": asked})
    (row,) = read([cut_off, *spans_of(semantic), whole])
    assert (row.problem, len(row.conversation.messages)) == (None, 6)


@pytest.mark.parametrize("limit", range(40, 400, 30))
def test_a_size_limit_never_makes_a_shorter_conversation(read: Callable[..., list[TraceRow]], limit: int) -> None:
    turns = [ASKED, CALLED, FOUND, SAID, ASKED, SAID]
    steps = [(turns[:at], one) for at, one in enumerate(turns) if one["role"] == "assistant"]
    texts = [{**semantic(*step), "gen_ai.input.messages": json.dumps([*map(parts, step[0])])[:limit]} for step in steps]
    other = {**semantic([ASKED], SAID), "gen_ai.conversation.id": "c8"}
    rows = [*(span(at, held) for at, held in enumerate(texts, 1)), span(9, other)]
    found = [row for row in read(rows) if row.conversation.id != "c8"]
    whole = len(json.dumps([*map(parts, steps[-1][0])])) <= limit
    assert [len(row.conversation.messages) for row in found if not row.problem] == ([6] if whole else [])
    assert whole or found


@pytest.mark.parametrize("limit", range(140, 400, 40))
def test_a_size_limit_that_cuts_inside_an_object_makes_no_shorter_conversation_either(
    read: Callable[..., list[TraceRow]], limit: int
) -> None:
    turns = [ASKED, CALLED, FOUND, SAID, ASKED, SAID]
    runs = [
        {
            "run_type": "llm",
            "id": f"r{at}",
            "trace_id": "t",
            "inputs": json.dumps({"messages": turns[:at]})[:limit],
            "outputs": json.dumps({"choices": [{"message": turns[at]}]}),
        }
        for at in (1, 3, 5)
    ]
    other = {**runs[0], "id": "o", "trace_id": "u", "inputs": json.dumps({"messages": [ASKED]})}
    assert [row.conversation.id for row in read([*runs, other]) if not row.problem] == ["u"]


def test_spans_that_are_exported_twice_count_once_and_that_is_noted(read: Callable[..., list[TraceRow]]) -> None:
    (once,) = read(spans_of(semantic))
    (twice,) = read(spans_of(semantic) * 2)
    assert (once.conversation.messages, once.findings) == (twice.conversation.messages, ())
    assert [one.check for one in twice.findings] == ["exported-twice"]


def test_a_file_that_is_another_one_when_it_is_read_again_is_refused() -> None:
    reader = SpanReader()
    for at, one in enumerate(spans_of(semantic)):
        assert reader.add(FileRecord(line=at + 1, value=one, at=at))
    with pytest.raises(DataError, match="changed while it was read"):
        list(reader.conversations(lambda wanted: iter([FileRecord(line=2, value=span(9, {}), at=1)])))


JAEGER = {
    "traceID": "t",
    "processes": {},
    "spans": [
        {
            "traceID": "t",
            "spanID": f"s{number}",
            "references": [{"refType": "CHILD_OF", "traceID": "t", "spanID": "root"}],
            "startTime": number,
            "tags": [{"key": key, "type": "string", "value": one} for key, one in semantic(*step).items()],
        }
        for number, step in enumerate(STEPS, start=1)
    ],
}


@pytest.mark.parametrize("document", [JAEGER, {"data": [JAEGER], "total": 0}], ids=["trace", "page"])
def test_traces_of_jaeger_are_read(read: Callable[..., list[TraceRow]], document: dict[str, Any]) -> None:
    (row,) = read([document], lines=False)
    assert (row.problem, row.conversation.messages, row.conversation.id) == (None, READ, "c7")


def test_a_prompt_that_is_a_text_is_what_the_user_said(read: Callable[..., list[TraceRow]]) -> None:
    attributes = {"gen_ai.prompt": "Hi", "gen_ai.completion": "Hello", "gen_ai.request.model": "m"}
    (row,) = read([otlp([span(1, attributes)])])
    assert row.conversation.messages == (Message(role="user", content="Hi"), Message(role="assistant", content="Hello"))


@pytest.mark.parametrize("mark", ["[truncated]", "... [TRUNCATED 812 chars]", "<truncated>", "(output truncated)"])
def test_a_conversation_with_a_message_that_is_marked_as_cut_is_set_aside(
    read: Callable[..., list[TraceRow]], mark: str
) -> None:
    asked = [{**ASKED, "content": f"Anything open in Ulm {mark}"}, CALLED, FOUND]
    other = {**semantic([ASKED], SAID), "gen_ai.conversation.id": "c8"}
    row, good = read([span(1, semantic(asked, SAID)), span(2, other)])
    assert "message 0 (user) was cut at a size limit" in str(row.problem)
    assert good.problem is None
    result = [ASKED, CALLED, {**FOUND, "content": f"[1, 2 {mark}"}]
    (row,) = read([span(1, semantic(result, SAID))])
    assert [one.check for one in row.findings] == ["result-cut"]


def test_a_side_that_is_cut_away_whole_is_set_aside(read: Callable[..., list[TraceRow]]) -> None:
    asked = json.dumps([*map(parts, STEPS[1][0])])
    other = {**semantic([ASKED], SAID), "gen_ai.conversation.id": "c8"}
    for text in ("[truncated]", asked[:90] + "...[truncated]"):
        row, good = read([span(1, {**semantic(*STEPS[1]), "gen_ai.input.messages": text}), span(2, other)])
        assert row.problem
        assert good.problem is None
