"""What is read quickly is what the reader of all forms makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.formats.message_reader import read_messages
from harness.data.traces.parted_messages import parted_messages

WORDS = st.sampled_from(
    ["Hi", "", "<tool_call>", "[]", '[{"type": "text", "text": "a"}]', "gr\u00fcn", "half \ud83d", "{}"]
)
PARTS = st.one_of(
    st.builds(lambda text: {"type": "text", "content": text}, WORDS),
    st.builds(lambda text: {"type": "reasoning", "content": text}, WORDS),
    st.builds(
        lambda id, value: {"type": "tool_call", "id": id, "name": "Find", "arguments": value},
        st.sampled_from(["k1", "", None]),
        st.sampled_from([{"city": "Ulm"}, {}, {"a": ["\ud83d"]}, "{}", None]),
    ),
    st.builds(
        lambda id, text: {"type": "tool_call_response", "id": id, "response": text}, st.sampled_from(["k1", ""]), WORDS
    ),
)
MESSAGES = st.builds(
    lambda role, parts: {"role": role, "parts": parts},
    st.sampled_from(["user", "assistant", "tool", "system"]),
    st.lists(PARTS, max_size=3),
)


@given(st.lists(MESSAGES, min_size=1, max_size=4))
def test_messages_that_are_read_quickly_are_read_alike(messages: list[dict[str, Any]]) -> None:
    if (found := parted_messages(messages)) is not None:
        assert found == read_messages(messages, strict=False)


@pytest.mark.parametrize("role", ["user", "assistant"])
def test_the_usual_messages_are_read_quickly(role: str) -> None:
    assert parted_messages([{"role": role, "parts": [{"type": "text", "content": "Hi"}]}])
