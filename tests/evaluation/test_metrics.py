"""The metrics reproduce the published scores, read calls as documented, and work through `evaluate` as through us."""

from __future__ import annotations

import ast
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.data.formats.jsonl import read_jsonl
from harness.errors import UsageError
from harness.evaluation.metrics import metric_names, score

ROOT = Path(__file__).resolve().parents[2]
CALL_METRICS = ["binary_tool_call", "staged_tool_call", "tool_call_equivalence"]
ANSWER = '{"name": "f", "parameters": {"city": "Oakland", "party": "2"}}'


def call(name: str = "f", **arguments: Any) -> str:
    return json.dumps({"name": name, "parameters": arguments})


def tagged(name: str = "f", **arguments: Any) -> str:
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


def staged(prediction: str, reference: str = ANSWER) -> float:
    return score("staged_tool_call", [prediction], [reference])[0]


def test_metrics_are_the_folders_of_eval() -> None:
    assert {*CALL_METRICS, "rouge"} <= set(metric_names())
    assert all((ROOT / "eval" / name / "README.md").is_file() for name in metric_names())


@pytest.mark.parametrize("name", ["base", "tuned"])
@pytest.mark.parametrize("metric", [*CALL_METRICS, "rouge"])
def test_published_rows_are_reproduced(sources: Path, name: str, metric: str) -> None:
    rows = [row for _, row in read_jsonl(sources / "tft-benchmark" / "predictions" / f"{name}.jsonl")]
    values = score(metric, [row["prediction"] for row in rows], [row["answer"] for row in rows])
    assert len(rows) == 78
    for value, row in zip(values, rows, strict=True):
        # Published values are rounded to ten digits.
        assert value == pytest.approx(row[metric], abs=5.1e-11 if metric == "rouge" else 0)


@pytest.mark.parametrize("write", [call, tagged])
def test_the_stages(write: Callable[..., str]) -> None:
    assert staged("no call at all") == 0.0
    assert staged(write("g", city="Oakland", party="2")) == 0.25
    assert staged(write(city="Oakland")) == 0.5
    assert staged(write(city="Oakland", party="2", date="today")) == 0.5
    assert staged(write(city="Berkeley", party="2")) == 0.75
    assert staged(write(party="2", city="Oakland")) == 1.0
    assert staged(write(party="2", city="Oakland"), tagged(city="Oakland", party="2")) == 1.0


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [
        ("", 0.0),
        ("   ", 0.0),
        (f"\n  {ANSWER}\n", 1.0),
        (ANSWER.replace("parameters", "arguments"), 1.0),
        (tagged(city="Oakland", party="2").replace("arguments", "parameters"), 1.0),
        (f"Sure. {tagged(city='Oakland', party='2')} Done.", 1.0),
        (f"<think>\n\n</think>\n\n{tagged(city='Oakland', party='2')}", 1.0),
        (f"Sure. {ANSWER}", 0.0),
        (f"{ANSWER} Done.", 0.0),
        (f"[{ANSWER}]", 0.0),
        (f"```json\n{ANSWER}\n```", 0.0),
        (tagged(city="Oakland", party="2") + "\n" + tagged("g"), 1.0),
        (tagged("g") + "\n" + tagged(city="Oakland", party="2"), 0.25),
        (f"<tool_call>{ANSWER}</tool_call>", 1.0),
        (f"<tool_call>\n{ANSWER}", 0.0),
        (f"<tool_call>\n{ANSWER[:-1]}\n</tool_call>", 0.0),
        (f"<tool_call>\n{ANSWER} and\n</tool_call>", 0.0),
        (ANSWER[:-1], 0.0),
        ('{"name": "f", "parameters": "{\\"city\\": \\"Oakland\\", \\"party\\": \\"2\\"}"}', 1.0),
        ('{"name": "f", "parameters": "Oakland"}', 0.0),
        ('{"name": "f", "parameters": ["Oakland", "2"]}', 0.0),
        ('{"name": "f", "parameters": 3}', 0.0),
        ('{"name": "f", "parameters": null}', 0.5),
        ('{"name": "f", "parameters": ""}', 0.5),
        ('{"name": "f"}', 0.5),
        ('{"name": "g"}', 0.25),
        ('{"name": 3, "parameters": {}}', 0.0),
        ('{"parameters": {}}', 0.0),
        ('{"name": "f", "parameters": {"city": NaN}}', 0.0),
        ('{"name": "f", "parameters": ' + '{"a":' * 100_000, 0.0),
        (call(city="Oakland", party=2), 0.75),
        (call(city="oakland", party="2"), 0.75),
        (call(city="Oakland ", party="2"), 0.75),
        (call(message="<tool_call>{}</tool_call>"), 0.5),
        (tagged(message="</tool_call>"), 0.5),
    ],
)
def test_edges_of_reading(prediction: str, expected: float) -> None:
    """What counts as a call, and as equal, is what the metric cards say."""
    assert staged(prediction) == expected
    assert score("binary_tool_call", [prediction], [ANSWER]) == [float(expected == 1.0)]
    assert score("tool_call_equivalence", [prediction], [ANSWER]) == [float(expected == 1.0)]


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (1, "1", False),
        ("true", True, False),
        (None, "", False),
        ({"a": 1, "b": [1, {"c": 2}]}, {"b": [1, {"c": 2}], "a": 1}, True),
        ([1, 2], [2, 1], False),
        ([1], [True], False),
        ({}, [], False),
    ],
)
def test_values_are_compared_as_json(left: Any, right: Any, equal: bool) -> None:
    for metric in ("binary_tool_call", "tool_call_equivalence"):
        assert score(metric, [call(x=left)], [call(x=right)]) == [float(equal)]
    assert score("staged_tool_call", [tagged(x=left)], [call(x=right)]) == [1.0 if equal else 0.75]


