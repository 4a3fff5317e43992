"""The repair report: its figures by hand, on perfect, absent and middling repairs."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from harness.cli.__main__ import tft
from harness.curation.repair.measure import RepairTarget, measure
from harness.curation.repair.scores import Measure, RepairReport
from harness.data.formats.jsonl import write_json, write_jsonl
from harness.data.formats.messages import dump_conversation
from harness.data.formats.stage_rows import dump_relabelled
from harness.data.pipeline_records import TraceRow, TurnDecision
from harness.data.records import Conversation
from harness.errors import DataError, UsageError
from harness.reports.repair_tables import as_markdown, draw, print_repair


@pytest.fixture
def damaged(library: SimpleNamespace) -> list[Conversation]:
    """In all ten the search is a reply; in the first four the last reply is foreign too."""
    traces = [library.with_call(one, 3, library.reply("Just a moment.")) for one in library.clean]
    return [
        library.with_call(one, 5, library.reply("Your taxi is here.")) if number < 4 else one
        for number, one in enumerate(traces)
    ]


def report_of(
    library: SimpleNamespace, repaired: Sequence[Conversation], raw: Sequence[Conversation] | None = None
) -> RepairReport:
    against = RepairTarget(truths=library.truths, toolbox=library.toolbox, source="traces", truth="clean.jsonl")
    return measure([TraceRow(conversation=one) for one in repaired], against, raw=raw)


def named(report: RepairReport, name: str) -> Measure:
    return next(one for one in report.measures if one.name == name)


def test_a_perfect_repair_scores_one_everywhere(library: SimpleNamespace, damaged: list[Conversation]) -> None:
    report = report_of(library, library.clean, damaged)
    assert all(one.f1.value == 1.0 for one in report.measures)
    assert {name: one.value for name, one in report.broken.items()} == {"name": 0.0, "arguments": None, "text": 0.0}
    assert (report.before["name"].value, report.after["name"].value) == (pytest.approx(20 / 30), 1.0)
    assert (report.before["arguments"].value, report.after["arguments"].value) == (0.0, 1.0)
    assert [(one.kind, one.n) for one in report.kinds] == [("another name", 10), ("other values", 4), ("clean", 16)]


def test_traces_as_they_came_are_not_repaired_at_all(library: SimpleNamespace, damaged: list[Conversation]) -> None:
    report = report_of(library, damaged)
    assert [one.recall.value for one in report.measures] == [0.0] * 4
    assert all(one.flagged == 0 and one.precision.value is None for one in report.measures)
    assert report.before == report.after


def test_a_middling_repair_scores_what_is_counted_by_hand(
    library: SimpleNamespace, damaged: list[Conversation]
) -> None:
    """Six searches are mended, two get a wrong title, two stay; one foreign reply is found, one clean one changed."""
    repaired = list(damaged)
    for number in range(6):
        repaired[number] = library.with_call(repaired[number], 3, library.clean[number].messages[3].tool_calls[0])
    for number in (6, 7):
        repaired[number] = library.with_call(repaired[number], 3, library.call("FindBook", title="Another"))
    repaired[0] = library.with_call(repaired[0], 5, library.reply("It is in."))
    repaired[9] = library.with_call(repaired[9], 1, library.call("LendBook", title="Which?"))
    report = report_of(library, repaired, damaged)
    name, call = named(report, "tool name"), named(report, "service call")
    assert (name.positives, name.flagged) == (10, 9)
    assert (name.recall.value, name.precision.value) == (0.8, pytest.approx(8 / 9))
    assert name.f1.value == pytest.approx(16 / 19)
    assert (call.positives, call.flagged, call.recall.value) == (10, 9, 0.6)
    assert call.precision.value == pytest.approx(6 / 9)
    detection, text = named(report, "detection"), named(report, "reply text")
    assert (detection.positives, detection.flagged, detection.recall.value) == (14, 10, pytest.approx(9 / 14))
    assert (text.positives, text.flagged, text.recall.value, text.precision.value) == (4, 2, 0.25, 0.5)
    assert report.broken["name"].value == pytest.approx(1 / 16)
    searches = next(one for one in report.kinds if one.kind == "another name")
    assert (searches.name.value, searches.keys.value, searches.arguments.value) == (0.8, 0.6, 0.6)
    assert name.recall.low is not None
    assert 0 < name.recall.low < 0.8 < (name.recall.high or 0)


def test_spelling_is_told_apart_from_meaning(library: SimpleNamespace, damaged: list[Conversation]) -> None:
    respelt = [
        library.with_call(one, 3, library.call("FindBook", title=f"NUMBER {number}", due_date="March 3, 2019"))
        for number, one in enumerate(library.clean)
    ]
    searches = next(one for one in report_of(library, respelt, damaged).kinds if one.kind == "another name")
    assert (searches.arguments.value, searches.strictly.value) == (1.0, 0.0)
    untouched = report_of(library, respelt, library.clean)
    assert untouched.broken["arguments"].value == 0.0
    assert named(untouched, "detection").flagged == 0


def test_undecided_turns_count_as_detected_and_not_as_right(
    library: SimpleNamespace, damaged: list[Conversation]
) -> None:
    rows = [relabelled(one, library, undecided=3) for one in damaged]
    against = RepairTarget(truths=library.truths, toolbox=library.toolbox, source="rows", truth="clean.jsonl")
    report = measure(rows, against)
    searches = next(one for one in report.kinds if one.kind == "another name")
    assert (searches.undecided, searches.detected.value, searches.name.value) == (10, 1.0, 0.0)
    assert named(report, "tool name").flagged == 0
    assert report.kept is not None
    assert report.kept.value == 0.0


def relabelled(conversation: Conversation, library: SimpleNamespace, *, undecided: int) -> TraceRow:
    """A row of the stage, in which the committee has left one turn undecided and the others as they were."""
    decisions = [
        TurnDecision(
            position=position,
            raw=message.tool_calls[0],
            call=None if position == undecided else message.tool_calls[0],
            method="undecided" if position == undecided else "unanimous",
            level=None,
            candidates=(None,),
        )
        for position, message in enumerate(conversation.messages)
        if message.tool_calls
    ]
    row = dump_relabelled(conversation, (), decisions, "undecided turns: 1")
    return TraceRow(conversation=conversation, columns={key: row[key] for key in ("kept", "reason", "turns")})


def test_filtered_rows_are_measured_by_what_is_kept(library: SimpleNamespace) -> None:
    """Of ten conversations the last four are foreign: three are rejected, and one of the task's too."""
    truths = [replace(truth, belongs=number < 6) for number, truth in enumerate(library.truths)]
    rows = [
        TraceRow(conversation=one, columns={"kept": number not in (0, 7, 8, 9), "reason": ""})
        for number, one in enumerate(library.clean)
    ]
    against = RepairTarget(
        truths=type(library.truths)(truths), toolbox=library.toolbox, source="rows", truth="clean.jsonl"
    )
    report = measure(rows, against)
    assert report.rejection is not None
    assert (report.rejection.recall.value, report.rejection.precision.value) == (0.75, 0.75)
    assert report.kept is not None
    assert report.kept.value == pytest.approx(5 / 6)
    assert report.measures == ()


