"""What a stage reads is one file, found in files, folders and datasets alike; rejected rows are not trained on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.data.formats.messages import dump_conversation
from harness.data.sample import sample_conversations
from harness.data.traces.trace_input import CONVERSATIONS, choose_file, read_input
from harness.errors import DataError, UsageError
from harness.training.data import read_training_data

SAMPLE = sample_conversations(3)


@pytest.mark.parametrize(
    ("files", "arm", "chosen"),
    [
        (["data/rejected.jsonl", "data/train.jsonl", "README.md"], None, "data/train.jsonl"),
        (["data/tft/train.jsonl", "data/direct/train.jsonl"], "tft", "data/tft/train.jsonl"),
        (["data/tft/train.jsonl", "data/tft/rejected.jsonl"], None, "data/tft/train.jsonl"),
        (["data/train-0-of-1.parquet", "data/test-0-of-1.parquet"], None, "data/train-0-of-1.parquet"),
        (["data/mine.jsonl"], None, "data/mine.jsonl"),
    ],
)  # fmt: skip
def test_of_several_files_that_of_training_is_read(files: list[str], arm: str | None, chosen: str) -> None:
    assert choose_file(files, "it", arm) == chosen


def test_what_cannot_be_chosen_is_said() -> None:
    with pytest.raises(UsageError, match=r"several files \(direct, tft\); choose one with --arm"):
        choose_file(["data/tft/train.jsonl", "data/direct/train.jsonl"], "it", None)
    with pytest.raises(UsageError, match="no arm 'raw'; it has tft"):
        choose_file(["data/tft/train.jsonl"], "it", "raw")
    with pytest.raises(DataError, match=r"no \.jsonl file below data/"):
        choose_file(["README.md"], "it", None)


def test_a_test_set_is_read_only_where_it_is_asked_for() -> None:
    """Nothing is trained on one by mistake."""
    files = [CONVERSATIONS, "data/pairs/test.jsonl", "data/logged.jsonl"]
    assert choose_file(files, "it", None, tests=True) == CONVERSATIONS
    with pytest.raises(UsageError, match="it has several files"):
        choose_file(files, "it", None)


def test_the_folder_of_a_stage_or_a_job_is_read_like_its_file(tmp_path: Path) -> None:
    text = "".join(json.dumps(dump_conversation(one)) + "\n" for one in SAMPLE)
    for name in ("stage/data/train.jsonl", "job/traces.jsonl"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
        found = read_input(str(tmp_path / name.partition("/")[0]), None)
        assert (found.path, found.name) == (path, read_input(str(path), None).name)
        assert [row.conversation for row in found.rows()] == list(SAMPLE)
    with pytest.raises(UsageError, match="neither a file nor a folder"):
        read_input("nothing/there", None)


def test_what_an_earlier_stage_rejected_is_not_trained_on(tmp_path: Path) -> None:
    rows = [{**dump_conversation(one), "kept": kept} for one, kept in zip(SAMPLE, (True, False, None), strict=True)]
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = read_training_data(str(path), None, arm=None)
    assert data.conversations == (SAMPLE[0], SAMPLE[2])
    assert data.counts["conversations left out, rejected by an earlier stage"] == 1
    path.write_text(json.dumps(rows[1]) + "\n")
    with pytest.raises(DataError, match=r"no assistant turn to learn from \(1 conversations were rejected"):
        read_training_data(str(path), None, arm=None)
