"""A job's test set on the Hub: without what was dropped, and with how many of its conversations a person looked at."""

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.curation.job_init.review import TODO, decide, write_todo
from harness.data.approval import APPROVAL, ReviewCounts, approval_of
from harness.data.formats.jsonl import read_jsonl, write_json, write_jsonl
from harness.data.formats.messages import dump_conversation
from harness.data.formats.task import dump_task
from harness.data.records import Message
from harness.data.sample import sample_conversations, sample_task
from harness.data.tasks import TestSet, text_turns
from harness.errors import DataError
from harness.hub.artifact import Artifact
from harness.hub.client import Hub
from harness.reports.evaluation_tables import prompt_notes
from harness.stages._result import OutputTarget
from harness.stages.job_test_set import JobTestSetRequest, run

TALKS = Artifact(kind="dataset", repo_id="me/talks", revision="a" * 40)
NOBODY = "Nobody looked at the 4 test conversations: what is wrong in them counts as right."


@pytest.fixture
def job(tmp_path):
    folder, listed = tmp_path / "job", sample_conversations(4)
    folder.mkdir()
    write_json(folder / "job_description.json", dump_task(sample_task()))
    for name in ("traces", "test"):
        write_jsonl(folder / f"{name}.jsonl", map(dump_conversation, listed))
    write_todo(folder, listed)
    return folder


def make(job, name="made"):
    out = job.parent / name
    run(JobTestSetRequest(job=job, place=OutputTarget(out=out)), Hub("http://127.0.0.1:9", token=False))
    return out, json.loads((out / "lineage.json").read_text())


def ids(out):
    return [row["id"] for _, row in read_jsonl(out / "data" / "conversations" / "test.jsonl")]


def test_what_was_dropped_is_left_out_and_the_card_and_the_lineage_say_who_looked(job):
    decide(job, {"sample-0000": ("dropped", "a person"), "sample-0001": ("corrected", "a person"),
                 "sample-0002": ("accepted", "a person"), "sample-0003": ("accepted", "--yes")})  # fmt: skip
    out, lineage = make(job)
    assert ids(out) == ["sample-0001", "sample-0002", "sample-0003"]
    assert "sample-0000" not in (out / "data" / "pairs" / "test.jsonl").read_text()
    counts = {"conversations": 4, "looked_at": 3, "corrected": 1, "dropped": 1, "taken": 1, "pending": 0}
    assert lineage["config"][APPROVAL] == counts
    sentence = "A person looked at 3 of the 4 test conversations, nobody at the other 1: 1 corrected, 1 left out."
    assert f"**{sentence}**" in (out / "README.md").read_text()
    assert prompt_notes(lineage["config"]) == [sentence]


@pytest.mark.parametrize("by", [None, "--yes"])
def test_where_nobody_looked_the_card_says_so(job, by):
    write_todo(job, sample_conversations(4), by)
    assert NOBODY in (make(job)[0] / "README.md").read_text()


def test_turns_that_are_text_are_no_pairs_and_are_counted_where_scores_are_shown(job):
    thanks = (Message(role="user", content="Thank you."), Message(role="assistant", content="Gladly."))
    talks = [replace(one, messages=(*one.messages, *thanks)) for one in sample_conversations(4)]
    before = len((make(job, "before")[0] / "data" / "pairs" / "test.jsonl").read_text().splitlines())
    write_jsonl(job / "test.jsonl", map(dump_conversation, talks))
    out, _ = make(job)
    assert len((out / "data" / "pairs" / "test.jsonl").read_text().splitlines()) == before
    assert "| turns that are text and not scored | 4 |" in (out / "README.md").read_text()
    facts = TestSet(artifact=TALKS, task=sample_task(), pairs=(), total=0, texts=text_turns(talks)).facts
    assert prompt_notes(facts) == [
        "4 turns of the assistant in the test set are text and no call, and were not scored."
    ]


def test_a_folder_made_by_hand_says_nothing_and_is_what_it_was(job):
    (job / TODO).unlink()
    out, lineage = make(job)
    assert lineage["config"] == {"configs": ["conversations", "pairs"]}
    assert "looked" not in (out / "README.md").read_text()


def test_a_decision_makes_another_test_set_and_a_note_does_not(job):
    before = make(job, "before")[1]["fingerprint"]
    (job / TODO).write_text((job / TODO).read_text() + "\nI like these.\n")
    assert make(job, "noted")[1]["fingerprint"] == before
    decide(job, {"sample-0000": ("dropped", "a person")})
    one = make(job, "one")[1]["fingerprint"]
    decide(job, {"sample-0000": ("pending", None), "sample-0001": ("dropped", "a person")})
    assert len({before, one, make(job, "other")[1]["fingerprint"]}) == 3


def test_a_test_set_of_which_all_is_dropped_is_refused(job):
    decide(job, {f"sample-000{at}": ("dropped", "a person") for at in range(4)})
    with pytest.raises(DataError, match="all conversations of"):
        make(job)


@given(st.integers(1, 99), st.integers(0, 99))
def test_the_sentence_says_nobody_only_where_nobody_looked(number, looked):
    looked = min(number, looked)
    counts = ReviewCounts(
        conversations=number, looked_at=looked, corrected=0, dropped=0, taken=0, pending=number - looked
    )
    assert counts.sentence.startswith("Nobody looked at") is (looked == 0)
    assert ("nobody at the other" in counts.sentence) is (0 < looked < number)
    assert approval_of({APPROVAL: json.loads(json.dumps(asdict(counts)))}) == counts


@pytest.mark.parametrize("value", [None, {}, 7, {"conversations": "many"}, [1]])
def test_counts_that_cannot_be_read_are_none(value):
    assert approval_of({APPROVAL: value}) is None
