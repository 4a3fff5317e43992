"""Rows followed back: whatever is named on the way is there, up to dialogues that exist in the source files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from harness.data.formats.jsonl import read_jsonl
from harness.data.sources import locate
from harness.hub.artifact import Artifact, FileInput, parse_input
from harness.hub.client import Hub
from harness.hub.publishing import push_folder
from harness.reports.lineage.chain import Node, read_chain
from harness.reports.lineage.query import row_problems
from harness.reports.lineage.row_history import RowHistory, RowTracer, calls_of
from harness.reports.lineage.row_view import notable_turns
from harness.reports.lineage.rows import DialogueReader, RowReader

SYNTHETIC = [(2, "synthetic"), (4, "synthetic")]


def _follow(hub: Hub, artifact: Artifact, sources: Path | None) -> Iterator[RowHistory]:
    """Yield the history of every row of a dataset."""
    root = read_chain(hub, artifact)
    reader = RowReader(hub)
    tracer = RowTracer(reader=reader, dialogues=DialogueReader(locate(sources) if sources else None))
    for id in reader.rows(root):
        yield tracer.follow(root, reader.expect(root, id))


@pytest.mark.parametrize(("scenario", "stage"), SYNTHETIC)
def test_from_any_synthetic_row_one_reaches_source_dialogues_that_exist(
    world, sources: Path, scenario: int, stage: str
) -> None:
    for history in _follow(world.hub, world.dataset(scenario, stage), sources):
        assert row_problems(history) == []
        ends = [one for one in history.walk() if not one.earlier]
        assert len(ends) >= 2
        for end in ends:
            assert end.node.stage == "corrupt"
            assert end.source
            assert end.source.conversation is not None
            assert _holds(sources / end.source.file.partition("@")[0], end.source.name)
            assert end.source.file in [one.name for one in end.node.inputs]
            file = parse_input(end.source.file)
            assert isinstance(file, FileInput)
            assert file.sha256 == locate(sources).files[file.name].sha256


@pytest.mark.parametrize(("scenario", "stage"), SYNTHETIC)
def test_every_commit_and_row_on_the_way_exists(world, scenario: int, stage: str) -> None:
    seen: set[tuple[str, str]] = set()
    for history in _follow(world.hub, world.dataset(scenario, stage), None):
        for one in history.walk():
            assert one.node.artifact
            seen.add((one.node.name, one.row.id))
            stored = [row for _, row in read_jsonl(world.hub.pull(one.node.artifact, [one.row.file]) / one.row.file)]
            assert one.row.values in stored
    stages = {name.partition("@")[0].rpartition("-")[2] for name, _ in seen}
    assert {"synthetic", "relabelled", "traces"} <= stages


def _holds(file: Path, name: str) -> bool:
    """Whether a file of SGD has a dialogue, `split/dialogue_id`."""
    split, _, id = name.partition("/")
    return file.parent.name == split and f'"dialogue_id": "{id}"' in _text(file)


@cache
def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def test_context_is_followed_too_and_is_no_exemplar(world) -> None:
    parts = [one.part for history in _follow(world.hub, world.dataset(2, "synthetic"), None) for one in history.earlier]
    assert parts.count("exemplar") == parts.count("context") == 8
    for history in _follow(world.hub, world.dataset(2, "synthetic"), None):
        assert all(one.row.kept == (one.part == "exemplar") for one in history.earlier)


def test_what_the_committee_is_said_to_have_changed_is_what_differs_from_the_trace(world, sources: Path) -> None:
    changed = 0
    for history in _follow(world.hub, world.dataset(2, "relabelled"), sources):
        before = calls_of(history.earlier[0].conversation)
        for turn in history.turns:
            assert turn.raw == before[turn.position]
            assert (calls_of(history.conversation)[turn.position] != turn.raw) == bool(turn.changed)
            changed += bool(turn.changed)
        clean = calls_of(history.line()[0].source.conversation)
        shown = notable_turns(history, clean)
        assert {turn.position for turn in history.turns if turn.changed} <= {one.position for one in shown}
    assert changed > 10


def _changed(world: Any, artifact: Artifact, id: str, change: Any) -> RowHistory:
    """Return the history of a row of a copy in which it was changed."""

    def edit(folder: Path) -> None:
        path = folder / "data" / "train.jsonl"
        rows = [json.loads(one) for one in path.read_text(encoding="utf-8").splitlines()]
        for row in rows:
            if row["id"] == id:
                change(row)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    made = world.copy(artifact, "tft-benchmark-s4-changed", edit)
    root = read_chain(world.hub, made)
    reader = RowReader(world.hub)
    return RowTracer(reader=reader, dialogues=DialogueReader(None)).follow(root, reader.expect(root, id))


@pytest.mark.parametrize(
    ("stage", "id", "change", "expected"),
    [
        (
            "synthetic",
            "s4-syn-0003",
            lambda row: row.update(source="s4-tft-9999, s4-tft-0001"),
            "s4-tft-9999, which is not",
        ),
        ("synthetic", "s4-syn-0003", lambda row: row.update(source=""), "does not say which conversations"),
        ("synthetic", "s4-syn-0003", lambda row: row.update(messages="none"), "cannot be read"),
        ("relabelled", "s4-tft-0001", lambda row: row["turns"][0].update(raw=row["turns"][1]["call"]), "of message 1"),
        ("relabelled", "s4-tft-0001", lambda row: row["turns"][0].pop("raw"), "a turn of the committee is malformed"),
        ("relabelled", "s4-tft-0001", lambda row: row["messages"][0].update(content="Other words"), "message 0 of"),
        ("filtered", "s4-tft-0001", lambda row: row["messages"].pop(), "messages, and the row that it was made from"),
    ],
)
def test_a_row_that_does_not_fit_what_it_was_made_from_is_found(world, stage, id, change, expected: str) -> None:
    history = _changed(world, world.dataset(4, stage), id, change)
    assert any(expected in problem for problem in row_problems(history)), row_problems(history)


def test_rows_of_a_dataset_that_is_not_ours_are_read_in_their_own_layout(world, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    lines = [{"messages": [{"role": "user", "content": text}]} for text in ("first", "second")]
    (tmp_path / "data" / "train.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    made = push_folder(world.hub, "dataset", "local/strange", tmp_path, message="rows")
    node = Node(name=f"{made.repo_id}@{made.revision}", kind="dataset", artifact=made)
    found = RowReader(world.hub).expect(node, "trace-0001")
    assert found.values["messages"][0]["content"] == "second"


def test_a_turn_of_the_test_set_is_followed_to_its_conversation_and_file(world) -> None:
    root = read_chain(world.hub, world.hub.resolve("dataset", "local/tft-benchmark-testset"))
    reader = RowReader(world.hub)
    history = RowTracer(reader=reader, dialogues=DialogueReader(None)).follow(root, reader.expect(root, "test-0001:2"))
    [conversation] = history.earlier
    assert conversation.row.id == "test-0001"
    assert conversation.source
    assert conversation.source.file
    assert conversation.source.file.startswith("tft-benchmark/test.jsonl@sha256:")
    assert conversation.source.repository
    assert conversation.source.repository.startswith("distil-labs/")


def test_a_row_that_was_made_from_a_file_names_its_line(world, tmp_path: Path) -> None:
    lines = [{"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]}] * 2
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    done = world.tft("filter", str(tmp_path / "mine.jsonl"), "--set", "rate=false", "--to", "local/mine-filtered")
    assert done.exit_code == 0, f"{done.output} {done.exception}"
    [history, *_] = _follow(world.hub, world.hub.resolve("dataset", "local/mine-filtered"), None)
    assert row_problems(history) == []
    assert history.source
    assert history.source.name == "mine.jsonl:1"
    assert history.source.file
    assert history.source.file.startswith("mine.jsonl@sha256:")
    assert history.source.repository is None


def test_a_part_of_an_input_is_not_taken_for_all_of_it(world) -> None:
    words = ("filter", "local/tft-benchmark-s4-traces", "--set", "rate=false", "--to", "local/parts", "--json")
    parts = [("--arm", "tft"), ("--arm", "direct"), ("--arm", "tft", "--limit", "2")]
    done = [json.loads(world.tft(*words, *part).stdout) for part in parts]
    assert [one["reused"] for one in done] == [False, False, False]
    assert [one["traces"] for one in done] == [5, 5, 2]
    assert json.loads(world.tft(*words, *parts[0]).stdout)["reused"]
