"""A release is seen whole or not at all, and can be repeated after any interruption."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.benchmark.release.apply import apply_plan
from harness.benchmark.release.changes import MakeCollectionPublic, MakePublic
from harness.errors import HubError
from harness.hub.artifact import Artifact, RepositoryName
from harness.hub.client import Hub
from harness.hub.collections import CollectionItem, Collections


def _seen(api: Any, namespace: str) -> set[str]:
    """Return what this account sees of a namespace."""
    lists = {"models": api.list_models, "datasets": api.list_datasets, "spaces": api.list_spaces}
    found = {f"{kind}/{one.id}" for kind, listing in lists.items() for one in listing(author=namespace)}
    return found | {f"collection {collection.title}" for collection in api.list_collections(owner=namespace)}


def _content(benchmark: Any) -> dict[str, Any]:
    """Return everything of a namespace in which two releases of the same results are equal."""
    found = {}
    for name, one in benchmark.everything().items():
        kept = {key: value for key, value in one.items() if key not in ("sha", "tags")}
        # Cards and lineage name the namespace and its commits; the paths are the same.
        kept["files"] = sorted(one.get("files", ()))
        kept["versions"] = {tag: commit == one["sha"] for tag, commit in one.get("tags", {}).items() if tag == "v1"}
        found[name] = kept
    return json.loads(json.dumps(found).replace(benchmark.namespace, "NS"))


@pytest.fixture(scope="module")
def undisturbed(make_benchmark: Callable[..., Any], release: Callable[..., list[str]]) -> Any:
    made = make_benchmark(("s2", "direct"))
    release(made)
    return made


def test_everything_is_public_at_the_end_and_nothing_before_all_else_is_done(
    benchmark, hub, plan, release, stranger
) -> None:
    planned = plan(benchmark)
    shown: set[str] = set()
    for change in apply_plan(hub, planned):
        shown |= {str(change.place)} if isinstance(change, MakePublic) else set()
        shown |= {f"collection {change.title}"} if isinstance(change, MakeCollectionPublic) else set()
        assert _seen(stranger, benchmark.namespace) == shown
    everything = benchmark.everything()
    assert _seen(stranger, benchmark.namespace) == set(everything)
    assert {name: one["tags"]["v1"] for name, one in everything.items() if "tags" in one} == {
        name: one["sha"] for name, one in everything.items() if "sha" in one
    }
    assert release(benchmark) == []
    assert benchmark.everything() == everything


def test_the_collection_tells_the_story_in_order_with_scores(undisturbed, stranger) -> None:
    (listed,) = stranger.list_collections(owner=undisturbed.namespace)
    items = stranger.get_collection(listed.slug).items
    assert [item.item_id.partition("/")[2] for item in items] == [
        "tft-benchmark-testset",
        "tft-benchmark-results",
        "tft-benchmark-leaderboard",
        "tft-benchmark-s2-traces",
        "tft-benchmark-s2-direct-tiny",
        "tiny",
    ]
    assert all(item.note for item in items)
    report = json.loads(
        (undisturbed.folder / undisturbed.model("s2", "direct").replace("/", "--") / "report.json").read_text()
    )
    assert f"{report['rows']['model']['staged_tool_call']['value']:.3f}" in items[4].note


def test_the_report_lies_beside_the_results_and_in_the_space(undisturbed, hub, stranger) -> None:
    for kind, name in (("dataset", "results"), ("space", "leaderboard")):
        files = stranger.list_repo_files(undisturbed.repo(name), repo_type=kind, revision="v1")
        assert {"RESULTS.md", "results.json", "plots/dumbbell.png", "README.md"} <= set(files)
    page = json.loads(hub.read_text("space", undisturbed.repo("leaderboard"), "lineage.json"))
    (source,) = page["inputs"]
    results = json.loads(hub.read_text("space", undisturbed.repo("leaderboard"), "results.json"))
    assert source == f"{undisturbed.repo('results')}@{results['results']}"
    assert hub.resolve("dataset", *source.split("@")).revision == results["results"]


class Killed(BaseException):
    """The end of the process, as far as Python code can tell."""


class Failing(Hub):
    """A Hub that answers so many changes and then fails: before it does what is asked, or after it."""

    def __init__(self, hub: Hub, left: int, after: bool = False, also: tuple[str, ...] = ()) -> None:
        """`also` are repositories that can never be hidden again."""
        super().__init__(hub.endpoint, hub.token())
        self._left, self._after, self._also = left, after, also
        self.collections = FailingCollections(self)

    def change(self, make: Callable[[], Any]) -> Any:
        self._left -= 1
        fails = self._left < 0
        done = None if fails and not self._after else make()
        if fails:
            raise HubError("the Hub answered 503")
        return done

    def create(self, *given: Any, **named: Any) -> None:
        return self.change(lambda: Hub.create(self, *given, **named))

    def commit(self, *given: Any, **named: Any) -> Any:
        return self.change(lambda: Hub.commit(self, *given, **named))

    def tag(self, artifact: Artifact, tag: str, *, move: bool = True) -> None:
        return self.change(lambda: Hub.tag(self, artifact, tag, move=move))

    def set_private(self, place: RepositoryName, private: bool) -> None:
        if not private:
            return self.change(lambda: Hub.set_private(self, place, private))
        if place.repo_id in self._also:
            raise HubError("the Hub answered 503")
        return super().set_private(place, private)


class FailingCollections(Collections):
    """Those of a Hub that fails."""

    def __init__(self, hub: Failing) -> None:
        super().__init__(hub.api, hub.errors)
        self._hub = hub

    def create(self, *given: Any, **named: Any) -> str:
        return self._hub.change(lambda: Collections.create(self, *given, **named))

    def add(self, slug: str, item: CollectionItem) -> None:
        return self._hub.change(lambda: Collections.add(self, slug, item))

    def set_private(self, slug: str, private: bool) -> None:
        if not private:
            return self._hub.change(lambda: Collections.set_private(self, slug, private))
        return super().set_private(slug, private)


def _until_killed(changes: Iterator[Any], *, killed: bool) -> None:
    for _ in changes:
        if killed:
            raise Killed


def _runs(benchmark: Any, hub: Any, plan: Callable[..., Any]) -> Iterator[int]:
    """Release with an interruption at every change: killed after it, or refused before or after it was made, in turn.

    Each run makes one more change, so all of them are the one at which a run ends.
    """
    for number in range(200):
        planned = plan(benchmark)
        if not planned.hidden:
            return
        how = number % 3
        on = Failing(hub, 1 if how == 1 else 0, how == 2) if how else hub
        with pytest.raises((HubError, Killed)) as raised:
            _until_killed(apply_plan(on, planned), killed=how == 0)
        assert how == 0 or "same command" in str(raised.value)
        yield len(planned.hidden)
    raise AssertionError("the release does not come to an end")


def test_interrupted_at_every_step_it_ends_as_an_undisturbed_one_and_nothing_is_seen_before(
    make_benchmark, hub, plan, release, stranger, undisturbed
) -> None:
    benchmark = make_benchmark(("s2", "direct"))
    left = []
    for number in _runs(benchmark, hub, plan):
        assert _seen(stranger, benchmark.namespace) == set()
        left.append(number)
    assert left == sorted(left, reverse=True)
    assert len(left) > 12
    hidden = benchmark.everything()
    planned = plan(benchmark)
    assert planned.hidden == ()
    for place in range(len(planned.visible)):  # nor does a failure while it is shown leave a half of it to be seen
        for after in (False, True):
            with pytest.raises(HubError, match="private again, and the same command"):
                list(apply_plan(Failing(hub, place, after), planned))
            assert _seen(stranger, benchmark.namespace) == set()
    with closing(apply_plan(hub, planned)) as changes:  # Ctrl-C
        for _ in range(3):
            next(changes)
        assert len(_seen(stranger, benchmark.namespace)) == 3
    assert _seen(stranger, benchmark.namespace) == set()
    assert benchmark.everything() == hidden
    release(benchmark)
    assert _content(benchmark) == _content(undisturbed)
    assert _seen(stranger, benchmark.namespace) == set(benchmark.everything())


def test_what_cannot_be_hidden_again_is_named_and_the_next_run_shows_the_rest(
    make_benchmark, hub, plan, release, stranger
) -> None:
    benchmark = make_benchmark(("s2", "direct"))
    planned = plan(benchmark)
    test_set = benchmark.repo("testset")
    list(apply_plan(hub, replace(planned, visible=())))
    ready = plan(benchmark)
    with pytest.raises(HubError, match=f"visible to everyone are now datasets/{test_set}, which could not"):
        list(apply_plan(Failing(hub, 3, also=(test_set,)), ready))
    assert _seen(stranger, benchmark.namespace) == {f"datasets/{test_set}"}
    again = plan(benchmark)
    assert not again.hidden
    assert len(again.visible) == len(ready.visible) - 1
    release(benchmark)
    assert _seen(stranger, benchmark.namespace) == set(benchmark.everything())


def test_what_is_public_already_stays_so_and_the_plan_says_it(make_benchmark, hub, api, plan, release) -> None:
    benchmark = make_benchmark(("s2", "direct"))
    model = benchmark.model("s2", "direct")
    api.update_repo_settings(model, private=False)
    planned = plan(benchmark)
    assert any("one repository is public already" in note and model in note for note in planned.notes)
    assert f"public  models/{model}" not in [change.line() for change in planned.changes]
    with pytest.raises(HubError):
        list(apply_plan(Failing(hub, len(planned.hidden) + 2), planned))
    assert not api.model_info(model).private
    release(benchmark)
    assert not any(one["private"] for one in benchmark.everything().values())


def test_other_results_need_a_new_version_and_the_old_one_keeps_its_files(
    make_benchmark, hub, api, plan, release
) -> None:
    from harness.benchmark.release.checks import Refused

    benchmark = make_benchmark(("s2", "direct"))
    model, results = benchmark.model("s2", "direct"), benchmark.repo("results")
    list(apply_plan(hub, replace(plan(benchmark), visible=())))
    benchmark.add_cell("s2", "direct", right=0.5)
    benchmark.write_record()
    moved = [change.line() for change in plan(benchmark).hidden if change.line().startswith("move ")]
    assert any(results in line for line in moved), "a version that nobody has seen can still become another one"
    release(benchmark)
    first = hub.read_text("dataset", results, "RESULTS.md")

    benchmark.add_cell("s2", "direct", right=0.2)
    benchmark.write_record()
    before = benchmark.everything()
    config = model.replace("/", "--")
    with pytest.raises(Refused, match=rf"v1 is published with other results \({config} changed\); give --version v2"):
        plan(benchmark)
    assert benchmark.everything() == before
    lines = release(benchmark, version="v2")
    assert any(line.startswith(f"note    models/{model}") for line in lines)
    assert not [line for line in lines if line.startswith("public")]
    assert release(benchmark, version="v2") == []
    old = api.hf_hub_download(results, "RESULTS.md", repo_type="dataset", revision="v1")
    assert Path(old).read_text() == first != hub.read_text("dataset", results, "RESULTS.md")
