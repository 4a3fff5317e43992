"""What a job folder lacks is found, each with what to do; a folder that lacks nothing passes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.curation.job_init.check import check_job
from harness.data.formats.messages import dump_conversation
from support import library_dialogues, tft
from support.trace_exports import write_export

ENVIRONMENT: dict[str, str] = {}
Rows = list[dict[str, Any]]


def run(folder: Path, *words: str | Path) -> tft.Done:
    return tft.run(["job", *words], environment=ENVIRONMENT, folder=folder)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job folder, its test set taken with --yes."""
    folder = tmp_path_factory.mktemp("made")
    tools = list(library_dialogues.task().tools)
    write_export(folder / "spans.jsonl", "otlp", library_dialogues.clean(50), tools)
    (folder / "tools.json").write_text(json.dumps(tools), encoding="utf-8")
    told = "You lend books."
    done = run(folder, "init", "spans.jsonl", "--out", "job", "--tools", "tools.json", "--task", told, "--yes").worked()
    assert "next:\n  tft job check job\n  tft benchmark --job job" in done.out
    assert "draft" not in done.out
    return folder / "job"


@pytest.fixture
def copy(job: Path, tmp_path: Path) -> Path:
    for path in job.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def rows(path: Path) -> Rows:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write(path: Path, rows: Rows) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_a_folder_that_was_just_made_lacks_nothing(job: Path) -> None:
    found = check_job(job)
    assert not any(one.missing for one in found)
    assert any("nobody looked at 10 of 10" in one.what for one in found)


def test_approval_is_what_a_folder_without_yes_lacks(job: Path, tmp_path: Path) -> None:
    done = run(tmp_path, "init", job.parent / "spans.jsonl", "--out", "job", "--json").worked()
    record = json.loads(done.out)
    assert record["rows"] == 50 == record["traces"] + record["test"] + record["set_aside"]
    assert record["next"][0] == "tft job review job"
    done = run(tmp_path, "check", "job", "--json")
    assert done.status == 1
    found = json.loads(done.out)
    assert not found["ok"]
    assert found["findings"][0]["what"] == "10 of 10 test conversations are not approved"
    assert "tft job review job" in found["findings"][0]["advice"]
    refused = run(tmp_path, "init", job.parent / "spans.jsonl", "--out", "job").refused("has files in it already")
    assert "--out" in refused


def _no_test(folder: Path) -> None:
    (folder / "test.jsonl").unlink()


def _same(folder: Path) -> None:
    write(folder / "traces.jsonl", [*rows(folder / "traces.jsonl"), {**rows(folder / "test.jsonl")[0], "id": "again"}])


def _undefined(folder: Path) -> None:
    task = json.loads((folder / "job_description.json").read_text(encoding="utf-8"))
    task["tools"] = [tool for tool in task["tools"] if tool["function"]["name"] != "BorrowBook"]
    (folder / "job_description.json").write_text(json.dumps(task), encoding="utf-8")


def _unusable(folder: Path) -> None:
    task = json.loads((folder / "job_description.json").read_text(encoding="utf-8"))
    task["tools"][0]["function"]["parameters"] = {"type": "strin"}
    (folder / "job_description.json").write_text(json.dumps(task), encoding="utf-8")


def _users(folder: Path) -> None:
    for name in ("traces.jsonl", "test.jsonl"):
        write(folder / name, [{**row, "user_id": f"u{at % 3}"} for at, row in enumerate(rows(folder / name))])


def _bad_line(folder: Path) -> None:
    path = folder / "test.todo.md"
    path.write_text(path.read_text(encoding="utf-8").replace("- [y]", "- [?]", 1), encoding="utf-8")


def _one(folder: Path) -> None:
    write(folder / "test.jsonl", rows(folder / "test.jsonl")[:1])
    (folder / "test.todo.md").unlink()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_no_test, "there is no test.jsonl"),
        (_same, "1 traces are test conversations too, again is"),
        (_undefined, "of tools that the task does not have: BorrowBook"),
        (_unusable, "cannot be used, its parameters are no JSON schema"),
        (_users, "3 users or sessions are in the traces and in the test set"),
        (_bad_line, "test.todo.md cannot be read"),
        (_one, "1 test conversations cannot tell anything"),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_what_is_missing_is_named_with_what_to_do(copy: Path, damage: Callable[[Path], None], words: str) -> None:
    damage(copy)
    (found,) = [one for one in check_job(copy) if words in one.what]
    assert found.missing
    assert found.advice


def test_a_folder_made_by_hand_says_nothing_of_approval(copy: Path) -> None:
    (copy / "test.todo.md").unlink()
    write(copy / "test.jsonl", [dump_conversation(one) for one in library_dialogues.clean(90)[70:]])
    assert not any("approved" in one.what for one in check_job(copy))
