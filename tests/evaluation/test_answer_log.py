"""The log of answers: whole lines only, whatever happens."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.records import Prediction, Usage
from harness.errors import DataError, UsageError
from harness.evaluation.answer_log import AnswerLog
from harness.models.backends._base import NOT_ASKED
from harness.terminal import one_line

TOKENS = st.integers(0, 10_000_000)
ANSWERS = st.builds(
    Prediction,
    pair_id=st.text(min_size=1),
    raw=st.none() | st.text(),
    finish_reason=st.none() | st.text(),
    error=st.none() | st.text(),
    usage=st.none() | st.builds(Usage, prompt=TOKENS, completion=TOKENS, cached=st.none() | TOKENS),
    prompt_sha256=st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
)


@given(answers=st.lists(ANSWERS, max_size=5), data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_log_cut_at_any_byte_keeps_every_whole_line(
    answers: list[Prediction], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Text of any kind, line separators included, comes back as it was; the reason of an error on one line."""
    path = tmp_path_factory.mktemp("log") / "answers.jsonl"
    log = AnswerLog(path)
    for answer in answers:
        log.append(answer)
    log.close()
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    kept = [replace(one, error=one.error and one_line(one.error)) for one in answers[: whole[:cut].count(b"\n")]]
    with closing(AnswerLog(path)) as log:
        assert log.answers == {answer.pair_id: answer for answer in kept}
        log.append(Prediction(pair_id="next", raw="x"))
    assert path.read_bytes().startswith(whole[: whole[:cut].rfind(b"\n") + 1])
    assert json.loads(path.read_bytes().splitlines()[-1])["pair_id"] == "next"
    assert path.read_bytes().count(b"\n") == len(kept) + 1


def test_errors_are_asked_again_and_what_cannot_be_asked_is_not(tmp_path: Path) -> None:
    log = AnswerLog(tmp_path / "answers.jsonl")
    log.append(Prediction(pair_id="good", raw="x"))
    log.append(Prediction(pair_id="silent", raw=""))
    log.append(Prediction(pair_id="bad", raw=None, error="timeout"))
    log.append(Prediction(pair_id="long", raw=None, error="does not fit", finish_reason=NOT_ASKED))
    assert log.missing(["new", "good", "bad", "long", "silent"]) == ["new", "bad"]
    log.append(Prediction(pair_id="bad", raw="better"))
    log.close()
    log = AnswerLog(tmp_path / "answers.jsonl")
    assert log.missing(["new", "good", "bad", "long", "silent"]) == ["new"]
    log.close()


@pytest.mark.parametrize(
    "line",
    ["", "{", "null", "3", '"text"', "[]", "{}", '{"pair_id": 3, "raw": null}', '{"pair_id": "a", "more": 1}', '{"a"'],
)
def test_a_damaged_line_is_named_and_left_as_it_is(line: str, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    log = AnswerLog(path)
    log.append(Prediction(pair_id="a", raw="x"))
    log.close()
    path.write_bytes(path.read_bytes() + line.encode() + b"\n" + path.read_bytes())
    before = path.read_bytes()
    for _ in range(2):  # the second time too: a refused log stays closed and unlocked
        with pytest.raises(DataError, match=r"answers\.jsonl, line 2: .*remove the line and resume"):
            AnswerLog(path)
    assert path.read_bytes() == before


def test_a_log_is_for_one_process_at_a_time(tmp_path: Path) -> None:
    log = AnswerLog(tmp_path / "answers.jsonl")
    with pytest.raises(UsageError, match="another process"):
        AnswerLog(tmp_path / "answers.jsonl")
    log.close()
    AnswerLog(tmp_path / "answers.jsonl").close()
