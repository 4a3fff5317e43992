"""Measurements in files: the figures of a Hub's report without its texts, added to on other days, and shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness.benchmark.measurements.cost import costs
from harness.benchmark.measurements.hold import hold
from harness.benchmark.measurements.page import render
from harness.benchmark.measurements.read import read_measured
from harness.benchmark.measurements.story import compare
from harness.benchmark.report.build import make_report
from harness.data.published_facts import published_facts
from harness.data.records import TurnPair
from harness.errors import DataError
from harness.hub.client import Hub
from harness.hub.lineage import Lineage
from harness.training.run_summary import TrainingFacts

RESULTS = "tft-benchmark-results"
ROOT = Path(__file__).parents[3]
MEASURED = Path("docs/measurements/pretrained")
Made = Callable[..., Any]


@pytest.fixture
def untrained(model: Made) -> Any:
    return model(name="ada/tiny-1M", chance=0.3, changes={"model_revision": "d" * 40})


def _owned(found: Mapping[str, str], owner: str) -> dict[str, str]:
    """Return files of ada's as those of another owner."""
    return {path.replace("ada--", f"{owner}--"): text.replace("ada/", f"{owner}/") for path, text in found.items()}


@pytest.fixture
def held(push: Made, owner: str, tmp_path: Path) -> Callable[[Mapping[str, str]], Path]:
    """Push these files as a results dataset, and record them in a folder."""

    def record(found: Mapping[str, str], folder: str = "measured") -> Path:
        push(RESULTS, _owned(found, owner))
        hold(Hub.connect(), owner, tmp_path / folder)
        return tmp_path / folder

    return record


def _bytes(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_the_files_give_the_figures_of_the_report_and_hold_no_text(
    files: Made,
    ten: list[Any],
    record: Made,
    untrained: Any,
    held: Made,
    owner: str,
    tmp_path: Path,
    pairs: list[TurnPair],
) -> None:
    folder = held({**files(*ten, untrained), **record(ten)})
    assert len([*folder.iterdir()]) == 12
    shown = make_report(Hub.connect(), owner, folder.parent / "report")
    kept = read_measured(folder).summary
    assert [row.contrasts for row in kept.main.rows] == [row.contrasts for row in shown.main.rows]
    assert [cell.scores for row in kept.main.rows for cell in row.cells] == [
        cell.scores for row in shown.main.rows for cell in row.cells
    ]
    assert kept.verdict == shown.verdict
    assert kept.worth == shown.worth
    assert kept.baselines == shown.baselines
    assert [one.scores for one in kept.beside] == [one.scores for one in shown.beside]
    text = "".join(_bytes(folder).values())
    said = {message.content for pair in pairs for message in pair.prefix if len(message.content or "") > 5}
    values = {
        value
        for pair in pairs
        for value in pair.reference.arguments.values()
        if isinstance(value, str) and len(value) > 5
    }
    assert said
    assert not [one for one in (said | values) if json.dumps(one)[1:-1] in text]


def test_cells_of_another_day_join_those_that_are_there(
    files: Made, ten: list[Any], record: Made, untrained: Any, held: Made
) -> None:
    one, other = {**files(*ten[:4], untrained), **record(ten[:4])}, {**files(*ten, untrained), **record(ten)}
    folder = held(one)
    before = _bytes(folder)
    assert read_measured(folder).summary.main.rows[4].tft.status == "not measured yet"
    held(other)
    after = _bytes(folder)
    assert {name: after[name] for name in before} == before
    assert after == _bytes(held(other, "at-once"))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"config": {"pairs": 30, "pairs_in_test_set": 30, "max_tokens": 64}}, "arithmetic, max_tokens"),
        ({"config": {"engine_defaults": ["--dtype", "bfloat16"]}}, "arithmetic, engine_defaults"),
    ],
)
def test_what_was_measured_otherwise_is_refused_before_anything_is_written(
    change: dict[str, Any], what: str, files: Made, cell: Made, record: Made, held: Made, pairs: list[TurnPair]
) -> None:
    first = cell(1, "tft", 0.7)
    folder = held({**files(first), **record([first])})
    before = _bytes(folder)
    config = {**change["config"], "pairs": len(pairs), "pairs_in_test_set": len(pairs), "judge": ["rules:judge"]}
    other = cell(1, "direct", 0.5, changes={"config": config})
    with pytest.raises(DataError, match=what):
        held({**files(other), **record([other])})
    assert _bytes(folder) == before


