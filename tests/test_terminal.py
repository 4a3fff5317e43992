"""Text reaches people through one module, results on stdout and all else on stderr."""

from __future__ import annotations

import ast
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


def writers() -> Iterator[str]:
    """Each call that writes to a terminal outside `harness/terminal.py` and the Hub that can be lifted out."""
    for path in PACKAGE.rglob("*.py"):
        inside = path.relative_to(PACKAGE)
        if inside.parts[0] == "hubd" or (inside.name == "terminal.py" and len(inside.parts) == 1):
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
