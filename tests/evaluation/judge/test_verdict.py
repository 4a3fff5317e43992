"""A judge's answer is exactly one verdict, or a reason why it is none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.formats.json_texts import encodable
from harness.evaluation.judge.prompt import parse_verdict

GOOD = '{"reason": "same city", "verdict": "good"}'
BAD = '{"reason": "other city", "verdict": "bad"}'


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"\n  {GOOD}\n\n",
        '{"verdict":"good","reason":"same city"}',
        '{\n  "reason": " same city ",\n  "verdict": "GOOD"\n}',
        f"```json\n{GOOD}\n```",
        f"```\n{GOOD}```\n",
        f"<think>First bad, then not. {BAD}</think>\n\n{GOOD}",
        f"<think></think>```json\n{GOOD}\n```",
    ],
)
def test_one_verdict_is_read(text: str) -> None:
    assert parse_verdict(text) == (1.0, "same city")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("<think>hm</think>", "empty"),
        ("<think>hm", "inside its thinking"),
        ("I cannot help with that.", '"I cannot help with that."'),
        ("good", '"good"'),
        ("Verdict: good", "begins with"),
        (f"{GOOD}\n{BAD}", "second JSON object"),
        (f"```json\n{GOOD}\n```\n```json\n{BAD}\n```", "second|more text"),
        (f"so: ```json\n{GOOD}\n```", "begins with"),
        (GOOD[:-1], "cut off"),
        (GOOD[:20], "cut off"),
        ("{", "not valid JSON|cut off"),
        (f"[{GOOD}]", "begins with"),
        (f'{{"answer": {GOOD}}}', '"answer"'),
        ('{"verdict": "good"}', '"verdict"'),
        ("{}", "none"),
        ('{"reason": "x", "verdict": "good", "verdict": "bad"}', "key twice"),
        ('{"reason": {"a": 1, "a": 2}, "verdict": "good"}', "key twice"),
        ('{"reason": "x", "verdict": "maybe"}', '"maybe"'),
        ('{"reason": "x", "verdict": "good or bad"}', '"good or bad"'),
        ('{"reason": "x", "verdict": 1.0}', '"1.0"'),
        ('{"reason": "x", "verdict": true}', '"true"'),
        ('{"reason": null, "verdict": "good"}', "null"),
        ('{"reason": ["x"], "verdict": "good"}', "a list"),
        ('{"reason": 1, "verdict": "good"}', "a number"),
        ('{"a": ' * 100_000, "nested too deeply"),
        (f"<think>it says </think>{GOOD} but no</think>{BAD}", "more text"),
        (f"<think>it says <think>x</think>{GOOD}", "quotes thinking"),
    ],
)
def test_anything_else_is_refused_with_what_was_found(text: str, found: str) -> None:
    with pytest.raises(ValueError, match=found) as error:
        parse_verdict(text)
    assert len(str(error.value)) < 300
    assert str(error.value).isprintable()


@given(st.text(st.characters()), st.sampled_from(["good", "bad"]), st.sampled_from(["", "\n", " "]))
@settings(max_examples=300, deadline=None)
def test_any_reason_is_kept_and_decides_nothing(reason: str, verdict: str, space: str) -> None:
    """The reason comes back as text that can be stored."""
    value, read = parse_verdict(space + json.dumps({"reason": reason, "verdict": verdict}) + space)
    assert value == {"good": 1.0, "bad": 0.0}[verdict]
    assert read == encodable(reason).strip()


PIECES = ["{", "}", '"', "\\", ":", ",", "\n", "```", "json", "<think>", "</think>", '"verdict"', '"reason"', '"good"']


@given(st.lists(st.sampled_from([*PIECES, GOOD, BAD, "x", "[", "]"]), max_size=8).map("".join))
@settings(max_examples=500, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but ValueError is raised, and what is read ends with the one object that says so."""
    try:
        value, _ = parse_verdict(text)
    except ValueError:
        return
    ending = text.strip().rstrip(",;.` \n")
    assert ending.endswith("}")
    assert ('"good"' if value else '"bad"') in ending
