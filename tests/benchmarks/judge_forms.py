"""How many forms of judge answers `tft judge` parses, how many of them wrongly, and how often it asks.

FILE has rows of `{"id", "text", "verdict"}`: a judge's complete answer (a text, or a list of parts) and the verdict in
it, good or bad, or null if there is none. A local endpoint always answers each row with its text.

    python tests/benchmarks/judge_forms.py FILE
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TFT = Path(sys.executable).parent / "tft"
METRIC = "llm-as-a-judge"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, metavar="FILE")
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.file.read_text().splitlines() if line.strip()]
    asked: Counter[int] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        judged = judge(rows, asked, Path(folder))
    kinds: dict[str, list[str]] = {"read right": [], "rightly unscored": [], "unscored": [], "wrong": []}
    for row, found in zip(rows, judged, strict=True):
        verdict = {1.0: "good", 0.0: "bad", None: None}[found[METRIC]]
        right = "rightly unscored" if verdict is None else "read right"
        kind = right if verdict == row["verdict"] else "unscored" if verdict is None else "wrong"
        kinds[kind].append(f"{row['id']}: {found['judge_reason']}")
    for kind, names in kinds.items():
        print(f"{kind}: {len(names)}")
        for name in names if kind in ("unscored", "wrong") else ():
            print(f"  {name}")
    print(f"questions per row: {asked.total() / len(rows):.2f} ({asked.total()} of {len(rows)} rows)")


def judge(rows: list[dict[str, Any]], asked: Counter[int], folder: Path) -> list[dict[str, Any]]:
    """Return the rows as `tft judge` writes them, in order; `asked` counts the questions of each."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(rows, asked))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with (folder / "rows.jsonl").open("w") as out:
            for number in range(len(rows)):
                question = json.dumps([{"role": "user", "content": f"case number {number};"}])
                out.write(json.dumps({"question": question, "answer": _call("a"), "prediction": _call("b")}) + "\n")
        where = f"http://127.0.0.1:{server.server_address[1]}/v1"
        words = ["judge", "rows.jsonl", "--judge", "openai:judge", "--judge-base-url", where, "--out", "judged.jsonl"]
        environment = {**os.environ, "XDG_CACHE_HOME": str(folder)}
        done = subprocess.run([TFT, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode or "Traceback" in done.stderr:
            raise SystemExit(done.stderr)
        return [json.loads(line) for line in (folder / "judged.jsonl").read_text().splitlines()]
    finally:
        server.shutdown()
        server.server_close()


def _call(city: str) -> str:
    return json.dumps({"name": "Find", "parameters": {"city": city}})


def _handler(rows: list[dict[str, Any]], asked: Counter[int]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            number = int(request["messages"][-1]["content"].split("case number ")[1].split(";")[0])
            asked[number] += 1
            row = rows[number]
            message = row.get("message", {"role": "assistant", "content": row.get("text")})
            choice = {"index": 0, "finish_reason": row.get("finish_reason", "stop"), "message": message}
            reply = {"id": "0", "object": "chat.completion", "created": 0, "model": "judge", "choices": [choice]}
            body = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


if __name__ == "__main__":
    main()
