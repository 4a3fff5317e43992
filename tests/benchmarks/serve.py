"""What `tft serve` adds to a request, and with `--engine` its throughput beside vLLM's own chat endpoint.

The first part asks a replay engine, which answers at once, for the turns of the test set: directly, by token ids, and
through the endpoint, by messages, one request at a time over one connection each. The endpoint and the replay engine
share a process of their own. Prints the median of the differences in milliseconds; exit status 1 where it is 10 or
more. The second part starts one engine with the model's chat template, and 64 clients ask it for all turns, in turns
through the endpoint and through the engine's own chat route, which is sent what the endpoint makes of a request: both
have the same prompts, and their tokens are counted. Exit status 1 where a request is lost, where the two differ in the
tokens of prompts, or where the endpoint has less than 0.95 of the other's rate.

    [TFT_SOURCES=...] python tests/benchmarks/serve.py [--engine] [--model FOLDER] [--pairs 200] [--rounds 3]
                                                       [--max-tokens 64]

Without TFT_SOURCES the turns are those of the sample task; without --model they go to a new student of 0.4M parameters,
whose answers cost nothing, so that only what a request costs beside them counts. The clients run beside the engine.
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
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.data.formats.messages import dump_arguments, expand_pairs
from harness.data.formats.published import read_test_conversations
from harness.data.formats.task import read_task
from harness.data.records import ToolCall, TurnPair
from harness.data.sample import sample_conversations, sample_task
from harness.data.tasks import TestSet
from harness.hub.artifact import Artifact
from harness.models import parsing
from harness.models.engine.checkpoint import Checkpoint
from harness.models.engine.server import EngineOptions, Server, serving
from harness.models.prompts.choose_form import fitting_renderer
from harness.models.prompts.renderer import load_tokenizer
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
    parser.add_argument("--model", type=Path, help="Folder of a model, for its engine.")
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
        if options.model is None:
            create_student(folder, texts=sample_texts(), parameters=400_000, vocabulary=4096, context=16384)
        model = options.model or folder
        bad = throughput(model, folder / "engine.log", options) if options.engine else latency(model, options.pairs)
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


def throughput(folder: Path, log: Path, options: argparse.Namespace) -> bool:
    """Compare the endpoint with the chat route of its own engine."""
    pulled = pulled_from(folder)
    words = ("--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--max-num-seqs", str(CLIENTS))

    def start(checkpoint: Checkpoint, _: Any) -> AbstractContextManager[Server]:
        return serving(checkpoint, EngineOptions(extra_args=words), log)

    endpoint = Endpoint(ServeOptions(model="me/model", port=0), pulled, start)
    found: list[bool] = []

    def compare() -> None:
        try:
            found.append(_rates(endpoint, folder, options))
        finally:
            endpoint.stop()

    endpoint.run(lambda _: threading.Thread(target=compare).start())
    return found != [False]


@dataclass(kw_only=True)
class Side:
    """One of the two ways to ask, and what came of it."""

    url: str
    key: str
    model: str
    requests: list[dict[str, Any]]
    rates: list[float] = field(default_factory=list)
    tokens: list[tuple[int, int]] = field(default_factory=list)
    """Of all prompts and all answers of a round."""
    lost: int = 0


def _rates(endpoint: Endpoint, folder: Path, options: argparse.Namespace) -> bool:
    server, test_set = endpoint.engine.asked_server(), endpoint.pulled.test_set
    assert test_set
    pairs = test_set.pairs[: options.pairs]
    ours = [{"messages": chat_messages(pair, test_set), "tools": list(test_set.task.tools)} for pair in pairs]
    sides = {
        "tft serve": Side(url=endpoint.url, key="none", model="me/model", requests=ours),
        "vLLM": Side(url=server.url, key=server.key, model="model", requests=as_rendered(folder, test_set, pairs)),
    }
    for number in range(options.rounds + 1):
        for name, side in sides.items():
            asyncio.run(ask_all(side, options.max_tokens))
            print(f"round {number}, {name}: {side.rates[-1]:.2f} requests/s", flush=True)
    middle = {name: statistics.median(side.rates[1:]) for name, side in sides.items()}  # the first fills the caches
    share = middle["tft serve"] / middle["vLLM"]
    said = ", ".join(
        f"{name} {rate:.2f} requests/s ({sides[name].tokens[-1][0]} tokens of prompts, {sides[name].tokens[-1][1]} of "
        "answers)"
        for name, rate in middle.items()
    )
    lost = sum(side.lost for side in sides.values())
    print(
        f"{CLIENTS} clients, {len(pairs)} requests: {said}; share {share:.3f} (at least {LEAST_SHARE}), {lost} lost; "
        f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    same = sides["tft serve"].tokens[-1][0] == sides["vLLM"].tokens[-1][0]
    return share < LEAST_SHARE or lost > 0 or not same


def as_rendered(folder: Path, test_set: TestSet, pairs: Sequence[TurnPair]) -> list[dict[str, Any]]:
    """Return the requests with which the engine's own chat route makes the endpoint's prompts."""
    tokenizer = load_tokenizer(folder, "me/model")
    renderer = fitting_renderer(tokenizer, test_set.task, "me/model", test_set.pairs)
    found = []
    for pair in pairs:
        messages = renderer.form.messages(renderer.system, pair.prefix)
        for message in messages:
            for call in message.get("tool_calls", ()):
                if not isinstance(call["function"]["arguments"], str):
                    call["function"]["arguments"] = dump_arguments(call["function"]["arguments"])
        tools = {"tools": list(test_set.task.tools)} if renderer.form.tools_in_template else {}
        found.append({"messages": messages, **tools})
    return found


async def ask_all(side: Side, most: int) -> None:
    """Ask for all requests, as many at a time as there are clients."""
    from openai import APIError, AsyncOpenAI

    queue, prompts, answers = iter(side.requests), 0, 0
    start = time.perf_counter()
    async with AsyncOpenAI(base_url=side.url, api_key=side.key, max_retries=0, timeout=600) as client:

        async def work() -> None:
            nonlocal prompts, answers
            for request in queue:
                try:
                    reply = await client.chat.completions.create(
                        model=side.model, max_tokens=most, temperature=0, **request
                    )
                    prompts += reply.usage.prompt_tokens if reply.usage else 0
                    answers += reply.usage.completion_tokens if reply.usage else 0
                except APIError as error:
                    print(error)
                    side.lost += 1

        await asyncio.gather(*(work() for _ in range(CLIENTS)))
    side.rates.append(len(side.requests) / (time.perf_counter() - start))
    side.tokens.append((prompts, answers))


if __name__ == "__main__":
    main()
