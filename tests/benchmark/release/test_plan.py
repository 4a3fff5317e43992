"""A plan lists exactly what would be changed, and making it changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.benchmark.release.changes import AddItem, ChangeItem, Commit, CreateCollection, describe_change
from harness.benchmark.release.collection import collection_changes
from harness.hub.artifact import RepositoryName
from harness.hub.collections import Collection, CollectionItem


@pytest.fixture(scope="module")
def benchmark(make_benchmark: Callable[..., Any]) -> Any:
    return make_benchmark(("s2", "tft"), ("s2", "direct"))


def test_a_plan_lists_every_change_and_makes_none(benchmark, plan) -> None:
    before = benchmark.everything()
    planned = plan(benchmark)
    assert benchmark.everything() == before
    lines = [change.line() for change in planned.changes]
    kinds = [line.split()[0] for line in lines]
    assert kinds == sorted(kinds, key=lambda kind: kind == "public"), "visibility comes last"
    repositories = {*before, f"spaces/{benchmark.repo('leaderboard')}"}
    tagged = {line.split()[1].rstrip(":") for line in lines if line.startswith("tag ")}
    shown = {line.split()[1] for line in lines if line.startswith("public ") and "collection" not in line}
    assert tagged == shown == repositories
    assert len([line for line in lines if line.startswith("create ")]) == 2
    assert len([line for line in lines if line.startswith("add ")]) == len(repositories)
    assert all(change.record()["change"] for change in planned.changes)
    assert plan(benchmark).changes[2].line() == planned.changes[2].line()


def test_a_stale_card_and_stale_results_in_a_model_are_written_anew(benchmark, hub, plan) -> None:
    model = benchmark.model("s2", "tft")
    scores = f".eval_results/{benchmark.test_set.artifact.repo_id.rpartition('/')[2]}.yaml"
    card = hub.read_text("model", model, "README.md")
    stale = hub.read_text("model", model, scores)
    assert not _commits(plan(benchmark)).get(model)
    wrong = {"README.md": card.replace("0.", "0.9"), scores: stale.replace("value: 0.", "value: 0.9")}
    hub.commit_files("model", model, wrong, message="Better numbers")
    commit = _commits(plan(benchmark))[model]
    assert set(commit.summary) == {"README.md", scores}
    assert commit.files["README.md"].decode() == card
    assert commit.files[scores].decode() == stale
    hub.commit_files("model", model, {"README.md": card, scores: stale}, message="As before")


def test_links_to_another_port_of_this_machine_are_no_change(benchmark, hub, plan) -> None:
    """A Hub on this machine has another port each time it is started."""
    model = benchmark.model("s2", "direct")
    card = hub.read_text("model", model, "README.md")
    assert hub.endpoint in card
    moved = card.replace(hub.endpoint, "http://127.0.0.1:9")
    hub.commit_files("model", model, {"README.md": moved}, message="From another start")
    assert model not in _commits(plan(benchmark))


def _commits(planned: Any) -> dict[str, Commit]:
    return {change.place.repo_id: change for change in planned.hidden if isinstance(change, Commit)}


def _place(name: str) -> RepositoryName:
    return RepositoryName(kind="model", repo_id=f"me/{name}")


def _collection(*names: str) -> Collection:
    items = tuple(CollectionItem(kind="model", id=f"me/{name}", note=name) for name in names)
    return Collection(slug="me/x", title="x", description=None, private=True, items=items)


@pytest.mark.parametrize("names", ["abc", "cba", "", "b", "xay", "bxca", "acb"])
def test_the_changes_of_a_collection_give_it_the_wanted_order(names: str) -> None:
    """Whatever is in it before, with entries of others (x, y) kept behind."""
    order = [f"me/{name}" for name in names]
    for change in collection_changes(_collection(*names), "me", "x", {_place(name): name for name in "abc"}):
        repo_id = change.place.repo_id
        if isinstance(change, AddItem):
            order.append(repo_id)
        else:
            assert isinstance(change, ChangeItem)
            order.remove(repo_id)
            order.insert(change.position, repo_id)
    assert order == ["me/a", "me/b", "me/c", *[f"me/{name}" for name in names if name in "xy"]]


def test_a_collection_that_is_not_there_is_made_and_a_note_that_is_old_is_set() -> None:
    made = list(collection_changes(None, "me", "x", {_place("a"): "a"}))
    assert [type(change) for change in made] == [CreateCollection, AddItem]
    (changed,) = collection_changes(_collection("a", "b"), "me", "x", {_place("a"): "a", _place("b"): "new"})
    assert (changed.place, changed.note) == (_place("b"), "new")


def test_a_file_is_described_by_its_lines_or_its_size() -> None:
    assert describe_change(None, b"a\nb\n") == "new, 2 lines"
    assert describe_change(b"a\nb\n", b"a\nc\nd\n") == "+2 -1 lines"
    assert describe_change(b"\xff", b"\xff" * 12_345) == "changed, 12 kB"
    assert describe_change(None, b"\xff") == "new, 1 bytes"
