"""Messages are found whichever way a span's attributes hold them, and are the same ones when they are sent again."""

from __future__ import annotations

from typing import Any

import pytest

from harness.data.formats.reading_notes import ReadingNotes
from harness.data.traces.message_digests import MessageDigests
from harness.data.traces.span_attributes import attributes
from harness.data.traces.span_contents import conversation, kind_of, sides, tools_of

SAID = [{"role": "assistant" if at % 2 else "user", "content": f"said {at}"} for at in range(12)]


def numbered(message: dict[str, Any], start: str) -> dict[str, Any]:
    return {f"{start}.{key}": one for key, one in message.items()}


def indexed(asked: list[dict[str, Any]], said: dict[str, Any]) -> dict[str, Any]:
    found = {"llm.request.type": "chat", **numbered({**said, "finish_reason": "stop"}, "gen_ai.completion.0")}
    for at, one in reversed([*enumerate(asked)]):  # attributes are in any order
        found |= numbered(one, f"gen_ai.prompt.{at}")
    return found


def flat(asked: list[dict[str, Any]], said: dict[str, Any]) -> dict[str, Any]:
    found = {"openinference.span.kind": "LLM", **numbered(said, "llm.output_messages.0.message")}
    for at, one in enumerate(asked):
        found |= numbered(one, f"llm.input_messages.{at}.message")
    return found


@pytest.mark.parametrize("write", [indexed, flat])
def test_numbered_messages_are_in_the_order_of_their_numbers(write: Any) -> None:
    root = attributes({"attributes": write(SAID[:11], SAID[11])})
    assert [one.content for one in conversation(root, ReadingNotes())] == [one["content"] for one in SAID]


def test_numbered_messages_may_be_texts_and_have_gaps() -> None:
    held = {"llm.request.type": "chat", "gen_ai.prompt.7": "Well?", "gen_ai.prompt.2.content": "Hi"}
    root = attributes({"attributes": {**held, "gen_ai.prompt.2.role": "user", "gen_ai.completion.0.content": "Yes"}})
    assert [one.content for one in conversation(root, ReadingNotes())] == ["Hi", "Well?", "Yes"]


def test_fields_of_tools_may_be_attributes_too() -> None:
    held = {"llm.tools.0.tool.json_schema": '{"name": "Find"}', "llm.tools.1.tool.name": "Book"}
    assert tools_of(attributes({"attributes": held})) == [{"name": "Find"}, {"name": "Book"}]


def test_calls_are_read_alike_in_every_form() -> None:
    """With the type of a call or without, as its own object or flat."""
    function = {"function.name": "Find", "function.arguments": '{"city": "Ulm"}'}
    forms: list[tuple[str, dict[str, Any]]] = [
        ("llm.output_messages.0.message.tool_calls.0.tool_call", {"id": "c1", **function}),
        ("gen_ai.completion.0.tool_calls.0", {"id": "c1", "name": "Find", "arguments": '{"city": "Ulm"}'}),
        ("gen_ai.completion.0.tool_calls.0", {"id": "c1", "type": "function", **function}),
    ]
    read = set()
    for start, call in forms:
        write = flat if start.startswith("llm") else indexed
        held = write(SAID[:1], {"role": "assistant"}) | numbered(call, start)
        (asked, called) = conversation(attributes({"attributes": held}), ReadingNotes())
        read.add(repr((asked, called)))
    assert len(read) == 1
    assert "ToolCall(name='Find', arguments={'city': 'Ulm'}, id='c1')" in read.pop()


def langchain(asked: list[dict[str, Any]], said: dict[str, Any]) -> dict[str, Any]:
    def message(one: dict[str, Any]) -> dict[str, Any]:
        name = "AIMessage" if one["role"] == "assistant" else "HumanMessage"
        return {"lc": 1, "type": "constructor", "id": ["langchain", name], "kwargs": {"content": one["content"]}}

    answer = {"text": said["content"], "message": message(said)}
    inputs = {"messages": [[*map(message, asked)]]}
    return {"run_type": "llm", "inputs": inputs, "outputs": {"generations": [[answer]]}}


@pytest.mark.parametrize("write", [indexed, flat, langchain])
def test_an_answer_has_the_number_that_it_has_when_it_is_sent_again(write: Any) -> None:
    """So that a file is read no third time to compare the messages themselves."""
    digests = MessageDigests()
    found = []
    for at in (1, 3, 11):
        span = write(SAID[:at], SAID[at])
        root = attributes(span if "run_type" in span else {"attributes": span})
        heard = sides(root, kind_of(root))
        assert heard is not None
        found.append(digests.of(*heard)[0])
    assert found[2][:4] == found[1]
    assert found[1][:2] == found[0]
    assert len(set(found[2])) == 12
