"""Test conversations are decided about, corrected and taken back, and no change of anybody is lost."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest

from harness.curation.job_init.corrections import ReviewDesk, Stale, insert_turn, remove_turn, replace_turn
from harness.curation.job_init.review import TODO, read_review
from harness.data.formats.published import read_test_conversations
from harness.data.records import Message, ToolCall
from harness.errors import DataError, UsageError

CALL = Message(role="assistant", tool_calls=(ToolCall(name="Book", arguments={"seats": 2}),))
REPLY = Message(role="assistant", content="Which city?")


def seen(desk, at):
    one = desk.read()[at]
    return one.decision.id, one.version


def states(folder):
    return [one.state for one in read_review(folder).decisions]


def messages(folder, at=0):
    return read_test_conversations(folder / "test.jsonl")[at].messages


def test_a_correction_changes_one_row_and_its_other_columns_stay(job):
    path = job / "test.jsonl"
    rows = path.read_text().splitlines()
    rows[1] = json.dumps({**json.loads(rows[1]), "model": "m\u2028", "time": None}, ensure_ascii=False)
    path.write_text("\n\n".join(rows) + "\r\n")
    desk = ReviewDesk(job)
    desk.correct(*seen(desk, 1), partial(replace_turn, at=3, turn=REPLY))
    after = path.read_bytes().decode().split("\n\n")
    assert [after[0], after[2]] == [rows[0], rows[2] + "\r\n"]
    changed, before = json.loads(after[1]), json.loads(rows[1])
    assert changed.pop("messages")[3]["content"] == "Which city?"
    assert changed.items() == {key: value for key, value in before.items() if key != "messages"}.items()
    assert states(job) == ["pending", "corrected", "pending"]


def test_what_is_again_as_logged_is_accepted_and_what_is_not_stays_corrected(job):
    desk, logged = ReviewDesk(job), messages(job)
    desk.correct(*seen(desk, 0), partial(replace_turn, at=3, turn=REPLY))
    for state, becomes in (("dropped", "dropped"), ("accepted", "corrected")):
        desk.decide(*seen(desk, 0), state)
        assert states(job)[0] == becomes
    desk.correct(*seen(desk, 0), partial(replace_turn, at=3, turn=logged[3]))
    assert states(job)[0] == "accepted"
    assert messages(job) == logged


def test_everything_can_be_undone_one_change_after_the_other(job):
    desk = ReviewDesk(job)
    before = [(job / name).read_bytes() for name in ("test.jsonl", TODO)]
    desk.decide(*seen(desk, 2), "dropped")
    desk.correct(*seen(desk, 0), partial(insert_turn, at=1, turn=CALL, result="{}"))
    desk.correct(*seen(desk, 0), partial(remove_turn, at=3))
    desk.decide(*seen(desk, 0), "pending")
    assert [desk.undo() for _ in range(4)] == ["a", "a", "a", "c"]
    assert [(job / name).read_bytes() for name in ("test.jsonl", TODO)] == before
    with pytest.raises(UsageError, match="nothing to undo"):
        desk.undo()


@pytest.mark.parametrize("elsewhere", ["mark", "row", "desk"])
def test_a_change_of_what_was_changed_elsewhere_is_refused_and_writes_nothing(job, elsewhere):
    desk = ReviewDesk(job)
    desk.decide(*seen(desk, 0), "accepted")
    old, other = seen(desk, 0), seen(desk, 1)
    if elsewhere == "mark":
        (job / TODO).write_text((job / TODO).read_text().replace("- [x] `a`", "- [ ] `a`"))
    elif elsewhere == "row":
        (job / "test.jsonl").write_text((job / "test.jsonl").read_text().replace("A table", "Two tables", 1))
    else:
        ReviewDesk(job).decide(*old, "dropped")
    before = [(job / name).read_bytes() for name in ("test.jsonl", TODO)]
    for change in (
        partial(desk.decide, *old, "dropped"),
        partial(desk.correct, *old, partial(remove_turn, at=3)),
        desk.undo,
    ):
        with pytest.raises(Stale):
            change()
    assert [(job / name).read_bytes() for name in ("test.jsonl", TODO)] == before
    desk.decide(*other, "accepted")  # another conversation is not concerned


def test_of_two_who_decide_at_once_one_is_refused_and_no_other_decision_is_lost(job):
    desks = [ReviewDesk(job) for _ in range(4)]
    versions = [seen(desks[0], at) for at in range(3)]

    def decide(number):
        try:
            desks[number % 4].decide(*versions[number % 3], "dropped" if number < 6 else "accepted")
        except Stale:
            return 0
        return 1

    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(decide, range(12))) == 3
    assert "pending" not in states(job)


def test_turns_are_replaced_added_and_removed_with_their_results(job):
    one = read_test_conversations(job / "test.jsonl")[0]
    user, call, result, reply = one.messages
    other = replace_turn(one, 1, CALL).messages
    assert (other[1].tool_calls[0].id, other[2:]) == ("1", (result, reply))
    added = insert_turn(one, 2, CALL, "{}").messages
    assert (added[:3], added[5:]) == ((user, call, result), (reply,)), "behind the result of the call before"
    assert added[4].tool_call_id == added[3].tool_calls[0].id != "1"
    assert replace_turn(insert_turn(one, 4, CALL), 1, REPLY).messages[:3] == (user, REPLY, reply)
    assert remove_turn(insert_turn(one, 0, CALL), 2).messages[2:] == (reply,)
    with pytest.raises(ValueError, match="drop it instead"):
        remove_turn(one, 1)


def test_results_that_are_json_of_a_user_are_results_too(job):
    """The benchmark's own layout has them so."""
    one = read_test_conversations(job / "test.jsonl")[0]
    user, call, _, reply = one.messages
    json_text = Message(role="user", content='[{"a": 1}]')
    one = replace(one, messages=(user, call, json_text, reply))
    assert replace_turn(one, 1, CALL).messages[2:] == (json_text, reply)
    assert replace_turn(one, 1, CALL, "[2]").messages[2:] == (Message(role="user", content="[2]"), reply)
    assert replace_turn(one, 1, CALL, "").messages[2:] == (reply,)
    assert insert_turn(one, 2, CALL, "[]").messages[4:] == (Message(role="user", content="[]"), reply)
    assert insert_turn(one, 2, CALL, "done").messages[4].role == "tool", "a user's words are no result"


def test_a_desk_says_what_is_wrong_with_the_files_of_its_folder(job):
    text = (job / "test.jsonl").read_text()
    (job / "test.jsonl").write_text(text + text.splitlines()[0] + "\n")
    with pytest.raises(DataError, match="id twice"):
        ReviewDesk(job)
    (job / "test.jsonl").write_text(text)
    (job / TODO).write_text((job / TODO).read_text().replace("- [ ] `b`", "- [?] `b`"))
    with pytest.raises(DataError, match="line 19"):
        ReviewDesk(job)


def test_a_folder_without_test_conversations_is_told_what_makes_them(job):
    (job / "test.jsonl").unlink()
    (job / TODO).unlink()
    with pytest.raises(DataError, match="tft job init makes it"):
        ReviewDesk(job)
