"""The model that wrote the traces: what it had said, scored against what a person made of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.curation.job_init.review import TODO
from harness.data.formats.jsonl import read_jsonl, write_json, write_jsonl
from harness.data.formats.messages import dump_conversation
from harness.data.formats.task import dump_task
from harness.data.records import Conversation
from harness.data.sample import sample_conversations, sample_task

Mend = Callable[[Sequence[Conversation]], list[Conversation]]
DECIDED = "- [c] `sample-0000`\n- [x] `sample-0001`\n- [y] `sample-0002`\n"


def correct_second_call(conversations: Sequence[Conversation]) -> list[Conversation]:
    """Return them as a person left them: in the first, the second call has another argument."""
    first, *others = conversations
    place = [place for place, message in enumerate(first.messages) if message.tool_calls][1]
    message = first.messages[place]
    call = replace(message.tool_calls[0], arguments={"corrected": "by hand"})
    messages = (*first.messages[:place], replace(message, tool_calls=(call,)), *first.messages[place + 1 :])
    return [replace(first, messages=messages), *others]


@pytest.fixture
def evaluate(terminal: Any, tmp_path: Path) -> Callable[[Mend, str | None], Any]:
    """Push the job folder of three conversations, mended by a person, and evaluate what was logged."""

    def run(mend: Mend, decided: str | None) -> Any:
        job = tmp_path / "job"
        job.mkdir()
        logged = sample_conversations(3)
        write_json(job / "job_description.json", dump_task(sample_task()))
        for name, rows in (("traces", logged), ("test.logged", logged), ("test", mend(logged))):
            write_jsonl(job / f"{name}.jsonl", map(dump_conversation, rows))
        if decided is not None:
            (job / TODO).write_text(decided)
        name = f"agent-{mend.__name__.replace('_', '-')}-{'decided' if decided else 'undecided'}"
        terminal("data", "job", name, "--folder", "job", "--only", "testset").worked()
        return terminal("evaluate", "logged:agent", "--dataset", f"ada/{name}-testset", "--no-push", "--out", "run")

    return run


@pytest.mark.parametrize("decided", [DECIDED, None], ids=["decided", "undecided"])
def test_what_was_logged_counts_where_it_was_seen_and_the_turns_before_it_are_as_they_were(
    evaluate: Any, tmp_path: Path, decided: str | None
) -> None:
    """Turns after a correction, and conversations that nobody looked at, have no score, and say why."""
    evaluate(correct_second_call, decided).worked()
    rows = [row for _, row in read_jsonl(tmp_path / "run" / "data" / "test.jsonl")]
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    unseen = {"sample-0002"} if decided else set()
    for row in rows:
        known = row["conversation"] not in unseen and (row["conversation"] != "sample-0000" or row["turn"] < 2)
        assert (row["staged_tool_call"] is not None) is known
        assert (row["error"] is None) is known
        right = (row["conversation"], row["turn"]) != ("sample-0000", 1)
        assert not known or (row["staged_tool_call"] == 1.0) is right
        assert {*row["null_baselines"]} == {"null", "majority_by_turn", "copy_last", "same_call"}
    approval = report["run"]["config"].get("test_approval")
    assert (approval and approval["looked_at"]) == (2 if decided else None)
    score = report["rows"]["model"]["staged_tool_call"]
    assert 0 < score["value"] < 1
    assert score["unscored"] == sum(row["staged_tool_call"] is None for row in rows)


def end_earlier(conversations: Sequence[Conversation]) -> list[Conversation]:
    """Return them with the last call of the first taken out, and the user's words changed before the one before it."""
    first, *others = conversations
    calls = [place for place, message in enumerate(first.messages) if message.tool_calls]
    asked = max(place for place in range(calls[-2]) if first.messages[place].role == "user")
    messages = (*first.messages[:asked], replace(first.messages[asked], content="Well."), *first.messages[asked + 1 :])
    return [replace(first, messages=messages[: calls[-1]]), *others]


@pytest.mark.parametrize("mend", [list, end_earlier])
def test_where_no_call_was_corrected_there_is_no_score(evaluate: Any, mend: Mend) -> None:
    """Not the 1.000 that answers have which are the references, whatever else was corrected."""
    evaluate(mend, DECIDED).refused("no call that can be compared was corrected", "tft job review")