def test_how_a_model_was_trained_is_recorded_with_its_losses(
    files: Made, ten: list[Any], record: Made, held: Made, push: Made, owner: str
) -> None:
    first = ten[0]
    facts = TrainingFacts(
        **dict.fromkeys(("student", "dataset"), f"{owner}/x@{'1' * 40}"),
        **dict.fromkeys(("conversations", "examples", "turns", "tokens", "learned_tokens", "steps"), 3),
        **{"task": "the task", "template": "own", "loss_plot": "a long story", "settings": {"epochs": 1.5}},
        **{"skipped": {}, "counted": {}, "seconds": 61.0, "first_loss": 2.0, "last_loss": 1.0, "merge_difference": 0.0},
        computed_tokens=4600,
        precision="float32",
    )
    lineage = Lineage(stage="train", version=1, config={}, inputs=(), extra={"training": facts.dump()})
    log = "".join(json.dumps({"step": n, "epoch": n / 2, "loss": 3.0 / n}) + "\n" for n in (1, 2, 3))
    name = first.name.rpartition("/")[2]
    commit = push(name, {"lineage.json": json.dumps(lineage.dump()), "training/log.jsonl": log}, kind="model")
    found = {**files(first), **record([first])}
    path = next(path for path in found if path.startswith("reports/"))
    edited = json.loads(found[path])
    edited["run"]["model_revision"] = commit
    folder = held({**found, path: json.dumps(edited)})
    measured = read_measured(folder)
    (one,) = measured.measurements
    assert one.losses == ((0.5, 3.0), (1.0, 1.5), (1.5, 1.0))
    assert one.training == {**facts.dump(), "loss_plot": "", "prompts": []}
    assert [loss.losses for loss in measured.summary.losses] == [(3.0, 1.5, 1.0)]
    assert "| S1 Baseline | TFT | 3 | 1.5 | 3 | 4,600 | float32 | 1.0 |" in render(folder, folder.parent / "docs").page


def test_a_score_that_was_changed_by_hand_is_noticed(files: Made, ten: list[Any], record: Made, held: Made) -> None:
    folder = held({**files(*ten[:2]), **record(ten[:2])})
    path = next(path for path in folder.iterdir() if "direct" in path.name)
    value = json.loads(path.read_text())
    place = value["columns"].index("staged_tool_call")
    value["turns"][0][place] = 1.0 - value["turns"][0][place]
    path.write_text(json.dumps(value))
    with pytest.raises(DataError, match="different things of staged_tool_call"):
        read_measured(folder)
    path.write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        read_measured(folder)


def test_agreement_follows_from_sign_and_significance(
    files: Made, ten: list[Any], cell: Made, record: Made, held: Made, tmp_path: Path
) -> None:
    """S1 was published as a tie, the others with TFT ahead; here TFT is ahead in some, Direct in S5."""
    cells = [*ten[:8], cell(5, "tft", 0.2), cell(5, "direct", 0.9)]
    summary, facts = read_measured(held({**files(*cells), **record(cells)})).summary, published_facts()
    told = {one.row.scenario: one for one in compare(summary.main.rows, summary.metric, facts)}
    for name, one in told.items():
        contrast = one.row.contrasts[summary.metric]
        ahead = None if contrast.tie else "tft" if contrast.difference.value > 0 else "direct"
        if name == "s1":
            assert (ahead, contrast.difference.low < -0.05) == (None, True)
            assert one.agreement == "open", "a difference that so few conversations cannot show is no agreement"
        else:
            assert one.agreement == ("agrees" if ahead == "tft" else "contradicts" if ahead else "open"), one
    tie = told["s1"].row.contrasts[summary.metric]
    narrow = replace(tie, difference=replace(tie.difference, low=-0.04, high=0.03))
    (shown,) = compare([replace(told["s1"].row, contrasts={summary.metric: narrow})], summary.metric, facts)
    assert shown.agreement == "agrees"
    found = read_measured(tmp_path / "measured")
    by_cell = {
        (one.row.scenario, one.cell.arm): one for one in costs(summary.main.rows, summary.metric, found.of, facts)
    }
    assert len(by_cell) == 8
    clean = summary.main.rows[0].tft.scores[summary.metric].overall.value
    for row in summary.main.rows[1:]:
        mine = row.tft.scores[summary.metric].overall.value
        assert by_cell[row.scenario, "tft"].difference.value == pytest.approx(mine - clean)
    assert by_cell["s3", "direct"].told
    assert by_cell["s3", "direct"].published == -27.9
    assert told["s2"].agreement == "agrees"
    assert told["s5"].agreement == "contradicts"
    assert "Direct significantly ahead" in told["s5"].sentence


