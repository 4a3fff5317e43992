"""Proxies of the environment see nothing that stays on this machine, and all that leaves it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import support.tft
from harness.hub.address import is_loopback, keep_from_proxies, proxy_problem
from harness.models.backends._vllm_client import Asked, VllmBackend
from harness.models.engine.server import Server
from harness.models.prompts import Prompt
from support.http_server import Handler, serving
from support.tft import Done

VARIABLES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
ANSWER = {"role": "assistant", "content": json.dumps({"reason": "as it says", "verdict": "good"})}


@pytest.fixture
def proxy() -> Iterator[SimpleNamespace]:
    """A proxy that notes what it is asked for, and refuses all of it."""
    seen: list[str] = []

    class Proxy(Handler):
        def note(self) -> None:
            seen.append(f"{self.command} {self.path}")
            self.send(403, {"error": "refused by the proxy"})

        do_GET = do_POST = do_HEAD = do_PUT = do_CONNECT = note

    with serving(Proxy) as server:
        yield SimpleNamespace(seen=seen, address=server.url)


@pytest.fixture
def endpoint() -> Iterator[str]:
    """A judge that finds everything good."""

    class Judge(Handler):
        def do_POST(self) -> None:
            self.body()
            self.send(200, {"choices": [{"index": 0, "finish_reason": "stop", "message": ANSWER}]})

    with serving(Judge) as server:
        yield f"{server.url}/v1"


@pytest.fixture
def tft(tmp_path: Path) -> Callable[..., Done]:
    """Run `tft` in a folder of its own with variables of a proxy."""

    def run(*words: str, **variables: str) -> Done:
        own = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "XDG_DATA_HOME": str(tmp_path / "share")}
        clean = {name: value for name, value in os.environ.items() if name.lower() not in ("no_proxy",)}
        own |= {"HF_HOME": str(tmp_path / "home"), "COLUMNS": "300"}
        done = support.tft.run(words, environment=clean | own | variables, folder=tmp_path)
        assert "Traceback" not in done.err, done.err[-4000:]
        return done

    return run


def rows(folder: Path) -> str:
    call = {"name": "Find", "parameters": {"city": "a"}}
    question = json.dumps([{"role": "user", "content": "Find it."}])
    row = {"question": question, "answer": json.dumps(call), "prediction": json.dumps(call | {"parameters": {}})}
    (folder / "rows.jsonl").write_text(json.dumps(row) + "\n")
    return "rows.jsonl"


def job(folder: Path) -> str:
    """Write a job with two traces of one conversation each."""
    tool = {"type": "function", "function": {"name": "Find", "parameters": {"type": "object", "properties": {}}}}
    (folder / "job").mkdir()
    (folder / "job" / "job_description.json").write_text(json.dumps({"task_description": "Find.", "tools": [tool]}))
    call = {"id": "c", "type": "function", "function": {"name": "Find", "arguments": "{}"}}
    for name in ("traces", "test"):
        lines = []
        for number in range(4):
            words = f"Find {name} number {number}, please."
            messages = [
                {"role": "user", "content": words},
                {"role": "assistant", "content": None, "tool_calls": [call]},
            ]
            lines.append(json.dumps({"messages": messages}) + "\n")
        (folder / "job" / f"{name}.jsonl").write_text("".join(lines))
    return "job"


def test_the_embedded_hub_and_an_endpoint_here_are_never_asked_through_a_proxy(
    tft: Any, proxy: Any, endpoint: str, tmp_path: Path
) -> None:
    """Whichever variable names it; the token and the prompts stay on the machine."""
    everywhere = dict.fromkeys(VARIABLES, proxy.address)
    pushed = tft("data", "job", "px", "--folder", job(tmp_path), "--hub", "embedded", **everywhere)
    assert pushed.status == 0, pushed.err
    judge = ("--judge", "openai:judge", "--judge-base-url", endpoint, "--out", "judged.jsonl")
    judged = tft("judge", rows(tmp_path), *judge, **everywhere)
    assert judged.status == 0, judged.err
    assert json.loads((tmp_path / "judged.jsonl").read_text())["llm-as-a-judge"] == 1.0
    assert proxy.seen == []


def test_other_addresses_still_go_through_the_users_proxy(tft: Any, proxy: Any, tmp_path: Path) -> None:
    judge = ("--judge", "openai:judge", "--judge-base-url", "http://far.invalid/v1", "--out", "judged.jsonl")
    tft("judge", rows(tmp_path), *judge, OPENAI_API_KEY="sk-none", http_proxy=proxy.address)
    assert any("far.invalid" in seen for seen in proxy.seen)
    proxy.seen.clear()
    done = tft("lineage", "me/some", "--hub", "http://hub.invalid", http_proxy=proxy.address)
    assert done.status == 2
    assert any("hub.invalid" in seen for seen in proxy.seen)


def test_our_own_engine_is_never_asked_through_a_proxy(
    proxy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where the environment names one after everything else has been set up."""

    class Engine(Handler):
        def do_POST(self) -> None:
            self.body()
            self.send(200, {"choices": [{"index": 0, "finish_reason": "stop", "text": "Hello."}]})

    for name in VARIABLES:
        monkeypatch.setenv(name, proxy.address)
    answers: list[Any] = []
    prompt = Prompt(pair_id="a", token_ids=(1, 2))
    with serving(Engine) as engine, subprocess.Popen(["sleep", "60"]) as process:
        server = Server(port=engine.server_port, log=tmp_path / "log", process=process)
        VllmBackend(server, Asked(max_tokens=8, last=False), 1).ask([prompt], answers.append)
        process.kill()
    assert [answer.raw for answer in answers] == ["Hello."]
    assert proxy.seen == []


