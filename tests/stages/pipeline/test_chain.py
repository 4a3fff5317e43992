"""`tft relabel` and `tft synthesize` after `tft filter`: damaged traces become training data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.data.formats.jsonl import write_jsonl
from harness.data.formats.message_reader import read_messages
from harness.data.formats.messages import dump_conversation
from harness.data.records import Conversation
from harness.data.sample import sample_conversations, sample_task
from harness.data.tools import Toolbox


@pytest.fixture
def relabelled(tft, clean: Sequence[Conversation], tmp_path: Path, noisy, write_job) -> Path:
    """The sample traces, damaged and relabelled by rules, with the truth beside the job."""
    job = tmp_path / "job"
    write_job(job, noisy(clean))
    write_jsonl(job / "clean.jsonl", map(dump_conversation, clean))
    done = tft("relabel", "--job", job, "--out", tmp_path / "relabelled")
    assert done.exit_code == 0, done.output
    return tmp_path / "relabelled"


def test_names_are_repaired_and_what_users_and_tools_said_is_untouched(
    relabelled: Path, clean: Sequence[Conversation], rows
) -> None:
    names, right = 0, 0
    for row, truth in zip(rows(relabelled), clean, strict=True):
        messages = read_messages(row["messages"], strict=True)
        assert len(messages) == len(truth.messages)
        for message, before in zip(messages, truth.messages, strict=True):
            if before.role != "assistant":
                assert message == before
                continue
            names += 1
            right += message.tool_calls[0].name == before.tool_calls[0].name
            assert message.tool_calls[0].id == before.tool_calls[0].id
    assert right / names > 0.98


def test_every_kept_call_is_valid_and_every_turn_says_how_it_was_decided(relabelled: Path, rows) -> None:
    toolbox = Toolbox(sample_task().tools)
    for row in rows(relabelled):
        turns = [message for message in row["messages"] if message["role"] == "assistant"]
        assert len(row["turns"]) == len(turns)
        assert all(len(turn["candidates"]) == 2 for turn in row["turns"])
        if row["kept"]:
            calls = [message.tool_calls[0] for message in read_messages(turns, strict=True)]
            assert not [problem for call in calls for problem in toolbox.problems(call)]
        else:
            assert row["reason"]


def test_the_card_has_the_committees_work_and_the_repair_with_its_plot(relabelled: Path) -> None:
    card = (relabelled / "README.md").read_text(encoding="utf-8")
    for part in ("Gwet's AC1", "Dawid and Skene", "raw traces", "## Repair, measured against the clean traces"):
        assert part in card
    assert "&#" not in card
    assert (relabelled / "plots" / "repair.png").stat().st_size > 10_000


def test_seeds_are_relabelled_and_the_rest_becomes_context(tft, job: Path, tmp_path: Path, rows) -> None:
    done = tft("relabel", "--job", job, "--seeds", "7", "--out", tmp_path / "out", "--json")
    assert json.loads(done.stdout)["conversations"] == 7
    found = rows(tmp_path / "out")
    assert len(found) == 60
    assert sum(row["kept"] for row in found) == 7
    assert {row["reason"] for row in found if not row["kept"]} == {"no seed: unlabelled context"}


def test_what_the_filter_rejected_is_not_relabelled(tft, clean, tmp_path: Path, write_job, rows) -> None:
    broken = replace(clean[0], id="broken", messages=clean[0].messages[::-1])
    write_job(tmp_path / "job", [broken, *clean[1:]])
    assert tft("filter", "--job", tmp_path / "job", "--out", tmp_path / "filtered").exit_code == 0
    done = tft("relabel", tmp_path / "filtered", "--job", tmp_path / "job", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "broken" not in {row["id"] for row in rows(tmp_path / "out")}


def test_synthetic_conversations_are_valid_differ_and_reach_the_target(
    tft, relabelled: Path, tmp_path: Path, rows
) -> None:
    words = ("synthesize", relabelled, "--job", tmp_path / "job", "--target", "60", "--lengths", "seeds")
    done = tft(*words, "--out", tmp_path / "synthetic", "--json")
    assert done.exit_code == 0, done.output
    counts = json.loads(done.stdout)
    assert counts["accepted"] == 60
    assert counts["distance"] < 0.1
    found = rows(tmp_path / "synthetic")
    assert [row["id"] for row in found] == [f"syn-{number:04d}" for number in range(60)]
    toolbox = Toolbox(sample_task().tools)
    for row in found:
        messages = read_messages(row["messages"], strict=True)
        assert messages[0].role == "user"
        assert messages[-1].role == "assistant"
        assert not [problem for one in messages for call in one.tool_calls for problem in toolbox.problems(call)]
    assert len({json.dumps(row["messages"]) for row in found}) == 60
    gate = json.loads((tmp_path / "synthetic" / "decontamination.json").read_text(encoding="utf-8"))
    assert gate["test_set"].startswith("test.jsonl@sha256:")
    assert gate["test_conversations"] == 6
    assert gate["compared"]["drafts"] >= 60
    again = tft(*words, "--out", tmp_path / "again")
    assert again.exit_code == 0
    assert rows(tmp_path / "again") == found


def test_planted_test_conversations_stop_the_run_and_are_named(tft, job: Path, tmp_path: Path) -> None:
    planted = list(sample_conversations(6, seed=99))[:2]
    seeds = [*sample_conversations(5, seed=3), *(replace(one, id=f"mine-{n}") for n, one in enumerate(planted))]
    write_jsonl(tmp_path / "seeds.jsonl", map(dump_conversation, seeds))
    done = tft("synthesize", tmp_path / "seeds.jsonl", "--job", job, "--target", "5", "--out", tmp_path / "out")
    assert done.exit_code == 1
    for number in range(2):
        assert f"mine-{number} is test-000{number}" in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_a_dry_run_asks_nothing_and_writes_nothing(tft, job: Path, tmp_path: Path) -> None:
    for verb in ("filter", "relabel"):
        done = tft(verb, "--job", job, "--out", tmp_path / "out", "--dry-run")
        assert done.exit_code == 0, done.output
        assert "nothing is asked" in done.stdout
    assert not (tmp_path / "out").exists()
