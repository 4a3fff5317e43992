"""Several engines for one model: conversations stay whole, loads are even, and one that dies stops no other."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.records import Prediction, ToolCall, TurnPair
from harness.errors import EngineError, UsageError
from harness.models.backends._base import OnAnswer
from harness.models.backends._replicas import Replicas, homes
from harness.models.engine import devices
from harness.models.engine.devices import CORES, GPUS, placements, share_cores


def pairs_of(sizes: Sequence[int]) -> list[TurnPair]:
    call = ToolCall(name="f", arguments={})
    return [
        TurnPair(id=f"{number}:{turn}", conversation=str(number), turn=turn, prefix=(), reference=call)
        for number, size in enumerate(sizes)
        for turn in range(size)
    ]


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=40), replicas=st.integers(1, 6), data=st.data())
def test_conversations_stay_whole_and_loads_are_even(sizes: list[int], replicas: int, data: st.DataObject) -> None:
    """No replica has more than the longest conversation over the mean."""
    pairs = pairs_of(sizes)
    lengths = {pair.id: data.draw(st.integers(1, 1000)) for pair in pairs}
    found = homes(pairs, lengths, replicas)
    assert found.keys() == lengths.keys()
    assert len({(pair.conversation, found[pair.id]) for pair in pairs}) == len(sizes)
    loads, longest = Counter(), Counter()  # type: ignore[var-annotated]
    for pair in pairs:
        loads[found[pair.id]] += lengths[pair.id]
        longest[pair.conversation] += lengths[pair.id]
    assert max(loads.values()) <= sum(lengths.values()) / replicas + max(longest.values())
    assert set(found.values()) <= set(range(replicas))


class Engine:
    """Answers with its name; after `lives` answers it dies."""

    def __init__(self, name: str, lives: int = 1000) -> None:
        self.name, self.lives, self.asked = name, lives, list[str]()

    async def asking(self, items: Sequence[str], on_answer: OnAnswer) -> None:
        for item in items:
            on_answer(await self.answer(item))

    async def answer(self, item: str) -> Prediction:
        await asyncio.sleep(0.001)
        if len(self.asked) == self.lives:
            raise EngineError(f"{self.name} has died")
        self.asked.append(item)
        return Prediction(pair_id=item, raw=self.name)


def test_each_item_is_asked_at_home_in_order() -> None:
    engines, answers = [Engine("a"), Engine("b")], list[Prediction]()
    backend = Replicas(engines, lambda item: int(item) % 2)
    backend.ask([str(number) for number in range(11)], answers.append)
    assert [engine.asked for engine in engines] == [
        [str(n) for n in range(0, 11, 2)],
        [str(n) for n in range(1, 11, 2)],
    ]
    assert {answer.pair_id: answer.raw for answer in answers} == {str(n): "ab"[n % 2] for n in range(11)}
    assert asyncio.run(backend.answer("7")).raw == "b"


def test_an_engine_that_dies_stops_the_run_after_the_others_have_done_their_part() -> None:
    engines, answers = [Engine("a", lives=2), Engine("b")], list[Prediction]()
    with pytest.raises(EngineError, match=r"^a has died$"):
        Replicas(engines, lambda item: int(item) % 2).ask([str(number) for number in range(20)], answers.append)
    assert Counter(answer.raw for answer in answers) == {"a": 2, "b": 10}


@given(cores=st.integers(1, 64), data=st.data())
def test_cores_are_shared_out_whole_and_evenly(cores: int, data: st.DataObject) -> None:
    replicas = data.draw(st.integers(1, cores))
    shares = share_cores(range(cores), replicas)
    assert [core for share in shares for core in share] == list(range(cores))
    assert {len(share) for share in shares} <= {cores // replicas, -(-cores // replicas)}
    with pytest.raises(UsageError, match=f"--replicas {cores + 1} takes a core for each, this process has {cores}"):
        share_cores(range(cores), cores + 1)


def test_one_engine_is_placed_nowhere_and_several_are_bound_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CORES, raising=False)  # which tests that run side by side are given
    monkeypatch.setattr(devices, "_cores", lambda: [0, 1, 4, 5, 6])
    monkeypatch.setattr(devices, "is_cpu_build", lambda: True)
    assert placements(1, ["--tensor-parallel-size", "2"]) == [{}]
    assert placements(2) == [{CORES: "0,1"}, {CORES: "4,5,6"}]
    with pytest.raises(UsageError, match="--tensor-parallel-size spreads one engine over devices"):
        placements(2, ["--tensor-parallel-size=2"])
    monkeypatch.setenv(CORES, "0-1")
    with pytest.raises(UsageError, match="unset the variable"):
        placements(2)
    monkeypatch.setattr(devices, "is_cpu_build", lambda: False)
    monkeypatch.setenv(GPUS, "3,GPU-7f")
    assert placements(2) == [{GPUS: "3"}, {GPUS: "GPU-7f"}]
    with pytest.raises(UsageError, match=r"takes as many GPUs, this machine has 2; give --replicas 2"):
        placements(3)
