"""Where students show little, the report leads with what was damaged and repaired, in all its files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.benchmark.record import CellRecord
from harness.benchmark.report.build import draw
from harness.benchmark.report.records import BenchmarkReport
from harness.benchmark.report.repair_records import Repair
from harness.benchmark.report.repair_words import HOW, say_damage
from harness.benchmark.report.terminal import print_summary
from harness.benchmark.report.write import write_files
from harness.benchmark.sample_job import write_job
from harness.curation.repair.labels import LabelFates, LabelReport
from harness.data.formats.messages import dump_conversation
from harness.data.traces.trace_input import read_input

Made = Callable[..., Any]
FIRST = (
    "S2 Noisy Labels: damaged 30 of 100 labels in 12 conversations (30%; swap tool 20 and to respond to user 10). "
    "Repaired 25, made replies again whose true words nobody can know 1, dropped 3, left wrong 1; "
    "of the 70 right ones dropped 4, errors introduced 2."
)


def labels(**changes: Any) -> LabelReport:
    kinds = (
        LabelFates(kind="swap_tool", labels=20, right=16, reworded=1, dropped=2, wrong=1),
        LabelFates(kind="replace_with_respond_to_user", labels=10, right=9, reworded=0, dropped=1, wrong=0),
        LabelFates(kind="clean", labels=70, right=64, reworded=0, dropped=4, wrong=2),
    )
    made: dict[str, Any] = {"conversations": 12, "kinds": kinds, "foreign": 0, "foreign_dropped": 0, "context": 0}
    return LabelReport(**{**made, "unmatched": 0, **changes})


def repair(found: LabelReport) -> Repair:
    nothing = dict.fromkeys(("filtered", "relabelled", "rejected", "repaired"))
    return Repair(scenario="s2", title="S2 Noisy Labels", labels=found, **nothing)  # type: ignore[arg-type]


def measured(summary: BenchmarkReport, **changes: Any) -> BenchmarkReport:
    """The report with a measured repair."""
    repairs = (repair(labels()),)
    return replace(summary, repairs=repairs, damage=say_damage(repairs), no_repairs=None, **changes)


def test_the_sentences_say_every_count() -> None:
    assert say_damage([repair(labels())]) == (FIRST, HOW)
    beside = labels(foreign=8, foreign_dropped=7, context=2, unmatched=1)
    assert say_damage([repair(beside)])[1] == (
        "S2 Noisy Labels, beside these: 7 of 8 conversations of another task dropped, 2 conversations left as "
        "unlabelled context, not counted and 1 conversations without a clean one, not counted."
    )
    clean = say_damage([repair(replace(labels(), kinds=labels().kinds[-1:]))])[0]
    assert "none of 70 labels in 12 conversations was damaged; of the 70 right ones dropped 4" in clean
    assert say_damage([replace(repair(labels()), labels=None)]) == ()


def test_data_lead_where_students_show_little_and_only_there(summary: Made, files: Made, cell: Made) -> None:
    strong = summary(files(cell(2, "tft", 0.95), cell(2, "direct", 0.3)))
    assert strong.verdict.tft == ("s2",)
    assert strong.verdict.beats_baselines
    assert not measured(strong).data_first
    assert measured(strong, caveat="No result.").data_first
    assert not replace(strong, caveat="No result.").data_first  # nothing is measured
    tied = summary(files(cell(2, "tft", 0.9), cell(2, "direct", 0.9)))
    assert tied.verdict.untold == ("s2",)
    assert measured(tied).data_first
    weak = replace(strong, verdict=replace(strong.verdict, beats_baselines=False))
    assert measured(weak).data_first


@pytest.mark.parametrize("caveat", [None, "The scores are no result."])
def test_all_files_and_the_terminal_have_the_same_order(
    caveat: str | None, summary: Made, files: Made, cell: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = measured(summary(files(cell(2, "tft", 0.95), cell(2, "direct", 0.3))), caveat=caveat)
    write_files(draw(made, tmp_path), tmp_path)
    print_summary(made, width=1000)
    texts = [(tmp_path / name).read_text().replace("\\", "") for name in ("RESULTS.md", "index.html")]
    texts.append(capsys.readouterr().out)
    verdict = "TFT is significantly better than Direct in S2"
    for text in texts:
        damage, students = text.index(FIRST), text.index(verdict)
        assert text.count(FIRST) == 1
        if caveat:
            assert damage < text.index(caveat) < students
        else:
            assert students < damage
    card = (tmp_path / "README.md").read_text().replace("\\", "")
    assert (FIRST in card) == bool(caveat)
    for text in texts[:2]:
        assert text.count("Repair of the traces</h2>") + text.count("## Repair of the traces") == 1
    assert "| S2 Noisy Labels | swap tool | 20 | 16 | 1 | 2 | 1 |" in texts[0]
    assert "| S2 Noisy Labels | none | 70 | 64 | 0 | 4 | 2 |" in texts[0]
    figures = json.loads((tmp_path / "results.json").read_text())
    assert figures["damage"] == [FIRST, HOW]
    assert (figures["caveat"], figures["data_first"]) == (caveat, bool(caveat))
    assert figures["repairs"][0]["labels"]["kinds"][0]["right"] == 16


def test_the_caveat_is_that_of_the_recorded_preset_and_student(
    summary: Made, files: Made, cell: Made, record: Made
) -> None:
    cells = [cell(2, "tft", 0.9), cell(2, "tft", 0.9, student="other-2M")]
    found = {**files(*cells), **record(cells[:1], settings={"caveat": "No result."})}
    assert summary(found).caveat == "No result."
    assert summary(found, student="other-2M").caveat is None
    assert summary({**found, **record(cells[:1], settings={"caveat": ["odd"]})}).caveat is None


def test_repairs_of_a_job_are_measured_against_the_clean_traces_in_its_folder(
    files: Made, model: Made, record: Made, push: Made, owner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of ten damaged traces one is dropped by the filter, one comes out as it was, and the others are right again."""
    from harness.cli.__main__ import tft

    damaged = write_job(tmp_path / "job", traces=11, test=2)
    assert [not one.changes for one in damaged].count(True) == 1
    wrong = [one for one in damaged if one.changes]
    traces = [row.conversation for row in read_input(str(tmp_path / "job" / "traces.jsonl"), None).rows()]
    filtered = [{**dump_conversation(one), "kept": one.id != wrong[0].trace.conversation.id} for one in traces]
    relabelled = [
        {**dump_conversation(one.trace.conversation if one is wrong[1] else one.clean.conversation), "kept": True}
        for one in damaged
        if one is not wrong[0]
    ]
    artifacts = {
        stage: f"{owner}/sample-{stage}@"
        + push(f"sample-{stage}", {"data/train.jsonl": "".join(json.dumps(row) + "\n" for row in found)})
        for stage, found in (("filter", filtered), ("relabel", relabelled))
    }
    cells = [
        CellRecord(scenario="sample", arm=arm, fair=False, seed=0, model=f"{owner}/sample-{arm}-tiny-1M", status="done",
                   artifacts=artifacts if arm == "tft" else {})
        for arm in ("tft", "direct")
    ]  # fmt: skip
    written = json.loads(record([], student=f"{owner}/tiny-1M@{'d' * 40}")["benchmark.json"])
    written["cells"] = [asdict(one) for one in cells]
    made = files(*(model(name=one.model, chance=0.6) for one in cells))
    push("tft-benchmark-results", {**made, "benchmark.json": json.dumps(written)})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    without = CliRunner().invoke(tft, ["report", "--out", "without"], catch_exceptions=False)
    assert "no ground truth" in (tmp_path / "without" / "RESULTS.md").read_text()
    done = CliRunner().invoke(tft, ["report", "--job", "job", "--name", "sample"], catch_exceptions=False)

    dropped, left, *repaired = [len(one.changes) for one in wrong]
    said = f"Repaired {sum(repaired)}, dropped {dropped}, left wrong {left}"
    assert f"sample: damaged {sum(repaired) + dropped + left} of " in done.stdout
    assert said in done.stdout
    assert said not in without.stdout
    assert said in (tmp_path / "report" / "RESULTS.md").read_text()