SOCKS = {"all_proxy": "socks5://127.0.0.1:9", "ALL_PROXY": "socks5://127.0.0.1:9"}


@pytest.mark.skipif(find_spec("socksio") is not None, reason="SOCKS proxies can be used")
def test_a_socks_proxy_without_its_library_is_a_sentence_and_no_matter_for_this_machine(
    tft: Any, endpoint: str, tmp_path: Path
) -> None:
    pushed = tft("data", "job", "px", "--folder", job(tmp_path), "--hub", "embedded", **SOCKS)
    assert pushed.status == 0, pushed.err
    judge = ("judge", rows(tmp_path), "--judge", "openai:judge", "--out", "judged.jsonl", "--judge-base-url")
    assert tft(*judge, endpoint, **SOCKS).status == 0
    for words in (
        (*judge, "http://far.invalid/v1", "--judge-cache", "new"),
        ("lineage", "me/some", "--hub", "http://hub.invalid"),
        ("evaluate", "me/some", "--hub", "http://hub.invalid", "--no-push"),
    ):
        done = tft(*words, OPENAI_API_KEY="sk-none", HF_TOKEN="hf_none", **SOCKS)
        assert done.status == 2, done.err
        assert "names a SOCKS proxy" in done.err
        assert "pip install socksio" in done.err


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("http://127.8.9.1", True),
        ("https://localhost:1/v1", True),
        ("http://[::1]:80", True),
        ("http://me:word@127.0.0.1/v1", True),
        ("http://127.0.0.1.example.org", False),
        ("http://localhost.example.org", False),
        ("http://192.168.0.1", False),
        ("https://host/v1?x=127.0.0.1", False),
    ],
)
def test_addresses_of_this_machine_are_told_from_others(address: str, local: bool) -> None:
    assert is_loopback(address) is local


def test_what_the_user_keeps_from_proxies_stays_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    keep_from_proxies("http://127.0.0.1:1")
    assert "no_proxy" not in os.environ, "without a proxy nothing is set"
    monkeypatch.setenv("https_proxy", "http://proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", "example.org, 127.0.0.1")
    monkeypatch.setenv("no_proxy", "")
    keep_from_proxies("http://127.0.0.2:1")
    keep_from_proxies("http://127.0.0.2:1")
    assert os.environ["NO_PROXY"] == "example.org,127.0.0.1,localhost,::1,127.0.0.2"
    assert os.environ["no_proxy"] == "example.org,127.0.0.1,localhost,::1,127.0.0.2"
    monkeypatch.setenv("all_proxy", "gopher://proxy.test")
    assert "gopher" in str(proxy_problem())
    monkeypatch.setenv("NO_PROXY", "*")
    assert proxy_problem() is None
