"""Files that people hand in: marks, packing, other formats and numbers without end are read, or are one sentence."""

from __future__ import annotations

import bz2
import codecs
import gzip
import json
import lzma
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.cli.__main__ import tft

ANSWER = json.dumps({"name": "find", "parameters": {"n": 1}})
TASK = {"task_description": "Find it.", "tools": [{"name": "find", "parameters": {"type": "object", "properties": {}}}]}
HUGE = "9" * 5000
DEEP = "[" * 100_000 + "]" * 100_000


def trace(arguments: str = "{}", extra: str = "") -> str:
    call = f'{{"id": "a", "type": "function", "function": {{"name": "find", "arguments": {arguments}}}}}'
    messages = f'[{{"role": "user", "content": "find it"}}, {{"role": "assistant", "tool_calls": [{call}]}}]'
    return f'{{"messages": {messages}{extra}}}'


def called(number: str) -> str:
    return trace(f'{{"n": {number}}}')


def row(extra: str = "", question: str = "hello") -> str:
    asked = json.dumps(json.dumps([{"role": "user", "content": question}]))
    answer = json.dumps(ANSWER)
    return f'{{"question": {asked}, "answer": {answer}, "prediction": {answer}{extra}}}'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("task.json").write_text(json.dumps(TASK))
    return tmp_path


def run(*words: str) -> Any:
    return CliRunner().invoke(tft, list(words))


def sentence(*words: str) -> str:
    """Return the one sentence that a command ends with."""
    error = run(*words).exception
    assert type(error).__module__ == "harness.errors", repr(error)
    assert "\n" not in str(error)
    return str(error)


BOM = codecs.BOM_UTF8


@pytest.mark.parametrize("start", [BOM, BOM + b"\n"])
def test_a_byte_order_mark_is_read_over_everywhere(start: bytes) -> None:
    """In traces, predictions, tools, task and settings alike."""
    Path("traces.jsonl").write_bytes(start + trace().encode())
    Path("rows.jsonl").write_bytes(start + row().encode())
    Path("marked.json").write_bytes(BOM + json.dumps(TASK).encode())
    for words in (
        ("inspect-traces", "traces.jsonl", "--task", "marked.json"),
        ("score", "rows.jsonl", "--tools", "marked.json", "--out", "scored.jsonl"),
        ("compare", "rows.jsonl", "rows.jsonl", "--tools", "marked.json"),
    ):
        done = run(*words)
        assert done.exit_code == 0, done.exception
    Path("settings.yaml").write_bytes(BOM + b"nonsense: 1\n")
    options = ("--student", "me/s", "--to", "me/m", "--task", "task.json", "--config", "settings.yaml")
    assert "nonsense" in sentence("train", "traces.jsonl", *options)


PACKED = {
    "gunzip": gzip.compress(row().encode()),
    "bunzip2": bz2.compress(row().encode()),
    "unxz": lzma.compress(row().encode()),
    "UTF-16": row().encode("utf-16"),
    "this is UTF-16": row().encode("utf-16-le"),
    "Parquet": b"PAR1....PAR1",
    "zip file": b"PK\x03\x04....",
    "looks like CSV": b'"question","answer","prediction"\n"a","b","c"\n',
    "CSV: write": b"question,answer,prediction\na,b,c\n",
    "not UTF-8": '{"question": "h\u00e9"}'.encode("latin-1"),
}


@pytest.mark.parametrize("said", PACKED)
def test_what_is_no_text_is_named_with_what_to_do(said: str) -> None:
    Path("file").write_bytes(PACKED[said])
    for words in (("score", "file", "--out", "x.jsonl"), ("compare", "file", "file")):
        assert said in sentence(*words)
    if said not in ("Parquet", "zip file", "gunzip"):  # which traces may be
        words = "is CSV; export JSON" if "CSV" in said else said
        assert words in sentence("inspect-traces", "file", "--task", "task.json")
    if "CSV" not in said:
        Path("rows.jsonl").write_text(row())
        assert said in sentence("score", "rows.jsonl", "--tools", "file", "--out", "x.jsonl")
        assert said in sentence("inspect-traces", "rows.jsonl", "--task", "file")


@pytest.mark.parametrize("number", [HUGE, f"-{HUGE}", DEEP], ids=["huge", "negative", "deep"])
def test_a_value_that_cannot_be_held_is_a_row_with_its_line_and_the_rest_goes_on(number: str) -> None:
    words = "nested too deeply" if number == DEEP else "4,300 digits"
    bad = [called(number), trace(json.dumps(f'{{"n": {number}}}')), trace("{}", f', "x": {number}')]
    Path("traces.jsonl").write_text("\n".join([trace(), *bad, trace("{}", ', "y": 1')]))
    done = run("filter", "traces.jsonl", "--task", "task.json", "--no-rating", "--no-push", "--out", "made")
    assert done.exit_code == 0, done.exception
    reasons = Path("made/data/train.jsonl").read_text().splitlines()
    assert [words in one for one in reasons] == [False, True, True, True, False]
    Path("rows.jsonl").write_text("\n".join([row(), row(f', "x": {number}', "again")]))
    for command in (("score", "rows.jsonl", "--out", "s.jsonl"), ("compare", "rows.jsonl", "rows.jsonl")):
        assert (said := sentence(*command)).startswith("rows.jsonl, line 2: JSON ")
        assert words in said
    Path("tools.json").write_text(f'[{{"name": "find", "maximum": {number}}}]')
    assert words in sentence("score", "rows.jsonl", "--tools", "tools.json", "--out", "s.jsonl")


