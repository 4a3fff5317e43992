"""Results are read by everybody: they hold no password of an address, no path of this machine, no engine's key."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

_ENDPOINTS = runpy.run_path(str(Path(__file__).with_name("endpoints.py")))
PASSWORD = "Tulip-Harbor-9931"
_AS_ALICE = {"HF_TOKEN": "hf_alice_writes"}


def test_addresses_paths_and_what_files_are_called_stay_here(hub: Any, tft: Callable[..., Any], tmp_path: Path) -> None:
    alice = hub.client("alice")
    _ENDPOINTS["make_test_set"](alice, "alice/trains", 2)
    secret = tmp_path / "merger-with-acme"
    secret.mkdir()
    answers = secret / "answers.jsonl"
    call = '<tool_call>\n{"name": "find_train", "arguments": {"city": "Town 0"}}\n</tool_call>'
    answers.write_text("".join(json.dumps({"pair_id": f"c-{n}:0", "raw": call}) + "\n" for n in range(2)))
    command = ["evaluate", "--dataset", "alice/trains", "--push", "--max-unscored", "1"]
    replayed = tft(*command, f"replay:{answers}", "--out", "one", HF_ENDPOINT=hub.url, **_AS_ALICE)
    with _ENDPOINTS["speaking"](lambda number: _ENDPOINTS["call"](city=f"Town {number}")) as url:
        address = url.replace("//", f"//user:{PASSWORD}@") + f"?key={PASSWORD}-too"
        tft(*command, "openai:m", "--base-url", address, "--out", "two", HF_ENDPOINT=hub.url, **_AS_ALICE)
    published = _ENDPOINTS["pushed"](alice, "datasets/alice/tft-benchmark-results")
    assert any("answers" in name for name in published), replayed.stderr
    words = (PASSWORD, "merger-with-acme", str(tmp_path))
    told = {name: [word for word in words if word in f"{name} {text!r}"] for name, text in published.items()}
    assert not {name: found for name, found in told.items() if found}
