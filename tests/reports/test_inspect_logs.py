"""Transcripts: an Inspect log read back by Inspect holds what the results rows hold, and the site holds the logs."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.data.records import Message, Task, ToolCall, TurnPair
from harness.errors import DataError, UsageError
from harness.evaluation.records import EvalReport, EvalRun
from harness.models import parsing
from harness.models.prompts import system_message
from harness.reports.inspect_logs import bundle, write_log
from harness.statistics.estimates import estimate
from harness.statistics.records import Estimate

pytest.importorskip("inspect_ai")
from inspect_ai.log import EvalLog, EvalSample, read_eval_log

TASK = Task(
    description="Sell tickets for a cinema.",
    tools=({"type": "function", "function": {"name": "FindFilm", "parameters": {"type": "object"}}},),
)
FIND = ToolCall(name="FindFilm", arguments={"title": "Ran", "year": None}, id="call-7")
PREFIX = (
    Message(role="user", content="Is Ran on tonight? <b>Please</b> ![x](http://x.invalid/i.png)"),
    Message(role="assistant", tool_calls=(FIND,)),
    Message(role="tool", content='[{"title": "Ran"}]', tool_call_id="call-7"),
    Message(role="assistant", content="It is.", tool_calls=(ToolCall(name="respond_to_user", arguments={"n": 1}),)),
    Message(role="user", content='[{"seats": 2}]'),
)


def pair(turn: int, conversation: str = "film") -> TurnPair:
    return TurnPair(
        id=f"{conversation}:{turn}",
        conversation=conversation,
        turn=turn,
        prefix=PREFIX[: 1 if turn == 0 else 5],
        reference=FIND,
    )


def row(one: TurnPair, **columns: Any) -> dict[str, Any]:
    """A results row: a right answer that the judge found good, `columns` apart."""
    return {
        "pair_id": one.id,
        "conversation": one.conversation,
        "turn": one.turn,
        "reference": parsing.canonical(one.reference),
        "raw": "<think>\n</think>" + parsing.canonical(FIND),
        "prediction": parsing.canonical(FIND),
        "staged_tool_call": 1.0,
        "llm-as-a-judge": 1.0,
        "judge_reason": "the same call",
        "judge_votes": {"one": {"value": 1.0, "reason": "the same call"}},
        "reason": None,
        "finish_reason": "stop",
        "usage": {"prompt": 90, "completion": 10},
        "error": None,
        **columns,
    }


def failed(one: TurnPair, error: str = "the prompt is too long") -> dict[str, Any]:
    empty = dict.fromkeys(("raw", "prediction", "staged_tool_call", "llm-as-a-judge", "usage", "finish_reason"))
    return row(one, **empty, error=error, reason=error, judge_reason="there is no answer", judge_votes=None)


def report_of(rows: Sequence[dict[str, Any]], **run: Any) -> EvalReport:
    clusters = [one["conversation"] for one in rows]
    metrics = ("staged_tool_call", "llm-as-a-judge")
    model: dict[str, Estimate] = {name: estimate([one[name] for one in rows], clusters) for name in metrics}
    settings: dict[str, Any] = {
        "model": "vllm:me/small_model",
        "model_revision": "a" * 40,
        "dataset": "me/cinema",
        "dataset_revision": "b" * 40,
        "config": {"temperature": 0},
        "prompt_sha256": "c" * 64,
        "versions": {"tft-harness": "0"},
        "date": "2026-05-06T07:08:09+00:00",
        "timings": {"start": 20.0, "answers": 10.0},
    }
    return EvalReport(
        run=EvalRun(**(settings | run)), rows={"model": model}, by_tool={}, macro={}, readings={}, tokens={}
    )


def logged(folder: Path, rows: Sequence[dict[str, Any]], pairs: Sequence[TurnPair]) -> EvalLog:
    return read_eval_log(str(write_log(folder, report_of(rows), rows, pairs, TASK)))


def sample_of(folder: Path, **columns: Any) -> EvalSample:
    samples = logged(folder, [row(pair(1), **columns)], [pair(1)]).samples
    assert samples
    return samples[0]


def test_a_sample_holds_the_conversation_in_order_then_the_answer_as_it_came(tmp_path: Path) -> None:
    sample = sample_of(tmp_path)
    assert [message.role for message in sample.messages] == [
        "system", "user", "assistant", "tool", "assistant", "user", "assistant",
    ]  # fmt: skip
    texts = [system_message(TASK), *(message.content or "" for message in PREFIX)]
    assert [message.text for message in sample.messages] == [*texts, "<think>\n</think>" + parsing.canonical(FIND)]
    assert sample.input == sample.messages[:-1]
    assert (sample.id, sample.target, sample.output.completion) == (
        "film:1", parsing.canonical(FIND), "<think>\n</think>" + parsing.canonical(FIND),
    )  # fmt: skip
    assert (sample.metadata["conversation"], sample.metadata["turn"]) == ("film", 1)
    assert sample.output.usage
    assert (sample.output.usage.input_tokens, sample.output.usage.output_tokens) == (90, 10)


def test_calls_keep_their_arguments_and_a_tools_result_knows_the_tool(tmp_path: Path) -> None:
    messages: Any = sample_of(tmp_path).messages
    assert (messages[2].tool_calls[0].function, messages[2].tool_calls[0].arguments) == ("FindFilm", FIND.arguments)
    assert (messages[3].tool_call_id, messages[3].function) == ("call-7", "FindFilm")
    assert messages[4].tool_calls[0].arguments == {"n": 1}


def test_scores_are_the_rows_values_and_carry_the_judges_reason(tmp_path: Path) -> None:
    scores = sample_of(tmp_path, staged_tool_call=0.25, reason="2 calls, the first counts").scores
    assert scores
    assert {name: score.value for name, score in scores.items()} == {"staged_tool_call": 0.25, "llm-as-a-judge": 1.0}
    assert scores["staged_tool_call"].explanation == "2 calls, the first counts"
    assert scores["llm-as-a-judge"].explanation == "the same call"
    assert {score.answer for score in scores.values()} == {parsing.canonical(FIND)}


def test_every_vote_of_a_panel_is_shown(tmp_path: Path) -> None:
    votes = {
        "one": {"value": 1.0, "reason": "fits"},
        "two": {"value": 0.0, "reason": "wrong year"},
        "three": {"value": None, "reason": "no verdict"},
    }
    scores = sample_of(tmp_path, judge_votes=votes, judge_reason="a tie").scores
    assert scores
    score = scores["llm-as-a-judge"]
    assert score.metadata == {"votes": votes}
    assert score.explanation == "a tie\n\none: good. fits\n\ntwo: bad. wrong year\n\nthree: unscored. no verdict"


def test_unscored_is_never_a_number(tmp_path: Path) -> None:
    """An error, an unusable verdict and a failed metric are NaN with a reason, and stay out of Inspect's own means."""
    pairs = [pair(0), pair(1), pair(0, "other")]
    unread = row(pair(1), **{"llm-as-a-judge": None, "judge_reason": "no verdict"})
    log = logged(tmp_path, [failed(pair(0)), unread, row(pairs[2], staged_tool_call=None)], pairs)
    assert log.samples
    found: list[dict[str, Any]] = [sample.scores or {} for sample in log.samples]
    unscored = [{name for name, score in one.items() if math.isnan(score.value)} for one in found]
    assert unscored == [{"staged_tool_call", "llm-as-a-judge"}, {"llm-as-a-judge"}, {"staged_tool_call"}]
    assert found[0]["staged_tool_call"].explanation == "the prompt is too long"
    assert [found[0]["llm-as-a-judge"].reason, found[1]["llm-as-a-judge"].reason] == ["no_response", "grader_failed"]
    assert found[1]["llm-as-a-judge"].explanation == "no verdict"
    assert log.samples[0].error is not None
    assert log.samples[0].error.message == "the prompt is too long"
    assert [len(sample.messages) for sample in log.samples] == [2, 7, 3]  # no answer is made up
    assert log.results is not None
    counts = {one.name: (one.scored_samples, one.unscored_samples) for one in log.results.scores}
    assert counts == {"staged_tool_call": (1, 2), "llm-as-a-judge": (1, 2)}
    assert (log.results.total_samples, log.results.completed_samples) == (3, 2)