def test_what_cannot_be_measured_is_counted(library: SimpleNamespace) -> None:
    stranger = Conversation(id="?", messages=library.clean[0].messages[2:4], source="")
    stranger = replace(stranger, messages=tuple(replace(one, tool_calls=()) for one in stranger.messages))
    assert report_of(library, [*library.clean, stranger]).unmatched == 1
    with pytest.raises(DataError, match="no conversation of traces has a clean one"):
        report_of(library, [stranger])
    against = RepairTarget(truths=library.truths, toolbox=library.toolbox, source="rows", truth="clean.jsonl")
    with pytest.raises(DataError, match="line 7"):
        measure([TraceRow(conversation=stranger, problem="traces.jsonl, line 7: no JSON")], against)


def test_markdown_and_plot_show_hostile_kinds_as_text(
    library: SimpleNamespace, damaged: list[Conversation], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the same report gives the same bytes."""
    library.truths = library.make_truths(kinds={3: "[x](http://evil) | $a$\u202e <b>"})
    report = report_of(library, library.clean, damaged)
    text = as_markdown(report)
    assert "<b>" not in text
    assert "[x](" not in text
    for rows in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows.splitlines()}) == 1
    first, second = draw(report, tmp_path / "a" / "one.png"), draw(report, tmp_path / "b" / "one.png")
    assert first.path.read_bytes() == second.path.read_bytes()
    print_repair(report, width=100)
    assert "service call" in capsys.readouterr().out


def run(*arguments: str) -> Any:
    return CliRunner().invoke(tft, ["repair-report", *arguments], catch_exceptions=False)


def test_the_command_reports_on_a_stages_folder(
    library: SimpleNamespace, damaged: list[Conversation], tmp_path: Path
) -> None:
    rows = [relabelled(one, library, undecided=3) for one in damaged]
    write_jsonl(
        tmp_path / "out" / "data" / "train.jsonl",
        [{**dump_conversation(row.conversation), **row.columns} for row in rows],
    )
    write_jsonl(tmp_path / "clean.jsonl", map(dump_conversation, library.clean))
    write_json(tmp_path / "job_description.json", {"task_description": "Lend.", "tools": list(library.tools)})
    clean = str(tmp_path / "clean.jsonl")
    files = ("--plot", str(tmp_path / "r.png"), "--markdown", str(tmp_path / "r.md"))
    result = run(str(tmp_path / "out"), "--clean", clean, "--json", *files)
    report = json.loads(result.stdout)
    assert report["measures"][0]["recall"]["value"] == pytest.approx(10 / 14)
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "r.md").read_text().startswith("## Repair")
    assert "undecided" in run(str(tmp_path / "out"), "--clean", clean).stdout


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "either --clean FILE, or --scenario N"),
        (["--clean", "HERE", "--scenario", "2"], "either --clean FILE, or --scenario N"),
        (["--clean", "HERE", "--arm", "tft"], "--arm chooses an arm of --scenario"),
        (["--clean", "HERE", "--plot", "x.svg"], "PNG"),
        (["--clean", "HERE"], "--task job_description.json"),
    ],
)
def test_wrong_usage_says_what_to_do(
    library: SimpleNamespace, tmp_path: Path, arguments: list[str], problem: str
) -> None:
    clean = tmp_path / "clean.jsonl"
    write_jsonl(clean, map(dump_conversation, library.clean))
    with pytest.raises(UsageError, match=problem):
        run(str(clean), *(str(clean) if one == "HERE" else one for one in arguments))
