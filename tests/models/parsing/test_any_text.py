"""No text makes the readers raise, run away, or contradict themselves."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.records import ToolCall
from harness.models.parsing import Reading, canonical, families, read
from harness.models.parsing.reading import read_lenient
from harness.models.parsing.strip_thinking import END_TOKENS, THINKING
from support.notations import RENDERINGS

MARKS = sorted(
    {mark for family in families().values() for mark in family.markers}
    | {mark for pair in THINKING for mark in pair}
    | set(END_TOKENS)
)
BITS = [
    *MARKS,
    *["{", "}", "[", "]", "(", ")", '"', "'", ":", ",", "\\", "\n", " ", "=", "a", "1", "-", "1e999", "NaN", "null"],
    *['"name": "a"', '"arguments": {', '{"name": "a", "arguments": {"x": 1}}', "[a(x=1)]", "a(x='1')", "[ARGS]"],
    *["<parameter=b>", "<arg_key>", "</arg_key>", "]<]minimax[>[<a>", "<|close|>call<|sep|>", "print("],
    *["<function=a>", "</function>", "</parameter>", "</arg_value>", "call:a{", "to=functions.a", "```", "```json\n"],
    *["\ud800", "\\ud800", "🎉", "\u2028", "\x00", "9" * 500],
]
VALUES = st.recursive(
    st.text()
    | st.sampled_from(MARKS)
    | st.integers()
    | st.booleans()
    | st.none()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), VALUES, max_size=4)
MIXTURES = st.lists(st.sampled_from(BITS) | st.text(max_size=8), max_size=12).map("".join)
TOOLS = [{"name": "a", "parameters": {"properties": {"x": {"type": "integer"}, "y": {"anyOf": [{"type": "null"}]}}}}]


def check(reading: Reading) -> None:
    assert (reading.call is None) == (reading.reason is not None)
    if reading.call is not None:
        text = canonical(reading.call)
        text.encode()
        assert read(text, strict=True).call == reading.call


@given(MIXTURES, st.sampled_from(sorted(families())))
@settings(max_examples=300, deadline=None)
def test_any_mixture_of_marks_is_read_or_refused(text: str, family: str) -> None:
    """Nothing raises; a call can be written, and is read back from what was written."""
    check(read(text))
    check(read(text, strict=True))
    check(read(text, family=family, strict=True, tools=TOOLS))
    check(read_lenient(text, [families()[family]]))


@given(st.text())
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    check(read(text))
    check(read(text, strict=True))


@given(ARGUMENTS)
@settings(max_examples=200, deadline=None)
def test_any_call_in_canonical_form_is_read_back(arguments: dict[str, Any]) -> None:
    """Whatever its arguments hold, markup and end tokens included; only depth and lone surrogates have bounds."""
    call = ToolCall(name="f", arguments=arguments)
    assert read(canonical(call), strict=True).call == call
    assert read(canonical(call)).call == call


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.text(), max_size=3), MIXTURES)
@settings(max_examples=200, deadline=None)
def test_what_strict_reads_lenient_reads_too(arguments: dict[str, str], around: str) -> None:
    call = ToolCall(name="f", arguments=arguments)
    for (name, _), render in RENDERINGS.items():
        for text in (render(call), render(call) + around):
            strict = read(text, family=name, strict=True)
            if strict.call is not None:
                assert read_lenient(text, [families()[name]]).call == strict.call


MILLION = 1_000_000
HOSTILE = [
    *[
        '<tool_call>{"name":"a","arguments":{"x":"',
        '{"name": ',
        "[",
        "{",
        "(",
        '"',
        "\\",
        '\\"',
        "[a(b=",
        "[a(b=1),",
        " ",
    ],
    *["<tool_call>", "<tool_call></tool_call>", "<think>", "</think>", "<|im_end|> ", "[TOOL_CALLS]a[ARGS]{", "a"],
    *["<function=a><parameter=b>", "<tool_call>a<arg_key>b</arg_key>", "<|tool_call>call:a{b:[", "to=functions.a {"],
    *["<|python_tag|>a.call(b='", "<function_calls>a(b=1)\n", "<｜tool▁call▁begin｜>function<｜tool▁sep｜>a", "\ud800"],
    *["<tool_call>a<arg_key>b</arg_key><arg_value>c", "<think>a</think>", "<|open|>call", "[ARGS]{"],
    *["to=a<|message|>{", "<tool_calls>[{", "<tools>{"],
    *["]<]minimax[>[<invoke name=a>]<]minimax[>[<a>", "</parameter>", "<tool_calls:a><tool_call:a>b", "a_b(c='", "{{"],
    *["<function=a><parameter=b>c</parameter> d", '<|tool_call>call:a{b:<|"|>c<|"|> ', '<tool_call>{"name": {'],
    *["```json\n[", "functools[{", "<|tool_call_start|>[a(b='c'", '{"name":"a","arguments":{}}'],
]


@pytest.mark.parametrize("bit", HOSTILE)
def test_a_megabyte_of_anything_is_read_within_a_second(bit: str) -> None:
    """Work is linear in the text: no pattern backtracks, no nesting reaches the interpreter's stack."""
    text = (bit * (MILLION // len(bit) + 1))[:MILLION]
    for prefix in ("", "<tool_call>", '{"name": "a", "arguments": '):
        started = time.process_time()
        read(prefix + text)
        assert time.process_time() - started < 1
        started = time.process_time()
        for family in ("hermes", "plain", "pythonic", "gemma4", "harmony"):
            read(prefix + text, family=family, strict=True)
        assert time.process_time() - started < 3


@pytest.mark.parametrize("depth", [60, 70, 900, 100_000])
def test_nesting_beyond_the_bound_is_refused_not_raised(depth: int) -> None:
    for opening, closing in (('{"a": ', "}"), ("[", "]")):
        value = opening * depth + "1" + closing * depth
        for text in (
            f'{{"name": "f", "parameters": {{"x": {value}}}}}',
            f"[f(x={value})]",
            f"<|tool_call>call:f{{x:{value}}}<tool_call|>",
            json.dumps({"name": "f", "arguments": f'{{"x": {value}}}'}),
        ):
            reading = read(text)
            check(reading)
            assert (reading.call is not None) == (depth == 60), text[:40]
