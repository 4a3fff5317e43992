"""What a client may take its time for, and which connection makes room for another one."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from harness.hubd.errors import Refused
from harness.hubd.server.connections import GRACE_SECONDS, LEAST_RATE, SILENT_SECONDS, Connections, Pace, Phase
from harness.hubd.server.traffic import BODIES, CALLER_BYTES, Traffic


def ended_after(pace: Pace, rate: float, *, every: int = 1, most: int = 2000) -> int | None:
    """Return the second at which a client that sends `rate` bytes a second is ended, None if it never is."""
    for second in range(most):
        if rate and second % every == 0:
            pace.count(int(rate * every))
        if pace.wait(1):
            return second
    return None


def test_a_head_has_ten_seconds_however_it_comes():
    assert 9 <= (ended_after(Pace(), 1) or 0) <= 11


@pytest.mark.parametrize("rate", [LEAST_RATE + 1, 20_000, 10**9])
def test_slow_but_honest_bodies_go_on(rate: int):
    pace = Pace()
    pace.begin(Phase.BODY)
    assert ended_after(pace, rate) is None
    pace.begin(Phase.BODY)
    assert ended_after(pace, rate, every=20) is None


@pytest.mark.parametrize(("rate", "latest"), [(0, GRACE_SECONDS + 2), (1, GRACE_SECONDS + 2), (1000, 45), (3000, 130)])
def test_bodies_that_only_hold_a_place_are_ended(rate: int, latest: float):
    pace = Pace()
    pace.begin(Phase.BODY)
    assert GRACE_SECONDS <= (ended_after(pace, rate) or 0) < latest


def test_what_came_quickly_gives_no_right_to_fall_silent():
    pace = Pace()
    pace.begin(Phase.BODY)
    pace.count(10**9)
    assert ended_after(pace, 0) == pytest.approx(SILENT_SECONDS, abs=2)


def test_answers_may_be_read_slowly_but_not_left():
    pace = Pace()
    pace.begin(Phase.ANSWER)
    assert not any(pace.unread(1, 65_536 + second // 60) for second in range(1000))
    assert not any(pace.unread(1, 0) for _ in range(1000))
    assert any(pace.unread(1, 65_536) for _ in range(200))


@dataclass(eq=False)
class Held:
    """A connection in some phase."""

    address: str = "127.0.0.1"
    phase: Phase = Phase.ANSWER
    received: int = 0
    waited: float = 0.0
    ended: bool = False
    in_memory: bool = False
    pace: Pace = field(default_factory=Pace)
    transport: Any = None

    def __post_init__(self) -> None:
        self.pace.begin(self.phase)
        self.pace.received, self.pace.waited = self.received, self.waited
        self.transport = SimpleNamespace(
            abort=lambda: setattr(self, "ended", True), get_write_buffer_size=lambda: self.pace.unsent
        )

    def tick(self, seconds: float) -> None:
        """Nothing."""


def entered(files: int, *held: Held) -> Connections:
    connections = Connections(files)
    for one in held:
        connections.enter(one)
    return connections


def test_where_all_places_are_taken_those_who_wait_for_their_clients_make_room():
    heads = [Held(phase=Phase.HEAD, waited=second) for second in range(38)]
    busy = [Held() for _ in range(20)]
    slow, quick = Held(phase=Phase.BODY, received=10, waited=9), Held(phase=Phase.BODY, received=10**7, waited=9)
    connections = entered(256, *heads, *busy, slow, quick)
    assert connections.most == 64
    for _ in range(41):
        connections.enter(Held())
    assert all(one.ended for one in [*heads, slow])
    assert not any(one.ended for one in [*busy, quick])


def test_nobody_who_is_being_answered_is_ended_for_one_more():
    held = [Held() for _ in range(64)]
    connections = entered(256, *held)
    newest = Held(phase=Phase.HEAD)
    connections.enter(newest)
    assert newest.ended
    assert not any(one.ended for one in held)


def test_those_who_do_not_read_their_answers_make_room_after_a_while():
    unread = [Held() for _ in range(60)]
    busy = [Held() for _ in range(4)]
    for _ in range(10):
        assert not any(one.pace.unread(1, 5000 + number) for number, one in enumerate(unread))
    connections = entered(256, *unread, *busy)
    newest = Held(phase=Phase.HEAD)
    connections.enter(newest)
    assert any(one.ended for one in unread)
    assert not any(one.ended for one in [*busy, newest])


def test_answers_in_memory_make_room_for_the_next_one_those_that_nobody_reads_first():
    silent, reading, streamed = [Held() for _ in range(5)], [Held() for _ in range(5)], [Held() for _ in range(200)]
    connections = entered(10_000, *silent, *reading, *streamed)
    for one in [*silent, *reading]:
        connections.fit(one, 12 << 20)
        one.pace.unsent = 12 << 20
    for one in streamed:  # read from files
        connections.fit(one, 0)
        one.pace.unsent = 1 << 20
    for one in silent:
        one.pace.silent = 3
    assert not any(one.ended for one in [*silent, *reading, *streamed])
    connections.fit(Held(), 30 << 20)
    assert [sum(one.ended for one in group) for group in (silent, reading, streamed)] == [2, 0, 0]


def test_what_one_announces_leaves_no_less_room_for_others(tmp_path):
    traffic = Traffic(tmp_path)
    free = shutil.disk_usage(tmp_path).free
    with traffic.body("user eve", signed_in=True) as first, traffic.body("user eve", signed_in=True) as second:
        first.to_file(free // 3 * 2)
        with pytest.raises(Refused, match="no room"):
            second.to_file(free // 3 * 2)
        with traffic.body("user ada", signed_in=True) as other:
            other.to_file(free // 3)


def test_bodies_in_memory_are_counted_by_caller_and_together(tmp_path):
    traffic = Traffic(tmp_path)
    with traffic.body("user eve", signed_in=True) as large:
        large.keep(CALLER_BYTES)
        with traffic.body("user eve", signed_in=True) as another, pytest.raises(Refused, match="busy"):
            another.keep(1 << 20)
        with traffic.body("user ada", signed_in=True) as other:
            other.keep(1 << 20)
    assert traffic.memory == 0
    with ExitStack() as held:
        for _ in range(BODIES):
            held.enter_context(traffic.body("user eve", signed_in=True))
        with pytest.raises(Refused, match="uploads of yours"):
            held.enter_context(traffic.body("user eve", signed_in=True))
        held.enter_context(traffic.body("user ada", signed_in=True))


def test_one_address_elsewhere_gets_half_of_the_places():
    held = [Held(address="192.0.2.7", phase=Phase.HEAD) for _ in range(40)]
    others = [Held(address="192.0.2.8", phase=Phase.HEAD) for _ in range(20)]
    entered(256, *others, *held)
    assert sum(not one.ended for one in held) <= 32
    assert not any(one.ended for one in others)
