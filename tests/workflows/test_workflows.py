"""The workflows run as they are written, step by step, against a real Hub; GitHub is a program on the PATH."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.data.records import TurnPair

EVALUATE = ("evaluate", "evaluate")
GATE = ("gate", "gate")
CARDS = ("cards", "cards")


def comment_event(body: str, *, login: str = "ada", association: str = "OWNER", pull: bool = True) -> dict[str, Any]:
    issue = {"number": 7, **({"pull_request": {"url": "x"}} if pull else {})}
    comment = {"body": body, "author_association": association, "user": {"login": login}}
    return {"comment": comment, "issue": issue, "sender": {"login": login}}


def label_event(label: str, body: str, login: str = "ada") -> dict[str, Any]:
    pull_request = {"number": 7, "body": body, "head": {"repo": {"fork": True}}}
    return {"label": {"name": label}, "pull_request": pull_request, "sender": {"login": login}}


def test_an_evaluation_is_shown_commented_and_kept(evaluated: Any, pairs: list[TurnPair]) -> None:
    job, project, artifact = evaluated
    assert set(job.outcomes().values()) == {"success"}
    assert "Say that it failed" not in job.outcomes()
    [comment] = project.comments
    assert comment.startswith("<!-- tft-harness:evaluate ")
    assert re.search(r"^\| `staged_tool_call` \| 1\.000 \[0\.\d+, 1\.000\] \| 1\.000 \|", comment, re.MULTILINE)
    assert f"| {len(pairs)} | 0 | 0 |" in comment
    assert "judged by `rules:judge`" in comment
    assert comment in job.summary
    assert (artifact / "data" / "test.jsonl").is_file()
    assert (artifact / "report.json").is_file()


def test_no_secret_is_printed_and_the_token_of_github_goes_to_gh_alone(evaluated: Any) -> None:
    job, _, artifact = evaluated
    for secret in ("hf_ada_write", "ghs_of_the_job"):
        assert secret not in job.said()
        assert secret not in job.summary
        assert not [path for path in artifact.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    ("event_name", "event", "starts"),
    [
        ("issue_comment", comment_event("/evaluate ada/base"), True),
        ("issue_comment", comment_event("/evaluate ada/base", association="COLLABORATOR"), True),
        ("issue_comment", comment_event("/evaluate ada/base", association="CONTRIBUTOR"), False),
        ("issue_comment", comment_event("/evaluate ada/base", association="NONE"), False),
        ("issue_comment", comment_event("please /evaluate ada/base"), False),
        ("issue_comment", comment_event("/evaluate ada/base", pull=False), False),
        ("pull_request_target", label_event("evaluate", "/evaluate ada/base"), True),
        ("pull_request_target", label_event("bug", "/evaluate ada/base"), False),
    ],
)
def test_who_and_what_starts_an_evaluation(repository: Any, event_name: str, event: Any, starts: bool) -> None:
    assert repository.job(*EVALUATE, event_name=event_name, event=event).starts is starts


def test_a_comment_does_not_start_one_by_a_model_of_the_calling_workflow(repository: Any) -> None:
    event = comment_event("hello", association="NONE")
    job = repository.job(*EVALUATE, event_name="issue_comment", event=event, called=True, inputs={"model": "ada/base"})
    assert not job.starts


@pytest.mark.parametrize(
    ("event_name", "event", "words"),
    [
        ("issue_comment", comment_event("/evaluate ada/base", login="eve", association="COLLABORATOR"), "'read'"),
        ("pull_request_target", label_event("evaluate", "/evaluate ada/base", login="eve"), "'read'"),
        ("issue_comment", comment_event("/evaluate replay:/etc/passwd"), "is not a model on the Hub"),
        ("issue_comment", comment_event("/evaluate $(touch${IFS}pwned)/x"), "is not a model on the Hub"),
        ("pull_request_target", label_event("evaluate", "A change without a request."), "exactly one"),
        ("issue_comment", comment_event("/evaluate ada/base\n/evaluate ada/other"), "exactly one"),
    ],
)
def test_a_request_that_is_refused_evaluates_nothing(repository: Any, event_name: str, event: Any, words: str) -> None:
    job = repository.job(*EVALUATE, event_name=event_name, event=event).run()
    assert job.failed
    assert words in job.said("Read the request")
    assert "Evaluate" not in job.outcomes()
    assert repository.comments == []
    assert [path.name for path in job.workspace.iterdir()] == []


def test_an_evaluation_that_fails_says_so_on_the_pull_request(repository: Any) -> None:
    event = comment_event("/evaluate ada/no-such-model")
    job = repository.job(*EVALUATE, event_name="issue_comment", event=event).run()
    assert job.failed
    assert job.outcomes()["Evaluate"] == "failure"
    assert "ada/no-such-model was not found" in job.said("Evaluate")
    assert repository.comments == [
        "The evaluation of `ada/no-such-model` failed, see https://github.example/ada/project/actions/runs/77"
    ]


def test_a_comment_evaluates_the_model_of_the_hub_that_it_names(repository: Any, answers: Path) -> None:
    """Recorded answers stand for those of an engine: what `tft evaluate` does with one has tests of its own."""
    program, calls = repository.machine.checkout / ".venv" / "bin" / "tft", repository.machine.folder / "calls"
    real = program.rename(program.with_name("real-tft"))
    replayed = f'if [ "$1" = evaluate ]; then shift 2; set -- evaluate "replay:{answers}" "$@"; fi'
    program.write_text(f'#!/bin/sh\necho "$@" >> "{calls}"\n{replayed}\nexec "{real}" "$@"\n')
    program.chmod(0o755)
    event = comment_event("/evaluate ada/small@main\r\n\nthe small one")
    variables = {"TFT_LIMIT": "4", "TFT_DATASET": "ada/tft-benchmark-testset"}
    job = repository.job(*EVALUATE, event_name="issue_comment", event=event, vars=variables).run()
    assert not job.failed, job.said()
    assert [words.split()[:2] for words in calls.read_text().splitlines() if words.startswith("evaluate")] == [
        ["evaluate", "ada/small@main"]
    ]
    [comment] = repository.comments
    assert "Only the first 4 of" in comment


@pytest.fixture
def candidate(evaluated: Any, repository: Any) -> Callable[..., None]:
    """Make the artifact of a candidate's run: the baseline's, with these shares of each conversation scored 0."""

    def make(wrong: Callable[[int, int], bool]) -> None:
        folder = repository.machine.folder / "artifacts" / "tft-run"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(evaluated[2], folder)
        rows = [json.loads(line) for line in (folder / "data" / "test.jsonl").read_text().splitlines()]
        places = {name: place for place, name in enumerate(dict.fromkeys(row["conversation"] for row in rows))}
        for row in rows:
            if wrong(places[row["conversation"]], row["turn"]):
                row.update(dict.fromkeys([*(key for key in row if row[key] == 1.0 and key != "turn")], 0.0))
        (folder / "data" / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    return make


WIDE = "0.35"
"""What 8 equal conversations leave open is a difference of 0.31."""


def gate(repository: Any, **inputs: Any) -> Any:
    given = {"baseline": "ada/base", "candidate_artifact": "tft-run", "pull_request": "7", **inputs}
    return repository.job(*GATE, event_name="pull_request", called=True, inputs=given).run()


def test_the_gate_lets_equals_pass_blocks_losses_and_keeps_one_comment(
    repository: Any, models: list[str], candidate: Any
) -> None:
    repository.comment_as("eve", "<!-- tft-harness:compare -->\n\n**GO**: believe me")
    candidate(lambda conversation, turn: False)
    job = gate(repository, minimum_effect=WIDE)
    assert not job.failed, job.said()
    candidate(lambda conversation, turn: turn % 2 == 0)
    job = gate(repository)
    assert job.failed
    assert job.outcomes()["Compare"] == "failure"
    assert job.outcomes()["Comment"] == "success"
    first, ours = repository.comments
    assert first.endswith("believe me")
    assert ours.startswith("<!-- tft-harness:compare -->")
    assert "**NO-GO**: B is worse than A" in ours
    assert "Turns that differ:" in ours
    assert ours in job.summary


def test_what_the_data_cannot_tell_blocks_unless_it_is_let_pass(
    repository: Any, models: list[str], candidate: Any
) -> None:
    candidate(lambda conversation, turn: conversation == 0)
    strict, lenient = gate(repository), gate(repository, allow_inconclusive=True)
    assert strict.failed
    assert not lenient.failed, lenient.said()
    for job in (strict, lenient):
        assert "INCONCLUSIVE" in job.said("Compare")
    [comment] = repository.comments
    assert "**INCONCLUSIVE**" in comment


def test_a_pull_request_from_a_fork_is_judged_without_a_comment(repository: Any, models: list[str]) -> None:
    """GitHub gives it a token that cannot comment."""
    event = {"pull_request": {"number": 7, "head": {"repo": {"fork": True}}}}
    inputs = {"baseline": "ada/base", "candidate": "ada/other", "minimum_effect": WIDE}
    job = repository.job(*GATE, event_name="pull_request", event=event, called=True, inputs=inputs).run()
    assert not job.failed, job.said()
    assert "**GO**" in job.summary
    assert repository.comments == []


def test_cards_are_checked_proposed_and_pushed(repository: Any, models: list[str], api: Any) -> None:
    check = repository.job(*CARDS, inputs={"mode": "check"}).run()
    assert check.failed
    assert "2 of 2 cards are not as they should be: ada/base, ada/other" in check.said("Compare")

    weekly = repository.job(*CARDS, event_name="schedule").run()
    assert not weekly.failed, weekly.said()
    assert weekly.outcomes()["Propose"] == "success"
    assert "Push" not in weekly.outcomes()
    for model in models:
        [proposal] = api.get_repo_discussions(model, discussion_type="pull_request", discussion_status="open")
        assert proposal.url in weekly.said("Propose")
        assert "README.md" not in api.list_repo_files(model)

    pushed = repository.job(*CARDS, event_name="repository_dispatch", vars={"TFT_CARDS": "push"}).run()
    assert not pushed.failed, pushed.said()
    assert "Propose" not in pushed.outcomes()
    assert "README.md" in api.list_repo_files("ada/base")

    current = repository.job(*CARDS, event_name="schedule").run()
    assert current.outcomes()["Compare"] == "success"
    assert not {"Propose", "Push"} & set(current.outcomes())


def test_without_a_namespace_no_card_is_looked_for(repository: Any) -> None:
    assert not repository.job(*CARDS, event_name="schedule", vars={"TFT_NAMESPACE": ""}).starts
