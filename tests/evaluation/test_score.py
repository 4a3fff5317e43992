"""`tft score`: the columns, the order, the failures, and the errors that name a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness.cli.__main__ import tft
from harness.data.formats.jsonl import read_jsonl, write_jsonl
from harness.errors import DataError
from harness.evaluation.metrics import metric_names

CALL = '{"name": "f", "parameters": {"x": "1"}}'


def run(*arguments: object) -> Result:
    return CliRunner().invoke(tft, ["score", *map(str, arguments)])


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [row for _, row in read_jsonl(path)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rows.jsonl"


@pytest.mark.parametrize("name", ["base", "tuned"])
def test_published_files_get_their_own_scores(sources: Path, tmp_path: Path, name: str) -> None:
    """Overwritten with what was there, and everything else untouched, columns in the same order."""
    published = sources / "tft-benchmark" / "predictions" / f"{name}.jsonl"
    result = run(published, "--out", tmp_path / "out.jsonl")
    assert result.exit_code == 0, result.output
    before, after = rows_of(published), rows_of(tmp_path / "out.jsonl")
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        assert list(old) == list(new)
        for column, value in old.items():
            assert new[column] == (pytest.approx(value, abs=1e-6) if column in metric_names() else value)


def test_a_row_without_a_prediction_stays_unscored(file: Path, tmp_path: Path) -> None:
    write_jsonl(file, [{"answer": CALL, "prediction": CALL}, {"answer": CALL, "prediction": None, "error": "timeout"}])
    result = run(file, "--out", tmp_path / "out.jsonl", "--json")
    summary = json.loads(result.stdout)["metrics"]
    assert summary == {metric: {"mean": 1.0, "n": 1, "unscored": 1} for metric in metric_names()}
    assert rows_of(tmp_path / "out.jsonl")[1] == {
        "answer": CALL,
        "prediction": None,
        "error": "timeout",
        **dict.fromkeys(metric_names()),
    }


def test_more_rows_than_a_batch_keep_their_order(file: Path, tmp_path: Path) -> None:
    write_jsonl(file, ({"answer": CALL, "prediction": CALL if n % 3 else None, "n": n} for n in range(700)))
    assert run(file, "--out", tmp_path / "out.jsonl").exit_code == 0
    after = rows_of(tmp_path / "out.jsonl")
    assert [row["n"] for row in after] == list(range(700))
    assert all((row["staged_tool_call"] == 1.0) == bool(row["n"] % 3) for row in after)


def test_a_file_can_be_scored_into_itself(file: Path) -> None:
    write_jsonl(file, [{"answer": CALL, "prediction": "no"}])
    assert run(file, "--out", file).exit_code == 0
    assert rows_of(file)[0]["staged_tool_call"] == 0.0


def test_the_table_shows_mean_n_and_unscored(file: Path, tmp_path: Path) -> None:
    write_jsonl(file, [{"answer": CALL, "prediction": None}])
    lines = run(file, "--out", tmp_path / "out.jsonl").stdout.splitlines()
    assert lines[0].split() == ["metric", "mean", "n", "unscored"]
    assert lines[1].split() == ["binary_tool_call", "-", "0", "1"]


def test_an_empty_file_gives_an_empty_file_and_no_mean(file: Path, tmp_path: Path) -> None:
    file.write_text("")
    result = run(file, "--out", tmp_path / "out.jsonl", "--json")
    assert (tmp_path / "out.jsonl").read_text() == ""
    assert json.loads(result.stdout)["metrics"]["rouge"] == {"mean": None, "n": 0, "unscored": 0}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{broken", "line 2: not valid JSON"),
        ("[1]", "line 2: expected a JSON object"),
        ('{"prediction": "x"}', 'line 2: expected the reference call as text under "answer"'),
        ('{"answer": 3, "prediction": "x"}', 'line 2: expected the reference call as text under "answer"'),
        (json.dumps({"answer": CALL}), 'line 2: no "prediction"'),
        (json.dumps({"answer": CALL, "prediction": {}}), 'line 2: "prediction" must be .* text or null, got dict'),
        (json.dumps({"answer": "Bye.", "prediction": CALL}), 'line 2: binary_tool_call: "answer" holds no tool call'),
    ],
)
def test_bad_rows_are_named_with_file_and_line(file: Path, tmp_path: Path, line: str, message: str) -> None:
    """And nothing is written."""
    file.write_text(json.dumps({"answer": CALL, "prediction": CALL}) + "\n" + line + "\n")
    result = run(file, "--out", tmp_path / "out.jsonl")
    assert isinstance(result.exception, DataError)
    with pytest.raises(DataError, match=rf"rows\.jsonl, {message}"):
        raise result.exception
    assert not (tmp_path / "out.jsonl").exists()


def test_defaults_of_the_tools_count_as_omitted(file: Path, tmp_path: Path) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"n": {"default": 1}}}}}]
    write_jsonl(file, [{"answer": CALL, "prediction": '{"name": "f", "parameters": {"x": "1", "n": 1}}'}])
    for document in (tools, {"task_description": "t", "tools": tools}):
        (tmp_path / "tools.json").write_text(json.dumps(document))
        run(file, "--out", tmp_path / "out.jsonl", "--tools", tmp_path / "tools.json")
        row = rows_of(tmp_path / "out.jsonl")[0]
        assert (row["tool_call_equivalence"], row["binary_tool_call"]) == (1.0, 0.0)


@pytest.mark.parametrize("text", ["{", "[]", '{"tools": 3}', '[{"parameters": {}}]', "[1]"])
def test_a_file_without_tools_is_refused(file: Path, tmp_path: Path, text: str) -> None:
    write_jsonl(file, [])
    (tmp_path / "tools.json").write_text(text)
    result = run(file, "--out", tmp_path / "out.jsonl", "--tools", tmp_path / "tools.json")
    assert isinstance(result.exception, DataError)


CODER = "<tool_call>\n<function=f>\n<parameter=x>\n1\n</parameter>\n</function>\n</tool_call>"
TOOLS = [{"name": "f", "parameters": {"$defs": {"X": {"type": "integer"}}, "properties": {"x": {"$ref": "#/$defs/X"}}}}]
REFERENCE = '{"name": "f", "parameters": {"x": 1}}'


@pytest.mark.parametrize("own", [False, True])
def test_the_lenient_reading_scores_any_notation_with_the_schemas_types(file: Path, tmp_path: Path, own: bool) -> None:
    """The tools are those of --tools or of the row itself; the published reading says that it missed a call."""
    rows = [{"answer": REFERENCE, "prediction": text} for text in (CODER, REFERENCE, "no call")]
    write_jsonl(file, [{**row, "tools": TOOLS} if own else row for row in rows])
    (tmp_path / "tools.json").write_text(json.dumps({"tools": TOOLS}))
    options = [file, "--out", tmp_path / "out.jsonl", *([] if own else ["--tools", tmp_path / "tools.json"])]
    for reading, scores in (("published", [0.0, 1.0, 0.0]), ("lenient", [1.0, 1.0, 0.0])):
        said = run(*options, "--json", "--reading", reading)
        assert [row["binary_tool_call"] for row in rows_of(tmp_path / "out.jsonl")] == scores
        assert json.loads(said.stdout)["readings_differ"] == 1
        assert json.loads(said.stdout)["reading"] == reading
        assert "on 1 row the" in " ".join(run(*options, "--reading", reading).output.split())


def test_a_call_in_thinking_scores_nothing_when_read_leniently(file: Path, tmp_path: Path) -> None:
    thought = "<think>Perhaps <tool_call>" + REFERENCE + "</tool_call>"
    write_jsonl(file, [{"answer": REFERENCE, "prediction": thought}])
    for reading, score in (("published", 1.0), ("lenient", 0.0)):
        assert run(file, "--out", tmp_path / "out.jsonl", "--reading", reading).exit_code == 0
        assert rows_of(tmp_path / "out.jsonl")[0]["staged_tool_call"] == score


def test_readings_that_agree_are_not_mentioned(file: Path, tmp_path: Path) -> None:
    write_jsonl(file, [{"answer": CALL, "prediction": CALL}])
    assert "another call" not in " ".join(run(file, "--out", tmp_path / "out.jsonl").output.split())


@pytest.mark.parametrize(
    ("prediction", "score"),
    [
        (CODER.replace("\n</parameter>", ""), 1.0),
        (CODER.replace("\n</function>", ""), 1.0),
        ("<tool_call>f<arg_key><arg_key>x</arg_key><arg_value>1</arg_value>", 1.0),
        ('<|tool_call>call:f{"x":1}<tool_call|>', 1.0),
        ('<tool_call>{{"name": "f", "arguments": {{"x": 1}</tool_call>', 1.0),
        ('<|tool_call_begin|>functionsf0<|tool_call_argument_begin|>{"x": 1}<|tool_call_end|>', 1.0),
        (CODER.replace("1\n</parameter>\n</function>\n</tool_call>", ""), 0.0),
        (CODER + "</think>", 0.0),
    ],
)
def test_what_a_model_leaves_out_or_doubles_is_mended_and_what_is_cut_is_not(
    file: Path, tmp_path: Path, prediction: str, score: float
) -> None:
    write_jsonl(file, [{"answer": REFERENCE, "prediction": prediction, "tools": TOOLS}])
    assert run(file, "--out", tmp_path / "out.jsonl", "--reading", "lenient").exit_code == 0
    assert rows_of(tmp_path / "out.jsonl")[0]["binary_tool_call"] == score