def test_the_page_shows_every_figure_and_what_is_missing(
    files: Made,
    ten: list[Any],
    record: Made,
    untrained: Any,
    held: Made,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from harness.cli.__main__ import tft

    folder = held({**files(*ten[:3], untrained), **record(ten[:3])})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").write_text("# Ours\n\n<!-- tft-harness:begin -->\n<!-- tft-harness:end -->\n\nMore.\n")
    words = ["results", "page", str(folder), "--out", "docs", "--readme", "README.md"]
    done: Result = CliRunner().invoke(tft, words)
    assert done.exit_code == 0, done.output
    page, readme = (tmp_path / "docs" / "results.md").read_text(), (tmp_path / "README.md").read_text()
    summary = read_measured(folder).summary
    for row in summary.main.rows[:2]:
        for one in (one for one in row.cells if one.done):
            for text in (page, readme):
                assert f"{one.scores[summary.metric].overall.value:.3f}" in text
    assert "3 of 10 cells" in page
    assert "not measured yet" in readme
    assert (readme.startswith("# Ours"), readme.endswith("More.\n")) == (True, True)
    for text, place in ((page, tmp_path / "docs"), (readme, tmp_path)):
        for picture in (line.rpartition("](")[2].rstrip(")") for line in text.splitlines() if line.startswith("![")):
            assert (place / picture).is_file()


def test_one_cell_is_not_called_unmeasured_and_what_is_missing_is_said_once(
    files: Made, ten: list[Any], record: Made, untrained: Any, held: Made
) -> None:
    made = render(folder := held({**files(ten[1], untrained), **record(ten[1:2])}), folder.parent / "docs")
    assert "1 of 10 cells so far" in made.page
    assert "\nS2, S3, S4 and S5 have no comparison: both not measured yet.\n" in made.page
    for text in (made.page, made.block):
        assert "Direct: S1, S2, S3, S4 and S5 cannot be compared yet." in text
        assert "S1 Baseline is not measured" not in text
        assert "\n\n\n" not in text


def test_a_cell_whose_settings_no_record_tells_is_left_out(
    files: Made, ten: list[Any], record: Made, push: Made, owner: str, tmp_path: Path
) -> None:
    push(RESULTS, _owned({**files(*ten[:2]), **record(ten[1:2])}, owner))
    held = hold(Hub.connect(), owner, tmp_path)
    assert [path.name for path in held.files] == ["tft-benchmark-s1-direct-tiny-1M.json"]
    assert any("s1-tft" in one and "settings are not known" in one for one in held.left_out)


def test_why_a_judge_gave_no_verdict_is_not_recorded_as_it_may_quote_an_answer(
    files: Made, ten: list[Any], record: Made, held: Made
) -> None:
    found = files(ten[0])
    path = next(path for path in found if path.startswith("reports/"))
    edited = json.loads(found[path])
    edited["judging"]["members"][0]["problem"] = "the verdict is a table for four in Oakland"
    folder = held({**found, path: json.dumps(edited), **record(ten[:1])})
    assert "Oakland" not in "".join(_bytes(folder).values())


def test_the_committed_page_and_readme_are_what_the_command_renders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    committed = {path.name: path.read_bytes() for path in (ROOT / "docs" / "plots").iterdir()}
    made = render(MEASURED, Path("docs"), Path("README.md"), plots=tmp_path)
    again = "run `tft results page docs/measurements/pretrained --out docs --readme README.md`"
    assert (ROOT / "docs" / "results.md").read_text(encoding="utf-8") == made.page, again
    assert made.block in (ROOT / "README.md").read_text(encoding="utf-8"), again
    assert {f"{plot.name}.png" for plot in made.plots} == set(committed), again
