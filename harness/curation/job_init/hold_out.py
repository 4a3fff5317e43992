"""Which conversations are traces, which the test set, and which neither: repeats, and what overlaps with the test."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from harness.curation.checks.duplicates import Duplicates
from harness.curation.job_init.gather import RowFacts, SetAside
from harness.errors import UsageError

SHARE, FEWEST, MOST = 0.2, 10, 40
"""A fifth of the conversations is held out, between 10 and 40 of them, and never more than half of those that can be:
calls are learned from the others."""
_TERCILES = ("short", "middling", "long")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """The choice, by position of the row in the export."""

    test: frozenset[int]
    aside: dict[int, SetAside]
    """Why a row is neither; overlaps with the test set come on top."""
    wanted: int
    """How many were to be held out; fewer are where users or sessions have more conversations than fit."""
    usable: int
    """Conversations that could have been traces."""
    candidates: int
    """Those of them that could have been test conversations."""
    groups: int
    """Users, sessions, and agents with those that they call, none of which is torn apart; else single conversations."""
    shared: tuple[str, ...]
    """The user or session of every conversation that names one: it separates nobody, and is not looked at."""


def repeats(rows: Sequence[RowFacts]) -> dict[int, SetAside]:
    """Return which rows repeat others: the beginning of a longer one, or a near duplicate of an earlier one."""
    found: dict[int, SetAside] = {}
    longer: dict[int, int] = {}  # hash of a beginning -> the longest conversation that goes on from it
    whole = {row.begins[-1] for row in rows if row.begins}
    for position, row in enumerate(rows):
        for begun in row.begins[:-1]:
            if begun in whole and (begun not in longer or len(rows[longer[begun]].begins) < len(row.begins)):
                longer[begun] = position
    known = Duplicates()
    for position, row in enumerate(rows):
        if row.print is None or not row.begins:
            continue
        if row.begins[-1] in longer:
            of = rows[longer[row.begins[-1]]].id
            found[position] = SetAside(kind="beginning", reason=f"it is the beginning of {of}, which goes on")
        elif duplicate := known.add_fingerprint(row.print):
            reason = f"near duplicate of {duplicate.of} (similarity {duplicate.similarity:.2f})"
            found[position] = SetAside(kind="near duplicate", reason=reason)
    return found


def hold_out(rows: Sequence[RowFacts], *, size: int | None, seed: int) -> HeldOut:
    """Return which rows are held out: `size` of them, by default a fifth, stratified over tools and length.

    Every tool and every third of the lengths has its share, the rarest first, as far as the size allows; what is
    chosen within that depends on the seed and the ids alone. One user or session is never on both sides. Raises
    UsageError where `size` cannot be held out.
    """
    aside = {position: row.aside for position, row in enumerate(rows) if row.aside} | repeats(rows)
    usable = [position for position in range(len(rows)) if position not in aside]
    shared = _shared_by_all([rows[position] for position in usable])
    groups = _groups(rows, usable, shared)
    candidates = sum(not rows[position].untestable for position in usable)
    wanted = _size(size, usable=len(usable), candidates=candidates)
    chosen = _choose(rows, groups, wanted, seed)
    test: set[int] = set()
    for group in chosen:
        fit = [position for position in group if not rows[position].untestable]
        held = sorted(fit, key=lambda position: _chance(rows[position], seed))[: wanted - len(test)]
        test.update(held)
        for position in set(group) - set(held):
            why = rows[position].untestable or "enough of them are held out"
            reason = f"same user or session as {rows[held[0]].id}, a test conversation; {why}"
            aside[position] = SetAside(kind="user or session of the test", reason=reason)
    return HeldOut(
        test=frozenset(test),
        aside=aside,
        wanted=wanted,
        usable=len(usable),
        candidates=candidates,
        groups=len(groups),
        shared=shared,
    )


def _size(asked: int | None, *, usable: int, candidates: int) -> int:
    if asked is None:
        return min(max(FEWEST, min(MOST, round(SHARE * usable))), candidates // 2)
    if asked > min(candidates, usable - 1):
        raise UsageError(
            f"--test {asked} asks for more than can be held out: of {usable:,} conversations that are of use "
            f"{candidates:,} can be test conversations, and one at least has to stay; give a smaller number"
        )
    return asked


def _shared_by_all(rows: Sequence[RowFacts]) -> tuple[str, ...]:
    """Return the user and the session that are those of every row that names one, such as a service account."""
    of_kind: dict[str, set[str]] = defaultdict(set)
    carried: Counter[str] = Counter()
    for row in rows:
        for link in row.links:
            kind = link.split(" ", 1)[0]
            of_kind[kind].add(link)
            carried[kind] += 1
    return tuple(next(iter(links)) for kind, links in of_kind.items() if len(links) == 1 and carried[kind] > 1)


def _groups(rows: Sequence[RowFacts], usable: Sequence[int], shared: Sequence[str]) -> list[list[int]]:
    """Return the rows in groups that share a user, a session or a trace, directly or through others."""
    parent = {position: position for position in usable}

    def root(position: int) -> int:
        while parent[position] != position:
            parent[position] = position = parent[parent[position]]
        return position

    first: dict[str, int] = {}
    by_id = {rows[position].id: position for position in usable}
    for position in usable:
        calling, _, number = rows[position].id.rpartition("-")  # agents that ID calls are read as ID-2, ID-3 and so on
        if number.isdecimal() and calling in by_id:
            parent[root(position)] = root(by_id[calling])
        for link in rows[position].links:
            if link not in shared:
                parent[root(position)] = root(first.setdefault(link, position))
    groups: dict[int, list[int]] = defaultdict(list)
    for position in usable:
        groups[root(position)].append(position)
    return list(groups.values())


def _choose(rows: Sequence[RowFacts], groups: Sequence[list[int]], wanted: int, seed: int) -> Iterable[list[int]]:
    """Return groups with about `wanted` test conversations; of the last one only a part may be wanted.

    The quotas are filled rarest label first, as in iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011).
    """
    thirds = _lengths(rows, groups)
    labels = {group[0]: _labels(rows, group, thirds) for group in groups}
    order = sorted(groups, key=lambda group: _drawn(rows, group, seed))
    sizes = {group[0]: sum(not rows[position].untestable for position in group) for group in groups}
    order = [group for group in order if sizes[group[0]]]
    counts: Counter[str] = Counter()
    for group in order:
        counts.update(labels[group[0]])
    share = wanted / max(1, sum(sizes.values()))
    chosen: dict[int, list[int]] = {}
    have: Counter[str] = Counter()
    left = wanted
    spare = max(wanted, sum(map(len, groups)) // 2)  # rows that may leave the traces, untestable ones of a group too
    quotas = [(label, round(share * count)) for label, count in sorted(counts.items(), key=lambda one: one[::-1])]
    for label, quota in [*quotas, (None, wanted)]:
        for group in order:
            first = group[0]
            if label is not None and have[label] >= quota:
                break
            if first in chosen or (label is not None and label not in labels[first]):
                continue
            if sizes[first] > left or len(group) > spare:
                continue
            chosen[first] = group
            have.update(labels[first])
            left -= sizes[first]
            spare -= len(group)
    rest = [group for group in groups if group[0] not in chosen]
    large = min((group for group in order if group[0] not in chosen), key=lambda group: sizes[group[0]], default=None)
    if large and left > wanted / 2 and 2 * (sum(map(len, rest)) - len(large)) >= sum(map(len, groups)):
        return [*chosen.values(), large]  # the others have more than are wanted: one of them is taken in part
    return chosen.values()


def _drawn(rows: Sequence[RowFacts], group: list[int], seed: int) -> tuple[bool, float]:
    """Return the place of a group in the order of choice: those that are wholly testable first, else by chance."""
    untestable = any(rows[position].untestable for position in group)
    return untestable, min(_chance(rows[position], seed) for position in group)


def _chance(row: RowFacts, seed: int) -> float:
    return Random(f"{seed}:{row.id}").random()  # noqa: S311 - a reproducible stream, not a secret


def _lengths(rows: Sequence[RowFacts], groups: Sequence[list[int]]) -> tuple[int, int]:
    """Return the lengths that separate the thirds of the conversations."""
    found = sorted(rows[position].length for group in groups for position in group)
    return (found[len(found) // 3], found[2 * len(found) // 3]) if found else (0, 0)


def _labels(rows: Sequence[RowFacts], group: list[int], thirds: tuple[int, int]) -> Counter[str]:
    """Return what a group's test conversations count for: their tools, and their lengths."""
    return Counter(
        label for position in group if not rows[position].untestable for label in _of_row(rows[position], thirds)
    )


def _of_row(row: RowFacts, thirds: tuple[int, int]) -> Iterator[str]:
    yield from (f"tool {name}" for name in row.tools)
    yield _TERCILES[sum(row.length > limit for limit in thirds)]
