"""Rows of a file find their conversation without being compared with all others, and find the same one."""

from __future__ import annotations

import random

from harness.evaluation.infer_conversations import Conversations, Said

CALLS = ((), (("book", {"a": 1}),), (("book", {"a": 1.0}),), (("book", {"a": [2, {"b": None}]}),))


def compared_with_all(row: Said, known: list[Said]) -> str:
    """What is meant, in the plainest way."""
    for position in range(len(known) - 1, -1, -1):
        other = known[position]
        shorter = min(len(other), len(row))
        *before, (role, _, calls) = row[:shorter]
        if other[: shorter - 1] == tuple(before) and (other[shorter - 1][0], other[shorter - 1][2]) == (role, calls):
            known[position] = max(other, row, key=len)
            return f"conversation-{position:04d}"
    known.append(row)
    return f"conversation-{len(known) - 1:04d}"


def some_row(chance: random.Random, rows: list[Said]) -> Said:
    row = list(chance.choice(rows))[: chance.randint(1, 6)] if rows and chance.random() < 0.6 else []
    while not row or chance.random() < 0.5:
        row.append((chance.choice(("user", "assistant")), chance.choice("xyz"), chance.choice(CALLS)))
    return tuple(row)


def test_rows_find_the_conversation_that_comparing_with_all_finds() -> None:
    for seed in range(1000):
        chance, rows, known, found = random.Random(seed), list[Said](), list[Said](), Conversations()
        for _ in range(chance.randint(1, 14)):
            rows.append(some_row(chance, rows))
            assert found.name(rows[-1]) == compared_with_all(rows[-1], known), (seed, rows)
