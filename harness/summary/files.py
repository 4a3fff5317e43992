"""The files of the report: Markdown, JSON, a page and the card of its Space."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from harness.hub import Hub
from harness.summary.records import Summary
from harness.wire.jsonl import write_atomic


def write_files(summary: Summary, hub: Hub, out: Path) -> None:
    """Write RESULTS.md, results.json, index.html and README.md into `out`."""
    text = json.dumps(dataclasses.asdict(summary), indent=2, ensure_ascii=False)
    write_atomic(out / "results.json", [text + "\n"])
    write_atomic(out / "RESULTS.md", ["# TFT benchmark: results\n"])
    write_atomic(out / "index.html", ["<!doctype html>\n<title>TFT benchmark</title>\n"])
    write_atomic(out / "README.md", ["---\ntitle: TFT benchmark\nsdk: static\n---\n"])
    (out / "plots").mkdir(exist_ok=True)
