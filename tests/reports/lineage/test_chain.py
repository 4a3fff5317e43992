"""A clean chain is whole, and each planted fault is found and named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.hub.artifact import Artifact, FileInput, parse_input
from harness.hub.client import Hub
from harness.hub.lineage import Lineage, parse_record
from harness.hubd.embedded import running
from harness.reports.lineage.chain import Node, read_chain
from harness.reports.lineage.check import check_chain

Change = Callable[[dict[str, Any]], None]
NS = "local"
CARD = "---\nlicense: mit\n---\n\nAnother card.\n"


@pytest.fixture
def newest(world, resolve) -> dict[str, Artifact]:
    """The ends of all chains, as they are now."""
    return {
        "synthetic": resolve("dataset", "tft-benchmark-s4-synthetic"),
        "damaged": resolve("dataset", "tft-benchmark-s2-synthetic"),
        "model": resolve("model", "tft-benchmark-s4-tft-small"),
        "results": resolve("dataset", "tft-benchmark-results"),
    }


@pytest.mark.parametrize("name", ["synthetic", "damaged", "model", "results"])
def test_a_clean_chain_has_no_problem(world, newest, name: str) -> None:
    assert check_chain(world.hub, newest[name]) == []


def test_the_chain_of_a_result_reaches_every_stage_and_ends_at_the_pinned_sources(world, newest) -> None:
    root = read_chain(world.hub, newest["results"])
    nodes = {node.name: node for node in root.walk()}
    made = {node.stage for node in nodes.values() if node.stage}
    assert made == {"evaluate", "train", "synthesize", "relabel", "filter", "corrupt", "collect"}
    ends = {node.kind for node in nodes.values() if not node.inputs}
    assert ends == {"file", "source", "model"}
    for node in nodes.values():
        assert not node.problems
        if node.artifact:
            assert len(node.artifact.revision) == 40
            assert world.hub.resolve(node.artifact.kind, node.artifact.repo_id, node.artifact.revision) == node.artifact


def test_a_model_that_was_evaluated_keeps_its_chain_although_its_card_is_newer(world, newest) -> None:
    root = read_chain(world.hub, newest["model"])
    assert root.record is not None
    assert root.record.tag not in root.tags  # the tag stands at the commit of the training
    assert check_chain(world.hub, newest["model"]) == []


def _edit(change: Change) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / "lineage.json"
        written = json.loads(path.read_text(encoding="utf-8"))
        change(written)
        path.write_text(json.dumps(written), encoding="utf-8")

    return edit


def _sealed(change: Change) -> Callable[[Path], None]:
    """Change a lineage and give it the fingerprint that it then has, as a careful forger would."""

    def seal(written: dict[str, Any]) -> None:
        change(written)
        lineage = Lineage(
            stage=written["stage"],
            version=written["stage_version"],
            config=written["config"],
            inputs=tuple(written["inputs"]),
            seed=written["seed"],
        )
        written["fingerprint"] = lineage.fingerprint()

    return _edit(seal)


def _other_input(old: str, new: Callable[[str], str]) -> Change:
    def change(written: dict[str, Any]) -> None:
        written["inputs"] = [new(one) if old in one else one for one in written["inputs"]]

    return change


def _value(key: str, value: Any) -> Change:
    return lambda written: written.__setitem__(key, value)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_edit(_value("seed", 7)), "was changed after it was written"),
        (_edit(_other_input("-relabelled", lambda one: one.replace("s4", "s2"))), "was changed after it was written"),
        (_sealed(_other_input("-relabelled@", lambda one: one.replace("s4-", "s9-"))), "is not on http"),
        (_sealed(_other_input("-relabelled@", lambda one: one[:-40] + "0" * 40)), "has no commit 0000000"),
        (_sealed(_value("seed", 7)), "has no tag fp-"),
        (_edit(lambda written: written.pop("inputs")), "it has no 'inputs'"),
        (_edit(_value("config", [])), "'config' is list, expected dict"),
        (lambda folder: (folder / "lineage.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "lineage.json").write_bytes(b"\xff\xfe"), "is not UTF-8"),
        (lambda folder: (folder / "lineage.json").write_text("[" * 100_000), "cannot be read"),
        (lambda folder: (folder / "lineage.json").unlink(), "has no lineage.json"),
        (_sealed(_value("inputs", [])), "names no input"),
    ],
)
def test_each_fault_of_a_lineage_is_found_and_names_its_place(world, newest, change, expected: str) -> None:
    made = world.copy(newest["synthetic"], "tft-benchmark-s4-faulty", change)
    problems = check_chain(world.hub, made)
    found = [problem for problem in problems if expected in problem]
    assert found, problems
    assert any("tft-benchmark-s4" in problem or "tft-benchmark-s9" in problem for problem in found)


def test_a_fault_far_behind_is_found_from_the_end(world, newest, resolve) -> None:
    broken = world.copy(
        resolve("dataset", "tft-benchmark-s4-filtered"), "tft-benchmark-s4-deep", _edit(_value("seed", 1))
    )
    name = f"{broken.repo_id}@{broken.revision}"
    relabelled = world.copy(
        resolve("dataset", "tft-benchmark-s4-relabelled"),
        "tft-benchmark-s4-deep-relabelled",
        _sealed(_other_input("-filtered@", lambda _: name)),
    )
    problems = check_chain(world.hub, relabelled)
    assert any("tft-benchmark-s4-deep@" in problem and "was changed" in problem for problem in problems)


def test_a_moved_tag_is_found_where_the_data_differ_and_not_where_the_card_alone_does(world, newest) -> None:
    first = world.copy(newest["synthetic"], "tft-benchmark-s4-moved", lambda _: None)
    assert check_chain(world.hub, first) == []
    world.copy(newest["synthetic"], "tft-benchmark-s4-moved", lambda folder: (folder / "README.md").write_text(CARD))
    assert check_chain(world.hub, first) == []

    def drop_a_row(folder: Path) -> None:
        path = folder / "data" / "train.jsonl"
        path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))

    world.copy(newest["synthetic"], "tft-benchmark-s4-moved", drop_a_row)
    [problem] = check_chain(world.hub, first)
    assert "points to commit" in problem
    assert "data/train.jsonl is not those of" in problem


def test_weights_that_are_not_those_of_the_training_are_found(world, newest, resolve) -> None:
    model = resolve("model", "tft-benchmark-s4-tft-small")
    other = world.copy(model, "tft-benchmark-s4-tft-other", lambda _: None)
    folder = world.hub.pull(other)
    changed = (folder / "model.safetensors").read_bytes()[:-1] + b"\x01"
    world.hub.commit_files("model", other.repo_id, {"model.safetensors": changed}, message="other weights")
    now = world.hub.resolve("model", other.repo_id)
    [problem] = check_chain(world.hub, now)
    assert "model.safetensors is not those of" in problem


def test_scores_of_weights_that_were_replaced_since_are_found(world, newest, tmp_path: Path) -> None:
    results = newest["results"]
    model = world.hub.resolve("model", f"{NS}/tft-benchmark-s4-tft-small")
    before = (world.hub.pull(model) / "model.safetensors").read_bytes()
    changed = {"model.safetensors": before[:-1] + b"\x01"}
    world.hub.commit_files("model", model.repo_id, changed, message="trained again")
    try:
        [problem] = check_chain(world.hub, results)
    finally:
        world.hub.commit_files("model", model.repo_id, {"model.safetensors": before}, message="as before")
    assert "model.safetensors is not those of its main; evaluate it again" in problem
    assert check_chain(world.hub, results) == []


def _forge(folder: Path, change: Callable[[dict[str, Any]], None], pattern: str) -> dict[str, str]:
    [path] = folder.glob(pattern)
    written = json.loads(path.read_text(encoding="utf-8"))
    change(written)
    return {path.relative_to(folder).as_posix(): json.dumps(written)}


@pytest.mark.parametrize(
    ("pattern", "change", "expected"),
    [
        (
            "reports/*.json",
            lambda one: one["rows"]["model"]["staged_tool_call"].__setitem__("value", 0.99),
            "staged_tool_call 0.9900",
        ),
        ("reports/*.json", lambda one: one["run"].__setitem__("model_revision", "a" * 40), "does not name"),
        ("reports/*.json", lambda one: one.pop("run"), "cannot be read"),
        ("lineage/*.json", lambda one: one["config"].__setitem__("reading", "strict"), "was changed after"),
    ],
)
def test_each_fault_of_a_result_is_found(world, newest, pattern: str, change: Any, expected: str) -> None:
    files = _forge(world.hub.pull(newest["results"]), change, pattern)
    world.hub.commit_files("dataset", newest["results"].repo_id, files, message="forged")
    try:
        problems = check_chain(world.hub, world.hub.resolve("dataset", newest["results"].repo_id))
    finally:
        back = {path: (world.hub.pull(newest["results"]) / path).read_bytes() for path in files}
        world.hub.commit_files("dataset", newest["results"].repo_id, back, message="as before")
    assert any(expected in problem for problem in problems), problems


def test_a_repository_that_nobody_says_we_made_ends_the_chain_without_a_problem(world, newest) -> None:
    root = read_chain(world.hub, newest["model"])
    base = next(node for node in root.walk() if node.name.startswith(f"{NS}/small@"))
    assert base.record is None
    assert not base.problems


def test_each_commit_is_read_once(world, newest, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    class Counting(Hub):
        def read(self, artifact: Artifact, path: str) -> bytes | None:
            read.append(f"{artifact} {path}")
            return super().read(artifact, path)

    root = read_chain(Counting(world.hub.endpoint, world.hub.token()), newest["model"])
    assert len(read) == len(set(read)) > 1
    test_sets = {id(node) for node in _every(root) if "testset" in node.name}
    assert len(test_sets) == 1


def _every(node: Node) -> list[Node]:
    return [node, *(one for child in node.inputs for one in _every(child))]


def test_names_of_inputs_are_told_apart_and_written_as_they_were() -> None:
    for text, kind in {f"a/b@{'0' * 40}": Artifact, f"sgd/a.json@sha256:{'0' * 64}": FileInput}.items():
        found = parse_input(text)
        assert isinstance(found, kind)
        assert str(found) == text
    assert parse_input("replay:answers.jsonl") is None
    assert parse_input(f"a@b@{'0' * 40}") is None
    assert parse_input(f"a/b@{'0' * 39}") is None


def test_what_a_lineage_writes_is_what_is_read() -> None:
    lineage = Lineage(stage="s", version=3, config={"a": [1, {"b": 0.1}]}, inputs=("x/y@" + "1" * 40,), seed=None)
    record = parse_record(json.dumps(replace(lineage, extra={"more": 1}).dump()))
    assert record.lineage == replace(lineage, extra={"more": 1})
    assert record.fingerprint == lineage.fingerprint() == record.lineage.fingerprint()


def test_a_chain_that_was_promoted_to_another_hub_and_owner_is_whole_there(
    world, newest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = ("testset", "s4-traces", "s4-filtered", "s4-relabelled", "s4-synthetic", "results")
    names = [f"datasets/{NS}/tft-benchmark-{stage}" for stage in stages]
    (tmp_path / "users.yaml").write_text("users:\n  - {name: far, tokens: [{token: hf_far}]}\n")
    with running(tmp_path / "far", users=tmp_path / "users.yaml") as far:
        monkeypatch.setenv("HF_TOKEN", "hf_far")
        words = ("hub", "promote", *names, newest["model"].repo_id, f"{NS}/small", "--from", world.hub.endpoint)
        done = world.tft(*words, "--to", far.url, "--namespace", "far", HF_TOKEN="hf_far")
        assert done.exit_code == 0, f"{done.output} {done.exception}"
        there = Hub.connect(far.url)
        for kind, name in (("dataset", "tft-benchmark-results"), ("model", "tft-benchmark-s4-tft-small")):
            artifact = there.resolve(kind, f"far/{name}")
            assert check_chain(there, artifact) == []
            assert {node.stage for node in read_chain(there, artifact).walk()} >= {"corrupt", "filter", "relabel"}
        there.api.delete_repo("far/tft-benchmark-s4-filtered", repo_type="dataset")
        [problem] = check_chain(there, there.resolve("model", "far/tft-benchmark-s4-tft-small"))
        assert f"{NS}/tft-benchmark-s4-filtered is not on" in problem
