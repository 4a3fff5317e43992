"""Thinking before an answer, with an engine of recorded tokens: its room is kept, and the answer is the model's own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from harness.data.records import Prediction
from harness.models.backends._thinking import ThinkingRoom, answer_after_thinking
from harness.models.prompts import Prompt
from harness.models.prompts.thinking import Thinking
from support.token_engine import TokenEngine

END, OPEN, CLOSE = 1, 2, 3
SINGLE = Thinking(
    setting="on", variables={}, opening="<think>", closing="</think>", closing_id=CLOSE, closing_ids=(10, CLOSE)
)
_TEXTS = {OPEN: "<think>", CLOSE: "</think>", 4: "</thi", 5: "nk>", 6: "nk>{", 10: "\n"}
DIVIDED = replace(SINGLE, closing_id=None, closing_ids=(10, 4, 5))
WORDS = st.lists(st.integers(20, 45), max_size=40)
"""Tokens of words: a letter each."""


def decode(ids: Sequence[int]) -> str:
    return "".join(_TEXTS.get(one) or chr(ord("a") + one - 20) for one in ids)


class Model:
    """A greedy model that thinks `thought`, closes, answers and ends its turn; closed before that, it answers."""

    def __init__(
        self, thought: Sequence[int], close: Sequence[int], answer: Sequence[int], prompt: Sequence[int]
    ) -> None:
        self.thought, self.close, self.answer, self.prompt = list(thought), close, list(answer), list(prompt)

    def writes(self, ids: Sequence[int]) -> int:
        said = list(ids[len(self.prompt) :])
        after = next((place + 1 for place, one in enumerate(said) if one == CLOSE), None)
        for place, (one, two) in enumerate(pairwise(said)):
            if after is None and one == 4 and two in (5, 6):
                after = place + 2
        whole = [*self.answer, END]
        if after is not None:
            return whole[min(len(said) - after, len(whole) - 1)]
        return [*self.thought, *self.close][len(said)] if self.close or len(said) < len(self.thought) else END


def ask(
    model: Model, thinking: Thinking, prompt: Prompt, tokens: int, *, max_tokens: int, context: int | None = None
) -> tuple[Prediction, TokenEngine]:
    engine = TokenEngine(writes=model.writes, decode=decode, ends=frozenset({END}), context=context or 1 << 20)
    room = ThinkingRoom(thinking=thinking, tokens=tokens, context=context)
    return asyncio.run(answer_after_thinking(engine, prompt, room, max_tokens)), engine


def cut(ids: Sequence[int], most: int) -> tuple[str, str]:
    return decode(ids[:most]), "stop" if len(ids) < most else "length"


@given(
    thought=WORDS,
    answer=WORDS,
    opened=st.booleans(),
    divided=st.booleans(),
    limit=st.integers(1, 60),
    most=st.integers(1, 50),
)
def test_the_answer_is_the_models_own_and_thinking_keeps_its_room(
    thought: list[int], answer: list[int], opened: bool, divided: bool, limit: int, most: int
) -> None:
    """Whether the prompt opens the thinking or the model, whether a mark is one token or several, closed by whom."""
    prompt = Prompt(pair_id="a:0", token_ids=(7, 8, 9), opened=opened)
    thinking, close = (DIVIDED, [4, 5]) if divided else (SINGLE, [CLOSE])
    thought = thought if opened else [OPEN, *thought]
    found, engine = ask(Model(thought, close, answer, prompt.token_ids), thinking, prompt, limit, max_tokens=most)
    assert found.thought is not None
    by_itself = len(thought) + len(close) <= limit
    ends = {"closed"} if by_itself else {"limit", "repeated"}
    assert found.thought.end in ends
    kept = thought if by_itself else [*thought, *close][:limit]
    if found.thought.end != "repeated":
        assert found.thought.tokens == len(kept) + len(close) * by_itself
        assert found.thought.text == decode(kept).removeprefix("<think>").strip()
    assert found.thought.tokens <= limit
    assert (found.raw, found.finish_reason) == cut(answer, most)
    assert found.usage is not None
    assert found.usage.prompt == 3
    assert found.usage.completion == found.thought.tokens + min(len(answer) + 1, most)
    assert all(asked <= max(limit, most) for _, asked in engine.requests)


@given(answer=WORDS, divided=st.booleans(), limit=st.integers(1, 60), most=st.integers(1, 50))
def test_a_model_that_does_not_begin_to_think_answers_as_if_it_could_not(
    answer: list[int], divided: bool, limit: int, most: int
) -> None:
    prompt = Prompt(pair_id="a:0", token_ids=(7, 8, 9))
    found, _ = ask(
        Model(answer, [], [], prompt.token_ids), DIVIDED if divided else SINGLE, prompt, limit, max_tokens=most
    )
    assert found.thought is None
    assert (found.raw, found.finish_reason) == cut(answer, most)


@given(thought=WORDS, opened=st.booleans(), divided=st.booleans())
def test_a_turn_that_ends_inside_thinking_is_no_answer(thought: list[int], opened: bool, divided: bool) -> None:
    prompt = Prompt(pair_id="a:0", token_ids=(7, 8, 9), opened=opened)
    thought = thought if opened else [OPEN, *thought]
    found, _ = ask(Model(thought, [], [], prompt.token_ids), DIVIDED if divided else SINGLE, prompt, 100, max_tokens=9)
    assert found.raw is None
    assert found.error == f"the model ended its turn inside its thinking, after {len(thought) + 1} tokens"
    assert found.thought is not None
    assert (found.thought.end, found.thought.text) == ("unclosed", decode(thought).removeprefix("<think>"))


def test_thinking_that_runs_in_circles_is_stopped_long_before_its_limit_and_the_answer_asked_for() -> None:
    prompt = Prompt(pair_id="a:0", token_ids=(7, 8, 9), opened=True)
    found, engine = ask(
        Model([20, 21, 22] * 40_000, [CLOSE], [30, 31], (7, 8, 9)), SINGLE, prompt, 100_000, max_tokens=9
    )
    assert found.thought is not None
    assert (found.thought.end, found.raw) == ("repeated", decode([30, 31]))
    assert found.thought.tokens == 1024
    assert [len(ids) for ids, _ in engine.requests] == [3, 3 + 1024 + len(SINGLE.closing_ids)]


@given(size=st.integers(0, 30))
def test_thinking_leaves_an_answer_its_room_in_the_context(size: int) -> None:
    """Where a context is short, thinking is closed earlier, and never the answer cut."""
    prompt = Prompt(pair_id="a:0", token_ids=(7, 8, 9), opened=True)
    context = 3 + 9 + len(SINGLE.closing_ids) + size
    found, _ = ask(
        Model(range(20, 46), [CLOSE], [30] * 20, (7, 8, 9)), SINGLE, prompt, 100, max_tokens=9, context=context
    )
    assert found.thought is not None
    assert (found.thought.end, found.thought.tokens) == ("closed", 27) if size >= 27 else ("limit", size)
    assert (found.raw, found.finish_reason) == (decode([30] * 9), "length")


def test_what_the_last_token_of_a_mark_has_beyond_it_begins_the_answer() -> None:
    prompt = Prompt(pair_id="a:0", token_ids=(7, 8, 9), opened=True)
    found, _ = ask(Model([20, 21], [4, 6], [30], (7, 8, 9)), DIVIDED, prompt, 100, max_tokens=9)
    assert (found.raw, found.thought and found.thought.text) == ("{" + decode([30]), decode([20, 21]))
