"""Adapters on their base: refused where they cannot be served, else asked through one engine, each as if merged."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from harness.data.sample import sample_task
from harness.data.tasks import TestSet
from harness.errors import ModelError
from harness.evaluation.report_json import read_report
from harness.hub.artifact import Artifact
from harness.models.backends._adapters import RANKS, Adapter, EvaluatedAdapter, lora_arguments
from harness.models.backends._base import EvaluateConfig
from harness.models.engine.checkpoint import Checkpoint
from harness.models.engine.server import EngineOptions, SharedEngine

Put = Callable[..., str]

ON_SAMPLE = ("--dataset", "ada/sample", "--no-push")
LIMIT = 6
THOUGHT = 12
_QUIET = '{%- if not enable_thinking -%}\n{{ "<think>\\n\\n</think>\\n\\n" -}}\n{%- endif -%}'
_OPENS = '{{ "<think>\\n" if enable_thinking else "<think>\\n\\n</think>\\n\\n" -}}'
LORA = {"peft_type": "LORA", "r": 8, "lora_alpha": 8, "bias": "none", "base_model_name_or_path": "ada/base"}
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


@pytest.fixture(scope="session")
def base(put: Put, student: Path) -> str:
    return put("base", {path.name: path for path in student.iterdir()})


def _train(student: Path, folder: Path, *, seed: int, merged: Path | None = None, **lora: Any) -> Path:
    """Write an adapter of the student with random weights to `folder`, and what it merges to."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(student, dtype=torch.float32)
    config = LoraConfig(target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM", **lora)
    with_adapter = get_peft_model(model, config)
    with_adapter.save_pretrained(folder)
    saved = json.loads((folder / CONFIG).read_text())  # it names a folder of this machine
    (folder / CONFIG).write_text(json.dumps({**saved, "base_model_name_or_path": "ada/base"}))
    if merged:
        with_adapter.merge_and_unload().save_pretrained(merged)
    return folder


def _weights(**shapes: tuple[int, ...]) -> bytes:
    import numpy
    from safetensors.numpy import save

    return save({name.replace("__", "."): numpy.zeros(shape, "float32") for name, shape in shapes.items()})


def _factors(module: str, inner: int, outer: int) -> bytes:
    names = [f"base_model.model.{module}.lora_{side}.weight".replace(".", "__") for side in "AB"]
    return _weights(**dict(zip(names, [(8, inner), (outer, 8)], strict=True)))


FIRST = "model.layers.0.self_attn.q_proj"
REPOSITORIES: list[tuple[str, dict[str, Any], bytes | str, tuple[str, ...]]] = [
    ("other-kind", {**LORA, "peft_type": "IA3"}, "x", ("'IA3'", "LORA", "merge")),
    ("dora", {**LORA, "use_dora": True, "bias": "all"}, "x", ("use_dora, bias", "does not serve", "merge")),
    ("heads", {**LORA, "modules_to_save": ["lm_head"]}, "x", ("modules_to_save", "merge")),
    ("high-rank", {**LORA, "rank_pattern": {"q_proj": 1024}}, "x", ("rank 8, 1024", "1 to 512")),
    ("no-rank", {**LORA, "r": None}, "x", ("rank None",)),
    ("damaged", LORA, "x", ("is not a safetensors file", WEIGHTS)),
    (
        "wide",
        {**LORA, "base_model_name_or_path": "ada/wider"},
        _factors(FIRST, 4096, 4096),
        ("does not fit ada/base@", f"{FIRST} is ", "4096 x 4096 in the adapter", "it names ada/wider as its base"),
    ),
    ("deep", LORA, _factors("model.layers.60.self_attn.q_proj", 64, 64), ("no model.layers.60", "train it again")),
]
COMMANDS: list[tuple[str, list[str], tuple[str, ...]]] = [
    ("two bases", ["ada/base", "ada/other", "--adapters", "ada/wide"], ("one base model, got 2",)),
    ("endpoint", ["openai:base", "--adapters", "ada/wide"], ("openai:base", "--adapters")),
    ("recorded", ["ada/base", "--adapters", "replay:wide"], ("replay:wide", "--adapters")),
    ("twice", ["ada/base", "--adapters", "ada/wide", "--adapters", "ada/wide@main"], ("named twice",)),
    ("no adapter", ["ada/base", "--adapters", "ada/base"], (f"ada/base has no {CONFIG}", "`adapter`")),
    ("missing", ["ada/base", "--adapters", "ada/never-made"], ("ada/never-made was not found",)),
    ("pickled", ["ada/base", "--adapters", "ada/pickled"], (f"ada/pickled has no {WEIGHTS}", "safetensors")),
    ("broken", ["ada/base", "--adapters", "ada/broken"], (f"{CONFIG} of ada/broken", "push")),
    ("list", ["ada/base", "--adapters", "ada/list"], (f"{CONFIG} of ada/list", "object")),
    ("alone", ["ada/wide"], ("adapter without its base", "tft evaluate BASE --adapters ada/wide", "merged weights")),
]


@pytest.fixture(scope="module")
def said(hub: Any, new_terminal: Any, put: Put, base: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each of the commands said."""
    for name, config, weights, _ in REPOSITORIES:
        put(name, {CONFIG: json.dumps(config), WEIGHTS: weights})
    put("pickled", {CONFIG: json.dumps(LORA), "adapter_model.bin": "x"})
    put("broken", {CONFIG: "{", WEIGHTS: "x"})
    put("list", {CONFIG: "[]", WEIGHTS: "x"})
    commands = {name: [base, "--adapters", f"ada/{name}"] for name, *_ in REPOSITORIES}
    commands |= {name: arguments for name, arguments, _ in COMMANDS}
    place = new_terminal(hub, tmp_path_factory.mktemp("refused"))
    done = {name: place("evaluate", *arguments, *ON_SAMPLE) for name, arguments in commands.items()}
    assert not (place.folder / "runs").exists()
    return done


@pytest.mark.parametrize(("name", "words"), [(name, words) for name, *_, words in REPOSITORIES])
def test_an_adapter_that_cannot_be_served_on_the_base_is_refused_before_anything_starts(
    name: str, words: tuple[str, ...], test_set: Any, said: dict[str, Any]
) -> None:
    said[name].refused(*words)
    assert "starting vLLM" not in said[name].err


@pytest.mark.parametrize(("name", "words"), [(name, words) for name, _, words in COMMANDS])
def test_what_is_no_adapter_of_one_base_is_refused(
    name: str, words: tuple[str, ...], test_set: Any, said: dict[str, Any]
) -> None:
    said[name].refused(*words)


def test_the_engine_gets_the_smallest_rank_that_holds_all_adapters(tmp_path: Path) -> None:
    def words(*configs: dict[str, Any]) -> tuple[str, ...]:
        artifact = Artifact(kind="model", repo_id="me/a", revision="0" * 40)
        return lora_arguments(
            [Adapter(artifact=artifact, folder=tmp_path, root=tmp_path, config=config) for config in configs]
        )

    for ranks, expected in {(8,): "8", (8, 9): "16", (64, 65): "128", (1,): "1", (512,): "512"}.items():
        found = words(*({"r": rank} for rank in ranks))
        assert found[found.index("--max-lora-rank") + 1] == expected
        assert found[found.index("--max-cpu-loras") + 1] == str(len(ranks))
        assert len(found[found.index("--lora-modules") + 1 :]) == len(ranks)
    found = words({"r": 8, "rank_pattern": {"q_proj": 100}})
    assert found[found.index("--max-lora-rank") + 1] == "128"


def test_the_ranks_are_those_of_the_installed_engine() -> None:
    """Read from its source, because importing it takes half a minute."""
    engine = find_spec("vllm")
    assert engine is not None
    assert engine.origin is not None
    source = (Path(engine.origin).parent / "config" / "lora.py").read_text()
    [ranks] = re.findall(r"^MaxLoRARanks = Literal\[([\d, ]+)\]", source, re.MULTILINE)
    assert tuple(map(int, ranks.split(","))) == RANKS


@pytest.fixture
def prompts_with(student: Path, test_set: Any, tmp_path: Path) -> Callable[..., list[str]]:
    """The hashes of what an adapter is asked, with these files beside it instead of the base's."""
    data = Artifact(kind="dataset", repo_id="me/data", revision="0" * 40)
    tests = TestSet(artifact=data, task=sample_task(), pairs=tuple(test_set), total=len(test_set))
    artifact = Artifact(kind="model", repo_id="me/base", revision="1" * 40)
    base = Checkpoint(artifact=artifact, folder=student, config={}, base_model=None)

    def prompts(files: Mapping[str, str], place: str = "") -> list[str]:
        (tmp_path / "adapter").mkdir(exist_ok=True)
        for name, text in files.items():
            (tmp_path / place / name).write_text(text)
        made = replace(artifact, repo_id="me/adapter")
        adapter = Adapter(artifact=made, folder=tmp_path / "adapter", root=tmp_path, config=LORA)
        engine = SharedEngine(EngineOptions())
        subject = EvaluatedAdapter(adapter, base, engine, tests, EvaluateConfig())
        subject.make_prompts()
        return subject.prompt_hashes

    return prompts


def test_prompts_are_rendered_as_shipped_with_the_adapter_else_as_its_base_does(
    prompts_with: Callable[..., list[str]], student: Path
) -> None:
    shipped = {path.name: path.read_text() for path in student.iterdir() if path.suffix in (".json", ".jinja")}
    template = shipped.pop("chat_template.jinja")
    own = prompts_with({})
    assert prompts_with(shipped) == own  # a tokenizer without a template
    at_the_top = prompts_with({"chat_template.jinja": template.replace("<|im_start|>system", "<|im_start|>system of")})
    beside = prompts_with({"chat_template.jinja": template.replace("<|im_start|>system", "<|im_start|>a")}, "adapter")
    assert len({*own, *at_the_top, *beside}) == len({*own}) * 3


def test_a_tokenizer_that_the_engine_cannot_read_with_is_refused(
    prompts_with: Callable[..., list[str]], student: Path
) -> None:
    """The engine turns answers into text with the base's tokenizer, whichever adapter gave them."""
    shipped = {name: (student / name).read_text() for name in ("tokenizer.json", "tokenizer_config.json")}
    tokenizer = json.loads(shipped["tokenizer.json"])
    vocabulary = tokenizer["model"]["vocab"]
    one, two = list(vocabulary)[300:302]
    vocabulary[one], vocabulary[two] = vocabulary[two], vocabulary[one]
    with pytest.raises(ModelError, match=r"me/adapter numbers tokens otherwise.*me/base.*merged weights"):
        prompts_with({**shipped, "tokenizer.json": json.dumps(tokenizer)})
    tokenizer = json.loads(shipped["tokenizer.json"])
    token = {"id": 1 + max(entry["id"] for entry in tokenizer["added_tokens"]), "content": "<new>", "special": True}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    tokenizer["added_tokens"].append(token | flags)
    new = {**shipped, "tokenizer.json": json.dumps(tokenizer)}
    assert prompts_with(new)
    with pytest.raises(ModelError, match="me/adapter puts new tokens into prompts"):
        prompts_with({**new, "chat_template.jinja": "<new>" + (student / "chat_template.jinja").read_text()})


def _raw(run: Path) -> list[str]:
    return [json.loads(line)["raw"] for line in (run / "data" / "test.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def finished(
    hub: Any, new_terminal: Any, put: Put, base: str, student: Path, test_set: Any, tmp_path_factory: Any
) -> Any:
    """Two adapters, of a plain and of a trained repository, evaluated with one command, and one of them merged."""
    place = new_terminal(hub, tmp_path_factory.mktemp("adapters"))
    shared = {path.name: path for path in student.iterdir() if path.suffix != ".safetensors"}
    template = (student / "chat_template.jinja").read_text()
    assert _QUIET in template
    template = template.replace(_QUIET, _OPENS).replace("<|im_start|>system", "<|im_start|>system of two")
    own = {**shared, "chat_template.jinja": template}
    one = _train(student, place.folder / "one", seed=11, r=8, lora_alpha=16)
    put("one", {file: one / file for file in (CONFIG, WEIGHTS)})
    merged = place.folder / "merged-two"
    two = _train(student, place.folder / "two", seed=7, merged=merged, r=4, lora_alpha=8, rank_pattern={"q_proj": 12})
    adapter = {f"adapter/{file}": two / file for file in (CONFIG, WEIGHTS)}
    put("two", {**own, "model.safetensors": merged / "model.safetensors", **adapter})
    command = ("evaluate", "--limit", str(LIMIT), "--max-tokens", "16", "--dataset", "ada/sample")
    adapters = place(
        *command, base, "--adapters", "ada/one", "--adapters", "ada/two", "--with-base", "--out", "adapters"
    )
    adapters.worked()
    thinking = ("--thinking", "off", "--thinking", "on", "--thinking-tokens", str(THOUGHT), "--results-only")
    both = place(*command, "ada/two", *thinking, "--out", "merged").worked()
    assert both.err.count("starting vLLM ...") == 1
    shutil.rmtree(place.folder / "home")
    return place, adapters


def _settings(place: Any) -> dict[str | None, Path]:
    """Return the runs of the merged model, by how it thinks."""
    return {read_report(run / "report.json").run.thinking: run for run in (place.folder / "merged").iterdir()}


def _runs(root: Path) -> dict[str, Path]:
    found = {}
    for run in root.iterdir():
        found[read_report(run / "report.json").run.model.removeprefix("vllm:ada/")] = run
    return found


@pytest.mark.slow
def test_adapters_on_one_engine_answer_each_for_itself_and_as_if_merged(finished: Any) -> None:
    place, said = finished
    runs = _runs(place.folder / "adapters")
    assert runs.keys() == {"one", "two", "base"}
    assert said.err.count("starting vLLM ...") == 1
    assert len(list((place.folder / "adapters").rglob("engine.log"))) == 1
    answers = {name: _raw(run) for name, run in runs.items()}
    assert answers["one"] != answers["two"]
    assert answers["two"] == _raw(_settings(place)[None])


@pytest.mark.slow
def test_a_model_with_and_without_thinking_is_two_results_of_one_engine(finished: Any, api: Any) -> None:
    """Random weights do not close what they think: it is closed for them, and an answer comes all the same."""
    place, _ = finished
    runs = _settings(place)
    assert runs.keys() == {None, "on"}
    assert len(list((place.folder / "merged").rglob("engine.log"))) == 1
    rows = [json.loads(line) for line in (runs["on"] / "data" / "test.jsonl").read_text().splitlines()]
    assert len(rows) == LIMIT
    for row in rows:
        assert 0 < row["thinking_tokens"] <= THOUGHT
        assert row["usage"]["completion"] <= THOUGHT + 16
        assert (row["raw"] is None) == (row["thinking_end"] == "unclosed")
    assert {row["thinking_end"] for row in rows} & {"limit", "repeated"}
    assert "thinking" not in json.loads((runs[None] / "data" / "test.jsonl").read_text().splitlines()[0])
    files = api.list_repo_files("ada/tft-benchmark-results", repo_type="dataset")
    assert {f"reports/ada--two{name}.json" for name in ("", "--thinking-on")} <= set(files)


@pytest.mark.slow
def test_each_run_names_adapter_and_base_at_their_commits_and_its_own_template_is_used(finished: Any, api: Any) -> None:
    place, said = finished
    runs = _runs(place.folder / "adapters")
    hashes = {}
    base = read_report(runs.pop("base") / "report.json").run
    assert (base.config["beside_adapters"], base.base_model) == (True, None)
    assert not [path for path in api.list_repo_files("ada/base") if path.startswith(".eval_results")]
    for name, run in runs.items():
        report, lineage = read_report(run / "report.json").run, json.loads((run / "lineage.json").read_text())
        commits = [entry.split("@") for entry in lineage["inputs"]]
        assert [repo_id for repo_id, _ in commits] == [f"ada/{name}", "ada/base", "ada/sample"]
        assert all(len(commit) == 40 for _, commit in commits)
        assert (report.base_model, report.model_revision) == ("ada/base", commits[0][1])
        assert report.config["adapter"] == {"one": ".", "two": "adapter"}[name]
        hashes[name] = report.prompt_sha256
        assert ".eval_results/sample.yaml" in api.list_repo_files(f"ada/{name}")
    assert hashes["one"] != hashes["two"]
    assert "ada/one" in said.err
    rows = api.list_repo_files("ada/tft-benchmark-results", repo_type="dataset")
    assert {f"data/ada--{name}/test.jsonl" for name in ("one", "two", "base")} <= set(rows)


@pytest.mark.slow
def test_the_endpoint_of_a_base_and_its_adapters_sends_and_answers_what_their_evaluation_does(
    finished: Any, processes_in: Any
) -> None:
    """Token by token, asked by the unmodified client; on one engine, of which nothing is left."""
    place, _ = finished
    command = ("serve", "ada/base", "--adapters", "ada/one", "--adapters", "ada/two", "--task", "ada/sample")
    done = place(*command, "--port", "0", "--max-tokens", "16", "--check").worked()
    assert done.out == "60 turns: 0 prompts and 0 answers differ from those of tft evaluate\n"
    assert processes_in(place.folder) == []
