"""Whatever JSON a file holds: rows are read or say why not, and no user's message becomes empty that was not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.data.records import Message, ToolCall
from harness.data.traces.read import read_traces
from harness.errors import DataError
from support.trace_layouts import LAYOUTS, lines

CALL = ToolCall(name="f", arguments={"city": "Ulm"}, id="k1")
TALK = (
    Message(role="user", content="A table"),
    Message(role="assistant", content="I look.", tool_calls=(CALL,)),
    Message(role="tool", content="[1]", tool_call_id="k1"),
    Message(role="assistant", content="None."),
)
RECORDS = [record for layout in LAYOUTS.values() for record in layout.write(TALK)]
WORDS = ("user", "assistant", "tool", "human", "ai", "text", "GENERATION", "llm", "message", "session", "LLM", "x")


def _keys(value: Any) -> Iterator[str]:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ()):
        if isinstance(key, str):
            yield key
        yield from _keys(inner)


KEYS = st.sampled_from(sorted({key for record in RECORDS for key in _keys(record)}))
JSON = st.recursive(
    st.booleans() | st.integers(0, 3) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, min_size=1, max_size=2) | st.dictionaries(KEYS, inner, min_size=1, max_size=4),
    max_leaves=10,
)
"""Values of which none is empty."""
PART_KEYS = [
    *("type", "text", "content", "name", "arguments", "args", "input", "id", "tool_call_id", "part_kind", "state"),
    *("functionCall", "toolUse", "functionResponse", "toolResult", "result", "output", "response", "toolInvocation"),
]
MESSAGE_KEYS = [
    *("content", "parts", "text", "value", "type", "kind", "data", "kwargs", "message", "author", "source", "items"),
    *("tool_calls", "toolCalls", "function_call", "additional_kwargs", "observation", "output", "contents"),
]
PARTS = st.dictionaries(st.sampled_from(PART_KEYS), JSON, min_size=1, max_size=4)
SAID = JSON | PARTS | st.lists(PARTS, min_size=1, max_size=2) | PARTS.map(json.dumps)
MESSAGES = st.lists(
    st.builds(
        lambda role, said: {"role": role, **said},
        st.sampled_from(WORDS[:6]),
        st.dictionaries(st.sampled_from(MESSAGE_KEYS), SAID, min_size=1, max_size=3),
    ),
    min_size=1,
    max_size=3,
)
"""Messages out of keys that messages have."""
TALKS = st.builds(lambda key, said: {key: said}, st.sampled_from(["messages", "conversations", "events"]), MESSAGES)


def _changed(value: Any, random: Random) -> Any:
    """Return a record with some of its keys renamed to other known ones, its values dropped, emptied or wrapped."""
    if random.random() < 0.03:
        return random.choice([None, "", [], {}, 7, {"text": value}, [value], json.dumps(value)])
    if isinstance(value, list):
        return [_changed(one, random) for one in value if random.random() > 0.03]
    if isinstance(value, dict):
        return {_renamed(key, random): _changed(one, random) for key, one in value.items() if random.random() > 0.03}
    return value


def _renamed(key: str, random: Random) -> str:
    return random.choice(NAMES) if random.random() < 0.04 else key


NAMES = sorted({key for record in RECORDS for key in _keys(record)})


def _paths(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where the keys of a record stand, but for the arguments of its calls, whose keys are the caller's own."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ()):
        if isinstance(key, str) and key != "city":
            yield (*above, key)
        yield from _paths(inner, (*above, key))


def _with_key_renamed(value: Any, path: tuple[Any, ...]) -> Any:
    key, *rest = path
    if isinstance(value, list):
        return [_with_key_renamed(one, tuple(rest)) if n == key else one for n, one in enumerate(value)]
    if not rest:
        return {f"zz_{name}" if name == key else name: one for name, one in value.items()}
    return {name: _with_key_renamed(one, tuple(rest)) if name == key else one for name, one in value.items()}


def _check(records: list[Any], path: Path) -> None:
    written = lines(records)
    path.write_text(written)
    try:
        rows = list(read_traces(path))
    except DataError:
        return
    emptied = any(sign in written for sign in ('""', '\\"\\"', "null", "[]", "{}"))
    for row in rows:
        assert (row.problem is None) == bool(row.conversation.messages) or emptied
        for message in row.conversation.messages:
            assert message.role != "user" or message.content or emptied


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(records=st.lists(TALKS | st.dictionaries(KEYS, JSON, min_size=1, max_size=5), min_size=1, max_size=3))
def test_any_json_is_read_or_refused_and_no_users_words_are_lost(records: list[Any], tmp_path: Path) -> None:
    _check(records, tmp_path / "traces.jsonl")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(list(LAYOUTS)), st.randoms(use_true_random=False))
def test_records_that_are_nearly_of_a_layout_are_read_or_refused(tmp_path: Path, name: str, random: Random) -> None:
    records = [_changed(record, random) for record in LAYOUTS[name].write(TALK)]
    _check(records, tmp_path / "traces.jsonl")


ROWS = [
    name
    for name, layout in LAYOUTS.items()
    if len(layout.write(TALK)) == 1 and "OTLP" not in name and "MLflow" not in name and "Langfuse" not in name
]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(ROWS), st.data())
def test_a_row_with_an_unknown_key_in_a_known_ones_place_loses_no_words(
    tmp_path: Path, name: str, data: st.DataObject
) -> None:
    (record,) = LAYOUTS[name].write(TALK)
    changed = _with_key_renamed(record, data.draw(st.sampled_from(list(_paths(record)))))
    path = tmp_path / "traces.jsonl"
    path.write_text(lines([changed]))
    try:
        rows = list(read_traces(path))
    except DataError:
        return
    if any(row.problem for row in rows):
        return
    (row,) = rows
    said = repr(row.conversation.messages)
    words = repr(LAYOUTS[name].as_read(TALK))
    assert all(one in said for one in ("A table", "I look.", "'f'", "Ulm", "[1]", "None.") if one in words)
