"""`tft card`, on a real Hub of its own."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from harness.data.formats.jsonl import write_json
from harness.data.published_facts import published_facts
from harness.data.records import Message, ToolCall, TurnPair
from harness.data.sample import sample_task
from harness.evaluation.report_json import dump_report
from harness.evaluation.results import config_name, plot_file, report_file
from harness.hub.lineage import Lineage
from harness.hubd.embedded import running
from harness.models.prompts import system_template
from harness.reports import model_card
from harness.reports.card_block import BEGIN, END, merge_readme
from support import tft
from support.tft import Done
from support.trained_model import FACTS

EXAMPLE = "distillabs/tft-benchmark-s2-tft-Qwen3-1.7B"
CELL = "local/tft-benchmark-s2-tft-Qwen3-1.7B"
FOREIGN = "local/some-model"
FOREIGN_README = "---\nlicense: mit\ntags: [theirs]\n---\n\n# Some model\n\nTheir words.\n"


def run_tft(*arguments: str, **environment: str) -> Done:
    return tft.run(("card", *arguments), environment=os.environ | environment, folder=Path())


MINE = "local/mine"
PICTURE = b"\x89PNG\r\n\x1a\n of scores"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A Hub with a test set, results, a benchmark model and a foreign one."""

    api: Any
    environment: dict[str, str]

    def tft(self, *arguments: str) -> Done:
        return run_tft(*arguments, **self.environment)

    def readme(self, repo_id: str) -> str:
        path = self.api.hf_hub_download(repo_id, "README.md", cache_dir=self.environment["HF_HUB_CACHE"])
        return Path(path).read_bytes().decode()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, make_report: Callable[..., Any]) -> Iterator[World]:
    from huggingface_hub import CommitOperationAdd, HfApi

    folder = tmp_path_factory.mktemp("hub")
    with running(folder / "root") as hub:
        api = HfApi(endpoint=hub.url, token=hub.token)

        def commit(kind: str, repo_id: str, files: dict[str, Any]) -> str:
            api.create_repo(repo_id, repo_type=kind, exist_ok=True)
            operations = [
                CommitOperationAdd(name, body if isinstance(body, bytes) else body.encode())
                for name, body in files.items()
            ]
            return api.create_commit(repo_id, operations, commit_message="test", repo_type=kind).oid

        task = sample_task()
        job = {"task_description": task.description, "tools": list(task.tools)}
        test_set = commit("dataset", "local/tft-benchmark-testset", {"job_description.json": json.dumps(job)})
        reports = {}
        for repo_id in (CELL, FOREIGN, MINE, "local/without-a-card"):
            report = make_report(f"vllm:{repo_id}", plots={"scores.png": "Mean scores", "lost.png": "not there"})
            run = dataclasses.replace(report.run, dataset="local/tft-benchmark-testset", dataset_revision=test_set)
            reports[report_file(config_name(repo_id))] = json.dumps(dump_report(dataclasses.replace(report, run=run)))
        plots = {plot_file(config_name(repo_id), "scores.png"): PICTURE for repo_id in (CELL, FOREIGN, MINE)}
        commit("dataset", "local/tft-benchmark-results", {**reports, **plots})
        commit("model", CELL, {"config.json": "{}"})
        commit("model", FOREIGN, {"README.md": FOREIGN_README})
        commit("model", "local/without-a-card", {"config.json": "{}"})
        commit("model", "local/never-evaluated", {"config.json": "{}"})
        environment = {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "HF_HUB_CACHE": str(folder / "cache")}
        yield World(api=api, environment=environment)


def test_card_from_a_report_file_needs_no_hub(tmp_path: Path, make_report: Any) -> None:
    write_json(tmp_path / "report.json", dump_report(make_report()))
    done = run_tft(EXAMPLE, "--report", str(tmp_path / "report.json"), HF_ENDPOINT="http://127.0.0.1:9")
    assert done.status == 0, done.err
    assert done.out == model_card.render_card(make_report(), model_card.identify(EXAMPLE))
    again = run_tft(EXAMPLE, "--report", str(tmp_path / "report.json"), "--out", str(tmp_path / "README.md"))
    assert again.out == ""
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Qwen/Qwen3-1.7B", "--published"], "there is nothing to say about Qwen/Qwen3-1.7B"),
        ([EXAMPLE, "--push", "--check"], "one of the two"),
        ([EXAMPLE, "--create-pr"], "together with --push"),
        ([], "name one MODEL, or give --all"),
        ([EXAMPLE, "--all", "--check"], "name one MODEL, or give --all"),
        (["--all"], "--all goes with --check or --push"),
        (["--all", "--check", "--out", "README.md"], "neither --out"),
        ([EXAMPLE, "--published", "--report", "x.json"], "not both"),
        ([EXAMPLE, "--report", "no-such-file.json"], "cannot read the report no-such-file.json"),
    ],
)
def test_wrong_usage_is_one_sentence_and_status_2(arguments: list[str], message: str) -> None:
    done = run_tft(*arguments)
    assert done.status == 2
    assert message in done.err
    assert "Traceback" not in done.err
    assert done.out == ""


