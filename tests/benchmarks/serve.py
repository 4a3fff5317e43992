"""What `tft serve` adds to a request, and with `--engine` its throughput beside vLLM's own chat endpoint.

The first part asks a replay engine, which answers at once, for the turns of the test set: directly, by token ids, and
through the endpoint, by messages, one request at a time over one connection each. The endpoint and the replay engine
share a process of their own. Prints the median of the differences in milliseconds; exit status 1 where it is 10 or
more. The second part starts one engine with the student's chat template, and 64 clients ask it for all turns, in turns
through the endpoint and through the engine's own chat route; exit status 1 where a request is lost, or where the
endpoint has less than 0.95 of the other's rate.

    [TFT_SOURCES=...] python tests/benchmarks/serve.py [--engine] [--pairs 200] [--rounds 3] [--max-tokens 64]

Without TFT_SOURCES the turns are those of the sample task.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.data.formats.messages import expand_pairs
from harness.data.formats.published import read_test_conversations
from harness.data.formats.task import read_task
from harness.data.records import ToolCall
from harness.data.sample import sample_conversations, sample_task
from harness.data.tasks import TestSet
from harness.hub.artifact import Artifact
from harness.models import parsing
from harness.models.engine.checkpoint import Checkpoint
from harness.models.engine.server import EngineOptions, Server, serving
from harness.models.serving.parity import chat_messages
from harness.models.serving.rendering import ServedTask
from harness.models.serving.serve import Endpoint, PulledModels, ServeOptions
from harness.models.serving.service import TaskKnown
from harness.training.small_model import create_student, sample_texts
from support.replay_engine import KEY, ReplayEngine, pieces

LIMIT_MS, LEAST_SHARE, CLIENTS = 10.0, 0.95, 64
ANSWER = parsing.canonical(ToolCall(name="respond_to_user", arguments={"message": "There is a table at seven."}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", action="store_true")
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        serve_replay(pulled_from(options.child))
        return
    with tempfile.TemporaryDirectory(prefix="tft-bench-") as name:
        folder = Path(name)
        create_student(folder, texts=sample_texts(), parameters=400_000, vocabulary=4096, context=16384)
        bad = throughput(folder, options) if options.engine else latency(folder, options.pairs)
    sys.exit(bad)


def pulled_from(folder: Path) -> PulledModels:
    """Return a student in a folder, and the published test set, or that of the sample task."""
    sources = os.environ.get("TFT_SOURCES")
    if sources:
        task = read_task(Path(sources) / "tft-benchmark" / "job_description.json")
        pairs = tuple(expand_pairs(read_test_conversations(Path(sources) / "tft-benchmark" / "test.jsonl")))
    else:
        task, pairs = sample_task(), tuple(expand_pairs(sample_conversations(20)))
    model, data = (
        Artifact(kind=kind, repo_id=f"me/{kind}", revision="a" * 40)  # type: ignore[arg-type]
        for kind in ("model", "dataset")
    )
    config = json.loads((folder / "config.json").read_text())
    return PulledModels(
        base=Checkpoint(artifact=model, folder=folder, config=config, base_model=None),
        adapters=(),
        test_set=TestSet(artifact=data, task=task, pairs=pairs, total=len(pairs)),
        task=TaskKnown.of(ServedTask.of(task, own_system=True, pairs=pairs)),
    )


def serve_replay(pulled: PulledModels) -> None:
    engine = ReplayEngine(answer=lambda _: (pieces(ANSWER), "stop"), context=1 << 20)
    endpoint = Endpoint(ServeOptions(model="me/model", port=0), pulled, engine.start)

    def ready(_: Endpoint) -> None:
        print(endpoint.url.split("/")[2], endpoint.engine.asked_server().port, flush=True)

    endpoint.run(ready)


def latency(folder: Path, count: int) -> bool:
    pulled = pulled_from(folder)
    assert pulled.test_set
    chosen = pulled.test_set.pairs[:count]
    child = subprocess.Popen([sys.executable, __file__, "--child", folder], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout
        address, port = child.stdout.readline().split()
        served, engine = http.client.HTTPConnection(address), http.client.HTTPConnection(f"127.0.0.1:{port}")
        added, tokens = [], []
        for number, pair in enumerate(chosen):
            body = {"messages": chat_messages(pair, pulled.test_set), "tools": list(pulled.test_set.task.tools)}
            took, reply = _post(served, "/v1/chat/completions", {**body, "return_token_ids": True})
            direct, _ = _post(engine, "/v1/completions", {"prompt": reply["prompt_token_ids"]})
            if number:  # the first request of a connection makes it
                added.append((took - direct) * 1000)
                tokens.append(len(reply["prompt_token_ids"]))
    finally:
        child.terminate()
        child.wait()
    median = statistics.median(added)
    low, high = (sorted(added)[int(len(added) * part)] for part in (0.1, 0.95))
    print(
        f"{len(added)} requests with prompts of {statistics.median(tokens):.0f} tokens: {median:.1f} ms added "
        f"(median, limit {LIMIT_MS:.0f}), {low:.1f} at the 10th percentile, {high:.1f} at the 95th; "
        f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    return median >= LIMIT_MS


def _post(connection: http.client.HTTPConnection, path: str, body: Any) -> tuple[float, Any]:
    data = json.dumps(body)
    start = time.perf_counter()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
    connection.request("POST", path, data, headers)
    reply = connection.getresponse()
    text = reply.read()
    took = time.perf_counter() - start
    assert reply.status == http.client.OK, text
    return took, json.loads(text)


def throughput(folder: Path, options: argparse.Namespace) -> bool:
    """Compare the endpoint with the chat route of its own engine."""
    pulled = pulled_from(folder)
    words = ("--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--max-num-seqs", str(CLIENTS))

    def start(checkpoint: Checkpoint, _: Any) -> AbstractContextManager[Server]:
        return serving(checkpoint, EngineOptions(extra_args=words), folder / "engine.log")

    endpoint = Endpoint(ServeOptions(model="me/model", port=0), pulled, start)
    found: list[bool] = []

    def compare() -> None:
        try:
            found.append(_rates(endpoint, options))
        finally:
            endpoint.stop()

    endpoint.run(lambda _: threading.Thread(target=compare).start())
    return found != [False]


def _rates(endpoint: Endpoint, options: argparse.Namespace) -> bool:
    server, test_set = endpoint.engine.asked_server(), endpoint.pulled.test_set
    assert test_set
    requests = [chat_messages(pair, test_set) for pair in test_set.pairs[: options.pairs]]
    sides = {"tft serve": (endpoint.url, "none", "me/model"), "vLLM": (server.url, server.key, "model")}
    rates: dict[str, list[float]] = {name: [] for name in sides}
    lost = 0
    for _ in range(options.rounds + 1):
        for name, side in sides.items():
            rate, errors = asyncio.run(_ask_all(side, requests, list(test_set.task.tools), options.max_tokens))
            rates[name].append(rate)
            lost += errors
    middle = {name: statistics.median(values[1:]) for name, values in rates.items()}  # the first fills the caches
    share = middle["tft serve"] / middle["vLLM"]
    said = ", ".join(f"{name} {rate:.2f} requests/s" for name, rate in middle.items())
    print(
        f"{CLIENTS} clients, {len(requests)} requests: {said}; share {share:.3f} (at least {LEAST_SHARE}), {lost} lost"
    )
    return share < LEAST_SHARE or lost > 0


async def _ask_all(side: tuple[str, str, str], requests: list[Any], tools: list[Any], most: int) -> tuple[float, int]:
    from openai import APIError, AsyncOpenAI

    url, key, model = side
    queue, lost = iter(requests), 0
    start = time.perf_counter()
    async with AsyncOpenAI(base_url=url, api_key=key, max_retries=0, timeout=600) as client:

        async def work() -> None:
            nonlocal lost
            for messages in queue:
                try:
                    await client.chat.completions.create(
                        model=model, messages=messages, tools=tools, max_tokens=most, temperature=0
                    )
                except APIError as error:
                    print(error)
                    lost += 1

        await asyncio.gather(*(work() for _ in range(CLIENTS)))
    return len(requests) / (time.perf_counter() - start), lost


if __name__ == "__main__":
    main()
