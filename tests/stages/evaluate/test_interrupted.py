"""A run that was killed, interrupted, damaged or doubled: nothing is lost, asked twice, or mixed up."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from harness.data.records import TurnPair
from harness.hub.client import Hub
from harness.hubd.embedded import running
from harness.models import parsing
from harness.stages import evaluate
from harness.stages._requests import EvaluateRequest, InferenceOptions
from support.sample_test_set import write_test_set

CONCURRENCY = 4


@pytest.fixture
def arguments(endpoint: Any) -> list[str]:
    """A run against the endpoint, answered slowly enough to be caught in the middle."""
    endpoint.delay = 0.05
    return [
        *("evaluate", "openai:counting-model", "--base-url", endpoint.url, "--dataset", "ada/sample", "--no-push"),
        *("--concurrency", str(CONCURRENCY), "--max-tokens", "64"),
    ]


def _logged(run: Path) -> list[str]:
    """Return the questions that have an answer in the log: whole lines only, without an error."""
    log = run / "answers.jsonl"
    if not log.is_file():
        return []
    answers = map(json.loads, log.read_bytes().split(b"\n")[:-1])
    return [answer["prompt_sha256"] for answer in answers if answer["error"] is None]


def _until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Return when the condition holds or the process has ended."""
    limit = time.monotonic() + 120
    while process.poll() is None and not condition():
        assert time.monotonic() < limit
        time.sleep(0.005)


def _kill_after(process: subprocess.Popen[str], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    process.communicate()


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.kill)])
def test_a_run_that_is_killed_again_and_again_ends_like_an_undisturbed_one(
    kills: int, terminal: Any, endpoint: Any, arguments: list[str], undisturbed: Any, tmp_path: Path
) -> None:
    """Kill -9 at random moments: the same rows, byte for byte. Asked again is what was under way, and what failed."""
    run, settled, nonsense = tmp_path / "run", {}, endpoint.fault(body="[]")
    endpoint.faults = lambda question, before: nonsense if question[1] < "4" and before == 0 else None
    moments = random.Random(20)
    for _ in range(kills):
        process = terminal.start(*arguments, "--out", "run", "--resume")
        if moments.random() < 0.8:  # most of the time while answers come in, else anywhere
            before = endpoint.asked.total()
            _until(lambda before=before: endpoint.asked.total() > before, process)
            _kill_after(process, moments.uniform(0, 0.2))
        else:
            _kill_after(process, moments.uniform(0.2, 3))
        logged = _logged(run)
        assert len(logged) == len(set(logged))
        settled = {question: endpoint.asked[question] for question in logged}
    endpoint.faults = lambda question, before: None
    terminal(*arguments, "--out", "run", "--resume").worked()
    assert (run / "data" / "test.jsonl").read_bytes() == undisturbed.rows
    assert {question: endpoint.asked[question] for question in settled} == settled
    failed = sum(question[1] < "4" for question in endpoint.asked)
    assert failed > 2
    assert endpoint.asked.total() <= len(endpoint.asked) + failed + kills * CONCURRENCY


