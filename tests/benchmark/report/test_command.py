"""`tft report` on a Hub: the table on stdout, the files in the folder, and plain sentences where there is nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness.benchmark.record import BaselineRecord
from harness.errors import HarnessError
from harness.hub.lineage import Lineage

RESULTS = "tft-benchmark-results"
Made = Callable[..., Any]


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Run `tft report` in an empty folder, 200 columns wide."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str) -> Result:
        from harness.cli.__main__ import tft

        return CliRunner().invoke(tft, ["report", *words])

    return run


def _owned(found: dict[str, str], owner: str) -> dict[str, str]:
    """Return files of ada's as those of another owner."""
    return {path.replace("ada--", f"{owner}--"): text.replace("ada/", f"{owner}/") for path, text in found.items()}


@pytest.fixture
def ours(files: Made, ten: list[Any]) -> Callable[[str], dict[str, str]]:
    """The files of four cells, as another owner's."""

    def of(owner: str) -> dict[str, str]:
        return _owned(files(*ten[:4]), owner)

    return of


def test_the_report_is_printed_written_and_the_same_a_second_time(
    report: Made, ours: Made, push: Made, owner: str, tmp_path: Path
) -> None:
    found = ours(owner)
    log = "".join(json.dumps({"step": n, "epoch": n / 10, "loss": 3.0 / n}) + "\n" for n in range(1, 11))
    path = next(path for path in found if path.startswith("reports/") and "s2-tft" in path)
    edited = json.loads(found[path])
    name = f"{owner}/tft-benchmark-s2-tft-tiny-1M"
    edited["run"]["model_revision"] = push(name.partition("/")[2], {"training/log.jsonl": log}, kind="model")
    commit = push(RESULTS, {**found, path: json.dumps(edited)})
    done = report()
    assert done.exit_code == 0, done.output
    assert "S2 Noisy Labels" in done.stdout
    assert "TFT is significantly better than Direct in S2" in done.stdout
    figures = json.loads((tmp_path / "report" / "results.json").read_text())
    assert figures["results"] == f"{owner}/{RESULTS}@{commit}"
    (loss,) = figures["losses"]
    assert (loss["computed_from"], loss["steps"], loss["last"]) == (
        f"{name}@{edited['run']['model_revision']}:training/log.jsonl",
        10,
        0.3,
    )
    assert len(figures["no_losses"]) == 3
    assert "Repairs are not measured" in (tmp_path / "report" / "RESULTS.md").read_text()
    assert (tmp_path / "report" / "plots" / "losses.png").is_file()

    again = report("--out", "again", "--json")
    assert json.loads(again.stdout) == figures
    for path_ in (tmp_path / "report").rglob("*.*"):
        assert path_.read_bytes() == (tmp_path / "again" / path_.relative_to(tmp_path / "report")).read_bytes()


def test_the_gate_sets_the_status_by_the_verdict_behind_the_whole_report(
    report: Made, files: Made, cell: Any, model: Any, record: Any, push: Made, owner: str
) -> None:
    student = "ada/tiny-1M"  # the answers depend on the names, which are made the owner's afterwards
    beside = (BaselineRecord(kind="untrained", model=student, status="done"),)
    for decision, status, *chances, untrained in (
        ("PROCEED", 0, 0.95, 0.9, 0.1),
        ("STOP", 1, 0.3, 0.3, 0.95),
        ("ITERATE", 3, 0.6, 0.55, 0.5),
    ):
        cells = [cell(2, arm, chance) for arm, chance in zip(("tft", "direct"), chances, strict=True)]
        base = model(name=student, chance=untrained, changes={"model_revision": "d" * 40})
        made = {**files(*cells, base), **record(cells, baselines=beside, student=f"{student}@{'d' * 40}")}
        push(RESULTS, _owned(made, owner))
        done = report("--gate", "--json")
        assert json.loads(done.stdout)["worth"]["decision"] == decision
        assert getattr(done.exception, "exit_code", 0) == status, done.output


