"""`tft lineage` as a person and a script see it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness.errors import CheckFailed, HarnessError

NS = "local"
SYNTHETIC, RELABELLED = f"{NS}/tft-benchmark-s4-synthetic", f"{NS}/tft-benchmark-s2-relabelled"
MODEL, RESULTS = f"{NS}/tft-benchmark-s4-tft-small", f"{NS}/tft-benchmark-results"


def _ran(world: Any, *words: str, **variables: str | None) -> str:
    done = world.tft("lineage", *words, **variables)
    assert done.exit_code == 0, f"{done.output} {done.exception}"
    return str(done.stdout)


def _document(world: Any, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_ran(world, *words, "--json"))
    return found


def _refused(world: Any, *words: str) -> str:
    done = world.tft("lineage", *words)
    assert isinstance(done.exception, HarnessError), done.output
    assert done.exception.exit_code == 2
    assert done.stdout == ""
    return str(done.exception)


def test_the_tree_shows_every_stage_and_what_decided_there(world) -> None:
    said = _ran(world, MODEL)
    for part in (
        "stage train v1",
        "epochs 4.0",
        "stage synthesize",
        "teacher: rules:teacher",
        "member 1: rules:labeler-state",
    ):
        assert part in said
    for part in (
        "stage corrupt",
        "scenario 4",
        "seed 42",
        "sgd/train/dialogues_001.json@5ce28a6e656b",
        "whole: 7 artifacts",
    ):
        assert part in said
    assert max(map(len, said.splitlines())) <= 200
    assert not [line for line in said.splitlines() if line != line.rstrip()]


def test_depth_cuts_the_tree_and_says_so(world) -> None:
    said = _ran(world, MODEL, "--depth", "1")
    assert "stage synthesize" in said
    assert "stage relabel" not in said
    assert "a larger --depth shows them" in said


def test_json_has_all_hashes_whole(world) -> None:
    found = _document(world, MODEL)
    assert found["whole"]
    assert found["problems"] == []
    named = {node["name"] for node in found["nodes"]}
    for node in found["nodes"]:
        assert set(node["inputs"]) <= named
        assert node["revision"] is None or re.fullmatch("[0-9a-f]{40}", node["revision"])
        if node["lineage"]:
            assert node["lineage"]["fingerprint"] == node["fingerprint"]
            assert node["lineage"]["packages"]


def test_a_synthetic_row_is_told_from_the_dialogues_on(world) -> None:
    said = _ran(world, SYNTHETIC, "--row", "s4-syn-0003")
    history = _document(world, SYNTHETIC, "--row", "s4-syn-0003")["row"]
    exemplars = [one["id"] for one in history["earlier"]]
    assert len(exemplars) == 2
    order = [said.index(f"exemplar {id}") for id in exemplars] + [said.index("row s4-syn-0003, made from the 2 above")]
    assert order == sorted(order)
    for part in ("source", "corrupt", "damage", "filter", "relevance", "relabel", "synthesize", "planned", "topic"):
        assert re.search(rf"^ +{part} ", said, re.MULTILINE), part
    relabelled = history["earlier"][0]
    filtered = relabelled["earlier"][0]
    trace = filtered["earlier"][0]
    assert [one["stage"] for one in (relabelled, filtered, trace)] == ["relabel", "filter", "corrupt"]
    assert relabelled["members"] == ["rules:labeler-state", "rules:labeler-neighbour"]
    assert filtered["values"]["relevance_reason"]
    assert trace["source"]["conversation"]["messages"]
    assert re.fullmatch(r"sgd/.*@sha256:[0-9a-f]{64}", trace["source"]["file"])


def test_a_damaged_row_shows_source_trace_votes_and_result_of_each_changed_turn(world) -> None:
    rows = _document(world, RELABELLED, "--row", "s2-tft-0000")["row"]["values"]["turns"]
    id, turn = next(
        (f"s2-tft-{place:04d}", turn)
        for place in range(8)
        for turn in _document(world, RELABELLED, "--row", f"s2-tft-{place:04d}")["row"]["values"]["turns"]
        if turn["method"] == "arbiter" and turn["changed"]
    )
    assert rows is not None
    said = _ran(world, RELABELLED, "--row", id)
    part = said[said.index(f"message {turn['position']} ") :]
    part = part[: part.index("\n    message")] if "\n    message" in part else part
    for label in ("trace", "rules:labeler-state:", "rules:labeler-neighbour:", "now", "because"):
        assert label in part
    assert turn["call"]["name"] in part
    assert "calls are not those of the dialogue" in said


def test_without_the_sources_dialogues_are_named_and_not_shown(world, tmp_path: Path) -> None:
    said = _ran(world, SYNTHETIC, "--row", "s4-syn-0003", TFT_SOURCES=None, XDG_CACHE_HOME=str(tmp_path))
    assert re.search(r"source +(train|dev|test)/\d+_\d+ in sgd/", said)
    assert "tft sources fetch" in said
    assert "damage" not in said


def test_context_that_was_not_labelled_says_why(world) -> None:
    said = _ran(world, RELABELLED, "--row", next(_context(world)))
    assert "no label: no seed: unlabelled context" in said


def _context(world: Any) -> Any:
    for place in range(8):
        row = _document(world, RELABELLED, "--row", f"s2-tft-{place:04d}")["row"]
        if not row["values"]["kept"]:
            yield row["id"]


def test_a_score_is_told_with_its_question_answer_votes_and_chain(world) -> None:
    said = _ran(world, MODEL, "--row", "test-0000:1")
    for part in ("vllm:local/tft-benchmark-s4-tft-small@", "I do not know.", "no tool call in the text", "code: bad"):
        assert part in said
    for part in ("staged_tool_call: 0.000", "asked", "reference", "judge: rules:judge", "stage train", "stage corrupt"):
        assert part in said
    config = "local--tft-benchmark-s4-tft-small"
    by_config = _document(world, RESULTS, "--row", f"{config}/test-0000:1")
    assert by_config == _document(world, RESULTS, "--row", f"{MODEL}/test-0000:1")
    assert by_config == _document(world, MODEL, "--row", "test-0000:1")
    assert by_config["row"]["scores"]["staged_tool_call"] == 0.0
    assert by_config["row"]["pair"]["id"] == "test-0000:1"


def test_a_training_row_is_found_from_the_model(world) -> None:
    assert _document(world, MODEL, "--row", "s4-syn-0002")["row"]["dataset"].startswith(SYNTHETIC)


def test_a_rejected_row_shows_why(world) -> None:
    def reject(folder: Path) -> None:
        path = folder / "data" / "train.jsonl"
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        rejected = {**rows[0], "kept": False, "reason": "too-long: 30,000 characters", "tries": 5}
        again = {**rows[1], "kept": False, "reason": "near duplicate of a seed", "tries": 1}
        path.write_text("".join(json.dumps(row) + "\n" for row in rows[1:]), encoding="utf-8")
        (folder / "data" / "rejected.jsonl").write_text(f"{json.dumps(rejected)}\n{json.dumps(again)}\n")

    made = world.copy(world.dataset(4, "synthetic"), "tft-benchmark-s4-rejecting", reject)
    said = _ran(world, made.repo_id, "--row", "s4-syn-0000")
    assert re.search(r"rejected +too-long: 30,000 characters", said)
    assert re.search(r"rejected +try 1: near duplicate of a seed", _ran(world, made.repo_id, "--row", "s4-syn-0001"))


def test_a_broken_chain_lists_its_problems_and_ends_with_1(world) -> None:
    def edit(folder: Path) -> None:
        written = json.loads((folder / "lineage.json").read_text())
        written["config"]["target"] = 9
        (folder / "lineage.json").write_text(json.dumps(written))

    made = world.copy(world.dataset(4, "synthetic"), "tft-benchmark-s4-edited", edit)
    for words in ((made.repo_id,), (made.repo_id, "--row", "s4-syn-0003"), (made.repo_id, "--json")):
        done = world.tft("lineage", *words)
        assert isinstance(done.exception, CheckFailed)
        assert "was changed after it was written" in done.stdout
        assert "whole:" not in done.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((f"{NS}/small",), "has no lineage.json"),
        ((f"{NS}/nothing",), "neither as a dataset nor as a model"),
        ((f"{SYNTHETIC}@v9",), "at revision 'v9'"),
        ((SYNTHETIC, "--kind", "model"), "was not found"),
        ((SYNTHETIC, "--row", "s4-syn-003"), "near it are s4-syn-0003"),
        ((SYNTHETIC, "--row", "s4-syn-0100"), "its 8 ids are s4-syn-0000 to s4-syn-0007"),
        ((RESULTS, "--row", "test-0000:1"), "is named CONFIG/PAIR_ID"),
        ((RESULTS, "--row", f"{MODEL}/test-9999:1"), "has no row of"),
        ((MODEL, "--row", "test-0000:1", "--results", f"{NS}/none"), "was not found"),
        ((MODEL, "--row", "s9-syn-0001"), "ids are s4-syn-0000 to"),
        (("not a name",), "is no repository name"),
    ],
)
def test_bad_input_is_one_sentence_with_a_next_step(world, words: tuple[str, ...], expected: str) -> None:
    assert expected in _refused(world, *words)


def test_text_from_a_dataset_can_not_steer_the_terminal(world) -> None:
    def poison(folder: Path) -> None:
        path = folder / "data" / "train.jsonl"
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        rows[0]["topic"] = "\x1b]0;owned\x07 [bold red]x[/] \x1b[2J"
        rows[0]["messages"][0]["content"] = "[/nonsense] \x1b[31mred"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    made = world.copy(world.dataset(4, "synthetic"), "tft-benchmark-s4-poisoned", poison)
    said = _ran(world, made.repo_id, "--row", "s4-syn-0000")
    assert "\x1b" not in said
    assert "[bold red]x[/]" in said