def test_the_header_names_what_was_evaluated_and_its_estimates(tmp_path: Path) -> None:
    rows = [row(pair(0)), row(pair(0, "b"), staged_tool_call=0.5), row(pair(0, "c"), staged_tool_call=0.0)]
    report = report_of(rows)
    log = read_eval_log(str(write_log(tmp_path, report, rows, [pair(0), pair(0, "b"), pair(0, "c")], TASK)))
    assert log.results is not None
    known, found = report.rows["model"]["staged_tool_call"], log.results.scores[0].metrics
    assert {name: one.value for name, one in found.items()} == {
        "mean": known.value, "low": known.low, "high": known.high,
    }  # fmt: skip
    assert (log.status, log.eval.model, log.eval.dataset.name) == ("success", "vllm:me/small_model", "me/cinema")
    assert (log.eval.task_version, log.eval.metadata and log.eval.metadata["model_revision"]) == ("b" * 40, "a" * 40)
    assert (log.eval.task_args, log.eval.packages) == ({"temperature": 0}, {"tft-harness": "0"})
    assert (log.stats.started_at, log.stats.completed_at) == ("2026-05-06T07:08:09+00:00", "2026-05-06T07:08:39+00:00")
    assert log.eval.dataset.sample_ids == ["film:0", "b:0", "c:0"]


def test_a_metric_without_a_value_has_no_mean(tmp_path: Path) -> None:
    results = logged(tmp_path, [failed(pair(0))], [pair(0)]).results
    assert results is not None
    assert [(one.metrics, one.scored_samples) for one in results.scores] == [({}, 0), ({}, 0)]


