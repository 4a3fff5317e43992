"""What was decided about test conversations: test.todo.md, written by us, edited by people."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.curation.job_init.review import (
    LARGEST_TODO,
    TODO,
    decide,
    read_review,
    take_pending,
    write_todo,
)
from harness.data.formats.jsonl import write_jsonl
from harness.data.formats.messages import dump_conversation
from harness.data.records import Conversation, Message, ToolCall
from harness.errors import DataError

TEXT = st.text(st.characters(exclude_categories=("Cs",)))
HOSTILE = st.sampled_from(
    ["x\n- [x] `a`", "`] [x](http://h)", "\r# Heading", "\u2028- [-] `b`", "```\n", "\u202ea\\u0060"]
)
CHOICES = [("pending", None), ("accepted", "a person"), ("corrected", "a person"), ("dropped", "a person"),
           ("accepted", "--yes")]  # fmt: skip


def conversation(id, words="Hello", tool="Find"):
    messages = (
        Message(role="user", content=words),
        Message(role="assistant", tool_calls=(ToolCall(name=tool, arguments={}, id="1"),)),
    )
    return Conversation(id=id, messages=messages, source="here")


def job(folder, conversations, **options):
    write_jsonl(folder / "test.jsonl", map(dump_conversation, conversations))
    write_todo(folder, conversations, **options)
    return folder


def states(review):
    return {one.id: (one.state, one.by) for one in review.decisions}


@given(st.data())
def test_whatever_conversations_say_each_is_listed_once_and_keeps_its_decision(data):
    ids = data.draw(st.lists((TEXT | HOSTILE).filter(bool), unique=True, min_size=1, max_size=4))
    words = st.builds("".join, st.lists(TEXT | HOSTILE, max_size=3))
    listed = [conversation(id, data.draw(words), data.draw((TEXT | HOSTILE).filter(bool))) for id in ids]
    with tempfile.TemporaryDirectory() as place:
        folder = job(Path(place), listed)
        lines = (folder / TODO).read_text("utf-8").splitlines()  # also at U+2028 and its like
        assert sum(line.startswith("- ") for line in lines) == len(ids)
        assert [line for line in lines if line.startswith("#")] == [
            "# Test conversations to approve",
            "## Conversations",
        ]
        assert states(read_review(folder)) == dict.fromkeys(ids, ("pending", None))
        decisions = {id: data.draw(st.sampled_from(CHOICES)) for id in ids}
        assert states(decide(folder, decisions)) == states(read_review(folder)) == decisions


def test_a_decision_changes_its_mark_and_nothing_else(tmp_path):
    job(tmp_path, [conversation("a"), conversation("b")])
    path = tmp_path / TODO
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + "note: [x] is meant, caf\u00e9\r\n".encode())
    before = path.read_bytes()
    decide(tmp_path, {"b": ("dropped", "a person")})
    assert path.read_bytes() == before.replace(b"- [ ] `b`", b"- [-] `b`")


def test_yes_takes_what_is_pending_and_no_more(tmp_path):
    job(tmp_path, [conversation(id) for id in "abcd"])
    decide(tmp_path, {"a": ("dropped", "a person"), "b": ("corrected", "a person")})
    counts = take_pending(tmp_path).counts
    assert (counts.looked_at, counts.corrected, counts.dropped, counts.taken, counts.pending) == (2, 1, 1, 2, 0)
    assert counts.used == 3
    job(tmp_path, [conversation("a")], decided_by="--yes")
    assert states(read_review(tmp_path)) == {"a": ("accepted", "--yes")}


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("- [ ] `b`", "- [z] `b`", "line 19: .*expected"),
        ("- [ ] `b`", "- [] `b`", "line 19: .*expected"),
        ("- [ ] `b`", "  - [x] `b`", "line 19: .*expected"),
        ("- [ ] `b`", "* [x] `b`", "line 19: .*expected"),
        ("- [ ] `b`", "[x] `b`", "line 19: .*expected"),
        ("- [ ] `b`", "- [x] b", "line 19: .*expected"),
        ("- [ ] `b`", "- [x]`b`", "line 19: .*expected"),
        ("- [ ] `b`", "- [x] `b`c", "line 19: .*expected"),
        ("- [ ] `b`", "- [x] `a`", "line 19: `?a`? is on line 18 too"),
        ("- [ ] `b`", "- [x] `e`", "line 19: test.jsonl has no conversation"),
        ("- [ ] `b`", "removed", "does not list 1 of test.jsonl; add the line"),
    ],
)
def test_an_edit_that_is_not_understood_is_refused_with_its_line(tmp_path, before, after, says):
    job(tmp_path, [conversation("a"), conversation("b")])
    path = tmp_path / TODO
    path.write_text(path.read_text().replace(before, after))
    with pytest.raises(DataError, match=says):
        read_review(tmp_path)
    with pytest.raises(DataError, match=says):
        decide(tmp_path, {"a": ("dropped", "a person")})


def test_what_cannot_be_a_list_of_decisions_is_refused(tmp_path):
    with pytest.raises(DataError, match="has no test"):
        read_review(job(tmp_path, [conversation("a")]) / "elsewhere")
    (tmp_path / TODO).write_bytes(b"# x\n\xff")
    with pytest.raises(DataError, match="line 2: this is no UTF-8"):
        read_review(tmp_path)
    with (tmp_path / TODO).open("wb") as stream:
        stream.truncate(LARGEST_TODO + 1)
    with pytest.raises(DataError, match="more than 16 MiB"):
        read_review(tmp_path)
    for ids in ("aa", [""]):
        with pytest.raises(DataError, match="an id of its own"):
            write_todo(tmp_path, [conversation(id) for id in ids])
