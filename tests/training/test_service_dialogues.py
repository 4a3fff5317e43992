"""The dialogues of other services: which are written, and which never are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.__main__ import tft
from harness.data.formats.published import read_test_conversations
from harness.data.formats.sgd import write_dialogues
from harness.data.records import Conversation
from harness.data.sources import locate
from harness.data.traces.read import read_traces
from harness.errors import SourceError, UsageError

EXTRA = "sgd/train/dialogues_999.json"


def read_whole(path: Path) -> list[Conversation]:
    """The conversations of a file of traces, all of which can be read."""
    found = list(read_traces(path))
    assert [row.problem for row in found if row.problem] == []
    return [row.conversation for row in found]


@pytest.fixture
def few(sources: Path, tmp_path: Path) -> Path:
    """A sources folder with one declared file, of restaurants and media, and one that is not declared."""
    folder = tmp_path / "sources"
    for origin, target in (("sgd/train/dialogues_002.json", None), ("sgd/dev/dialogues_006.json", EXTRA)):
        path = folder / (target or origin)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(sources / origin, path)
    return folder


def test_restaurants_are_left_out_unless_asked_for(few: Path, tmp_path: Path) -> None:
    """And files beyond those of the benchmark count too."""
    path = tmp_path / "dialogues.jsonl"
    result = CliRunner().invoke(
        tft, ["data", "dialogues", "--out", str(path), "--sources", str(few), "--json"], catch_exceptions=False
    )
    report = json.loads(result.stdout)
    conversations = read_whole(path)
    assert report["services"] == {"Media_1": 53, "Music_1": 35, "Media_2": 32, "Hotels_4": 29, "Hotels_1": 27} | {
        "Events_1": 5
    }
    assert report["conversations"] == len(conversations) == 181
    assert len({one.id for one in conversations}) == 181
    assert write_dialogues(locate(few), path)["Restaurants_1"] == 75


def test_no_dialogue_of_the_test_set_is_among_them(sources: Path, tmp_path: Path) -> None:
    """No conversation of restaurants, so none of the test set: no search result of theirs is found in it."""
    path = tmp_path / "dialogues.jsonl"
    write_dialogues(locate(sources), path, exclude=["Restaurants"])
    openings = {one.messages[0].content for one in read_whole(path)}
    test = read_test_conversations(sources / "tft-benchmark" / "test.jsonl")
    assert len(openings) > 500
    assert not openings & {one.messages[0].content for one in test}
    assert "FindRestaurants" not in path.read_text()


def test_a_kind_or_a_single_service_is_left_out(few: Path, tmp_path: Path) -> None:
    counts = write_dialogues(locate(few), tmp_path / "out", exclude=["Media", "Hotels_1"])
    assert {"Media_1", "Media_2", "Hotels_1"}.isdisjoint(counts)
    assert counts["Hotels_4"] == 29


def test_a_service_that_is_not_there_is_refused_with_those_that_are(few: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'Spaceships'.*Events_1, Hotels_1"):
        write_dialogues(locate(few), tmp_path / "out", exclude=["Spaceships"])


def test_a_declared_file_that_was_changed_is_refused(few: Path, tmp_path: Path) -> None:
    with (few / "sgd/train/dialogues_002.json").open("a") as stream:
        stream.write("\n")
    with pytest.raises(SourceError, match="is not the pinned file"):
        write_dialogues(locate(few), tmp_path / "out")