def test_a_benchmark_card_is_checked_pushed_and_then_current(world: World) -> None:
    before = world.tft(CELL, "--check")
    assert before.status == 1
    assert "--push" in before.err
    assert any(line.startswith("+# tft-benchmark-s2-tft") for line in before.out.splitlines())
    pushed = world.tft(CELL, "--push")
    assert pushed.status == 0, pushed.err
    assert pushed.out.startswith(world.environment["HF_ENDPOINT"])
    assert world.tft(CELL, "--check").status == 0
    commits = len(world.api.list_repo_commits(CELL))
    assert world.tft(CELL, "--push").status == 0
    assert len(world.api.list_repo_commits(CELL)) == commits
    card = world.readme(CELL)
    assert card == world.tft(CELL).out
    assert f"({world.environment['HF_ENDPOINT']}/datasets/local/tft-benchmark-results)" in card
    for tool in sample_task().tools:
        assert tool["function"]["description"].rstrip(".") in card
    world.api.upload_file(
        path_or_fileobj=card.replace("0.611", "0.999").encode(), path_in_repo="README.md", repo_id=CELL
    )
    stale = world.tft(CELL, "--check")
    assert stale.status == 1
    assert "stale" in stale.err
    assert world.tft(CELL, "--push").status == 0
    assert world.readme(CELL) == card


def made_by_training(world: World, readme: str) -> None:
    """Push the model as `tft train` does, with this README."""
    lineage = Lineage(stage="train", version=5, config={}, inputs=(FACTS.student, FACTS.dataset, FACTS.task))
    dumped = json.dumps(replace(lineage, extra={"training": FACTS.dump()}).dump())
    world.api.create_repo(MINE, exist_ok=True)
    for path, body in (("lineage.json", dumped), ("README.md", readme)):
        world.api.upload_file(path_or_fileobj=body.encode(), path_in_repo=path, repo_id=MINE)
    with suppress(Exception):
        world.api.delete_tag(MINE, tag=lineage.tag())
    world.api.create_tag(MINE, tag=lineage.tag())


def test_the_card_of_a_trained_model_begins_with_its_scores(world: World) -> None:
    """And its plots lie beside it. What others write around the block stays, here and when it is pushed again."""
    made_by_training(
        world,
        model_card.render_card(None, model_card.identify(MINE), training=FACTS, place=model_card.CardPlace(whole=True)),
    )
    before = world.readme(MINE)
    assert before.startswith("---\nbase_model: me/student\n")
    assert "Not evaluated yet" in before
    assert world.tft(MINE, "--check").status == 1
    assert world.tft(MINE, "--push").status == 0
    card = world.readme(MINE)
    order = ["---\n", "# mine\n", "| `staged_tool_call` | **0.611 ", "](plots/scores.png)", "## Use", "## How this",
             "## Limits", "<summary>Settings", "Setting `epochs`"]  # fmt: skip
    places = [card.index(part) for part in order]
    assert places == sorted(places)
    assert "lost.png" not in card
    picture = world.api.hf_hub_download(MINE, "plots/scores.png", cache_dir=world.environment["HF_HUB_CACHE"])
    assert Path(picture).read_bytes() == PICTURE
    assert world.tft(MINE, "--check").status == 0

    world.api.delete_file("plots/scores.png", MINE)
    missing = world.tft(MINE, "--check")
    assert (missing.status, missing.out) == (1, "plots/scores.png is missing\n")
    world.api.upload_file(
        path_or_fileobj=f"{card}\nTheir words.\n".replace("0.611", "0.999").encode(),
        path_in_repo="README.md",
        repo_id=MINE,
    )
    assert world.tft(MINE, "--push").status == 0
    assert world.readme(MINE) == f"{card}\nTheir words.\n"


