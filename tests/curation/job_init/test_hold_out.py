"""What is held out: no more than is wanted, nothing that repeats, no user or session on both sides."""

from __future__ import annotations

from array import array
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.curation.checks.duplicates import fingerprint
from harness.curation.job_init.gather import RowFacts, SetAside
from harness.curation.job_init.hold_out import HeldOut, hold_out
from harness.data.records import Conversation, Message

FAILED = SetAside(kind="failed", reason="rate limit")


@st.composite
def facts(draw: st.DrawFn) -> list[RowFacts]:
    users, sessions, tools = (draw(st.integers(0, most)) for most in (6, 20, 5))
    rng = Random(draw(st.integers(0, 1_000)))
    return [_row(number, rng, users, sessions, tools) for number in range(draw(st.integers(1, 60)))]


def _row(number: int, rng: Random, users: int, sessions: int, tools: int) -> RowFacts:
    messages = (Message(role="user", content=" ".join(f"{rng.random()}" for _ in range(12))),)
    links = [(kind, rng.randint(0, most)) for kind, most in (("user_id", users), ("session_id", sessions)) if most]
    called = frozenset(f"T{rng.randint(0, tools)}" for _ in range(rng.randint(1, 3)))
    aside = FAILED if rng.random() < 0.1 else None
    return RowFacts(
        id=f"c{number}",
        tools=called,
        length=rng.randint(1, 40),
        links=tuple(f"{kind} {value}" for kind, value in links if rng.random() < 0.8),
        begins=array("Q", () if aside else [rng.randrange(2**60)]),
        print=None if aside else fingerprint(Conversation(id=f"c{number}", messages=messages, source="")),
        aside=aside,
        untestable="it has no call" if rng.random() < 0.2 else "",
    )


def chosen(rows: list[RowFacts], held: HeldOut) -> set[str]:
    return {rows[position].id for position in held.test}


@given(facts(), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_sides_are_apart_and_the_choice_does_not_depend_on_the_order(rows: list[RowFacts], seed: int) -> None:
    held = hold_out(rows, size=None, seed=seed)
    assert chosen(rows, held) == chosen(rows[::-1], hold_out(rows[::-1], size=None, seed=seed))
    traces = set(range(len(rows))) - held.test - held.aside.keys()
    assert not held.test & held.aside.keys()
    assert len(held.test) <= held.wanted <= len(rows) / 2
    assert not any(rows[position].untestable or rows[position].aside for position in held.test)
    sides = [{link for position in side for link in rows[position].links} for side in (traces, held.test)]
    assert (sides[0] & sides[1]) <= set(held.shared)
    if not any(row.links for row in rows):
        assert len(held.test) == held.wanted
    if held.test:
        assert traces