def test_missing_and_empty_results_are_refused_with_what_to_do(report: Made, push: Made, owner: str) -> None:
    missing = _refused(report())
    assert "there are no results to report" in missing
    push(RESULTS, {"README.md": "nothing"})
    empty = _refused(report())
    for words in ("holds no results", "tft evaluate", "--namespace"):
        assert words in empty
    push(RESULTS, {"benchmark.json": "{}"})
    assert "benchmark.json" in _refused(report())


def _refused(done: Result) -> str:
    """Check that the command ended as bad input must, and return its sentence."""
    assert isinstance(done.exception, HarnessError)
    assert done.exception.exit_code == 2
    assert done.stdout == ""
    return str(done.exception)


def test_repairs_are_measured_along_the_chain_of_lineages(
    report: Made,
    ours: Made,
    push: Made,
    owner: str,
    tmp_path: Path,
    dialogues: Any,
    sources: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Scenario 4's traces are clean: as they came, all calls are right. One filtered trace was thrown away."""
    from harness.data.formats.messages import dump_conversation
    from harness.data.scenarios import get

    traces = get(4).conversations(dialogues, "tft")
    rows = [dump_conversation(one) for one in traces]
    kept = [{**row, "kept": place > 0} for place, row in enumerate(rows)]

    def stage(name: str, stage: str, lines: list[Any], *inputs: str) -> str:
        data = "".join(json.dumps(line) + "\n" for line in lines)
        lineage = json.dumps(Lineage(stage=stage, version=1, config={}, inputs=inputs).dump())
        commit = push(f"tft-benchmark-s4-{name}", {"data/train.jsonl": data, "lineage.json": lineage})
        return f"{owner}/tft-benchmark-s4-{name}@{commit}"

    filtered = stage("filtered", "filter", kept, f"{owner}/tft-benchmark-s4-traces@{'1' * 40}")
    relabelled = stage("relabelled", "relabel", rows, filtered)
    synthetic = stage("synthetic", "synthesize", rows, relabelled, f"someone/else@{'2' * 40}")
    trained = Lineage(stage="train", version=1, config={}, inputs=(f"someone/base@{'3' * 40}", synthetic))
    lineage = json.dumps(trained.dump())
    commit = push("tft-benchmark-s4-tft-tiny-1M", {"lineage.json": lineage}, kind="model")
    found = {path.replace("s2", "s4"): text.replace("s2-", "s4-") for path, text in ours(owner).items() if "s2" in path}
    path = next(path for path in found if path.startswith("reports/") and "tft-tiny" in path)
    edited = json.loads(found[path])
    edited["run"]["model_revision"] = commit
    push(RESULTS, {**found, path: json.dumps(edited)})
    monkeypatch.setenv("TFT_SOURCES", str(sources))
    done = report()
    assert done.exit_code == 0, done.output
    (repair,) = json.loads((tmp_path / "report" / "results.json").read_text())["repairs"]
    assert (repair["filtered"], repair["relabelled"]) == (filtered, relabelled)
    assert repair["repaired"]["before"]["name"]["value"] == repair["repaired"]["after"]["arguments"]["value"] == 1.0
    assert repair["rejected"]["kept"]["value"] == 0.8
    assert (tmp_path / "report" / "plots" / "repairs.png").is_file()
    assert "S4 Low Data" in (tmp_path / "report" / "RESULTS.md").read_text().split("## Repair of the traces")[1]


def test_the_picture_of_the_published_results_is_what_the_command_draws(
    report: Callable[..., Result], tmp_path: Path
) -> None:
    """Its text says every figure."""
    from matplotlib.image import imread

    from harness.data.published_facts import published_facts

    done = report("--published", "--out", "docs", "--hub", "http://127.0.0.1:9")
    assert done.exit_code == 0
    root = Path(__file__).parents[3]
    page = (root / "docs" / "results.md").read_text(encoding="utf-8")
    assert f"![{done.stdout.strip()}](plots/published.png)" in page
    for scenario in published_facts().scenarios:
        for arm, name in (("tft", "TFT"), ("direct", "Direct")):
            assert f"{name} {scenario.scores[arm]['llm-as-a-judge']:.3f}" in done.stdout
    drawn, committed = (imread(folder / "docs" / "plots" / "published.png") for folder in (tmp_path, root))
    assert drawn.shape == committed.shape
    assert abs(drawn - committed).mean() < 0.01
