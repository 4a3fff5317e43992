"""A model whose answers are mostly of no use: each stage says how many it could use, and what was wrong with others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import chat_endpoint

RATED = {"relevance_reason": "fits", "relevance": 5, "coherence_reason": "fits", "coherence": 4}
CUT = "cut off at the limit of tokens"


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("OPENAI_API_KEY", chat_endpoint.KEY)
    with chat_endpoint.serving() as server:
        server.answer = lambda request: json.dumps(RATED)
        server.faults = lambda question, before: "length"
        yield server


@pytest.fixture
def words(endpoint: Any, tmp_path: Path) -> tuple[str, ...]:
    """The options that name the endpoint."""
    file = tmp_path / "endpoints.yaml"
    file.write_text(json.dumps({"tiny": {"base_url": endpoint.url, "model": chat_endpoint.MODEL}}), encoding="utf-8")
    return ("--endpoints", str(file), "--cache", str(tmp_path / "answers"))


def test_terminal_card_and_file_have_the_same_counts(
    tft: Any, endpoint: Any, words: tuple[str, ...], job: Path, tmp_path: Path, rows: Any
) -> None:
    endpoint.faults = lambda question, before: "length" if int(question[0], 16) < 8 else None
    command = ("filter", "--job", job, "--limit", "12", "--teacher", "openai:tiny", "--out", tmp_path / "out", *words)
    done = tft(*command)
    assert done.exit_code == 0, done.output
    [counts] = json.loads((tmp_path / "out" / "answers.json").read_text())
    cut = sum(CUT in row["reason"] for row in rows(tmp_path / "out"))
    usable = sum(row["relevance"] is not None for row in rows(tmp_path / "out"))
    assert counts["unusable"] == {CUT: cut}
    assert (counts["usable"], counts["questions"]) == (usable, usable + cut)
    assert f"filter, openai:tiny: {usable} of {usable + cut} answers are usable ({CUT} {cut})" in done.output
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"| filter | `openai:tiny` | {usable + cut} | {usable} | 0 |" in card
    assert f"| {CUT} | filter | {cut} |" in card
    shown = json.loads(tft(*command, "--json").stdout.splitlines()[-1])
    assert shown["answers"][0]["usable"] == usable


@pytest.mark.parametrize("stage", ["filter", "relabel", "synthesize"])
def test_a_stage_that_can_use_no_answer_ends_in_a_sentence_that_says_why_and_keeps_the_counts(
    tft: Any, words: tuple[str, ...], job: Path, tmp_path: Path, stage: str
) -> None:
    teacher = ("--committee", "openai:tiny") if stage == "relabel" else ("--teacher", "openai:tiny")
    few = ("--target", "2", "--set", "tries=1") if stage == "synthesize" else ("--limit", "2")
    done = tft(stage, "--job", job, *few, *teacher, "--out", tmp_path / "out", *words)
    assert done.exit_code == 1, done.output
    assert f"{stage}, openai:tiny: 0 of 2 answers are usable ({CUT} 2)" in str(done.exception)
    [counts] = json.loads((tmp_path / "out" / "answers.json").read_text())
    assert counts["unusable"] == {CUT: 2}


def test_rules_ask_nothing_and_leave_no_counts(tft: Any, job: Path, tmp_path: Path) -> None:
    assert tft("filter", "--job", job, "--limit", "4", "--out", tmp_path / "out").exit_code == 0
    assert not (tmp_path / "out" / "answers.json").exists()
    assert "Answers of the models" not in (tmp_path / "out" / "README.md").read_text()
