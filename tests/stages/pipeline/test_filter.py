"""`tft filter`: what is kept, what is not and why, and that nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from harness.data.records import Conversation, Message
from harness.hubd.embedded import running


def test_clean_traces_are_kept_and_every_row_has_its_ratings(tft, job: Path, tmp_path: Path, rows) -> None:
    done = tft("filter", "--job", job, "--out", tmp_path / "out", "--json")
    assert done.exit_code == 0, done.output
    counts = json.loads(done.stdout)
    assert (counts["traces"], counts["kept"]) == (60, 60)
    for row in rows(tmp_path / "out"):
        assert row["kept"]
        assert row["reason"] == ""
        assert 4 <= row["relevance"] <= 5
        assert 3 <= row["coherence"] <= 5
    lineage = json.loads((tmp_path / "out" / "lineage.json").read_text(encoding="utf-8"))
    assert lineage["config"]["teacher"]["name"] == "rules:teacher"
    assert lineage["inputs"][0].startswith("traces.jsonl@sha256:")
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "Rules, not language models" in card


def test_a_row_that_cannot_be_read_stays_with_its_line_and_the_rest_goes_on(
    tft, job: Path, tmp_path: Path, rows
) -> None:
    with (job / "traces.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"messages": [{"role": "wizard", "content": "hi"}]}) + "\n")
        stream.write("{not json\n")
    assert tft("filter", "--job", job, "--out", tmp_path / "out").exit_code == 0
    found = rows(tmp_path / "out")
    assert len(found) == 62
    unreadable = [row for row in found if not row["kept"]]
    assert ["line 61" in unreadable[0]["reason"], "wizard" in unreadable[0]["reason"]] == [True, True]
    assert "line 62" in unreadable[1]["reason"]
    assert [row["messages"] for row in unreadable] == [[], []]


def test_shuffled_conversations_are_rejected_by_the_checks_before_anybody_rates_them(
    tft, clean: Sequence[Conversation], tmp_path: Path, rows, write_job
) -> None:
    shuffled = [_shuffled(one) for one in clean[:30]]
    write_job(tmp_path / "job", [*shuffled, *clean[30:]])
    assert tft("filter", "--job", tmp_path / "job", "--out", tmp_path / "out").exit_code == 0
    found = rows(tmp_path / "out")
    assert sum(row["kept"] for row in found[:30]) <= 1
    assert all(row["kept"] for row in found[30:])
    assert all(row["relevance"] is None for row in found if row["reason"].startswith("role-order"))


def _shuffled(one: Conversation) -> Conversation:
    messages = list(one.messages)
    Random(one.id).shuffle(messages)
    return replace(one, messages=tuple(messages))


def test_an_empty_result_says_which_threshold_did_it_and_keeps_the_reasons(
    tft, clean: Sequence[Conversation], tmp_path: Path, noisy, rows, write_job
) -> None:
    write_job(tmp_path / "job", noisy(clean, share=0.6))
    done = tft("filter", "--job", tmp_path / "job", "--coherence", "5", "--out", tmp_path / "out")
    assert done.exit_code != 0
    assert "none of 60 traces is kept" in str(done.exception)
    assert "coherence below 5" in str(done.exception)
    assert "--set coherence=N" in str(done.exception)
    assert [row["kept"] for row in rows(tmp_path / "out")] == [False] * 60


def test_personal_data_is_counted_and_masked_on_request_in_calls_and_results_alike(
    tft, clean: Sequence[Conversation], tmp_path: Path, rows, write_job
) -> None:
    first = clean[0]
    told = Message(role="user", content="Write to mona@example.org or call +44 20 7946 0958.")
    closing = first.messages[1]
    write_job(tmp_path / "job", [replace(first, messages=(*first.messages, told, closing)), *clean[1:]])
    warned = tft("filter", "--job", tmp_path / "job", "--out", tmp_path / "open")
    assert "--redact masks it" in warned.stderr
    done = tft("filter", "--job", tmp_path / "job", "--redact", "--out", tmp_path / "masked")
    assert done.exit_code == 0, done.output
    text = (tmp_path / "masked" / "data" / "train.jsonl").read_text(encoding="utf-8")
    assert "mona@example.org" not in text
    assert "7946" not in text
    assert "[EMAIL_1]" in text
    assert all(row["kept"] for row in rows(tmp_path / "masked"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--set", "relevanz=3"), "settings are relevance"),
        (("--set", "relevance=9"), "relevance"),
        (("--set", "relevance"), "KEY=VALUE"),
        (("--teacher", "rules:labeler-state"), "rules:teacher"),
        (("--to", "me/x"), "--to me/x names a dataset"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(tft, job: Path, tmp_path: Path, words, expected: str) -> None:
    done = tft("filter", "--job", job, "--out", tmp_path / "out", *words)
    assert done.exit_code != 0
    assert expected in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_a_jobs_configuration_sets_thresholds_and_what_it_cannot_set_is_said(tft, job: Path, tmp_path: Path) -> None:
    config = (
        "trace_processing: {min_coherence_score: 2, convert_to_single_turn: false}\nbase: {teacher_model_name: big}\n"
    )
    (job / "config.yaml").write_text(config, encoding="utf-8")
    done = tft("filter", "--job", job, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "out" / "lineage.json").read_text(encoding="utf-8"))["config"]["coherence"] == 2
    assert "names models (arbiter, filter, teacher)" in done.stderr
    assert "trace_processing.convert_to_single_turn" in done.stderr


def test_a_folder_that_no_stage_wrote_is_not_touched(tft, job: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine", encoding="utf-8")
    done = tft("filter", "--job", job, "--out", tmp_path / "out")
    assert "is not the result of a stage" in str(done.exception)
    assert (tmp_path / "out" / "thesis.txt").read_text(encoding="utf-8") == "mine"


def test_what_is_named_without_an_owner_is_the_users_or_the_chosen_namespaces(
    tft, job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path / "hub") as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_TOKEN", hub.token)
        mine = tft("filter", "--job", job, "--to", "kept", "--json")
        assert json.loads(mine.stdout)["repo"] == "local/kept"
        traces = job / "traces.jsonl"
        asked = tft("filter", traces, "--namespace", "ada", "--out", tmp_path / "out")
        assert "ada/tft-benchmark-testset" in str(asked.exception)
        asked = tft("filter", traces, "--out", tmp_path / "out")
        assert "local/tft-benchmark-testset" in str(asked.exception)


def test_without_a_rating_the_checks_alone_decide_and_duplicates_go(
    tft, clean: Sequence[Conversation], tmp_path: Path, rows, write_job
) -> None:
    twin = replace(clean[0], id="twin")
    write_job(tmp_path / "job", [*clean, twin])
    assert tft("filter", "--job", tmp_path / "job", "--no-rating", "--out", tmp_path / "out").exit_code == 0
    found = {row["id"]: row for row in rows(tmp_path / "out")}
    assert not found["twin"]["kept"]
    assert clean[0].id in found["twin"]["reason"]
    assert found[clean[0].id]["kept"]
    assert all(row["relevance"] is None for row in found.values())
