"""Our stack frames between a command and an endpoint when a request is sent.

    python tests/benchmarks/frames.py                # relabel, judge and evaluate, each with its limit
    python tests/benchmarks/frames.py relabel

Each command runs in this process on a sample, against an endpoint in a thread. When the first request arrives, it reads
the stack of the main thread and the suspended coroutines: those that `asyncio.run` awaits, and those of the task that
sent the request. It counts frames whose code is in `harness/`, from the command's own function on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import harness
from harness.errors import HarnessError
from harness.hubd.embedded import running
from support.sample_test_set import write_test_set

LIMITS = {"relabel": 12, "judge": 10, "evaluate": None}
HOME = Path(harness.__file__).parent
TEST_SET = "ada/sample"
_SETTLED = 0.3
"""Seconds after which the sender has nothing to do but to wait for the answer."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commands", nargs="*", choices=[[], *LIMITS])
    wanted = parser.parse_args().commands or list(LIMITS)
    os.environ["OPENAI_API_KEY"] = "none"
    too_long = False
    with tempfile.TemporaryDirectory() as folder, sample_hub(Path(folder)), endpoint() as (url, chains):
        for name in wanted:
            chains.clear()
            run(name, Path(folder), url)
            limit = LIMITS[name]
            print(f"tft {name}: {len(chains[0])} frames" + (f", at most {limit}" if limit else ""))
            print("".join(f"  {number:2d} {frame}\n" for number, frame in enumerate(chains[0], start=1)))
            too_long = too_long or (limit is not None and len(chains[0]) > limit)
    sys.exit(too_long)


def run(name: str, folder: Path, url: str) -> None:
    """Run a command until the endpoint refuses its first request."""
    sample, out = folder / "sample", ["--out", str(folder / name)]
    task = ["--task", str(sample / "job_description.json")]
    arguments = {
        "relabel": [str(sample / "data" / "conversations" / "test.jsonl"), *task, "--base-url", url],
        "judge": [str(predictions(folder)), *task, "--judge", "openai:m", "--judge-base-url", url, *out],
        "evaluate": ["openai:m", "--dataset", TEST_SET, "--no-push", "--base-url", url, *out],
    }[name]
    if name == "relabel":  # pushed, which is the longer way
        arguments += ["--committee", "openai:m", "--arbiter", "rules:arbiter", "--to", "ada/relabelled"]
    os.environ["XDG_CACHE_HOME"] = str(folder / f"cache-{name}")
    command = import_module(f"harness.cli.{name}").command
    try:
        command.main(arguments, prog_name=name, standalone_mode=False)
    except HarnessError:
        return  # the endpoint refuses everything


def predictions(folder: Path) -> Path:
    """Write one row to be judged, whose prediction differs from its reference."""
    question, call = [{"role": "user", "content": "Dinner, please."}], {"name": "respond_to_user"}
    row = {
        "question": json.dumps(question),
        "answer": json.dumps({**call, "parameters": {"message": "Where?"}}),
        "prediction": json.dumps({**call, "arguments": {"message": "When?"}}),
    }
    path = folder / "predictions.jsonl"
    path.write_text(json.dumps(row) + "\n")
    return path


@contextmanager
def sample_hub(folder: Path) -> Iterator[None]:
    """Write the sample test set, and have it on a Hub that this process talks to."""
    from huggingface_hub import HfApi

    (folder / "users.yaml").write_text("users: [{name: ada, tokens: [{token: hf_ada, role: write}]}]")
    write_test_set(folder / "sample", 1)
    with running(folder / "root", users=folder / "users.yaml") as hub:
        os.environ |= {"HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_ada", "HF_HOME": str(folder / "home")}
        api = HfApi(endpoint=hub.url, token="hf_ada")
        api.create_repo(TEST_SET, repo_type="dataset")
        api.upload_folder(repo_id=TEST_SET, repo_type="dataset", folder_path=folder / "sample")
        yield


@contextmanager
def endpoint() -> Iterator[tuple[str, list[list[str]]]]:
    """Serve an endpoint that refuses every request and notes the chain of frames that led to it."""
    chains: list[list[str]] = []
    main_thread = threading.main_thread().ident
    assert main_thread is not None

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            self._refuse(404)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(_SETTLED)
            if not chains:
                chains.append(chain(sys._current_frames()[main_thread]))
            self._refuse(401)

        def _refuse(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", chains
    finally:
        server.shutdown()
        server.server_close()


def chain(frame: FrameType | None) -> list[str]:
    """Return the frames of ours that a thread is in, outermost first, suspended coroutines of its loop included."""
    called: list[CodeType] = []
    main: asyncio.Task[Any] | None = None
    while frame is not None:
        called.append(frame.f_code)
        if frame.f_code.co_name == "run_until_complete":
            main = frame.f_locals["future"]
        frame = frame.f_back
    codes = called[::-1]
    if main is not None:
        others = [awaited(task.get_coro()) for task in asyncio.all_tasks(main.get_loop()) if task is not main]
        codes += [*awaited(main.get_coro()), *max(others, key=len, default=[])]
    ours = [code for code in codes if Path(code.co_filename).is_relative_to(HOME) and not is_comprehension(code)]
    first = next(place for place, code in enumerate(ours) if code.co_name == "command")
    return [f"{Path(code.co_filename).relative_to(HOME)}:{code.co_qualname}" for code in ours[first:]]


def is_comprehension(code: CodeType) -> bool:
    """Whether this is a comprehension, which is a frame of its own in Python 3.11 alone."""
    return code.co_name in ("<listcomp>", "<dictcomp>", "<setcomp>")


def awaited(coroutine: Any) -> list[CodeType]:
    """Return the code of a coroutine and of those that it awaits, outermost first."""
    found: list[CodeType] = []
    while coroutine is not None:
        kind = next((kind for kind in ("cr", "ag", "gi") if hasattr(coroutine, f"{kind}_code")), None)
        if kind is None:
            break
        found.append(getattr(coroutine, f"{kind}_code"))
        coroutine = getattr(coroutine, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")
    return found


if __name__ == "__main__":
    main()
