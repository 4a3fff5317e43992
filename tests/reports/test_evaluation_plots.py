"""Plots: deterministic pictures of what was measured, whatever the tools are called and however little was scored."""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from harness.data.records import ToolCall
from harness.evaluation.records import EvalReport, EvalRun
from harness.models import parsing
from harness.reports.evaluation_plots import Plot, draw
from harness.statistics.estimates import estimate
from harness.statistics.records import Estimate

METRICS = ("staged_tool_call", "llm-as-a-judge")


def call(name: str) -> str:
    return parsing.canonical(ToolCall(name=name, arguments={}))


def row(number: int, reference: str, prediction: str | None, turns: int = 6, **columns: Any) -> dict[str, Any]:
    """A results row; each conversation has `turns` turns."""
    value = None if prediction is None else float(prediction == call(reference))
    scores = dict.fromkeys(METRICS, value)
    place = {"conversation": f"c{number // turns}", "turn": number % turns}
    return {**place, "reference": call(reference), "prediction": prediction, **scores, **columns}


def mixed(tools: Iterable[str] = ("say", "find", "book"), count: int = 120) -> list[dict[str, Any]]:
    """Rows over the tools: of every ten turns one without an answer, one without a call, one with a made-up tool."""
    names = list(tools)
    rows = []
    for number in range(count):
        right = names[number % len(names)]
        wrong: dict[int, str | None] = {7: None, 8: "I cannot do that.", 9: call("made_up")}
        rows.append(row(number, right, wrong.get(number % 10, call(right))))
    return rows


def report_of(rows: list[dict[str, Any]], **others: dict[str, Estimate]) -> EvalReport:
    run = EvalRun(
        model="vllm:me/model",
        model_revision="a" * 40,
        dataset="me/data",
        dataset_revision="b" * 40,
        config={},
        prompt_sha256="",
        versions={},
        date="2026-05-06T07:08:09+00:00",
        timings={},
    )
    clusters = [one["conversation"] for one in rows]
    model = {metric: estimate([one[metric] for one in rows], clusters) for metric in METRICS}
    return EvalReport(run=run, rows={"model": model, **others}, by_tool={}, macro={}, readings={}, tokens={})


