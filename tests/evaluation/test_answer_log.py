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
    sample=st.integers(0, 3),
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
        assert log.answers == {answer.key: answer for answer in kept}
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
    keys = [(pair, sample) for pair in ("new", "good", "bad", "long", "silent") for sample in (0, 1)]
    others = [key for key in keys if key[1]]
    assert [key for key in log.missing(keys) if key not in others] == [("new", 0), ("bad", 0)]
    log.append(Prediction(pair_id="bad", raw="better"))
    log.append(Prediction(pair_id="good", raw="y", sample=1))
    log.close()
    log = AnswerLog(tmp_path / "answers.jsonl")
    assert log.missing(keys) == [key for key in keys if key == ("new", 0) or (key in others and key != ("good", 1))]
    log.close()


def test_the_line_of_one_answer_is_as_it_was_before_there_were_samples(tmp_path: Path) -> None:
    log = AnswerLog(tmp_path / "answers.jsonl")
    log.append(Prediction(pair_id="a:0", raw="x", finish_reason="stop", usage=Usage(prompt=3, completion=1)))
    log.append(Prediction(pair_id="a:0", raw="y", sample=2))
    log.close()
    first, third = (tmp_path / "answers.jsonl").read_text().splitlines()
    assert first == (
        '{"pair_id": "a:0", "raw": "x", "finish_reason": "stop", "error": null, '
        '"usage": {"prompt": 3, "completion": 1, "cached": null}, "prompt_sha256": null}'
    )
    assert json.loads(third)["sample"] == 2


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
