"""`tft train` from end to end: a model repository that is complete, reused, and evaluated like any other."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from harness.data.formats.messages import dump_conversation
from harness.data.sample import sample_conversations
from harness.evaluation.report_json import read_report
from harness.hub.lineage import parse_record
from harness.training.run_summary import load_facts
from support.sample_test_set import write_test_set

pytestmark = pytest.mark.slow

FILES = {
    *("README.md", "chat_template.jinja", "config.json", "generation_config.json", "lineage.json", "model.safetensors"),
    *("tokenizer.json", "tokenizer_config.json", "training/log.jsonl", "training/loss.png"),
    *("adapter/adapter_config.json", "adapter/adapter_model.safetensors"),
}
EARLY, LATE = "Etc/GMT+12", "Pacific/Kiritimati"
"""Time zones 26 hours apart: in one it is always another day than in the other."""
ON_SAMPLE = ("--dataset", "ada/sample", "--no-push")
SETTINGS = ("--epochs", "1", "--set", "lora_rank=4", "--set", "learning_rate=1e-3")


@pytest.fixture
def training(terminal: Any, put: Callable[..., str], student: Path) -> tuple[str, ...]:
    """The arguments that train the small student on three simulated conversations."""
    put("student", {path.name: path for path in student.iterdir()})
    write_test_set(terminal.folder / "task", 2)
    rows = [json.dumps(dump_conversation(conversation)) + "\n" for conversation in sample_conversations(3)]
    (terminal.folder / "traces.jsonl").write_text("".join(rows))
    return ("train", "traces.jsonl", "--task", "task/job_description.json", "--student", "ada/student")


def test_a_trained_model_is_complete_reused_and_evaluated(
    training: tuple[str, ...], terminal: Any, api: Any, tmp_path: Path
) -> None:
    arguments = (*training, "--to", "ada/trained", *SETTINGS)
    said = terminal(*arguments, "--out", "run", "--json").worked()
    report = json.loads(said.out)
    files = set(api.list_repo_files("ada/trained"))
    assert files - {".gitattributes"} >= FILES
    text = (tmp_path / "run" / "model" / "lineage.json").read_text()
    lineage = json.loads(text)
    facts = load_facts(parse_record(text).lineage)
    assert facts is not None
    assert (facts.conversations, facts.examples, facts.steps) == (3, 3, 3)
    assert facts.dataset.startswith("traces.jsonl@sha256:")
    assert facts.student == f"ada/student@{api.model_info('ada/student').sha}"
    assert facts.merge_difference is not None
    assert sorted(lineage["inputs"]) == sorted([facts.student, facts.dataset, facts.task])
    log = (tmp_path / "run" / "model" / "training" / "log.jsonl").read_text().splitlines()
    assert len(log) == facts.steps
    card = (tmp_path / "run" / "model" / "README.md").read_text()
    assert "base_model: ada/student" in card
    assert "](training/loss.png)" in card
    tags = {ref.name: ref.target_commit for ref in api.list_repo_refs("ada/trained").tags}
    assert tags[f"fp-{lineage['fingerprint']}"] == report["revision"]
    assert "there already" in terminal(*arguments).worked().err
    assert api.model_info("ada/trained").sha == report["revision"]

    # In another arithmetic than the default, and several samples, which need no engine of their own here.
    words = ("ada/trained", "--limit", "3", "--max-tokens", "8", "--samples", "3", "--temperature", "2")
    terminal.environment |= {"XDG_CACHE_HOME": str(tmp_path / "cache"), "VLLM_LOGGING_LEVEL": "INFO"}
    said = terminal("evaluate", *words, *ON_SAMPLE, "--out", "fast", "--fast", "--judge", "rules:judge").worked()
    run = read_report(tmp_path / "fast" / "report.json").run
    assert run.arithmetic == run.config["arithmetic"]
    assert f"the engine computes in {run.arithmetic}" in " ".join(said.err.split())
    assert run.arithmetic in " ".join(said.out.split())
    dtype, compiled, _ = run.arithmetic.split(", ")
    log = (tmp_path / "fast" / "engine.log").read_text()
    assert f"dtype=torch.{dtype}," in log
    assert f"enforce_eager={compiled != 'compiled'}," in log
    assert ("Warming up model for the compilation" in log) == (compiled == "compiled")
    assert bool(list((tmp_path / "cache" / "tft" / "engine").rglob("*.so"))) == (compiled == "compiled")
    samples = read_report(tmp_path / "fast" / "report.json").samples
    assert samples is not None
    assert (samples.samples, samples.errors, samples.alike) == (3, 0, 0)
    rows = [json.loads(line) for line in (tmp_path / "fast" / "data" / "test.jsonl").read_text().splitlines()]
    assert [row["sample"] for row in rows] == [0, 1, 2] * 3
    again = terminal("evaluate", *words, *ON_SAMPLE, "--out", "fast", "--resume").worked()
    assert f"the engine computes in {run.arithmetic}" in " ".join(again.err.split())
    assert read_report(tmp_path / "fast" / "report.json").run.arithmetic == run.arithmetic


def test_a_benchmark_model_keeps_its_training_in_the_card(training: tuple[str, ...], terminal: Any) -> None:
    name = "tft-benchmark-s4-direct-student"
    batches = ("--set", "batch_size=3")
    said = terminal(*training, "--to", f"ada/{name}", "--no-push", "--out", "run", *SETTINGS, *batches).worked()
    assert "what all conversations of a batch begin with is computed once per batch" in " ".join(said.err.split())
    card = (terminal.folder / "run" / "model" / "README.md").read_text()
    assert card.startswith("---\n")
    assert "How this model was trained" in card
    assert "| What all conversations of a batch begin with | computed once per batch |" in card
    assert "Scenario" in card


def test_what_cannot_be_trained_is_refused_before_anything_is_written(
    training: tuple[str, ...], terminal: Any, tmp_path: Path
) -> None:
    to = ("--to", "ada/never", "--no-push", "--out", "run")
    for words, expected in (
        ([*training, *to, "--set", "epoch=1"], ("epoch", "epochs")),
        ([*training, *to, "--epochs", "-1"], ("epochs", "greater")),
        ([*training, *to, "--dry-run"], ("--jobs",)),
        ([*training, *to, "--set", "max_length=16"], ("16 tokens",)),
        (["train", "nothing.jsonl", *training[2:], *to], ("nothing.jsonl",)),
        ([*training[:-1], "ada/no-such-student", *to], ("no-such-student",)),
    ):
        terminal(*words).refused(*expected)
    assert not (tmp_path / "run").exists()


def test_a_training_says_the_day_of_its_beginning_and_ships_it(
    terminal: Any, put: Callable[..., str], training: tuple[str, ...], student: Path, tmp_path: Path
) -> None:
    """Killed and gone on with on another day it is the same model; begun then it has another fingerprint.

    Undisturbed it would have been the same model too, as one shows that is begun then and told the first day.
    The template that ships says the day of the training, and so does every prompt of an evaluation.
    """
    own = (student / "chat_template.jinja").read_text(encoding="utf-8")
    dated = "{{ strftime_now('%A, %-d %B %Y') }}\n" + own
    put("dated-student", {**{path.name: path for path in student.iterdir()}, "chat_template.jinja": dated})
    arguments = (*training[:-1], "ada/dated-student", "--to", "ada/dated", *SETTINGS, "--set", "save_every=1")

    def made(folder: str) -> tuple[dict[str, Any], str, bytes]:
        model = tmp_path / folder / "model"
        lineage = json.loads((model / "lineage.json").read_text())
        return lineage, (model / "chat_template.jinja").read_text(), (model / "model.safetensors").read_bytes()

    def killed(zone: str) -> None:
        """Begin a training, and kill it at its first checkpoint."""
        with terminal.start(*arguments, "--no-push", "--out", "killed", environment={"TZ": zone}) as process:
            while process.poll() is None and not list(tmp_path.glob("killed/work/checkpoints/checkpoint-*/whole.json")):
                time.sleep(0.02)
            process.kill()

    killed(LATE)
    said = terminal(*arguments, "--no-push", "--out", "killed", "--resume", TZ=EARLY).worked().err
    terminal(*arguments, "--no-push", "--out", "other", TZ=EARLY).worked()
    first, other = map(made, ("killed", "other"))
    assert f"prompts say {first[0]['config']['date']}" in said
    assert first[0]["fingerprint"] != other[0]["fingerprint"]
    assert first[2] != other[2]
    day = date.fromisoformat(first[0]["config"]["date"])
    assert day != date.fromisoformat(other[0]["config"]["date"])
    assert f"{day:%A, %-d %B %Y}" in first[1]
    assert f"Date in prompts | `{day}`" in (tmp_path / "killed" / "model" / "README.md").read_text()
    repeated = terminal(*arguments, "--date", str(day), "--out", "repeated", TZ=EARLY).worked()
    whole = made("repeated")
    assert whole[0]["fingerprint"] == first[0]["fingerprint"]
    assert whole[1:] == first[1:]
    assert "pushed" in repeated.err
    again = terminal(*arguments, TZ=EARLY).worked().err
    assert "there already" in again
    assert f"prompts say {day}" in again