def drawn(folder: Path, rows: list[dict[str, Any]], **others: dict[str, Estimate]) -> dict[str, Plot]:
    """Draw, and check that each picture is a PNG of the card's width with words to it."""
    plots = {plot.name: plot for plot in draw(report_of(rows, **others), rows, folder)}
    assert list(plots) == ["scores", "tools", "turns"]
    for plot in plots.values():
        data = plot.path.read_bytes()
        assert data[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = struct.unpack(">II", data[16:24])
        assert width == 1280
        assert 250 < height < 2500
        assert plot.alt.endswith(".")
    return plots


def test_equal_input_gives_equal_bytes_in_any_process(tmp_path: Path) -> None:
    here = drawn(tmp_path / "here", mixed())
    code = (
        "import importlib.util, sys, pathlib\n"
        f"spec = importlib.util.spec_from_file_location('t', {__file__!r})\n"
        "t = importlib.util.module_from_spec(spec); spec.loader.exec_module(t)\n"
        "t.drawn(pathlib.Path(sys.argv[1]), t.mixed())\n"
    )
    # Settings of the user's own, as matplotlib reads them from the working directory, change nothing.
    (tmp_path / "matplotlibrc").write_text("font.size: 22\naxes.facecolor: red\nsavefig.bbox: tight\n")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-c", code, "there"], check=True, cwd=tmp_path, env=environment)
    for name, plot in here.items():
        assert (tmp_path / "there" / f"{name}.png").read_bytes() == plot.path.read_bytes()
        assert b"tIME" not in plot.path.read_bytes()
        assert b"Matplotlib" not in plot.path.read_bytes()


LEFT_ALONE = """
import sys, matplotlib
from pathlib import Path
from harness.reports.evaluation_plots import draw
from harness.evaluation.records import EvalReport

def settings():
    return {key: matplotlib.rcParams[key] for key in matplotlib.rcParams if key != "backend"}  # reading it sets it

matplotlib.rcParams["font.size"] = 3
before = settings()
draw(EvalReport(run=None, rows={"model": {}}, by_tool={}, macro={}, readings={}, tokens={}), [], Path(sys.argv[1]))
assert settings() == before
assert "matplotlib.pyplot" not in sys.modules
"""


def test_drawing_leaves_the_librarys_settings_and_pyplot_alone(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", LEFT_ALONE, str(tmp_path)], check=True)


def test_the_alternative_text_states_the_scores_and_what_stands_beside_them(tmp_path: Path) -> None:
    gold = {name: Estimate(value=1.0, low=1.0, high=1.0, n=120, clusters=20) for name in METRICS}
    null = {name: Estimate(value=0.25, low=0.2, high=0.3, n=120, clusters=20) for name in METRICS}
    rows = mixed()
    plots = drawn(tmp_path, rows, null=null, gold=gold)
    model = report_of(rows).rows["model"]["staged_tool_call"]
    assert f"staged_tool_call {model.value:.3f} [{model.low:.3f}, {model.high:.3f}] (null 0.250, gold 1.000)" in (
        plots["scores"].alt
    )
    assert "over 120 turns" in plots["scores"].alt
    assert plots["tools"].alt == (
        "The model called the reference's tool in 84 of 120 turns: say 28 of 40, find 28 of 40, book 28 of 40."
    )


def test_each_baseline_changes_the_picture(tmp_path: Path) -> None:
    known = {name: Estimate(value=0.25, low=0.2, high=0.3, n=120, clusters=20) for name in METRICS}
    rows, seen = mixed(count=12), set()
    for names in ((), ("null",), ("majority_by_turn",), ("copy_last",), ("same_call",), ("gold",)):
        plot = drawn(tmp_path, rows, **dict.fromkeys(names, known))["scores"]
        seen.add(hashlib.sha256(plot.path.read_bytes()).digest())
    assert len(seen) == 6


LONG = "a_tool_with_a_name_that_never_seems_to_come_to_an_end_number"


@pytest.mark.parametrize(
    "tools",
    [
        ["only"],
        [f"{LONG}_{number}" for number in range(3)],
        [f"{LONG}_{number}" for number in range(20)],
        [f"tool{number}" for number in range(60)],
        ["$x_{1$", "two\nlines\t", "\u540d\u524d", "\u05d0\U0001f600", "\x00\\frac", ""],
    ],
    ids=["one", "long names", "twenty", "more than have room", "hostile names"],
)
def test_any_tools_can_be_drawn(tmp_path: Path, tools: list[str]) -> None:
    plots = drawn(tmp_path, mixed(tools))
    assert "tool in 84 of 120 turns" in plots["tools"].alt
    assert plots["tools"].alt.isascii()


def test_without_any_score_the_plots_say_so(tmp_path: Path) -> None:
    nothing = [{**one, "prediction": None, **dict.fromkeys(METRICS)} for one in mixed()]
    plots = drawn(tmp_path, nothing)
    assert plots["scores"].alt.count("not scored") == 2
    assert "in 0 of 120 turns" in plots["tools"].alt
    assert plots["turns"].alt == "Mean score by turn. Nothing was scored."
    drawn(tmp_path, [])


def test_rows_that_nobody_judged_have_one_line(tmp_path: Path) -> None:
    rows = [{key: value for key, value in one.items() if key != "llm-as-a-judge"} for one in mixed()]
    report = report_of([{**one, "llm-as-a-judge": None} for one in rows])
    alt = draw(report, rows, tmp_path)[2].alt
    assert "llm-as-a-judge" not in alt
    assert "staged_tool_call: " in alt


def test_turns_show_their_means_and_unscored_ones_do_not_count(tmp_path: Path) -> None:
    rows = [row(number, "say", call("say" if number % 2 else "no")) for number in range(120)]
    rows += [row(number, "say", None) for number in range(120)]
    alt = drawn(tmp_path, rows)["turns"].alt
    assert "staged_tool_call: 0.00 at 0, 1.00 at 1, 0.00 at 2, 1.00 at 3, 0.00 at 4, 1.00 at 5" in alt


def test_the_last_turns_are_pooled_where_they_are_few(tmp_path: Path) -> None:
    """Twelve conversations of three turns, three of six: from turn 3 on there are fewer than enough."""
    rows = [row(number, "say", call("say"), turns=3) for number in range(36)]
    rows += [row(number, "say", call("no"), turns=6) for number in range(18)]
    alt = drawn(tmp_path, rows)["turns"].alt
    assert "staged_tool_call: 0.80 at 0, 0.80 at 1, 0.80 at 2, 0.00 at 3-5" in alt


def test_one_conversation_is_shown_turn_by_turn(tmp_path: Path) -> None:
    alt = drawn(tmp_path, [row(number, "say", call("say")) for number in range(4)])["turns"].alt
    assert "1.00 at 0, 1.00 at 1, 1.00 at 2, 1.00 at 3" in alt
    alt = drawn(tmp_path, [row(number, "say", call("say"), turns=90) for number in range(90)])["turns"].alt
    assert "1.00 at 17, 1.00 at 18-89" in alt
