"""Names and messages that others chose neither steer a terminal, nor command a job on GitHub, nor pose as our lines."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

_ENDPOINTS = runpy.run_path(str(Path(__file__).with_name("endpoints.py")))
FORGED = "pushed: https://forged.example/all-is-well"
HOSTILE = (
    f"tool\x1b[2J\x1b]0;owned\x07\x9b31m\r\n::error title=forged::now\n  ::add-mask::a\n##[add-matcher]x\n{FORGED}\n"
    "\u202egnp.exe\u2066\u200b\u2028::warning::u\u2029\ufeff\U000e0041[red]r[/red][link=http://forged.example]l[/link]"
)
# What no line of ours holds: C0 but for the line end, C1, directions, invisible ones, separators, tags.
_HIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]")


def problems(done: Any) -> list[str]:
    """Return what is wrong with the output of a command."""
    text = done.stdout + done.stderr
    lines = [line.strip() for line in text.split("\n")]
    found = [f"character {found!r}" for found in sorted(set(_HIDDEN.findall(text)))]
    found += [f"command {line!r}" for line in lines if line.startswith("::") or "##[" in line]
    found += [f"forged {line!r}" for line in lines if line.startswith(FORGED)]
    return found


def test_tool_names_of_traces(tft: Callable[..., Any], tmp_path: Path) -> None:
    function = {"name": HOSTILE, "arguments": "{}"}
    called = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c", "type": "function", "function": function}],
    }
    messages = [{"role": "user", "content": "Hello"}, called, {"role": HOSTILE, "content": "?"}]
    rows = [{"messages": messages[:2]}, {"messages": messages}]
    (tmp_path / "traces.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = tft("inspect-traces", "traces.jsonl", COLUMNS="300")
    assert "owned" in done.stdout, done.stderr
    assert not problems(done)
    assert "[red]r[/red]" in done.stdout.replace("\n", "")


def test_errors_and_answers_of_an_endpoint(hub: Any, tft: Callable[..., Any]) -> None:
    alice = hub.client("alice")
    _ENDPOINTS["make_test_set"](alice, "alice/trains", 2)
    with _ENDPOINTS["speaking"](lambda _: (404, {"error": {"message": HOSTILE, "code": HOSTILE}})) as url:
        done = tft(
            "evaluate", "openai:m", "--base-url", url, "--dataset", "alice/trains", "--no-push", "--out", "run",
            HF_ENDPOINT=hub.url,
        )  # fmt: skip
    assert done.returncode == 2
    assert "owned" in done.stderr
    assert not problems(done)


def test_what_a_hub_says_of_a_refusal(tft: Callable[..., Any]) -> None:
    with _ENDPOINTS["speaking"](lambda _: (400, {"error": HOSTILE}), get=True) as url:
        done = tft("lineage", "owner/model", HF_ENDPOINT=url.removesuffix("/v1"))
    assert done.returncode == 2
    assert not problems(done)
