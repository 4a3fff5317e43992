"""YAML and JSON that strangers wrote: the values that PyYAML makes of ordinary cards, and one kind of error."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.hubd.api import safe_yaml as plain

PRINTED = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
NUMBERS = st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
ORDINARY = st.recursive(
    st.none() | st.booleans() | NUMBERS | PRINTED,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PRINTED, inner, max_size=4),
    max_leaves=20,
)
PIECES = [
    "a: ", "- ", "? ", ": ", "\n", "  ", "[", "]", "{", "}", ",", "!!", "!!int ", "!!bool ", "!<tag:x> ", "&a ", "*a",
    "<<", "1:59", "0x", "0b", "_", "9" * 40, ".", "e+9", "e+999", ".inf", ".nan", "'", '"', "\\ud800", "\\", "|", ">",
    "---\n", "...\n", "%YAML 1.3\n", "2024-01-01", "\0", "\ud800", "\x85", "#", "~", "é", "\ufeff", "\t", "=", "no",
]  # fmt: skip


@given(ORDINARY)
def test_what_is_written_by_a_dumper_is_read_back(value):
    text = yaml.safe_dump(value, allow_unicode=True)
    assert plain.load_yaml(text) == json.loads(json.dumps(value))


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_any_text_is_read_or_refused(text):
    for reader, error in ((plain.load_yaml, yaml.YAMLError), (plain.load_json, ValueError)):
        try:
            value = reader(text)
        except error:
            continue
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12:30:45", "12:30:45"), ("2024-01-01", "2024-01-01"), ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        ("1_000", 1000), ("0x1F", 31), ("017", 15), ("0b11", 3), ("08", "08"), ("1.5e+3", 1500.0), ("1e5", "1e5"),
        ("no", False), ("'no'", "no"), ("~", None), ("9" * 31, "9" * 31),
        ("{1: a, true: b, ~: c}", {"1": "a", "true": "b", "null": "c"}),
    ],
)  # fmt: skip
def test_scalars_are_what_they_look_like(text, value):
    assert plain.load_yaml(text) == value


@pytest.mark.parametrize(
    "text",
    ["!!str a", "!x a", "[&a b, *a]", "a\n---\nb", "? [a]\n: b", ".inf", "1.0e+999", "[" * 65 + "]" * 65,
     "[" + "[]," * 50_001 + "]", "x" * (plain.TEXT_LIMIT + 1)],
)  # fmt: skip
def test_what_no_card_needs_is_refused(text):
    with pytest.raises(yaml.YAMLError):
        plain.load_yaml(text)


def test_metadata_end_within_a_limit():
    assert plain.front_matter("no metadata" * 100_000) is None
    assert plain.front_matter("---\na: b\n---\n" + "x" * 1_000_000) == {"a": "b"}
    with pytest.raises(yaml.YAMLError, match="does not end within"):
        plain.front_matter("---\n" + "a\n" * 400_000 + "---\n")
