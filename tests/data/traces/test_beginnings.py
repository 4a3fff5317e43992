"""Of sequences in groups, exactly those are left that no other one of their group continues."""

from __future__ import annotations

import random

import pytest

from harness.data.traces import beginnings
from harness.data.traces.beginnings import Beginnings, chain


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("most", [20, 1_000_000])
def test_those_that_others_continue_are_dropped_in_any_order(
    monkeypatch: pytest.MonkeyPatch, seed: int, most: int
) -> None:
    """Whether all are held to the end, or some are dropped on the way."""
    monkeypatch.setattr(beginnings, "_AT_ONCE", most)
    chance = random.Random(seed)
    added = [
        (chance.randrange(3), tuple(chance.choices((1, 2), k=chance.randrange(1, 6))))
        for _ in range(chance.randrange(80))
    ]
    held = Beginnings()
    for place, (group, parts) in enumerate(added):
        held.add(group, chain(parts), (place,))
    others = [(group, parts[:end]) for group, parts in added for end in range(1, len(parts))]
    expected = [place for place, one in enumerate(added) if one not in others and one not in added[:place]]
    assert held.left()[:, 0].tolist() == expected


def test_of_equal_ones_the_one_that_is_cut_is_left() -> None:
    held = Beginnings()
    held.add(0, chain([1, 2]), (0,))
    held.add(0, chain([1, 2]), (1,), cut=True)
    held.add(0, chain([1]), (2,))
    assert held.left().tolist() == [[1]]
