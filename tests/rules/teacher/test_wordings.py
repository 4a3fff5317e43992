"""What the rule-based teacher takes from traces, and how it puts values."""

from __future__ import annotations

from datetime import date
from random import Random

import pytest

from harness.data.records import Conversation, Message, ToolCall
from harness.data.text import plain
from harness.data.tools import Toolbox
from harness.rules.language.dates_and_times import find_dates, find_times
from harness.rules.teacher.lexicon import fill, sentence
from harness.rules.teacher.slots import learn_slot
from harness.rules.teacher.task_model import intent, learn_task_model
from harness.rules.teacher.templates import learn_templates
from harness.rules.teacher.values import Values
from harness.rules.teacher.verbalisation import clause, mention, spoken

TODAY = date(2026, 3, 2)
VALUES = Values(today=TODAY)


def test_spoken_dates_and_times_are_read_back(seeds):
    day = learn_slot("date", {}, ["2026-03-02"], distinct=False)
    time = learn_slot("time", {}, ["18:30"], distinct=False)
    for place in range(300):
        rng = Random(place)
        value, clock = VALUES.draw(day, rng), VALUES.draw(time, rng)
        said = plain(f"on {spoken(day, value, VALUES, rng, plainly=False)} please")
        assert date.fromisoformat(value).toordinal() in find_dates(said, TODAY)[0][0], (value, said)
        said = plain(f"at {spoken(time, clock, VALUES, rng, plainly=False)}.")
        assert int(clock[:2]) * 60 + int(clock[3:]) in find_times(said)[0][0], (clock, said)


def test_what_is_spoken_is_found_in_a_text():
    people = learn_slot("party_size", {"enum": ["1", "2", "3"]}, [], distinct=False)
    for value in ("1", "2", "3"):
        for place in range(5):
            text = f"A table for {spoken(people, value, VALUES, Random(place))}, please."
            start, end = mention(text, people, value, VALUES)
            assert text[end:] == ", please."
            assert text[:start] == "A table for "


@pytest.mark.parametrize(
    ("name", "schema", "seen", "kind"),
    [
        ("is_open", {"type": "boolean"}, [], "flag"),
        ("has_wifi", {}, ["True", "False"], "flag"),
        ("departure", {}, ["2026-03-01", "2026-04-11"], "date"),
        ("leaving", {}, ["09:15", "24:00", "13:00", "17:45", "18:00"], "time"),
        ("pieces", {"type": "integer"}, [], "count"),
        ("fare", {}, ["34.50", "120.00"], "number"),
        ("contact", {}, ["510-843-3951"], "phone"),
        ("town", {}, ["Fresno", "Oakland"], "city"),
        ("doctor_name", {}, ["Anna Becker"], "person"),
        ("tags", {"type": "array"}, [], "list"),
        ("slot", {"type": "object"}, [], "object"),
    ],
)
def test_kinds_are_told_from_schema_name_and_values(name, schema, seen, kind):
    assert learn_slot(name, schema, seen, distinct=False).kind == kind


def test_wordings_hold_fields_and_no_value_of_their_trace(sample, seeds):
    model = learn_task_model(Toolbox(sample.tools), seeds)
    templates = [one for found in learn_templates(model).values() for one in found]
    assert {"open", "give", "request", "offer", "confirm", "affirm", "done", "tell"} <= {one.act for one in templates}
    names = {str(value) for value in model.slots["restaurant_name"].values}
    for template in templates:
        assert all("{" + key + "}" in template.text for key in template.slots)
        assert not any(name in template.text or character.isdigit() for name in names for character in template.text)


def test_what_braces_say_in_a_trace_is_text(sample, seeds):
    """A trace cannot bring fields of its own into a wording."""
    hostile = tuple(_braced(seed) for seed in seeds)
    model = learn_task_model(Toolbox(sample.tools), hostile)
    fields = {key for found in learn_templates(model).values() for one in found for key in one.slots}
    assert fields <= {*model.slots, "count"}
    assert not any("{evil" in one.text for found in learn_templates(model).values() for one in found)


def _braced(seed: Conversation) -> Conversation:
    messages = tuple(
        Message(role="user", content=f"{one.content} {{evil}}")
        if one.role == "user" and not one.content.startswith("[")
        else one
        for one in seed.messages
    )
    return Conversation(id=seed.id, messages=messages, source=seed.source)


def test_flags_are_put_as_clauses():
    def said(name):
        return clause(learn_slot(name, {"type": "boolean"}, [], distinct=False))

    assert said("has_live_music").no == "does not have live music"
    assert said("serves_alcohol").ask == "does it serve alcohol"
    assert said("pets_allowed").yes == "allows pets"
    assert said("pets_allowed").ask == "are pets allowed"
    assert said("is_unisex").yes == "is unisex"
    assert said("refundable").no == "is not refundable"


def test_the_intent_is_the_start_of_the_description(parcels):
    model = learn_task_model(Toolbox(parcels.tools), ())
    assert intent(model, "create_pickup") == "create a pickup"
    assert intent(model, "search_parcels") == "search for parcels"


def test_filling_tidies_articles_and_prepositions():
    assert fill("on {date}, a {kind} place", {"date": "tomorrow", "kind": "Irish"}) == "tomorrow, an Irish place"
    assert fill("at the {name}", {"name": "The Fox"}) == "at The Fox"
    assert sentence("at 5 p.m. sharp. that is all") == "At 5 p.m. sharp. That is all"


def test_an_argument_is_linked_to_a_column_of_another_name(parcels):
    """Where a booking takes its name from a result under another key, it does so in what is written too."""
    rows = '[{"label": "PX-1"}, {"label": "PX-2"}]'
    trace = Conversation(
        id="a",
        source="",
        messages=(
            Message(role="user", content="My parcels?"),
            Message(role="assistant", tool_calls=(ToolCall(name="search_parcels", arguments={"pieces": 1}),)),
            Message(role="user", content=rows),
            Message(role="assistant", content="PX-1 and PX-2."),
            Message(role="user", content="Pick up PX-2."),
            Message(
                role="assistant",
                tool_calls=(
                    ToolCall(
                        name="create_pickup", arguments={"parcel_id": "PX-2", "slot": {"day": "monday", "hour": 9}}
                    ),
                ),
            ),
        ),
    )
    assert learn_task_model(Toolbox(parcels.tools), (trace,)).links[("create_pickup", "parcel_id")] == "label"
