"""The whole way through vLLM: a small student on the sample task, one engine start for nearly all of it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.data.records import TurnPair
from harness.data.sample import sample_task
from harness.evaluation.metrics import metric_names
from harness.evaluation.report_json import read_report
from harness.models.prompts import Renderer, load_tokenizer

pytestmark = pytest.mark.slow

TOO_LONG = 2
MAX_TOKENS = 24
MODEL = "ada/evaluated"
RESULTS = "ada/tft-benchmark-results"
ARGUMENTS = ("evaluate", MODEL, "--dataset", "ada/sample", "--max-tokens", str(MAX_TOKENS))
OWN_TEXT = "A model of Ada's, described by herself."

LOAD = """
import json, sys
from datasets import load_dataset
loaded = load_dataset(sys.argv[1], sys.argv[2])
print(json.dumps({split: [dict(row) for row in rows] for split, rows in loaded.items()}))
"""


@pytest.fixture(scope="module")
def model(put: Callable[..., str], student: Path, test_set: list[TurnPair]) -> str:
    """The student in a repository, its context too short for a few of the prompts."""
    renderer = Renderer(load_tokenizer(student, MODEL), sample_task(), MODEL)
    lengths = sorted(len(prompt.token_ids) for prompt in renderer.prompts(test_set))
    assert lengths[-TOO_LONG] > lengths[-TOO_LONG - 1]
    config = json.loads((student / "config.json").read_text())
    config["max_position_embeddings"] = lengths[-TOO_LONG - 1] + MAX_TOKENS
    files = {path.name: path for path in student.iterdir()}
    card = f"---\nlicense: apache-2.0\n---\n{OWN_TEXT}\n"
    return put(MODEL.partition("/")[2], files | {"config.json": json.dumps(config), "README.md": card})


@pytest.fixture(scope="module")
def place(hub: Any, new_terminal: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return new_terminal(hub, tmp_path_factory.mktemp("finished"))


@pytest.fixture(scope="module")
def finished(place: Any, model: str) -> Any:
    """The one undisturbed run, pushed."""
    return place(*ARGUMENTS, "--out", "run").worked()


def _rows(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "data" / "test.jsonl").read_text().splitlines()]


def test_the_table_is_printed_and_no_engine_is_left(finished: Any, place: Any, processes_in: Any) -> None:
    for metric in metric_names():
        assert f"{metric} " in finished.out
    assert f"n = {30 - TOO_LONG} pairs from 3 conversations; {TOO_LONG} errors, {TOO_LONG} unscored" in finished.out
    assert "% from the prefix cache)" in finished.out
    assert f"{TOO_LONG} of 30 pairs stay unscored" in finished.err
    assert processes_in(place.folder) == []


def test_inspect_runs_the_same_prompts_to_the_same_answers_and_figures(
    finished: Any, place: Any, model: str, processes_in: Any
) -> None:
    """The same model as `tft/...`, on an engine that Inspect's process starts and stops."""
    pytest.importorskip("inspect_ai")
    from support.inspect_cli import Inspect, table

    inspect = Inspect(place.folder, place.environment)
    inspect("eval", "tft/benchmark", "--model", f"tft/{model}", "-T", "dataset=ada/sample", "--max-tokens", "24")
    log = inspect.newest()
    assert log.status == "success"
    assert table(log) == read_report(place.folder / "run" / "report.json").rows["model"]
    samples = {str(sample.id): sample for sample in log.samples or []}
    for row in _rows(place.folder / "run"):
        output = samples[row["pair_id"]].output
        assert output.metadata is not None
        assert output.metadata["tft"]["prompt_sha256"] == row["prompt_sha256"]
        assert (output.error, output.completion) == (row["error"], row["raw"] or "")
        assert str(samples[row["pair_id"]].scores["tft/rouge"].explanation or None) == str(row["reason"])
    assert processes_in(place.folder) == []


def test_gold_is_perfect_prompts_share_their_prefix_and_what_does_not_fit_is_unscored(
    finished: Any, place: Any, test_set: list[TurnPair]
) -> None:
    report = read_report(place.folder / "run" / "report.json")
    assert {one.value for one in report.rows["gold"].values()} == {1.0}
    assert report.tokens["cached_share"] > 0.5
    assert any(name.startswith("vllm:") for name in report.readings)
    rows = _rows(place.folder / "run")
    assert [row["pair_id"] for row in rows] == [pair.id for pair in test_set]
    unscored = [row for row in rows if row["raw"] is None]
    assert len(unscored) == TOO_LONG
    for row in unscored:
        assert re.fullmatch(r"the prompt has \d+ tokens and the answer .* context is \d+", row["reason"])
        assert {row[metric] for metric in metric_names()} == {None}
    assert all(row["usage"]["completion"] <= MAX_TOKENS for row in rows if row["raw"] is not None)


def test_the_results_dataset_loads_with_one_row_a_pair(finished: Any, place: Any) -> None:
    command = [sys.executable, "-c", LOAD, RESULTS, "ada--evaluated"]
    loaded = subprocess.run(
        command, env=place.environment, cwd=place.folder, capture_output=True, text=True, check=False
    )
    assert loaded.returncode == 0, loaded.stderr[-3000:]
    assert json.loads(loaded.stdout) == {"test": _rows(place.folder / "run")}


