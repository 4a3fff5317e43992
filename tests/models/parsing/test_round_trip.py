"""Every reference call of the test set, written by a family's own chat template, is read back to the same call.

The templates are those that TRL ships, read from its installation; the families without one there are rendered
by `parsing/renderings.py`. Read by our parsers, strict and lenient, and by vLLM's parser of that family.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.data.formats.messages import expand_pairs
from harness.data.formats.published import read_test_conversations
from harness.data.records import ToolCall
from harness.models.parsing import detect_family, families, read, read_with_vllm
from support.notations import NO_TOOLS, RENDERINGS, generated, templates
from support.vllm_tokenizer import byte_tokenizer

UNESCAPED = "the template writes text in quotes without escaping it; vLLM reads it as Python and stops at an apostrophe"
GUESSES = "vLLM guesses the type of an argument from its text, so a party size of '2' becomes a number"
STRIPS = "vLLM drops the spaces at the end of an argument"
VLLM_EXCEPTIONS: dict[tuple[str, str], tuple[int, str]] = {
    ("lfm2_2_5", "lfm2"): (355, UNESCAPED),
    ("lfm2_2_5_v2", "lfm2"): (355, UNESCAPED),
    ("muse_glimmer", "muse_glimmer"): (315, GUESSES),
    ("functiongemma", "functiongemma"): (315, GUESSES),
    ("hunyuan_v4", "hy_v4"): (0, "vLLM takes the suffix of the marks from the model's own tokenizer"),
    ("dots", "dots"): (357, STRIPS),
    ("step3", "step3"): (357, STRIPS),
    ("mistral up to v10", "mistral"): (0, "vLLM reads this form with Mistral's own tokenizer only"),
}
"""(rendering, vLLM parser) -> how many of the 359 calls it reads back, and why not all."""


BY_HAND = {" ".join(filter(None, key)): (key[0], render) for key, render in RENDERINGS.items()}
WITH_TOOLS = [name for name in templates() if name not in NO_TOOLS]


@pytest.fixture(scope="session")
def calls(sources: Path) -> list[ToolCall]:
    """The 359 reference calls of the test set."""
    conversations = read_test_conversations(sources / "tft-benchmark" / "test.jsonl")
    return [pair.reference for pair in expand_pairs(conversations)]


@pytest.fixture(scope="session")
def tools(sources: Path) -> list[dict[str, Any]]:
    """The tool schemas of the task."""
    tools: list[dict[str, Any]] = json.loads((sources / "tft-benchmark" / "job_description.json").read_text())["tools"]
    return tools


def assert_read_back(texts: list[str], calls: list[ToolCall], family: str, tools: list[dict[str, Any]]) -> None:
    for text, call in zip(texts, calls, strict=True):
        assert read(text, family=family, strict=True).call == call, f"strict: {text}"
        assert read(text, family=family, strict=True, tools=tools).call == call, f"strict, with tools: {text}"
        assert read(text).call == call, f"lenient: {text}"
        assert read(text).calls == 1


@pytest.mark.parametrize("name", WITH_TOOLS)
def test_calls_written_by_a_template_are_read_back(
    name: str, calls: list[ToolCall], tools: list[dict[str, Any]]
) -> None:
    family = detect_family(templates()[name])
    assert family is not None
    assert len(calls) == 359
    assert_read_back(generated(name, calls, tools), calls, family, tools)


@pytest.mark.parametrize("name", BY_HAND)
def test_calls_in_a_notation_are_read_back(name: str, calls: list[ToolCall], tools: list[dict[str, Any]]) -> None:
    family, render = BY_HAND[name]
    assert_read_back([render(call) for call in calls], calls, family, tools)


def test_templates_listed_as_without_tools_write_no_call() -> None:
    """So that the list cannot hide a template that gained support."""
    from jinja2.exceptions import UndefinedError

    call = ToolCall(name="FindRestaurants", arguments={"city": "Oakland"})
    for name in NO_TOOLS.keys() & templates().keys():
        try:
            assert call.name not in generated(name, [call], [])[0], name
        except UndefinedError:
            assert "content parts" in NO_TOOLS[name]


def test_every_family_is_rendered_by_something_or_has_recorded_examples() -> None:
    by_template = {detect_family(templates()[name]) for name in WITH_TOOLS}
    if not by_template:
        pytest.skip("needs TRL for its chat templates")
    rendered = by_template | {family for family, _ in BY_HAND.values()}
    recorded = {path.stem for path in (Path(__file__).parent / "examples").glob("*.jsonl")}
    assert rendered <= set(families()) <= rendered | recorded


def test_at_least_twelve_templates_hold_for_both_readings() -> None:
    if not WITH_TOOLS:
        pytest.skip("needs TRL for its chat templates")
    readable = [name for name in WITH_TOOLS if families()[str(detect_family(templates()[name]))].vllm_parser]
    assert len([name for name in readable if not any(name == key[0] for key in VLLM_EXCEPTIONS)]) >= 12


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return byte_tokenizer(Path(__file__).parent / "special_tokens.txt")


def vllm_cases() -> list[tuple[str, str]]:
    cases: list[tuple[str, str]] = []
    owners = [(name, str(detect_family(templates()[name]))) for name in WITH_TOOLS]
    owners += [(name, family) for name, (family, _) in BY_HAND.items()]
    for name, family in owners:
        parser = families()[family].vllm_parser
        cases += [(name, one) for one in ((parser,) if parser else ()) + families()[family].also]
    return cases


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # vLLM's own imports
@pytest.mark.parametrize(("name", "parser"), vllm_cases())
def test_vllm_reads_back_the_same_calls(
    name: str, parser: str, calls: list[ToolCall], tools: list[dict[str, Any]], tokenizer: Any
) -> None:
    texts = [BY_HAND[name][1](call) for call in calls] if name in BY_HAND else generated(name, calls, tools)
    readings = read_with_vllm(texts, parser, tokenizer, tools)
    good = sum(reading.call == call for reading, call in zip(readings, calls, strict=True))
    expected, reason = VLLM_EXCEPTIONS.get((name, parser), (len(calls), "all"))
    assert good == expected, reason
