"""How many calls in a file are parsed correctly: rows of {"id", "text", "expected"}, parsed as `tft` parses answers.

`expected` is {"name", "arguments"}, or null if there is no call. Prints the figures and every row that is parsed
differently; a wrong call is worse than none, so the two are counted separately. Exit status 1 if a call is wrong.

    python tests/benchmarks/readings.py FILE [--tools TOOLS] [--family NAME]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from harness.data.formats.jsonl import read_jsonl
from harness.data.records import Prediction, Task, ToolCall
from harness.evaluation.scorecard import HEADLINE, read_answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--tools", type=Path, help="JSON with tool schemas: a list, or an object with `tools`")
    parser.add_argument("--family", help="the model's own notation, where it is known")
    options = parser.parse_args()
    rows = [row for _, row in read_jsonl(options.file)]
    counts = {"right": 0, "missed": 0, "wrong": 0}
    for row, call in zip(rows, calls(rows, tools(options.tools), options.family), strict=True):
        expected = ToolCall(**row["expected"]) if row["expected"] else None
        outcome = "right" if same(call, expected) else "missed" if call is None else "wrong"
        counts[outcome] += 1
        if outcome != "right":
            print(f"{outcome}: {row['id']}: {call}, expected {expected}")
    print(f"{len(rows)} texts: {', '.join(f'{count} {name}' for name, count in counts.items())}")
    raise SystemExit(1 if counts["wrong"] else 0)


def tools(path: Path | None) -> tuple[dict[str, Any], ...]:
    """Return the tool schemas of a file, none without one."""
    value = json.loads(path.read_text(encoding="utf-8")) if path else []
    return tuple(value["tools"] if isinstance(value, dict) else value)


def calls(rows: list[dict[str, Any]], schemas: tuple[dict[str, Any], ...], family: str | None) -> list[ToolCall | None]:
    """Return the headline's reading of each text."""
    task = Task(description="", tools=schemas)
    answers = [Prediction(pair_id=row["id"], raw=row["text"]) for row in rows]
    found = read_answers(answers, task, family, None, None)[HEADLINE]
    return [reading.call if reading else None for reading in found]


def same(call: ToolCall | None, expected: ToolCall | None) -> bool:
    """Return whether both are the same call, down to the type of every value: true is not 1."""
    if call is None or expected is None:
        return call is expected
    return json.dumps([call.name, call.arguments], sort_keys=True) == json.dumps(
        [expected.name, expected.arguments], sort_keys=True
    )


if __name__ == "__main__":
    main()
