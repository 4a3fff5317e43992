"""The command line itself: every command explains itself by example, and every mistake is one sentence and status 2."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from harness.cli.__main__ import tft

TFT = Path(sys.executable).parent / "tft"


def _commands(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield words
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _commands(found, (*words, name))


def _command(words: tuple[str, ...]) -> click.Command:
    command: click.Command = tft
    for word in words:
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), word) or command
    return command


COMMANDS = list(_commands(tft))
LEAVES = [words for words in COMMANDS if not any(other[: len(words)] == words != other for other in COMMANDS)]


def _options_of(line: str, command: str) -> list[str]:
    """Return the options that an example gives to the command, other programs on the line aside."""
    calls = [part for part in re.split("&&|[|]", line) if f"tft {command}" in part]
    return [option for part in calls for option in re.findall(r"(?<=\s)--[a-z][a-z-]*", part)]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TFT, *arguments], env=os.environ | environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_the_commands_of_the_contract_are_there() -> None:
    assert {words[0] for words in COMMANDS if words} >= {
        *("agreement", "card", "compare", "data", "demo", "evaluate", "hub", "judge"),
        *("score", "sources", "student", "train"),
    }


@pytest.mark.parametrize("words", COMMANDS, ids=[" ".join(("tft", *words)) for words in COMMANDS])
def test_help_says_what_a_command_does_and_shows_it(words: tuple[str, ...]) -> None:
    for flag in ("--help", "-h"):
        done = CliRunner().invoke(tft, [*words, flag], prog_name="tft")
        assert done.exit_code == 0
    command = _command(words)
    assert command.help
    if not isinstance(command, click.Group):
        example = re.search(rf"Examples?:\n\s+{' '.join(('tft', *words))} ?", done.output)
        assert example, done.output
    options = [one for one in command.params if isinstance(one, click.Option)]
    assert all(one.help for one in options), [one.name for one in options if not one.help]


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_examples_name_options_that_exist(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(tft, [*words, "--help"], prog_name="tft")
    shown = {option for line in done.output.splitlines() for option in _options_of(line, " ".join(words))}
    assert shown <= {option for one in _command(words).params for option in (*one.opts, *one.secondary_opts)}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no-such-command"], ["No such command", "no-such-command"]),
        (["evaluate"], ["Missing argument", "MODEL"]),
        (["evaluate", "me/model", "--no-such-option"], ["No such option", "--no-such-option"]),
        (["evaluate", "me/model", "--limit", "0"], ["--limit", "0"]),
        (["evaluate", "me/model", "--max-tokens", "many"], ["--max-tokens", "many"]),
        (["evaluate", "me/model", "--out", __file__], ["--out", "is a file"]),
        (["evaluate", "other:model"], ["unknown backend 'other'"]),
        (["evaluate", "me/model", "--create-pr", "--no-push"], ["--create-pr", "--no-push"]),
        (["score", "nowhere.jsonl", "--out", "out.jsonl"], ["nowhere.jsonl"]),
        (["data", "no-such-command"], ["No such command"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_mistake_on_the_command_line_is_named_and_ends_with_2(arguments: list[str], words: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert len(re.findall(r"^error: ", done.stderr, re.IGNORECASE | re.MULTILINE)) == 1
    assert all(word in done.stderr for word in words), done.stderr


def test_the_version_and_the_help_go_to_stdout() -> None:
    assert re.fullmatch(r"tft, version \d+\.\d+\.\d+\S*\n", run("--version").stdout)
    assert "evaluate" in run("--help").stdout


def test_the_help_lists_every_command_once_by_what_it_is_for_in_a_whole_sentence() -> None:
    shown = CliRunner().invoke(tft, ["--help"], terminal_width=110).output
    commands = shown.partition("exit.\n")[2]
    listed = re.findall(r"^  ([a-z][a-z-]+)  +\S", commands, re.MULTILINE)
    assert sorted(listed) == sorted(tft.list_commands(click.Context(tft)))
    assert "..." not in commands.replace("prediction, ...", "")
    for name in listed:
        if isinstance(tft.get_command(click.Context(tft), name), click.Group):
            shown = CliRunner().invoke(tft, [name, "--help"], terminal_width=80).output
            assert "..." not in shown.partition("Commands:")[2]


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    command = f"{TFT} --help | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_ctrl_c_stops_a_hub_and_what_it_started(tmp_path: Path) -> None:
    command = [TFT, "hub", "serve", "--root", str(tmp_path / "hub"), "--port", "0"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    time.sleep(0.1)
    assert process.stdout is not None
    seen = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=20)[0]
    assert "Traceback" not in seen + rest
    assert process.returncode in (0, 130), seen + rest
    assert not [one for one in Path("/proc").glob("[0-9]*/cwd") if _lives_in(one, tmp_path)]


def _lives_in(place: Path, folder: Path) -> bool:
    try:
        return place.readlink() == folder
    except OSError:
        return False


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["filter", "/nope.jsonl", "--out", "made"], "'/nope.jsonl' is neither a file nor a dataset repository"),
        (["filter", "/nope.jsonl", "--to", "mine"], "'/nope.jsonl' is neither a file nor a dataset repository"),
        (["relabel", "me/traces", "--models", "damaged.yaml", "--out", "made"], "cannot read damaged.yaml"),
        (["data", "job", "mine", "--folder", "."], "has no job_description.json"),
        (["data", "build", "--push", "--sources", "."], "holds none of the"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_is_wrong_with_an_input_is_said_without_a_token(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    (tmp_path / "damaged.yaml").write_text("judge: [1\n", encoding="utf-8")
    done = run(*arguments, HF_HOME=str(tmp_path), HF_ENDPOINT="http://127.0.0.1:9")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert words in done.stderr
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("hub", ["embedded", "http://127.0.0.1:9"])
@pytest.mark.parametrize(
    "words",
    [
        ["relabel", "traces.jsonl", "--no-push", "--out", "made"],
        ["train", "traces.jsonl", "--student", "me/student", "--to", "me/trained", "--no-push"],
    ],
    ids=["relabel", "train"],
)
def test_where_no_task_was_named_it_is_asked_for(tmp_path: Path, words: list[str], hub: str) -> None:
    """With a test set that is not there, and without a token that would say whose it is."""
    (tmp_path / "traces.jsonl").write_text('{"messages": [{"role": "user", "content": "hi"}]}\n')
    words = [str(tmp_path / one) if one in ("traces.jsonl", "made") else one for one in words]
    done = run(*words, "--hub", hub, HF_TOKEN="", HF_HOME=str(tmp_path))
    assert done.returncode == 2, done.stderr
    assert "error: name the task with --task: its job_description.json, or a test set owner/name" in done.stderr