def test_what_a_model_writes_is_shown_as_text(tmp_path: Path) -> None:
    """The viewer is told not to trust the log, and any text that a model can write goes through it."""
    text = "\x00\u2028 ![x](http://x.invalid/i.png) <script>1</script> \U0001f600"
    log = logged(tmp_path, [row(pair(0), raw=text, prediction=text)], [pair(0)])
    assert log.eval.viewer is not None
    assert log.eval.viewer.trust_content is False
    assert log.samples
    assert log.samples[0].output.completion == text
    assert sample_of(tmp_path / "lone", raw="half a pair: \ud83d").output.completion == "half a pair: \\ud83d"


def test_equal_input_gives_equal_logs(tmp_path: Path) -> None:
    rows = [row(pair(0)), failed(pair(1))]
    paths = [write_log(tmp_path / name, report_of(rows), rows, [pair(0), pair(1)], TASK) for name in ("a", "b")]
    members = []
    for path in paths:
        with zipfile.ZipFile(path) as archive:
            members.append({name: archive.read(name) for name in archive.namelist()})
    assert paths[0].name == paths[1].name
    assert members[0] == members[1]
    assert paths[0].name.startswith("2026-05-06T07-08-09_cinema_vllm-me--small-model_")


def test_no_log_passes_for_a_retry_of_another(tmp_path: Path) -> None:
    """The viewer hides the older of two logs with the same task id."""
    rows, known = [row(pair(0))], set()
    for run in ({}, {"model": "vllm:me/other"}, {"date": "2026-05-07T07:08:09+00:00"}):
        log = read_eval_log(str(write_log(tmp_path, report_of(rows, **run), rows, [pair(0)], TASK)))
        known.add(log.eval.task_id)
    assert len(known) == len(list(tmp_path.iterdir())) == 3


def test_rows_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'film:1' is no pair of this test set"):
        write_log(tmp_path, report_of([row(pair(1))]), [row(pair(1))], [pair(0)], TASK)
    short = row(pair(0))
    del short["staged_tool_call"]
    with pytest.raises(DataError, match="has no 'staged_tool_call'"):
        write_log(tmp_path, report_of([row(pair(0))]), [short], [pair(0)], TASK)
    assert not list(tmp_path.iterdir())


def test_a_whole_test_set_is_written_in_seconds(tmp_path: Path) -> None:
    pairs = [pair(1, f"c{number}") for number in range(359)]
    rows = [row(one) for one in pairs]
    begun = time.monotonic()
    write_log(tmp_path, report_of(rows), rows, pairs, TASK)
    assert time.monotonic() - begun < 10


def test_the_site_holds_the_logs_and_no_path_of_the_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs, site = tmp_path / "logs", tmp_path / "site"
    path = write_log(logs, report_of([row(pair(0))]), [row(pair(0))], [pair(0)], TASK)
    for _ in range(2):  # an earlier site is replaced
        assert bundle(logs, site, title='Tickets: "all" of them') == site
    assert capsys.readouterr().out == ""
    assert list(json.loads((site / "logs" / "listing.json").read_text())) == [path.name]
    assert (site / "logs" / path.name).read_bytes() == path.read_bytes()
    assert str(tmp_path) not in (site / "index.html").read_text()
    assert '"log_dir": "logs"' in (site / "index.html").read_text()
    readme = (site / "README.md").read_text()
    from huggingface_hub import RepoCard

    assert RepoCard(readme).data.to_dict() == {
        "title": 'Tickets: "all" of them', "sdk": "static", "app_file": "index.html", "pinned": False,
    }  # fmt: skip


def test_a_site_never_replaces_anything_else(tmp_path: Path) -> None:
    logs, other = tmp_path / "logs", tmp_path / "other"
    with pytest.raises(UsageError, match="holds no transcripts"):
        bundle(tmp_path, tmp_path / "site", title="t")
    write_log(logs, report_of([row(pair(0))]), [row(pair(0))], [pair(0)], TASK)
    with pytest.raises(UsageError, match="cannot be inside"):
        bundle(logs, logs / "site", title="t")
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    for place in (other, other / "thesis.txt"):
        with pytest.raises(UsageError, match="is no site of transcripts"):
            bundle(logs, place, title="t")
    assert (other / "thesis.txt").read_text() == "mine"


WITHOUT = """
import sys
from pathlib import Path
sys.modules["inspect_ai"] = None
from harness.errors import UsageError
from harness.reports.inspect_logs import bundle
try:
    bundle(Path("."), Path("site"), title="t")
except UsageError as error:
    print(error)
"""


def test_without_inspect_the_error_says_what_to_install() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    assert done.stdout == "inspect-ai is not installed; install it: pip install 'tft-harness[inspect]'\n"


IMPORT = """
import sys
def watch(event, arguments):
    if event.startswith("socket.") and event not in ("socket.__new__", "socket.gethostname"):
        raise AssertionError(f"{event} {arguments}")
sys.addaudithook(watch)
import harness.reports.inspect_logs
assert "inspect_ai" not in sys.modules
import inspect_ai.log, inspect_ai.model, inspect_ai.scorer, inspect_ai.viewer
"""


def test_importing_inspect_writes_nothing_into_the_home_and_opens_no_connection(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", IMPORT], env=os.environ | {"HOME": str(tmp_path)}, check=True, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []
