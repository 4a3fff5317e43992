"""Examples of a dataset: what they learn, what is left out and said, and that each is exact."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from harness.data import scenarios
from harness.data.formats.messages import expand_pairs
from harness.data.records import Conversation, Message, Task
from harness.data.sample import sample_conversations, sample_task
from harness.data.scenarios import CleanTraces
from harness.errors import DataError
from harness.models.prompts import Renderer, load_tokenizer
from harness.training.examples import NO_TURN, OPEN_END, TrainingExamples, make_examples
from harness.training.rendering import TrainingRendering, choose_rendering

SAMPLE = sample_conversations(6)
PAIRS = expand_pairs(SAMPLE)


@pytest.fixture(scope="module")
def tokenizer(student: Path) -> Any:
    return load_tokenizer(student, "me/student")


@pytest.fixture(scope="module")
def rendering(tokenizer: Any) -> TrainingRendering:
    return choose_rendering(tokenizer, sample_task(), "me/student", SAMPLE)


def learned(examples: TrainingExamples) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """What is learned after what, for each turn in order."""
    return [(one.input_ids[:start], one.input_ids[start:end]) for one in examples.items for start, end in one.turns]


def test_whole_conversations_and_expanded_turns_learn_the_same_tokens_after_the_same_prompts(
    rendering: TrainingRendering,
) -> None:
    """The prompts are those that evaluation sends; the whole way takes a fraction of the tokens."""
    whole, expanded = (make_examples(SAMPLE, rendering, expand_turns=way, max_length=None) for way in (False, True))
    assert learned(whole) == learned(expanded)
    prompts = Renderer(rendering.tokenizer, sample_task(), "me/student").prompts(PAIRS)
    assert [prompt for prompt, _ in learned(whole)] == [prompt.token_ids for prompt in prompts]
    assert [one.source for one in whole.items] == [one.id for one in SAMPLE]
    assert [one.source for one in expanded.items] == [pair.id for pair in PAIRS]
    assert whole.skipped == expanded.skipped == {}
    assert whole.turns == expanded.turns == len(PAIRS)
    assert expanded.tokens > 5 * whole.tokens


def test_the_same_data_give_the_same_examples(rendering: TrainingRendering) -> None:
    once, twice = (make_examples(SAMPLE, rendering, expand_turns=False, max_length=None) for _ in range(2))
    assert once == twice


def test_a_small_share_of_the_tokens_is_learned(rendering: TrainingRendering) -> None:
    examples = make_examples(SAMPLE, rendering, expand_turns=False, max_length=None)
    assert examples.tokens == sum(len(one.input_ids) for one in examples.items)
    assert 0.01 < sum(len(answer) for _, answer in learned(examples)) / examples.tokens < 0.5


@pytest.mark.parametrize(("expand", "what"), [(False, "conversations"), (True, "turns")])
def test_what_is_too_long_is_dropped_and_counted_never_cut(
    rendering: TrainingRendering, expand: bool, what: str
) -> None:
    everything = make_examples(SAMPLE, rendering, expand_turns=expand, max_length=None)
    lengths = sorted(len(one.input_ids) for one in everything.items)
    limit = lengths[len(lengths) // 2]
    some = make_examples(SAMPLE, rendering, expand_turns=expand, max_length=limit)
    assert some.items == tuple(one for one in everything.items if len(one.input_ids) <= limit)
    dropped = sum(length > limit for length in lengths)
    assert some.skipped == {f"{what} of more than {limit} tokens": dropped}
    assert dropped > 0
    with pytest.raises(
        DataError, match=rf"nothing is left to train on \({len(lengths)} {what} of more than 9 tokens\)"
    ):
        make_examples(SAMPLE, rendering, expand_turns=expand, max_length=9)


def test_what_holds_no_turn_or_follows_the_last_is_left_out_and_counted(rendering: TrainingRendering) -> None:
    user = Message(role="user", content="And one more thing.")
    silent = Conversation(id="silent", messages=(user,), source="test")
    empty = Conversation(id="empty", messages=(), source="test")
    open_end = dataclasses.replace(SAMPLE[0], messages=(*SAMPLE[0].messages, user, user))
    examples = make_examples([open_end, silent, empty, SAMPLE[1]], rendering, expand_turns=False, max_length=None)
    assert examples.items == make_examples(SAMPLE[:2], rendering, expand_turns=False, max_length=None).items
    assert examples.skipped == {OPEN_END: 1, NO_TURN: 2}
    with pytest.raises(DataError, match=r"nothing is left to train on .*there is no conversation"):
        make_examples([], rendering, expand_turns=False, max_length=None)
    with pytest.raises(DataError, match="1 conversations without an assistant turn"):
        make_examples([silent], rendering, expand_turns=False, max_length=None)


def test_a_conversation_that_starts_with_the_assistant_is_learned_from(rendering: TrainingRendering) -> None:
    first = dataclasses.replace(SAMPLE[0], messages=SAMPLE[0].messages[1:])
    ((prompt, _), *rest) = learned(make_examples([first], rendering, expand_turns=False, max_length=None))
    assert prompt == rendering.turns(first.messages)[0].prompt
    assert len(rest) + 1 == sum(message.role == "assistant" for message in first.messages)


def test_the_fifth_scenarios_shuffled_traces_are_learned_and_its_71_open_ends_said(
    published_task: Task, dialogues: CleanTraces, tokenizer: Any
) -> None:
    """A third of them, so that the test is short: every turn is learned, whatever the order of roles."""
    traces = list(scenarios.get(5).conversations(dialogues, "direct"))
    assert sum(one.messages[-1].role != "assistant" for one in traces) == 71
    traces = traces[::3]
    rendering = choose_rendering(tokenizer, published_task, "me/student", traces)
    examples = make_examples(traces, rendering, expand_turns=False, max_length=None)
    assert examples.turns == sum(message.role == "assistant" for one in traces for message in one.messages)
    assert examples.skipped == {OPEN_END: sum(one.messages[-1].role != "assistant" for one in traces)}
    assert len(examples.items) == len(traces)
