"""Texts that others wrote are read under limits: no size, depth, number or alias in them takes the machine."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from pathlib import Path

import pytest

from harness.data.formats.jsonl import read_jsonl
from harness.data.formats.yaml_lines import read_mapping, read_yaml
from harness.errors import DataError
from harness.hub import foreign_json
from harness.hub.foreign_json import JsonLimitExceeded, load_json
from harness.hub.lineage import parse_record

_NAMES = "abcdefghi"
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{one}: &{one} [{', '.join([f'*{before}'] * 9)}]\n" for before, one in pairwise(_NAMES)
)
BAD_YAML = {
    "stands for more than 100,000 values": LAUGHS,
    "the tag 'tag:yaml.org,2002:bool' stands here": "a: !!bool maybe",
    "the tag 'tag:yaml.org,2002:python/object/apply:os.system'": "a: !!python/object/apply:os.system [ls]",
    "nested too deeply": "a: &a [*a]",
    "YAML nested": "[" * 2000,
    "more than 1,048,576 characters": f"a: {'x' * (1 << 20)}",
    "month must be in 1..12": "a: 2026-13-45",
}


@pytest.mark.parametrize("words", BAD_YAML)
def test_yaml_that_takes_too_much_is_refused_in_one_line(words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r".") as told:
        read_yaml(BAD_YAML[words])
    assert words in str(told.value)
    assert "\n" not in str(told.value)
    file = tmp_path / "a.yaml"
    file.write_text(BAD_YAML[words])
    with pytest.raises(DataError, match=r"cannot read .*a\.yaml"):
        read_mapping(file, "a: 1")


def test_numbers_to_the_base_60_are_texts() -> None:
    begun = time.monotonic()
    assert read_yaml("a: 1:30") == {"a": "1:30"}
    assert read_yaml("a: " + ":".join(["59"] * 100_000))["a"].startswith("59:59")
    assert time.monotonic() - begun < 20


def test_aliases_of_people_are_read() -> None:
    assert read_yaml("a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}") == {"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1, "e": 2}}


@pytest.mark.parametrize("depth", [201, 900, 100_000])
@pytest.mark.parametrize("brackets", ["[]", '{"a":}'])
def test_json_is_read_to_a_depth_that_all_can_walk_through(depth: int, brackets: str) -> None:
    def nested(times: int) -> str:
        return brackets[:-1] * times + "1" + brackets[-1] * times

    assert load_json(nested(200)) is not None
    with pytest.raises(JsonLimitExceeded, match="JSON nested too deeply"):
        load_json(nested(depth))
    with pytest.raises(DataError, match=r"lineage.json cannot be read: JSON nested too deeply to read; run"):
        parse_record(nested(depth))


def test_a_line_longer_than_a_row_is_refused_with_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.data.formats import jsonl

    monkeypatch.setattr(jsonl, "LARGEST", 100)
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join([json.dumps({"a": "x" * 80}), json.dumps({"a": "x" * 8000}), "{}"]))
    rows = read_jsonl(file)
    assert next(rows)[0] == 1
    with pytest.raises(DataError, match=r"line 2: JSON of more than 64 MiB; expected .* smaller parts"):
        next(rows)
    rows.close()  # type: ignore[attr-defined]
    with file.open("rb") as stream:
        assert [number for number, _ in jsonl.bounded_lines(stream)] == [1, 2, 3]


def test_a_value_of_very_many_parts_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_json, "_MOST_PARTS", 1000)
    assert len(load_json("[" + "1," * 900 + "1]")) == 901
    with pytest.raises(JsonLimitExceeded, match="1,000 parts"):
        load_json("[" + "{}," * 900 + "1]")
