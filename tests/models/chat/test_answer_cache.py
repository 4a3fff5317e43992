"""Kept answers: what is never asked again, what survives a kill, and what is not written."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.data.records import Usage
from harness.errors import DataError
from harness.models.chat.cache import AnswerCache, CachedAnswer
from harness.models.chat.records import ChatRequest

ASK = """
import asyncio, json, sys
from pathlib import Path
from harness.models.chat.cache import AnswerCache
from harness.models.chat.records import ChatEndpoint, ChatRequest; from harness.models.chat.client import ask_all

url, folder = sys.argv[1:]
rows = json.loads(sys.stdin.read())
requests = [ChatRequest(id=row["id"], messages=tuple(row["messages"]), check=json.loads) for row in rows]
where = ChatEndpoint(model="verdict-model", base_url=url, identity="test", concurrency=4)
cache = AnswerCache.open(Path(folder))
stats = asyncio.run(ask_all(where, requests, cache=cache, on_answer=lambda answer: None))
print(stats.asked)
"""

KEEP = """
import sys
from pathlib import Path
from harness.models.chat.cache import AnswerCache, CachedAnswer
from harness.models.chat.records import ChatRequest

cache = AnswerCache.open(Path(sys.argv[1]))
for number in range(int(sys.argv[2]), int(sys.argv[2]) + 60):
    request = ChatRequest(id="", messages=({"content": str(number)},))
    cache.put("test", request, CachedAnswer(text=f"answer {number}", usage=None))