def test_the_model_repository_carries_its_scores_and_a_card_with_the_same_numbers(
    finished: Any, place: Any, api: Any
) -> None:
    report = read_report(place.folder / "run" / "report.json")
    measured = {metric: round(one.value or 0.0, 4) for metric, one in report.rows["model"].items()}
    folder = Path(api.snapshot_download(MODEL, cache_dir=place.folder / "cache"))
    [published] = (folder / ".eval_results").iterdir()
    entries = yaml.safe_load(published.read_text())
    assert {entry["dataset"]["task_id"]: entry["value"] for entry in entries} == measured
    found = api.model_info(MODEL, expand=["evalResults"]).eval_results
    assert {entry.task_id: entry.value for entry in found} == measured
    assert {entry.dataset_id for entry in found} == {"ada/sample"}
    card = (folder / "README.md").read_text()
    assert OWN_TEXT in card
    assert "license: apache-2.0" in card
    for metric, value in measured.items():
        assert re.search(rf"{metric}.*{value:.3f}", card), metric


def test_a_finished_run_starts_no_engine_and_changes_nothing(finished: Any, place: Any, api: Any) -> None:
    run = place.folder / "run"
    kept = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name != "report.json"}
    main = api.model_info(MODEL).sha
    assert main != read_report(run / "report.json").run.model_revision  # the first push moved the branch
    assert "starting vLLM" not in place(*ARGUMENTS, "--out", "run", "--resume", "--no-push").worked().err
    assert {path: path.read_bytes() for path in kept} == kept


def test_somebody_else_gives_the_owner_a_pull_request(finished: Any, place: Any, api: Any) -> None:
    before = api.model_info(MODEL).sha
    arguments = (*ARGUMENTS, "--out", "run", "--resume")
    place(*arguments, HF_TOKEN="hf_bob_write").refused("bob has no write access", "--create-pr")
    done = place(*arguments, "--create-pr", HF_TOKEN="hf_bob_write").worked()
    assert api.model_info(MODEL).sha == before
    [request] = [one for one in api.get_repo_discussions(MODEL) if one.is_pull_request]
    assert request.author == "bob"
    assert f"/{MODEL}/discussions/{request.num}" in done.err
    files = api.list_repo_files(MODEL, revision=f"refs/pr/{request.num}")
    assert "README.md" in files
    assert api.list_repo_files("bob/tft-benchmark-results", repo_type="dataset")


def test_a_run_that_is_killed_takes_its_engine_along_and_resumes_to_the_same_results(
    finished: Any, place: Any, terminal: Any, processes_in: Any, tmp_path: Path
) -> None:
    arguments = (*ARGUMENTS, "--out", "run", "--no-push", "--concurrency", "1")
    process = terminal.start(*arguments)
    log = tmp_path / "run" / "answers.jsonl"
    while not log.is_file() or log.read_bytes().count(b"\n") < TOO_LONG + 8:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.kill()
    process.communicate()
    limit = time.monotonic() + 60
    while processes_in(tmp_path):
        assert time.monotonic() < limit, processes_in(tmp_path)
        time.sleep(0.2)
    answered = log.read_bytes()
    assert TOO_LONG + 8 <= answered.count(b"\n") < 30

    done = terminal(*arguments, "--resume").worked()
    missing = 30 - answered.count(b"\n")
    assert f"{missing} of 30 answers are missing" in done.err
    assert log.read_bytes().startswith(answered[: answered.rfind(b"\n") + 1])
    assert log.read_bytes().count(b"\n") == 30
    resumed, undisturbed = (folder / "run" / "data" / "test.jsonl" for folder in (tmp_path, place.folder))
    assert resumed.read_bytes() == undisturbed.read_bytes()
    assert processes_in(tmp_path) == []


def test_an_engine_that_dies_while_it_starts_shows_the_end_of_its_log(
    model: str, terminal: Any, processes_in: Any, tmp_path: Path
) -> None:
    sentence = terminal.evaluate(model, "--engine-arg", "dtype=nonsense").refused(
        "did not start", "nonsense", "The whole log: run/engine.log"
    )
    assert len(sentence.splitlines()) < 20
    assert (tmp_path / "run" / "engine.log").read_text().strip()
    assert processes_in(tmp_path) == []


def test_ctrl_c_while_the_engine_starts_leaves_nothing_running(
    model: str, terminal: Any, processes_in: Any, tmp_path: Path
) -> None:
    process = terminal.start(*ARGUMENTS, "--out", "run", "--no-push")
    log = tmp_path / "run" / "engine.log"
    while not (log.is_file() and log.stat().st_size):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert processes_in(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_endpoint_that_is_told_to_stop_or_killed_leaves_nothing_running(
    number: signal.Signals, model: str, terminal: Any, processes_in: Any, tmp_path: Path
) -> None:
    process = terminal.start("serve", model, "--port", "0", "--task", "ada/sample")
    log = tmp_path / "engine.log"
    while not (log.is_file() and log.stat().st_size):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(number)
    process.communicate()
    assert process.returncode == (0 if number == signal.SIGINT else -number)
    limit = time.monotonic() + 60
    while processes_in(tmp_path):
        assert time.monotonic() < limit, processes_in(tmp_path)
        time.sleep(0.2)