@pytest.mark.parametrize("number", ["9" * 4000, "1e999", "NaN", "-Infinity", f"{HUGE}.5", f"1e{HUGE}"])
def test_other_numbers_are_read(number: str) -> None:
    Path("traces.json").write_text(f"[{called(number)},\n{trace()}]")
    assert run("inspect-traces", "traces.json", "--task", "task.json").exit_code == 0


def test_in_an_array_too_only_the_row_with_a_number_without_end_is_lost() -> None:
    Path("traces.json").write_text(f"[{trace()},\n{called(HUGE)},\n{trace()}]")
    done = run("filter", "traces.json", "--task", "task.json", "--no-rating", "--no-push", "--out", "made")
    assert done.exit_code == 0, done.exception
    reasons = Path("made/data/train.jsonl").read_text().splitlines()
    assert ["4,300 digits" in one for one in reasons] == [False, True, False]


def test_an_id_may_be_any_number() -> None:
    Path("traces.jsonl").write_text(trace("{}", ', "id": 1.5') + "\n" + trace("{}", ', "id": 2'))
    assert run("inspect-traces", "traces.jsonl", "--task", "task.json").exit_code == 0


def test_an_export_without_generations_says_what_it_has() -> None:
    spans = [
        {"id": str(place), "traceId": "t", "type": kind, "input": {"a": 1}, "output": None, "startTime": "2026-01-01"}
        for place, kind in enumerate(("AGENT", "TOOL", "TOOL"))
    ]
    Path("spans.jsonl").write_text("\n".join(map(json.dumps, spans)))
    said = sentence("inspect-traces", "spans.jsonl", "--task", "task.json")
    assert "observations of type TOOL (2), AGENT (1) alone" in said


def test_a_missing_file_of_certificates_is_named_with_its_variable() -> None:
    lost = {**os.environ, "SSL_CERT_FILE": "/nowhere/ca.pem", "HF_ENDPOINT": "https://127.0.0.1:9"}
    command = [sys.executable, "-m", "harness.cli", "lineage", "me/model"]
    done = subprocess.run(command, env=lost, capture_output=True, text=True, check=False)
    assert "SSL_CERT_FILE names /nowhere/ca.pem" in done.stderr


@pytest.mark.parametrize("content", ["no certificate", None])
def test_a_file_without_certificates_is_named_with_its_variable(content: str | None, tmp_path: Path) -> None:
    place = tmp_path / "ca.pem"
    place.write_text(content) if content else place.mkdir()
    words = [sys.executable, "-m", "harness.cli", "train", "a/traces", "--task", "task.json", *["--student", "a/b"]]
    set_to = {**os.environ, "SSL_CERT_FILE": str(place), "HF_ENDPOINT": "https://127.0.0.1:9"}
    done = subprocess.run([*words, "--to", "a/c"], env=set_to, capture_output=True, text=True, check=False)
    assert f"SSL_CERT_FILE names {place}, which holds no certificates" in done.stderr


@pytest.mark.parametrize("value", [HUGE, "[", "[" * 5000])
def test_a_setting_that_cannot_be_read_is_one_sentence(value: str) -> None:
    Path("settings.yaml").write_text(f"seed: {value}")
    start = ("train", "traces.jsonl", "--task", "task.json", "--student", "a/b", "--to", "a/c")
    for said in (
        sentence(*start, "--set", f"seed={value}"),
        sentence(*start, "--config", "settings.yaml"),
        sentence("benchmark", "--preset", "settings.yaml", "--dry-run", "--namespace", "ada"),
        sentence("filter", "--models", "settings.yaml", "--task", "task.json", "--no-push", "traces.jsonl"),
    ):
        assert "cannot be read" in said or "cannot read settings.yaml" in said
        assert "expected YAML" in said
        assert "set_int_max_str_digits" not in said


def test_a_reference_with_a_number_without_end_is_said_to_be_one() -> None:
    answer = json.dumps(f'{{"name": "find", "parameters": {{"n": {HUGE}}}}}')
    Path("rows.jsonl").write_text(row().replace(json.dumps(ANSWER), answer, 1) + "\n")
    said = sentence("judge", "rows.jsonl", "--judge", "rules:judge", "--out", "judged.jsonl")
    assert 'line 1: "answer" is JSON with a whole number of more than 4,300 digits' in said


@pytest.mark.parametrize("name", ["none.json", "./none.json", "a/b/none.jsonl", "/none.jsonl", "../none.jsonl"])
def test_what_is_no_file_and_no_repository_is_said_to_be_neither(name: str) -> None:
    Path("traces.jsonl").write_text(trace() + "\n")
    for words in (("traces.jsonl", "--task", name), (name, "--task", "task.json")):
        said = sentence("filter", *words, "--no-push", "--out", "out", "--no-rating", "--hub", "http://127.0.0.1:9")
        assert said == f"{name!r} is neither a file nor a dataset repository (owner/name); check the name"