"""


def _start(url: str, folder: Path, requests: list[ChatRequest]) -> subprocess.Popen[str]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", ASK, url, str(folder)], text=True, **pipes)
    assert process.stdin
    process.stdin.write(json.dumps([{"id": request.id, "messages": request.messages} for request in requests]))
    process.stdin.close()
    process.stdin = None
    return process


def test_after_a_kill_only_what_is_missing_is_asked(
    endpoint: Any, ask: Any, make_requests: Any, tmp_path: Path, question_hash: Any
) -> None:
    """Answers that were on their way when the process died are the only ones asked for twice."""
    requests = make_requests(80, schema=None)
    endpoint.delay = 0.02
    process = _start(endpoint.url, tmp_path, requests)
    while len(endpoint.answered) < 30:
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    process.kill()
    process.communicate(timeout=10)
    assert process.returncode == -signal.SIGKILL
    time.sleep(0.1)  # what is still on its way
    before = set(endpoint.answered)
    cache = AnswerCache.open(tmp_path)
    missing = {question_hash(request.messages) for request in requests if not cache.holds("test", request)}
    assert len(missing & before) <= 8
    endpoint.requests.clear()
    done = ask(requests, cache)
    assert {question_hash(request["messages"]) for request in endpoint.requests} == missing
    assert len(endpoint.requests) == len(missing) == 80 - done.stats.cached
    cache.close()


def test_when_all_is_cached_no_connection_is_made_and_no_key_needed(
    ask: Any, make_requests: Any, cache: AnswerCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ask(make_requests(5), cache)
    monkeypatch.delenv("OPENAI_API_KEY")
    again = ask(make_requests(5), cache, base_url="https://far.invalid/v1")
    assert again.texts == first.texts
    assert all(answer.cached and answer.attempts == 0 for answer in again.answers.values())
    assert all(answer.usage == Usage(prompt=100, completion=10) for answer in again.answers.values())
    assert (again.stats.asked, again.stats.cached, again.stats.usage.prompt) == (0, 5, 0)
    assert (first.stats.asked, first.stats.cached, first.stats.usage.prompt) == (5, 0, 500)


def test_only_usable_answers_are_kept(endpoint: Any, ask: Any, make_requests: Any, cache: AnswerCache) -> None:
    endpoint.faults = lambda question, before: "fenced"
    done = ask(make_requests(3), cache, attempts=2)
    assert done.stats.unanswered == 3
    assert not any(cache.holds("test", request) for request in make_requests(3))


def test_an_answer_that_a_stricter_check_refuses_is_asked_for_again(
    ask: Any, make_requests: Any, cache: AnswerCache, endpoint: Any
) -> None:
    [request] = make_requests(1)
    cache.put("test", request, CachedAnswer(text="whatever", usage=None))
    done = ask([request], cache)
    assert json.loads(done.texts["case-0"])["verdict"] in ("good", "bad")
    assert len(endpoint.requests) == 1
    assert ask([request], cache).stats.asked == 0


def test_the_key_of_an_answer_depends_on_everything_but_the_id(make_requests: Any, cache: AnswerCache) -> None:
    [request] = make_requests(1)
    cache.put("one", request, CachedAnswer(text="text \ud83d", usage=Usage(prompt=1, completion=2, cached=3)))
    assert cache.get("one", replace(request, id="other")) == CachedAnswer(
        text="text \ud83d", usage=Usage(prompt=1, completion=2, cached=3)
    )
    assert not cache.holds("two", request)
    others = [
        replace(request, messages=(*request.messages, {"role": "user", "content": ""})),
        replace(request, messages=request.messages[::-1]),
        replace(request, schema=None),
        replace(request, max_tokens=1),
        replace(request, temperature=0.5),
        replace(request, tools=()),
        replace(request, tools=({"type": "function"},)),
        replace(request, tools=(), tool_choice="auto"),
    ]
    assert len({one.sha256() for one in [request, *others]}) == 9
    assert not any(cache.holds("one", other) for other in others)
    shuffled = replace(request, messages=tuple(dict(reversed(m.items())) for m in request.messages), temperature=0)
    assert cache.holds("one", shuffled)


def test_the_key_of_an_answer_is_the_one_that_earlier_versions_kept_it_under(cache: AnswerCache) -> None:
    """Or everything would be paid for once more."""
    messages = ({"role": "system", "content": "Judge."}, {"role": "user", "content": "ça, 東京 \ud83d"})
    request = ChatRequest(id="a", messages=messages, schema={"type": "object"}, max_tokens=100, temperature=0.7)
    key = "7407b1525693212a3c1ee89113263135a1aee6bc6922a3bf012e3e59662fbfcb"
    assert cache.key("openai:http://h/v1:m", request) == key
    plain = ChatRequest(id="b", messages=({"role": "user", "content": "x"},))
    assert plain.sha256() == "8409747c412aae48686ff5cab8e72dc248824c6fde40c2bcd4ce04c9c31949a5"


def test_neither_the_key_nor_the_prompts_are_written(
    endpoint: Any, ask: Any, make_requests: Any, cache: AnswerCache, tmp_path: Path, key: str
) -> None:
    """Nor is the key in a reason, though the endpoint says it back."""
    endpoint.faults = lambda question, before: f"{key} sent a bad thing that policy forbids" if before == 0 else None
    refused = ask(make_requests(3), cache)
    assert all("[key] sent a bad thing" in answer.error for answer in refused.answers.values())
    assert key not in repr((refused.answers, refused.stats))
    done = ask(make_requests(3), cache)
    assert done.stats.unanswered == 0
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"verdict" in written
    assert key.encode() not in written
    assert b"Judge the answer" not in written


def test_several_processes_share_the_answers(make_requests: Any, tmp_path: Path) -> None:
    """Opened and written at the same time, and all there afterwards."""
    processes = [subprocess.Popen([sys.executable, "-c", KEEP, tmp_path, str(start)]) for start in (0, 30, 60)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    cache = AnswerCache.open(tmp_path)
    held = [cache.get("test", ChatRequest(id="", messages=({"content": str(number)},))) for number in range(120)]
    assert [answer.text for answer in held if answer] == [f"answer {number}" for number in range(120)]
    cache.close()


@pytest.fixture
def filled(tmp_path: Path, make_requests: Any) -> Path:
    cache = AnswerCache.open(tmp_path)
    for request in make_requests(200):
        cache.put("test", request, CachedAnswer(text="x" * 200, usage=None))
    cache.close()
    return tmp_path / "answers.sqlite"


def test_a_damaged_file_is_named_with_what_to_remove(filled: Path, make_requests: Any) -> None:
    data = bytearray(filled.read_bytes())
    whole = bytes(data)
    data[4096 * 2 :] = b"\xff" * len(data[4096 * 2 :])
    for damaged in (b"no database " * 1000, bytes(data), whole[: len(whole) // 2 + 7]):
        filled.write_bytes(damaged)
        with pytest.raises(DataError, match=rf"remove {filled} and, if they exist, answers.sqlite-wal"):
            _read_all(filled.parent, make_requests(200))


def _read_all(folder: Path, requests: list[ChatRequest]) -> None:
    cache = AnswerCache.open(folder)
    try:
        for request in requests:
            cache.get("test", request)
    finally:
        cache.close()


def test_a_file_of_another_layout_or_a_folder_that_is_none_is_said(filled: Path, tmp_path: Path) -> None:
    connection = sqlite3.connect(filled)
    connection.execute("PRAGMA user_version = 7")
    connection.close()
    with pytest.raises(DataError, match="layout 7, expected 1"):
        AnswerCache.open(tmp_path)
    with pytest.raises(DataError, match=r"cannot be used .*name another folder"):
        AnswerCache.open(filled)


def test_the_default_folder_is_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache = AnswerCache.open()
    assert cache.path == tmp_path / "tft" / "answers" / "answers.sqlite"
    assert cache.path.parent.stat().st_mode & 0o077 == 0
    cache.close()
