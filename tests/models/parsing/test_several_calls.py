"""Two and three calls of a turn, in every notation that holds several, are read back: all of them, in their order.

By our parsers, strict and lenient, and by vLLM's parser of that notation. The tokenizer is that of `test_round_trip`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.data.formats.messages import expand_pairs
from harness.data.records import ToolCall
from harness.models.backends._base import too_many_calls
from harness.models.parsing import detect_family, families, read, read_with_vllm
from support import parallel_calls
from support.notations import NO_TOOLS, generated_turns, templates
from support.vllm_tokenizer import byte_tokenizer

TOOLS = list(parallel_calls.TOOLS)
TURNS = [parallel_calls.calls(number, many) for number in range(6) for many in (2, 3)]
TURNS += [(turn[0], *turn) for turn in TURNS[:2]]  # a call twice is two calls
WITH_TOOLS = [name for name in templates() if name not in NO_TOOLS]
SEVERAL = [name for name in WITH_TOOLS if not families()[str(detect_family(templates()[name]))].single]
NOT_STRICT = {
    "muse_glimmer": "each call is a message of its own, with the marks of a turn between them",
}
BY_HAND = {
    "mistral": "[TOOL_CALLS][{list}]",
    "granite": "<|tool_call|>[{list}]",
    "jamba": "<tool_calls>[{list}]</tool_calls>",
    "phi4_mini": "functools[{list}]",
    "xlam": "[{list}]",
    "hermes": "{hermes}",
    "pythonic": "[{python}]",
    "llama4": "<|python_start|>[{python}]<|python_end|>",
    "olmo3": "<function_calls>{lines}</function_calls>",
    "deepseek_v31": "<｜tool▁calls▁begin｜>{deepseek}<｜tool▁calls▁end｜>",
    "kimi_k2": "<|tool_calls_section_begin|>{kimi}<|tool_calls_section_end|>",
    "plain": "{objects}",
}
"""Family -> how it writes several calls, where no template of TRL's does."""


def by_hand(family: str, turn: tuple[ToolCall, ...]) -> str:
    def objects(key: str = "arguments") -> list[str]:
        return [json.dumps({"name": one.name, key: one.arguments}, ensure_ascii=False) for one in turn]

    def arguments(one: ToolCall) -> str:
        return json.dumps(one.arguments, ensure_ascii=False)

    python = [f"{one.name}({', '.join(f'{key}={value!r}' for key, value in one.arguments.items())})" for one in turn]
    deepseek = (f"<｜tool▁call▁begin｜>{one.name}<｜tool▁sep｜>{arguments(one)}<｜tool▁call▁end｜>" for one in turn)
    kimi = (
        f"<|tool_call_begin|>functions.{one.name}:{i}<|tool_call_argument_begin|>{arguments(one)}<|tool_call_end|>"
        for i, one in enumerate(turn)
    )
    parts = {
        "list": ", ".join(objects()),
        "hermes": "\n".join(f"<tool_call>\n{one}\n</tool_call>" for one in objects()),
        "objects": "\n".join(objects("parameters")),
        "python": ", ".join(python),
        "lines": "\n".join(python),
        "deepseek": "".join(deepseek),
        "kimi": "".join(kimi),
    }
    text = BY_HAND[family]
    for name, part in parts.items():
        text = text.replace(f"{{{name}}}", part)
    return text


def assert_all_read(text: str, turn: tuple[ToolCall, ...], family: str, *, strict: bool = True) -> None:
    for found in (read(text, tools=TOOLS), read(text, family=family, tools=TOOLS)):
        assert found.every == turn, f"lenient: {text}"
        assert (found.call, found.calls) == (turn[0], len(turn))
    found = read(text, family=family, strict=True, tools=TOOLS)
    assert found.every == (turn if strict else ()), f"strict: {text}"
    assert (found.call, found.calls) == (None, len(turn))  # one was expected, as before


@pytest.mark.parametrize("name", SEVERAL)
def test_calls_written_by_a_template_are_read_back(name: str) -> None:
    family = str(detect_family(templates()[name]))
    for text, turn in zip(generated_turns(name, TURNS, TOOLS), TURNS, strict=True):
        assert_all_read(text, turn, family, strict=name not in NOT_STRICT)


@pytest.mark.parametrize("family", BY_HAND)
def test_calls_in_a_notation_are_read_back(family: str) -> None:
    for turn in TURNS:
        assert_all_read(by_hand(family, turn), turn, family)


@pytest.mark.parametrize("name", [name for name in WITH_TOOLS if name not in SEVERAL])
def test_templates_of_notations_for_one_call_write_no_second_one(name: str) -> None:
    """They refuse it, or leave it out."""
    from jinja2.exceptions import TemplateError

    try:
        texts = generated_turns(name, TURNS[:1], TOOLS)
    except TemplateError:  # says that the model has single calls only
        return
    assert read(texts[0], tools=TOOLS).every == TURNS[0][:1]


def test_a_turn_with_several_calls_is_not_asked_of_a_notation_for_one() -> None:
    """The reason names both, and stands in the place of a score."""
    pairs = expand_pairs(parallel_calls.conversations(2))
    why = too_many_calls(pairs, "llama3")
    assert set(why) == {pair.id for pair in pairs if pair.further}
    assert set(why.values()) == {
        f"the reference has {many} calls, and the model's notation of calls (llama3) holds one" for many in (2, 3)
    }
    assert too_many_calls(pairs, "hermes") == too_many_calls(pairs, None) == {}


@pytest.mark.parametrize("family", ["deepseek_v31", "kimi_k2"])
def test_strictly_a_wrapper_stands_around_all_calls_together(family: str) -> None:
    whole = by_hand(family, TURNS[0])
    opening, closing = BY_HAND[family].split("{")[0], BY_HAND[family].rsplit("}")[-1]
    for text in (whole.removeprefix(opening), whole.removesuffix(closing), f"{whole}!", f"{whole}{closing}"):
        assert read(text, family=family, strict=True, tools=TOOLS).every == ()


VLLM_EXCEPTIONS: dict[tuple[str, str], str] = {}
"""(template, parser) -> why vLLM's parser does not read several calls back."""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # vLLM's own imports
@pytest.mark.parametrize("name", SEVERAL)
def test_vllm_reads_back_the_same_calls(name: str) -> None:
    family = families()[str(detect_family(templates()[name]))]
    tokenizer: Any = byte_tokenizer(Path(__file__).parent / "special_tokens.txt")
    for parser in (*((family.vllm_parser,) if family.vllm_parser else ()), *family.also):
        found = read_with_vllm(generated_turns(name, TURNS, TOOLS), parser, tokenizer, TOOLS)
        good = all(one.every == turn for one, turn in zip(found, TURNS, strict=True))
        assert good is ((name, parser) not in VLLM_EXCEPTIONS), VLLM_EXCEPTIONS.get((name, parser), found)
