"""Text reaches people through one module, results on stdout and all else on stderr."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path

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