def test_a_default_counts_as_omitted_only_with_the_tools() -> None:
    schema = {"properties": {"n": {"type": "integer", "default": 1}, "s": {"type": "string"}}}
    function = {"name": "f", "parameters": schema}
    for tools in ([function], [{"type": "function", "function": function}]):
        for one, other in ((call(s="a", n=1), call(s="a")), (call(s="a"), call(s="a", n=1))):
            assert score("tool_call_equivalence", [one], [other]) == [0.0]
            assert score("tool_call_equivalence", [one], [other], tools) == [1.0]
        for wrong in (call(s="a", n=2), call(s="a", n=True), call(s="a", n="1"), call("g", s="a"), call(n=1)):
            assert score("tool_call_equivalence", [wrong], [call(s="a")], tools) == [0.0]


@pytest.mark.parametrize("metric", CALL_METRICS)
@pytest.mark.parametrize("reference", ["", "Have a nice day.", "{}", "[]", '{"name": "f", "parameters": []}'])
def test_a_reference_without_a_call_is_an_error_with_its_index(metric: str, reference: str) -> None:
    with pytest.raises(ValueError, match="reference 1 holds no tool call"):
        score(metric, [ANSWER, ANSWER], [ANSWER, reference])


@pytest.mark.parametrize("metric", [*CALL_METRICS, "rouge"])
def test_lengths_and_types_are_checked(metric: str) -> None:
    with pytest.raises(ValueError, match="1 predictions for 2 references"):
        score(metric, [ANSWER], [ANSWER, ANSWER])
    with pytest.raises(ValueError, match="prediction 0 is NoneType"):
        score(metric, [None], [ANSWER])  # type: ignore[list-item]
    assert score(metric, [], []) == []


def test_gold_scores_one_and_changed_gold_less(sources: Path) -> None:
    rows = [row for _, row in read_jsonl(sources / "tft-benchmark" / "predictions" / "base.jsonl")]
    gold = [row["answer"] for row in rows]
    for metric in metric_names():
        assert score(metric, gold, gold) == [1.0] * len(gold)
        assert max(score(metric, [answer.replace('"arguments": {"', '"arguments": {"x') for answer in gold], gold)) < 1


def test_an_unknown_metric_is_named_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"'bleu'.*rouge"):
        score("bleu", [], [])


def test_call_metrics_read_calls_with_the_same_code() -> None:
    """Each metric stands alone, so the reading is written three times; it must stay one."""
    shared = ("read_call", "_call", "_no_constant", "_DECODER", "read_reference", "read_prediction", "same")
    versions = []
    for metric in CALL_METRICS:
        tree = ast.parse((ROOT / "eval" / metric / "scores.py").read_text())
        names = {getattr(node, "name", None) or ast.unparse(node).split(" ")[0]: ast.dump(node) for node in tree.body}
        versions.append([names[name] for name in shared])
    assert versions[0] == versions[1] == versions[2]


@pytest.mark.slow  # importing evaluate brings in torch
@pytest.mark.filterwarnings("ignore")  # what evaluate imports warns about itself
@pytest.mark.parametrize("metric", [*CALL_METRICS, "rouge"])
def test_evaluate_and_our_own_loading_agree(
    metric: str, sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`evaluate.load` by absolute path, from any working directory, without a connection."""
    import evaluate

    def refuse(*_: object) -> None:
        raise AssertionError("a metric opened a connection")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    rows = [row for _, row in read_jsonl(sources / "tft-benchmark" / "predictions" / "base.jsonl")]
    predictions, references = [row["prediction"] for row in rows], [row["answer"] for row in rows]
    loaded = evaluate.load(str(ROOT / "eval" / metric), cache_dir=str(tmp_path))
    result = loaded.compute(predictions=predictions, references=references)
    assert result["scores"] == score(metric, predictions, references)
    assert result[metric] == pytest.approx(sum(result["scores"]) / len(rows))
    assert loaded.compute(predictions=[], references=[]) == {metric: None, "scores": []}
    if metric != "rouge":
        with pytest.raises(ValueError, match="reference 0 holds no tool call"):
            loaded.compute(predictions=["a"], references=["b"])


@pytest.mark.slow  # importing evaluate brings in torch
@pytest.mark.filterwarnings("ignore")  # what evaluate imports warns about itself
def test_evaluate_takes_tools_for_the_defaults(tmp_path: Path) -> None:
    import evaluate

    tools = [{"name": "f", "parameters": {"properties": {"n": {"default": 1}}}}]
    loaded = evaluate.load(str(ROOT / "eval" / "tool_call_equivalence"), cache_dir=str(tmp_path))
    pair = {"predictions": [call(n=1)], "references": [call()]}
    assert loaded.compute(**pair, tools=tools) == {"tool_call_equivalence": 1.0, "scores": [1.0]}
    assert loaded.compute(**pair) == {"tool_call_equivalence": 0.0, "scores": [0.0]}
