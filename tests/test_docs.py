"""The documentation is run: its commands are parsed, its blocks executed in their order, page by page, for real.

Blocks marked `bash` or `python` are run in one folder per page; a block under a line that is only a file's name and a
colon is that file. Other blocks show what needs a GPU, a key or the internet: their commands are parsed, and not run.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from harness.cli.__main__ import tft
from harness.cli.skill import NAME
from harness.data.formats.jsonl import read_jsonl, write_json, write_jsonl
from harness.data.formats.message_reader import read_messages
from harness.data.formats.messages import dump_conversation, expand_pairs
from harness.data.formats.published import dump_row, read_test_conversations
from harness.data.formats.task import read_task
from harness.data.records import Conversation, Message, TurnPair
from harness.data.sample import sample_conversations, sample_task
from harness.errors import HarnessError, UsageError
from harness.evaluation.report_json import read_report
from support.trace_exports import write_export

ROOT = Path(__file__).resolve().parent.parent
SKILL = ROOT / "harness" / "cli" / "skill" / "SKILL.md"
PAGES = {
    page.name: page for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), SKILL, ROOT / "llms.txt"]
}
PORTS = ("7860", "7861")
_BLOCK = re.compile(
    r"(?:^`(?P<file>[\w./-]+)`:\n\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
_SPAN = re.compile(r"(?<!`)`(tft [^`]+)`(?!`)")
_MISSING = re.compile(r"(File|Directory|Path) '(.+)' does not exist")
_RUN = ("bash", "python")
ENGINE = "tft evaluate local/tiny-student"
"""The one command of all pages that starts an inference engine: it is parsed, and `test_vllm.py` runs its like."""
_SHELL = ("", "bash", "console", "sh", "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str
    file: str | None
    """The file whose content it is."""


def blocks(page: str) -> list[Block]:
    found = _BLOCK.finditer(PAGES[page].read_text(encoding="utf-8"))
    return [Block(language=one["language"], text=one["text"], file=one["file"]) for one in found]


def commands(page: str) -> list[list[str]]:
    """Return the words behind `tft` of every command line in a page's blocks."""
    texts = [block.text for block in blocks(page) if block.language in _SHELL and block.file is None]
    lines = [line for text in texts for line in text.replace("\\\n", " ").splitlines()]
    return [words for line in lines for words in _commands(line)]


