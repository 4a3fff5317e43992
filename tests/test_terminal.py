"""Text reaches people through one module, results on stdout and all else on stderr."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import harness
from harness import terminal

PACKAGE = Path(harness.__file__).parent
DOORS = {
    "print",
    "click.echo",
    "click.secho",
    "Console",
    "Progress",
    "rich.print",
    "sys.stdout.write",
    "sys.stderr.write",
}
PIPED = {"data/traces/parquet_reader.py"}
"""Processes of their own whose stdout is read by the one that starts them, and by nobody else."""


def writers() -> Iterator[str]:
    """Each call that writes to a terminal outside `harness/terminal.py` and the Hub that can be lifted out."""
    for path in PACKAGE.rglob("*.py"):
        inside = path.relative_to(PACKAGE)
        if (
            inside.as_posix() in PIPED
            or inside.parts[0] == "hubd"
            or (inside.name == "terminal.py" and len(inside.parts) == 1)
        ):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in DOORS:
                yield f"{inside}:{node.lineno} {ast.unparse(node.func)}"


def test_nothing_else_writes_to_a_terminal() -> None:
    assert list(writers()) == []


def test_results_go_to_stdout_and_words_for_the_person_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.echo("result")
    terminal.echo("no line end", nl=False)
    terminal.say("word")
    with terminal.progress("working") as advance:
        advance()
    terminal.show(["[bold]drawn[/bold]", terminal.plain("[bold]as it is[/bold]")])
    out, err = capsys.readouterr()
    assert out == "result\nno line enddrawn\n[bold]as it is[/bold]\n"
    assert err == "word\nworking ...\n"


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """What was said since the last time; nothing may ever stand on stdout."""

    def read() -> list[str]:
        out, err = capsys.readouterr()
        assert out == ""
        return err.splitlines()

    return read


def test_work_of_known_size_says_its_start_and_each_tenth_with_rate_and_time_left(lines: Any) -> None:
    clock = Clock()
    pace = terminal.Pace("answers", 200, clock=clock)
    assert lines() == ["answers: 0 of 200"]
    said = []
    for _ in range(200):
        clock.now += 0.5
        pace.advance()
        said += lines()
    assert len(said) == 10
    assert said[0] == "answers: 20 of 200 (10 %), 2.0 per second, 1:30 left"
    assert said[-1] == "answers: 200 of 200 (100 %), 2.0 per second, 1:40 in all"


def test_slow_work_says_something_every_half_minute_whether_or_not_a_step_ends(lines: Any) -> None:
    clock = Clock()
    pace = terminal.Pace("training", 1000, done=400, clock=clock)
    assert lines() == ["training: 400 of 1,000 (40 %)"]
    clock.now += 29
    pace.advance(note="step 401, loss 2.500")
    pace.beat()
    assert (lines(), pace.due) == ([], 1.0)
    clock.now += 1
    pace.beat()
    assert lines() == ["training: 401 of 1,000 (40 %), 2.0 per minute, 4:59:30 left; step 401, loss 2.500"]
    clock.now += 30
    pace.advance(note="")
    assert lines() == ["training: 402 of 1,000 (40 %), 2.0 per minute, 4:59:00 left"]


def test_quick_work_says_its_start_and_its_end(lines: Any) -> None:
    clock = Clock()
    pace = terminal.Pace("rules:judge judges", 100, clock=clock)
    for _ in range(100):
        clock.now += 0.005
        pace.advance()
    assert lines() == [
        "rules:judge judges: 0 of 100",
        "rules:judge judges: 100 of 100 (100 %), 200.0 per second, 0:00 in all",
    ]


def test_work_of_unknown_size_says_how_long_it_has_been_going_on(lines: Any) -> None:
    clock = Clock()
    pace = terminal.Pace("checking traces", None, clock=clock)
    clock.now += 30
    pace.beat()
    pace.advance(steps=90)
    clock.now += 30
    pace.beat()
    assert lines() == [
        "checking traces ...",
        "checking traces: 0:30 gone",
        "checking traces: 90 so far, 1.5 per second, 1:00 gone",
    ]


def test_transfers_are_told_in_megabytes_while_their_size_becomes_known(lines: Any) -> None:
    clock = Clock()
    pace = terminal.Pace("downloading me/a", 40_000_000, size=True, clock=clock)
    clock.now += 2
    pace.advance(steps=20_000_000, total=100_000_000)
    assert lines() == [
        "downloading me/a: 0.0 MB of 40.0 MB",
        "downloading me/a: 20.0 MB of 100.0 MB (20 %), 10.0 MB per second, 0:08 left",
    ]


def test_lines_about_what_others_named_stay_lines(lines: Any) -> None:
    with terminal.progress("a\n::error::b", 1) as advance:
        advance(note="c\x1b[2Jd\n\n::e")
    assert [line.partition(":")[0] for line in lines()] == ["a ", "a "]


HOSTILE = "a\x1b[2J\x9b1m\x07\r\n::error::x\n\u202eb\u2028c\ufeff\U000e0041[red]d[/red]"
SHOWN = (
    "a\\u001b[2J\\u009b1m\\u0007 ::error::x \\u202eb c\\ufeff\\udb40\\udc41[red]d[/red]"  # as JSON has it, on one line
)


def test_what_others_wrote_is_one_line_without_hidden_characters(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.say(HOSTILE)
    terminal.echo(HOSTILE)
    terminal.show([terminal.plain(HOSTILE)], width=200)
    out, err = capsys.readouterr()
    assert err == f"{SHOWN}\n"
    assert out == f"{SHOWN}\n" * 2


def test_documents_keep_their_lines_and_json_its_values(capsys: pytest.CaptureFixture[str]) -> None:
    document = {"name": HOSTILE.replace("\n", " ").replace("\r", " "), "other": "##[command]"}
    terminal.write(json.dumps(document, ensure_ascii=False, indent=2))
    out = capsys.readouterr().out
    assert json.loads(out) == document
    assert len(out.splitlines()) == 4


@pytest.mark.parametrize(
    "text",
    ["::error::x", "  ::x", "\u3000::x", "ok\n::x", "ok\r::x", "##[x]", "ok ##[x", "##vso[x", "\x0b::x", "\ufeff::x"],
)
def test_nothing_reads_as_a_workflow_command(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with terminal.guarded():
        terminal.write(text)
        terminal.say(text)
        sys.stderr.write(f"{text}\n")
        sys.stderr.write("::")
        sys.stderr.write("x\n")
    for line in "".join(capsys.readouterr()).splitlines():
        assert not line.strip().startswith("::")
        assert "##[" not in line
        assert "##vso[" not in line


def test_a_bug_ends_in_a_traceback_that_is_harmless(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "value-of-the-api-key-1")

    def fail() -> None:
        with terminal.guarded():
            raise ValueError("x\n::error::value-of-the-api-key-1")

    with pytest.raises(SystemExit):
        fail()
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "\n\\u003a:error::[key]\n" in said


def test_a_token_is_told_to_who_may_know_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_TOKEN", "value-of-the-token-1")
    with terminal.guarded():
        terminal.reveal("HF_TOKEN=value-of-the-token-1")
        terminal.echo("HF_TOKEN=value-of-the-token-1")
    assert capsys.readouterr().out == "HF_TOKEN=value-of-the-token-1\nHF_TOKEN=[key]\n"
