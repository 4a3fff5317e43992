"""Canonical values: spellings of one thing are equal, different things never."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from harness.data.canonical import canonical_call, canonical_value
from harness.data.records import ToolCall
from harness.data.tools import Parameter, Toolbox
from harness.rules.labeler.schema_values import fitted, into_choices


def parameter(name: str = "thing", **schema: Any) -> Parameter:
    choices = tuple(str(choice) for choice in schema.get("enum", ()))
    return Parameter(name=name, description="", required=False, choices=choices, schema={"type": "string", **schema})


DATE, TIME = parameter("visit_date"), parameter("start_time")
COUNT, FLAG = parameter(type="integer"), parameter(enum=["True", "False"])
LEVEL = parameter(enum=["Low", "Very high"])


@pytest.mark.parametrize(
    ("kind", "spellings"),
    [
        (DATE, ["2021-03-03", "March 3rd, 2021", "3 March 2021", "2021/3/3", "the 3rd of march 2021"]),
        (DATE, ["March 3rd", "3 Mar", "mar. 3"]),
        (TIME, ["18:30", "6:30 pm", "6:30 P.M.", "18:30:00", "6:30pm"]),
        (TIME, ["12:00", "noon", "12 pm"]),
        (COUNT, [2, 2.0, "2", "two", "2.0", " 2 "]),
        (COUNT, ["twenty-one", "twenty one", 21]),
        (FLAG, [True, "True", "true", "YES", "y"]),
        (LEVEL, ["very high", "Very  High", "VERY_HIGH", "very-high"]),
        (None, ["Blue  Door", "blue door", "BLUE DOOR"]),
        (None, [2, 2.0, "2"]),
        (None, [{"a": 1, "b": 2}, {"b": 2, "a": 1}]),
    ],
)
def test_spellings_of_one_thing_are_equal(kind: Parameter | None, spellings: list[Any]) -> None:
    assert len({canonical_value(spelling, kind) for spelling in spellings}) == 1


@pytest.mark.parametrize(
    ("kind", "things"),
    [
        (DATE, ["2021-03-03", "2021-03-04", "March 3rd", "03/04/2021", "04/03/2021", "tomorrow", "2021-13-03"]),
        (TIME, ["6:00", "06:00", "18:00", "6", "25:00", "evening"]),
        (COUNT, ["2", "12", "two or three", "2.5", "-2", ""]),
        (FLAG, ["True", "False", "maybe"]),
        (LEVEL, ["low", "very high", "high", "lowly"]),
        (None, ["Two", "2", "yes", "True", "noon", "01234", "1234", "Blue Door", "Blue Doors", "", None]),
    ],
)
def test_different_things_are_never_equal(kind: Parameter | None, things: list[Any]) -> None:
    for one, other in combinations(things, 2):
        assert canonical_value(one, kind) != canonical_value(other, kind), (one, other)


def test_a_canonical_call_is_equal_for_two_spellings_and_keeps_its_id() -> None:
    search = {
        "name": "Search",
        "parameters": {"type": "object", "properties": {"day_date": {"type": "string"}, "who": {"type": "string"}}},
    }
    toolbox = Toolbox([search])
    one = ToolCall(name="Search", arguments={"who": "Ada", "day_date": "May 1st"}, id="call_1")
    other = ToolCall(name="Search", arguments={"day_date": "1 May", "who": "ADA"})
    assert canonical_call(one, toolbox) == canonical_call(other, toolbox)
    assert list(canonical_call(one, toolbox).arguments) == ["day_date", "who"]
    assert canonical_call(one, toolbox).id == "call_1"


def test_two_values_never_become_one_member_by_words_alone() -> None:
    found = into_choices(["north gate", "gate", "attic"], ["North Gate", "South Gate"])
    assert found == {"north gate": "North Gate"}


def test_a_scale_is_used_only_where_it_knows_every_member() -> None:
    assert into_choices(["luxury"], ["inexpensive", "moderate", "expensive", "very expensive"]) == {
        "luxury": "very expensive"
    }
    assert into_choices(["luxury"], ["inexpensive", "blue"]) == {}


def test_a_value_takes_the_form_of_the_schema_or_stays() -> None:
    assert fitted("yes", FLAG) == "True"
    assert fitted("three", COUNT) == 3
    assert fitted("soon", COUNT) == "soon"
    assert fitted("false", parameter(type="boolean")) is False
    assert fitted(4, parameter()) == "4"
    assert fitted(["a"], parameter()) == ["a"]