def _commands(line: str) -> Iterator[list[str]]:
    """Yield the words of each call of `tft` in a line: assignments before it and what follows `|`, `&&`, `>` aside."""
    if "tft " not in line or "`tft " in line:  # the tree of the README names commands in its descriptions
        return
    words: list[str] = []
    lexer = shlex.shlex(line.removeprefix("$ "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    for word in [*lexer, ";"]:
        if set(word) <= set("();<>|&"):
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                del words[0]
            if words[:1] == ["tft"]:
                yield words[1:]
            words = []
        else:
            words.append(word)


def _verb(words: list[str]) -> tuple[click.Command, click.Context, list[str]]:
    """Return the command that the words name, its group's context, and its own words."""
    command: click.Command = tft
    context, rest = click.Context(tft, info_name="tft", **tft.context_settings), list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        parent = context
        _, found, rest = command.resolve_command(parent, rest)  # raises for a verb that there is not
        assert found is not None
        command, context = found, click.Context(found, parent=parent, info_name=found.name)
    return command, context.parent or context, rest


def _parse(words: list[str]) -> None:
    """Raise click.UsageError where `tft` would refuse these words. Files that they name are made: none is at hand."""
    command, parent, rest = _verb(words)
    for _ in range(10):
        try:
            command.make_context(command.name, list(rest), parent=parent)
            return
        except (click.exceptions.Exit, HarnessError):  # `--help`, and what is wrong with an empty file
            return
        except click.BadParameter as error:
            missing = _MISSING.search(error.message)
            if missing is None:
                raise
            place = Path(missing[2])
            if missing[1] == "Directory":
                place.mkdir(parents=True)
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.touch()


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_is_one_that_tft_takes(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in commands(page):
        try:
            _parse(words)
        except click.UsageError as error:
            pytest.fail(f"{page}: tft {shlex.join(words)}: {error.format_message()}")


@pytest.mark.parametrize("page", PAGES)
def test_verbs_and_options_that_a_sentence_names_are_there(page: str) -> None:
    text = re.sub(r"^```.*?^```$", "", PAGES[page].read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for span in _SPAN.findall(text):
        words = [word.strip("[],.") for word in span.split()[1:]]
        try:
            command, _, rest = _verb([word for word in words if word and word != "..."])
        except click.UsageError as error:
            pytest.fail(f"{page}: {span}: {error.format_message()}")
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert {word.partition("=")[0] for word in rest if word.startswith("--")} <= known | {"--help"}, span


def test_the_checks_see_a_wrong_verb_option_and_argument(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for line in ("tft evalute me/a", "tft evaluate me/a --judges b", "tft score", "tft run s1", "tft compare a b c"):
        [words] = _commands(f"HF_TOKEN=x {line} | head -1  # a remark")
        with pytest.raises(click.UsageError):
            _parse(words)
    for line in ("tft judge a.jsonl --endpoints new.yaml --judge b --out c", "tft hub serve"):
        [words] = _commands(line)
        _parse(words)


@pytest.mark.parametrize("page", PAGES)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    text = PAGES[page].read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)\s]+)\)", text):
        path, _, heading = target.partition("#")
        place = (PAGES[page].parent / path).resolve()
        assert place.exists(), f"{page} links {target}"
        if heading:
            headings = re.findall(r"^#+ (.+)$", place.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = [re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings]
            assert heading in slugs, f"{page} links {target}; {path} has {slugs}"


class Shell:
    """Runs blocks one after the other: what they export stays, the servers they start run on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        threads = {"OMP_NUM_THREADS": "2"}  # where this process may use all cores
        self.environment = threads | os.environ | {"PATH": path, "XDG_CACHE_HOME": str(folder / "xdg")}
        self.ports = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
        self.servers: list[subprocess.Popen[str]] = []

    def run(self, block: Block) -> None:
        text = block.text
        if block.file is not None:
            place = self.folder / block.file
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
            return
        for port, free in self.ports.items():
            text = text.replace(port, free)
        if block.language == "bash" and "tft hub serve" in text:
            self._serve(text if "--port" in text else f"{text.rstrip()} --port {self.ports[PORTS[0]]}")
            return
        if "tft hub gc" in text:
            self.stop()
        program = ["bash", "-euo", "pipefail", "-c", f"{text}\nenv -0 > .environment"]
        if block.language == "python":
            program = [sys.executable, "-c", text]
        done = subprocess.run(
            program, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        if block.language == "bash":
            entries = (self.folder / ".environment").read_text().split("\0")
            self.environment = dict(entry.split("=", 1) for entry in entries if "=" in entry)

    def _serve(self, text: str) -> None:
        words = ["bash", "-euc", text]
        server = subprocess.Popen(
            words, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.servers.append(server)
        assert server.stdout
        assert server.stdout.readline().startswith("Hub ready: http://127.0.0.1:")

    def stop(self) -> None:
        while self.servers:
            server = self.servers.pop()
            os.killpg(server.pid, signal.SIGINT)
            server.communicate(timeout=20)


def _free_ports(n: int) -> list[str]:
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return [str(each.getsockname()[1]) for each in (one, other)][:n]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    yield shell
    shell.stop()


def run_page(page: str, shell: Shell) -> None:
    """Run a page's blocks, all but the one line that starts an inference engine."""
    for block in blocks(page):
        if block.language in _RUN or block.file is not None:
            lines = [line for line in block.text.splitlines(keepends=True) if not line.startswith(ENGINE)]
            shell.run(replace(block, text="".join(lines)))


@pytest.fixture
def sample(shell: Shell) -> Path:
    """The sample job folder `my-agent`, and two models' answers to its test set in all layouts that pages read."""
    job = shell.folder / "my-agent"
    job.mkdir()
    task = sample_task()
    write_json(job / "job_description.json", {"task_description": task.description, "tools": list(task.tools)})
    write_jsonl(job / "traces.jsonl", map(dump_conversation, sample_conversations(24, seed=4)))
    write_jsonl(job / "test.jsonl", map(dump_conversation, sample_conversations(6, seed=99)))
    pairs = expand_pairs(read_test_conversations(job / "test.jsonl"))
    _write_answers(shell.folder, pairs, every=3, names=("answers.jsonl", "older.jsonl"))
    _write_answers(shell.folder, pairs, every=10, names=("newer.jsonl", "predictions.jsonl"))
    return shell.folder


def _write_answers(folder: Path, pairs: list[TurnPair], *, every: int, names: tuple[str, str]) -> None:
    """Write answers that are right but for one in `every`, recorded ones and rows in the published layout."""
    recorded, published, labelled = [], [], []
    for place, pair in enumerate(pairs):
        call = {"name": pair.reference.name, "arguments": dict(pair.reference.arguments)}
        wrong = place % every == 1
        raw = "<tool_call>\n" + json.dumps({"name": "none", "arguments": {}} if wrong else call) + "\n</tool_call>"
        recorded.append({"pair_id": pair.id, "raw": raw})
        turn = Message(role="assistant", tool_calls=(pair.reference,))
        asked = Conversation(id=pair.id, source="sample", messages=(*pair.prefix, turn))
        row = json.loads(dump_row(asked))
        published.append({**row, "prediction": raw})
        result = {"pair_id": pair.id, "conversation": pair.conversation, "turn": pair.turn, "prediction": raw}
        reference = {"name": pair.reference.name, "parameters": dict(pair.reference.arguments)}
        labelled.append({**result, "reference": json.dumps(reference), "label": "bad" if wrong else "good"})
    write_jsonl(folder / names[0], recorded)
    write_jsonl(folder / names[1], published)
    if names[0] == "answers.jsonl":
        write_jsonl(folder / "labelled.jsonl", labelled[::2])


def _rows(path: Path) -> list[dict[str, Any]]:
    return [row for _, row in read_jsonl(path)]


@pytest.mark.slow
def test_the_page_about_the_hub_runs_as_it_is_written(shell: Shell, tmp_path: Path) -> None:
    run_page("hub.md", shell)
    assert (tmp_path / "copy" / "rows.jsonl").is_file()
    assert (tmp_path / "hub.tar.gz").is_file()


@pytest.mark.slow
def test_the_page_about_evaluation_runs_as_it_is_written(shell: Shell, sample: Path) -> None:
    run_page("evaluate.md", shell)
    first, second = (read_report(sample / "runs" / run / "report.json") for run in ("first", "second"))
    assert (first.rows["model"]["binary_tool_call"].value or 0) < (second.rows["model"]["binary_tool_call"].value or 0)
    assert first.judging is not None
    assert first.judging.calibration is not None
    assert second.judging is not None
    assert "GO" in (sample / "comment.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_page_about_the_benchmark_runs_as_it_is_written(shell: Shell, sources: Path) -> None:
    shell.environment["TFT_SOURCES"] = str(sources)
    run_page("benchmark.md", shell)
    assert (shell.folder / "runs" / "benchmark" / "logs").is_dir()


@pytest.mark.slow
def test_the_page_about_traces_of_ones_own_runs_as_it_is_written(shell: Shell, sample: Path) -> None:
    (sample / "my-agent").rename(sample / "by-hand")
    write_export(sample / "export.jsonl", "otlp", sample_conversations(40, seed=4), list(sample_task().tools))
    run_page("own-traces.md", shell)
    [tool] = read_task(sample / "job_description.json").tools
    assert tool["function"]["name"] == "FindRestaurants"
    assert list(read_task(sample / "my-agent" / "job_description.json").tools) == list(sample_task().tools)
    assert len(_rows(sample / "masked-agent" / "traces.jsonl")) == len(_rows(sample / "my-agent" / "traces.jsonl"))
    assert len(_rows(sample / "synthetic" / "data" / "train.jsonl")) == 10


@pytest.mark.slow
def test_the_skill_runs_as_it_is_written(shell: Shell) -> None:
    write_export(shell.folder / "export.jsonl", "otlp", sample_conversations(40, seed=4), list(sample_task().tools))
    run_page("SKILL.md", shell)
    assert list(read_task(shell.folder / "my-agent" / "job_description.json").tools) == list(sample_task().tools)


def test_the_skill_is_one_that_agents_take(tmp_path: Path) -> None:
    """Its front matter keeps the limits of the Agent Skills format, and it is installed under its name."""
    _, front, body = SKILL.read_text(encoding="utf-8").split("---\n", 2)
    found = yaml.safe_load(front)
    assert set(found) == {"name", "description"}
    assert found["name"] == NAME
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", NAME)
    assert 0 < len(found["description"]) <= 1024
    assert len(body.splitlines()) < 500
    assert CliRunner().invoke(tft, ["skill"]).stdout == SKILL.read_text(encoding="utf-8")
    installed = CliRunner().invoke(tft, ["skill", "--install", str(tmp_path)])
    assert Path(installed.stdout.strip()) == tmp_path / NAME / "SKILL.md"
    assert (tmp_path / NAME / "SKILL.md").read_text(encoding="utf-8") == SKILL.read_text(encoding="utf-8")


def test_a_skill_that_was_changed_is_not_written_over_unasked(tmp_path: Path) -> None:
    place = tmp_path / NAME / "SKILL.md"
    place.parent.mkdir()
    place.write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match=r"differs from the skill of this version.*--replace"):
        CliRunner().invoke(tft, ["skill", "--install", str(tmp_path)], catch_exceptions=False)
    assert place.read_text(encoding="utf-8") == "mine"
    assert CliRunner().invoke(tft, ["skill", "--install", str(tmp_path), "--replace"]).exit_code == 0
    assert place.read_text(encoding="utf-8") == SKILL.read_text(encoding="utf-8")


def test_the_line_of_traces_on_the_page_is_one_that_is_read() -> None:
    [line] = [block.text for block in blocks("own-traces.md") if block.language == "json" and block.file is None]
    roles = [message.role for message in read_messages(json.loads(line)["messages"], strict=False)]
    assert roles == ["user", "assistant", "tool", "assistant"]


def test_the_page_about_numbers_runs_as_it_is_written(shell: Shell, sample: Path) -> None:
    run_page("numbers.md", shell)
    assert {row["staged_tool_call"] for row in _rows(sample / "scored.jsonl")} > {1.0}


@pytest.mark.slow
def test_what_the_page_about_extending_adds_is_found_and_works(shell: Shell, sample: Path, sources: Path) -> None:
    """In a copy of the checkout, whose package is the one that its commands import."""
    for name in ("harness", "eval", "model_cards", "datasets"):
        shutil.copytree(ROOT / name, sample / name, ignore=shutil.ignore_patterns("__pycache__"))
    shell.environment |= {"PYTHONPATH": str(sample), "TFT_SOURCES": str(sources)}
    run_page("extend.md", shell)
    [scenario] = (sample / "data").iterdir()
    assert len(_rows(scenario / "tft" / "traces.jsonl")) == 50
    assert {row["brevity"] for row in _rows(sample / "scored.jsonl")} >= {1.0}
    report = read_report(sample / "runs" / "constant" / "report.json")
    assert report.rows["model"]["brevity"].value == 1.0
    assert report.rows["model"]["staged_tool_call"].value == 0.0
    card = (sample / "card.md").read_text(encoding="utf-8")
    assert "## How small the test set is\n\nA score of this card is a mean over 359 turns of 34 conversations." in card
    metric = "import evaluate, sys; print(evaluate.load(sys.argv[1]).compute(predictions=['ab'], references=['a']))"
    words = [sys.executable, "-c", metric, str(sample / "eval" / "brevity")]
    done = subprocess.run(words, env=shell.environment, capture_output=True, text=True, check=True)
    assert "'brevity': 0.5" in done.stdout


def test_every_page_with_blocks_to_run_is_run() -> None:
    runnable = {page for page in PAGES if any(block.language in _RUN for block in blocks(page))}
    source = Path(__file__).read_text(encoding="utf-8")
    assert runnable - {"README.md"} == set(re.findall(r'run_page\("([\w-]+[.]md)"', source))
