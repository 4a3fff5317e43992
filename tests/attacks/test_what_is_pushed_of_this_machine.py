"""Results are read by everybody: they hold no path of this machine."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

_ENDPOINTS = runpy.run_path(str(Path(__file__).with_name("endpoints.py")))


def test_where_a_file_of_answers_lies_stays_here(hub: Any, tft: Callable[..., Any], tmp_path: Path) -> None:
    alice = hub.client("alice")
    _ENDPOINTS["make_test_set"](alice, "alice/trains", 2)
    secret = tmp_path / "merger-with-acme"
    secret.mkdir()
    answers = secret / "answers.jsonl"
    call = '<tool_call>\n{"name": "find_train", "arguments": {"city": "Town 0"}}\n</tool_call>'
    answers.write_text("".join(json.dumps({"pair_id": f"c-{n}:0", "raw": call}) + "\n" for n in range(2)))
    command = ["evaluate", "--dataset", "alice/trains", "--push", "--max-unscored", "1"]
    replayed = tft(*command, f"replay:{answers}", "--out", "one", HF_ENDPOINT=hub.url, HF_TOKEN="hf_alice_writes")
    published = _ENDPOINTS["pushed"](alice, "datasets/alice/tft-benchmark-results")
    assert any("answers" in name for name in published), replayed.stderr
    words = ("merger-with-acme", str(tmp_path))
    told = {name: [word for word in words if word in f"{name} {text!r}"] for name, text in published.items()}
    assert not {name: found for name, found in told.items() if found}
