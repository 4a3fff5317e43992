"""Thinking in a text is taken out of it where that changes no call, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.formats.messages import expand_pairs
from harness.data.records import Prediction
from harness.data.sample import sample_conversations, sample_task
from harness.evaluation.thinking import apart, thinking_facts
from harness.models import parsing

CALL = parsing.canonical(expand_pairs(sample_conversations(1))[0].reference)
OTHER = '<tool_call>\n{"name": "book_table", "arguments": {}}\n</tool_call>'
INSIDE = CALL.replace('"message": "', '"message": "</think> ')
assert INSIDE != CALL


def split(raw: str) -> Prediction:
    return apart(Prediction(pair_id="a:0", raw=raw), sample_task(), "hermes")


@pytest.mark.parametrize(
    ("raw", "thinking", "rest"),
    [
        (f"<think>\nI try {OTHER}.\n</think>\n\n{CALL}", f"I try {OTHER}.", CALL),
        (f"I try it.\n</think>\n\n{CALL}", "I try it.", CALL),
        (f"I try it.</think>{CALL}", "I try it.", CALL),
        ("<think>Hm.</think>Good evening!", "Hm.", "Good evening!"),
        (f"<|channel|>analysis<|message|>Hm.<|end|>{CALL}", "Hm.", CALL),
    ],
)
def test_thinking_is_beside_the_answer_and_not_in_it(raw: str, thinking: str, rest: str) -> None:
    found = split(raw)
    assert found.thought is not None
    assert (found.thought.text, found.thought.end, (found.raw or "").strip(), found.error) == (
        thinking,
        "closed",
        rest,
        None,
    )
    facts = thinking_facts([found, split(CALL)], asked=False)
    assert facts is not None
    assert (facts.answers, facts.mean_tokens, facts.unclosed) == (1, None, 0)


@pytest.mark.parametrize("raw", [CALL, INSIDE, 'Say "</think>" to me.', f"<think>\n\n</think>\n\n{CALL}", ""])
def test_a_text_without_thinking_stays_as_it_is(raw: str) -> None:
    """So does a call that has a mark in an argument, and blocks of nothing."""
    assert split(raw) == Prediction(pair_id="a:0", raw=raw)
    assert thinking_facts([split(raw)], asked=False) is None


def test_a_text_that_ends_inside_its_thinking_is_no_answer() -> None:
    found = split(f"<think>\nI try {OTHER}")
    assert (found.raw, found.error) == (None, "the answer ends inside its thinking")
    assert found.thought is not None
    assert found.thought.end == "unclosed"


@given(st.text(max_size=200) | st.lists(st.sampled_from(["<think>", "</think>", "\n", CALL, OTHER, "x "])).map("".join))
def test_no_call_is_gained_or_lost(raw: str) -> None:
    """Whatever the text: what is read of the answer is what was read of the whole."""
    task, found = sample_task(), split(raw)
    before = parsing.read(raw, family="hermes", tools=task.tools)
    after = parsing.read(found.raw or "", family="hermes", tools=task.tools)
    assert (before.call, before.every) == (after.call, after.every)