@pytest.mark.parametrize("evaluated", [False, True])
def test_a_card_that_an_earlier_version_made_begins_with_scores_unless_others_wrote_in_it(
    world: World, evaluated: bool
) -> None:
    old = "---\nbase_model: me/student\n---\n\n# mine\n\nFine-tuned.\n\n## How this model was trained\n"
    made_by_training(world, old)
    if evaluated:
        block = f"{BEGIN}\n## Tool calling: mine\n{END}\n"
        world.api.upload_file(path_or_fileobj=merge_readme(old, block).encode(), path_in_repo="README.md", repo_id=MINE)
    assert world.tft(MINE, "--push").status == 0
    card = world.readme(MINE)
    assert card.count("## How this model was trained") == 1
    assert card.index("## Scores") < card.index("## How this model was trained")

    made_by_training(world, old)
    theirs = old.replace("Fine-tuned.", "Fine-tuned by me, with care.")
    world.api.upload_file(path_or_fileobj=theirs.encode(), path_in_repo="README.md", repo_id=MINE)
    assert world.tft(MINE, "--push").status == 0
    assert world.readme(MINE).startswith(f"{theirs}\n{BEGIN}\n## Tool calling: mine\n")


def test_the_readme_of_a_foreign_model_keeps_every_word(world: World) -> None:
    assert world.tft(FOREIGN, "--push").status == 0
    readme = world.readme(FOREIGN)
    assert readme.startswith(f"{FOREIGN_README}\n{BEGIN}\n")
    assert world.tft(FOREIGN, "--check").status == 0
    info = world.api.model_info(FOREIGN)
    assert info.card_data.license == "mit"


def test_a_model_with_a_lineage_file_of_its_own_gets_a_card(world: World) -> None:
    world.api.upload_file(path_or_fileobj=b'{"parents": ["a"]}', path_in_repo="lineage.json", repo_id=FOREIGN)
    try:
        done = world.tft(FOREIGN)
    finally:
        world.api.delete_file("lineage.json", FOREIGN)
    assert done.status == 0, done.err
    assert BEGIN in done.out


def test_a_foreign_model_can_get_a_pull_request(world: World) -> None:
    done = world.tft("local/without-a-card", "--push", "--create-pr")
    assert done.status == 0, done.err
    assert "/discussions/" in done.out
    assert "README.md" not in world.api.list_repo_files("local/without-a-card")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["local/never-evaluated"], "tft evaluate local/never-evaluated"),
        (["local/never-evaluated", "--namespace", "nobody"], "nobody/tft-benchmark-results"),
        (["--all", "--check", "--namespace", "nobody"], "nobody/tft-benchmark-results"),
        (["local/no-such-tft-benchmark-s1-tft-x", "--push"], "tft evaluate"),
        ([EXAMPLE, "--published", "--push"], EXAMPLE),
    ],
)
def test_what_is_missing_on_the_hub_is_named_with_a_next_step(world: World, arguments: list[str], message: str) -> None:
    done = world.tft(*arguments)
    assert done.status == 2
    assert message in done.err
    assert "Traceback" not in done.err


@pytest.mark.slow
@pytest.mark.parametrize("shows_tools", [True, False])
def test_the_code_block_asks_what_the_evaluation_asks(
    world: World, shows_tools: bool, tmp_path: Path, make_report: Any, reading: Any
) -> None:
    """A small random student under the benchmark model's name: the card's code loads it, and prints an answer."""
    from harness.models.prompts import Calendar
    from harness.models.prompts.make_prompts import TokenizerFiles, make_prompts
    from harness.training.small_model import create_student

    task, student = sample_task(), tmp_path / "student"
    create_student(student, texts=[task.description], parameters=2_000_000)
    if not shows_tools:
        (student / "chat_template.jinja").write_text(
            "{% for one in messages %}<|im_start|>{{ one.role }}\n{{ one.content }}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
        )
    world.api.upload_folder(repo_id=CELL, folder_path=student)
    report = make_report(f"vllm:{CELL}")
    test_set = world.api.dataset_info("local/tft-benchmark-testset").sha
    config = {**report.run.config, "system_template": system_template(task), "tools_in_template": shows_tools}
    run = replace(report.run, dataset="local/tft-benchmark-testset", dataset_revision=test_set, config=config)
    card = model_card.render_card(replace(report, run=run), model_card.identify(CELL), task)
    code = reading.code_block(card, "python") + '\nprint(prompt["input_ids"][0].tolist())\n'
    environment = os.environ | world.environment | {"HF_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *answer, ids = done.stdout.strip().splitlines()
    assert answer
    message = Message(role="user", content=published_facts().example_request)
    call = ToolCall(name=task.tools[0]["function"]["name"], arguments={})
    pair = TurnPair(id="a:0", conversation="a", turn=0, prefix=(message,), reference=call)
    made = make_prompts(TokenizerFiles(name=CELL, folder=student), task, [pair], Calendar())
    assert json.loads(ids) == made["prompts"][0]
    assert made["form"]["tools_in_template"] == shows_tools