def test_models_that_were_asked_together_find_their_answers_when_fewer_are_left(
    hub: Any, endpoint: Any, test_set: list[TurnPair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below a `root` a model has the same folder in every request: what is left of several asks nothing again."""
    monkeypatch.setenv("HF_TOKEN", "hf_ada_write")
    recorded = [{"pair_id": pair.id, "raw": parsing.canonical(pair.reference)} for pair in test_set]
    (tmp_path / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in recorded))
    both = EvaluateRequest(
        models=(f"replay:{tmp_path / 'answers.jsonl'}", "openai:counting-model"),
        dataset="ada/sample",
        asking=InferenceOptions(base_url=endpoint.url, max_tokens=64, cache=tmp_path / "cache"),
        root=tmp_path / "runs",
        resume=True,
    )
    client = Hub.connect(hub.url)
    first = evaluate.run(both, client).evaluations[1]
    asked = endpoint.asked.total()
    assert asked == len(test_set)
    left = both.model_copy(update={"models": both.models[1:], "asking": both.asking.model_copy(update={"cache": None})})
    again = evaluate.run(left, client).evaluations[0]
    assert again.folder == first.folder
    assert endpoint.asked.total() == asked


def test_a_log_that_was_cut_goes_on_and_a_damaged_one_is_refused_by_its_line(
    terminal: Any, endpoint: Any, undisturbed: Any, tmp_path: Path
) -> None:
    run, whole = tmp_path / "run", (undisturbed.run / "answers.jsonl").read_bytes()
    shutil.copytree(undisturbed.run, run)
    address = json.loads((run / "lineage.json").read_text())["config"]["base_url"]
    resume = ["openai:counting-model", "--base-url", address, "--max-tokens", "64", "--resume"]
    lines = whole.splitlines(keepends=True)
    damaged = b"".join([*lines[:2], lines[2][:40] + b"\n", *lines[3:]])
    (run / "answers.jsonl").write_bytes(damaged)
    terminal.evaluate(*resume).refused("run/answers.jsonl, line 3", "remove the line and resume")
    assert (run / "answers.jsonl").read_bytes() == damaged

    (run / "answers.jsonl").write_bytes(whole + lines[-1][:-20])  # cut off, and there already
    (run / "data" / "test.jsonl").unlink()
    terminal.evaluate(*resume).worked()  # all is answered: the address, where nobody answers any more, is not asked
    assert (run / "data" / "test.jsonl").read_bytes() == undisturbed.rows
    assert (run / "answers.jsonl").read_bytes() == whole


def test_one_folder_takes_one_run_of_one_process(
    terminal: Any, endpoint: Any, arguments: list[str], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    terminal("evaluate", "openai:other", *arguments[2:], "--out", "run").refused("'other' does not exist")
    process = terminal.start(*arguments, "--out", "run")  # the refused one left no answers: its folder is free
    _until(lambda: len(_logged(run)) > 2, process)
    terminal(*arguments, "--out", "run", "--resume").refused("another process", "answers.jsonl", "--out")
    process.kill()
    process.communicate()

    kept = (run / "answers.jsonl").read_bytes(), (run / "lineage.json").read_bytes()
    terminal(*arguments, "--out", "run", "--resume", "--max-tokens", "65").refused("max_tokens was '64', now '65'")
    assert kept[1] == (run / "lineage.json").read_bytes()
    assert kept[0].startswith((run / "answers.jsonl").read_bytes())

    (run / "lineage.json").write_text("{")
    terminal(*arguments, "--out", "run", "--resume").refused("run/lineage.json cannot be read", "--out")
    (run / "lineage.json").unlink()
    terminal(*arguments, "--out", "run", "--resume").refused("no lineage.json", "--out")


# Python itself, while it starts, has a traceback for Ctrl-C: on a busy machine for seconds.
RUNNING = "from harness.cli.__main__ import main; open('running', 'w').close(); main()"


@pytest.mark.parametrize("when", ["asking", "starting"])
def test_ctrl_c_ends_with_status_130_and_keeps_the_answers(
    when: str, terminal: Any, endpoint: Any, arguments: list[str], processes_in: Any, tmp_path: Path
) -> None:
    endpoint.delay = 0.2
    process = terminal.start(*arguments, "--out", "run", program=(sys.executable, "-c", RUNNING))
    if when == "asking":
        _until(lambda: len(_logged(tmp_path / "run")) > 2, process)
    else:
        _until((tmp_path / "running").exists, process)
        time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert err.rstrip().endswith("interrupted")
    assert out == ""
    assert processes_in(tmp_path) == []
    if when == "asking":
        assert 2 < len(_logged(tmp_path / "run")) < 30


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Make a small file system of a size, or change its size."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted: list[str] = []

    def mount(size: str) -> Path:
        options = f"{'remount,' if mounted else ''}size={size}"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("needs the right to mount a small disk")
        mounted.append(size)
        return folder

    yield mount
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
def test_a_full_disk_loses_no_answer_that_was_written(
    terminal: Any, endpoint: Any, arguments: list[str], disk: Callable[[str], Path]
) -> None:
    run = disk("12k") / "run"
    arguments += ["--out", str(run)]
    terminal(*arguments).refused("run/answers.jsonl: No space left on device", "free some", "--resume")
    answered = set(_logged(run))
    assert len(answered) > 2
    asked = endpoint.asked.copy()
    disk("10m")
    terminal(*arguments, "--resume").worked()
    assert len(endpoint.asked) == 30
    assert not answered & set(endpoint.asked - asked)
    assert len((run / "data" / "test.jsonl").read_bytes().splitlines()) == 30


def test_a_cache_that_is_full_is_named_as_the_cause(
    terminal: Any, put: Callable[..., str], disk: Callable[[str], Path]
) -> None:
    config = json.dumps({"architectures": ["Qwen3ForCausalLM"]})
    large = put("large", {"config.json": config, "model.safetensors": random.Random(0).randbytes(2_000_000)})
    for size in ("1m", "4k"):
        terminal.evaluate(large, HF_HOME=str(disk(size))).refused("No space left on device", "free some space")
        shutil.rmtree(disk("1m"), ignore_errors=True)


@pytest.mark.slow
def test_a_hub_that_goes_away_before_the_push_loses_nothing(new_terminal: Any, endpoint: Any, tmp_path: Path) -> None:
    """Its address stays away for as long as the client has patience; the next try pushes without asking."""
    from huggingface_hub import HfApi

    users = tmp_path / "users.yaml"
    users.write_text("users: [{name: ada, tokens: [{token: hf_ada_write, role: write}]}]")
    with ExitStack() as stack:
        hub = stack.enter_context(running(tmp_path / "root", users=users))
        api = HfApi(endpoint=hub.url, token=hub.token)
        write_test_set(tmp_path / "sample", 1)
        api.create_repo("ada/sample", repo_type="dataset")
        api.upload_folder(repo_id="ada/sample", repo_type="dataset", folder_path=tmp_path / "sample")

        def go_away(question: str, before: int) -> None:
            stack.close()

        endpoint.faults = go_away
        terminal = new_terminal(hub, tmp_path)
        arguments = ["evaluate", "openai:counting-model", "--base-url", endpoint.url, "--dataset", "ada/sample"]
        sentence = terminal(*arguments).refused("cannot be reached", "nothing is lost", "--resume --out runs/")
    endpoint.faults, asked = (lambda question, before: None), endpoint.asked.total()
    with running(tmp_path / "root", users=users) as hub:
        terminal = new_terminal(hub, tmp_path)
        folder = sentence.partition("--out ")[2].split()[0]
        done = terminal(*arguments, "--resume", "--out", folder).worked()
        assert f"pushed: {hub.url}/datasets/ada/tft-benchmark-results/commit/" in done.err
        files = HfApi(endpoint=hub.url, token=False).list_repo_files("ada/tft-benchmark-results", repo_type="dataset")
    assert "data/openai-counting-model/test.jsonl" in files
    assert endpoint.asked.total() == asked
