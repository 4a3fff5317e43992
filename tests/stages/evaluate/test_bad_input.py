"""Bad input: one clear sentence on stderr, exit status 2, no traceback, and no folder of a run left behind."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Put = Callable[..., str]

CAUSAL = json.dumps({"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "max_position_embeddings": 64})
BERT = json.dumps({"architectures": ["BertForMaskedLM"], "model_type": "bert"})
OWN_CODE = json.dumps({"architectures": ["OwnForCausalLM"], "auto_map": {"AutoModelForCausalLM": "own.OwnForCausalLM"}})

MODELS: list[tuple[str, dict[str, str], tuple[str, ...]]] = [
    ("no-config", {"model.safetensors": "x"}, ("has no config.json", "causal LM")),
    ("adapter", {"adapter_config.json": "{}", "adapter_model.safetensors": "x"}, ("adapter", "merged weights")),
    ("masked", {"config.json": BERT, "model.safetensors": "x"}, ("not a causal language model", "BertForMaskedLM")),
    ("no-architecture", {"config.json": "{}", "model.safetensors": "x"}, ("not a causal language", "no architecture")),
    ("pickled", {"config.json": CAUSAL, "pytorch_model.bin": "x"}, ("pytorch_model.bin", "safetensors", "convert")),
    ("weightless", {"config.json": CAUSAL}, ("no *.safetensors file", "push the weights")),
    (
        "own-code",
        {"config.json": OWN_CODE, "own.py": "", "model.safetensors": "x"},
        ("own.py", "--trust-remote-code"),
    ),
    ("broken-config", {"config.json": "{", "model.safetensors": "x"}, ("config.json of ada/broken-config", "push")),
    ("list-config", {"config.json": "[]", "model.safetensors": "x"}, ("config.json of ada/list-config", "object")),
]


NAMES = [
    ("ada/nothing", ("model ada/nothing was not found", "HF_TOKEN", "hf auth login")),
    ("ada/masked@" + "0" * 40, ("at revision '" + "0" * 40, "no such revision")),
    ("a/b/c", ("'a/b/c'", "owner/name")),
    ("ada/masked@v9", ("model ada/masked at revision 'v9'", "no such revision")),
    ("two words", ("'two words'", "owner/name")),
    ("other:model", ("unknown backend 'other'", "openai, replay, vllm, rules")),
    ("vllm:", ("no model id in 'vllm:'", "vllm:Qwen/Qwen3-1.7B")),
    ("", ("no model id in ''",)),
]


def test_gated_and_private_repositories_of_others_say_how_to_log_in(terminal: Any, put: Put) -> None:
    gated = put("gated", {"config.json": CAUSAL, "model.safetensors": "x"}, gated="manual")
    private = put("private", {"config.json": CAUSAL, "model.safetensors": "x"}, private=True)
    terminal.evaluate(gated, HF_TOKEN="hf_bob_write").refused("ada/gated", "gated", "accept its terms", "hf auth login")
    terminal.evaluate(private, HF_TOKEN="hf_bob_write").refused("ada/private", "not found", "private", "HF_TOKEN")
    terminal.evaluate(private, HF_TOKEN="").refused("ada/private", "private", "hf auth login")
    data = put("private-data", {"job_description.json": "{}"}, kind="dataset", private=True)
    terminal("evaluate", "replay:x", "--dataset", data, "--no-push", HF_TOKEN="hf_bob_write").refused(
        "dataset ada/private-data", "private"
    )


JOB = json.dumps({"task_description": "Book.", "tools": [{"name": "book"}]})
GOOD = json.dumps(
    {
        "id": "c0",
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "tool_calls": [{"function": {"name": "book", "arguments": "{}"}}]},
        ],
    }
)
ROWS = "data/conversations/test.jsonl"
DATA: list[tuple[str, dict[str, str], tuple[str, ...]]] = [
    ("empty", {"notes.txt": "Nothing."}, ("is not a test set", ROWS, "tft data build --push")),
    ("no-task", {ROWS: GOOD + "\n"}, ("is not a test set", "job_description.json")),
    (
        "cut",
        {ROWS: f'{GOOD}\n{{"id": \n', "job_description.json": JOB},
        (f"{ROWS}, line 2", "not valid JSON", "push it again"),
    ),
    ("text", {ROWS: f"{GOOD}\n\n7\n", "job_description.json": JOB}, (f"{ROWS}, line 3", "expected a JSON object")),
    (
        "role",
        {ROWS: GOOD.replace('"user"', '"person"'), "job_description.json": JOB},
        (f"{ROWS}, line 1", "unknown role 'person'"),
    ),
    (
        "no-call",
        {ROWS: '{"id": "a", "messages": []}', "job_description.json": JOB},
        (f"{ROWS}, line 1", "no assistant"),
    ),
    ("no-rows", {ROWS: "\n", "job_description.json": JOB}, (ROWS, "no rows")),
    ("bad-task", {ROWS: GOOD, "job_description.json": "{}"}, ("job_description.json", "task_description")),
]


@pytest.fixture(scope="module")
def said(place: Any, put: Put) -> dict[str, Any]:
    """What each of the commands about these models and datasets said."""
    for name, files, _ in MODELS:
        put(name, files)
    for name, files, _ in DATA:
        put(f"data-{name}", files, kind="dataset")
    local = ["--no-push", "--out", "run"]
    commands = {name: ["evaluate", f"ada/{name}", "--dataset", "ada/sample", *local] for name, *_ in MODELS}
    commands |= {name: ["evaluate", name, "--dataset", "ada/sample", *local] for name, _ in NAMES}
    endpoint = ["openai:any", "--base-url", "http://127.0.0.1:9/v1"]
    commands |= {f"data-{name}": ["evaluate", *endpoint, "--dataset", f"ada/data-{name}", *local] for name, *_ in DATA}
    return {name: place(*words) for name, words in commands.items()}


@pytest.fixture(scope="module")
def place(hub: Any, new_terminal: Any, test_set: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return new_terminal(hub, tmp_path_factory.mktemp("refused"))


@pytest.mark.parametrize(("name", "words"), [(name, words) for name, _, words in MODELS])
def test_a_repository_that_holds_no_servable_model_is_refused(
    name: str, words: tuple[str, ...], said: dict[str, Any], place: Any
) -> None:
    said[name].refused(f"ada/{name}", *words)
    assert not (place.folder / "run").exists()


@pytest.mark.parametrize(("model", "words"), NAMES, ids=[name or "empty" for name, _ in NAMES])
def test_a_model_that_is_not_there_is_refused_with_what_was_tried(
    model: str, words: tuple[str, ...], said: dict[str, Any]
) -> None:
    said[model].refused(*words)


@pytest.mark.parametrize(("name", "words"), [(name, words) for name, _, words in DATA])
def test_a_dataset_that_is_no_test_set_is_refused_by_file_and_line(
    name: str, words: tuple[str, ...], said: dict[str, Any]
) -> None:
    said[f"data-{name}"].refused(f"dataset ada/data-{name}@", *words)


def test_a_system_template_without_a_place_for_the_task_is_refused(terminal: Any, put: Put) -> None:
    job = JOB.replace('"tools"', '"system_template": "Be good.", "tools"')
    repo_id = put("data-bad-template", {ROWS: GOOD, "job_description.json": job}, kind="dataset")
    terminal(
        "evaluate", "openai:any", "--base-url", "http://127.0.0.1:9/v1", "--no-push", "--dataset", repo_id
    ).refused("system_template lacks {task_description}", "add it")


def test_a_dataset_that_is_not_there_is_refused(terminal: Any) -> None:
    terminal("evaluate", "replay:x", "--dataset", "ada/none", "--no-push").refused("dataset ada/none was not found")
    terminal("evaluate", "replay:x", "--dataset", "ada/sample@v7", "--no-push").refused("ada/sample", "'v7'")


def test_a_token_that_may_not_push_is_refused_before_any_work(
    terminal: Any, put: Put, api: Any, tmp_path: Path
) -> None:
    api.create_repo("ada/tft-benchmark-results", repo_type="dataset", exist_ok=True)
    repo_id = put("masked", {"config.json": BERT, "model.safetensors": "x"})
    push = ("evaluate", repo_id, "--dataset", "ada/sample")
    terminal(*push, HF_TOKEN="hf_ada_read").refused("HF_TOKEN", "read-only")
    terminal(*push, HF_TOKEN="").refused("no token", "HF_TOKEN", "hf auth login")
    terminal(*push, HF_TOKEN="hf_nobody").refused("token", "HF_TOKEN")
    terminal(*push, HF_TOKEN="hf_bob_write").refused("ada/masked", "--create-pr")
    terminal(*push, "--namespace", "bob").refused("bob/tft-benchmark-results")
    terminal(*push, "--create-pr", "--namespace", "ada", HF_TOKEN="hf_bob_write").refused(
        "ada/tft-benchmark-results", "bob has no write access"
    )
    assert not (tmp_path / "runs").exists()


def test_a_hub_that_cannot_be_reached_is_named_with_the_cause_within_seconds(terminal: Any, endpoint: Any) -> None:
    start = time.monotonic()
    for address, cause in {
        "http://127.0.0.1:9": "Connection refused",
        "http://hub.invalid": "",
        "http://127.0.0.1:99999": "expected https://host",
        endpoint.url.removesuffix("/v1"): "not as a Hub does",
    }.items():
        terminal.evaluate("replay:x", HF_ENDPOINT=address).refused(address, cause)
    assert time.monotonic() - start < 30


def test_without_vllm_the_way_to_install_it_is_said(terminal: Any, put: Put, tmp_path: Path) -> None:
    """Hidden from the import system, as if it had never been installed."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class WithoutVllm:\n"
        "    def __init__(self, finder):\n"
        "        self.finder = finder\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        return None if name == 'vllm' else self.finder.find_spec(name, path, target)\n"
        "    def __getattr__(self, name):\n"
        "        return getattr(self.finder, name)\n"
        "sys.meta_path[:] = [WithoutVllm(finder) for finder in sys.meta_path]\n"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    repo_id = put("masked", {"config.json": BERT, "model.safetensors": "x"})
    terminal.evaluate(repo_id, PYTHONPATH=path).refused("vLLM is not installed", "pip install", "--base-url")


@pytest.mark.slow
def test_a_model_without_chat_template_or_room_for_any_prompt_is_refused(
    terminal: Any, put: Put, student: Path, processes_in: Any, tmp_path: Path
) -> None:
    files = {path.name: path for path in student.iterdir()}
    bare = {name: path for name, path in files.items() if name != "chat_template.jinja"}
    terminal.evaluate(put("bare", bare)).refused("ada/bare", "no chat template", "chat_template.jinja")
    assert processes_in(tmp_path) == []
    small = terminal.evaluate(put("small", files | {"config.json": CAUSAL}))
    small.refused("none of the 30 prompts fits", "ada/small", "it has 64 tokens", "--max-tokens")
    assert processes_in(tmp_path) == []


def test_a_replay_file_with_its_answers_under_another_key_says_so(terminal: Any, tmp_path: Path) -> None:
    (tmp_path / "other.jsonl").write_text('{"pair_id": "a:0", "prediction": "hello"}\n')
    terminal("evaluate", "replay:other.jsonl", "--dataset", "ada/sample", "--no-push", "--out", "x").refused(
        'other.jsonl, line 1: the answer stands under "prediction"; expected it under "raw"'
    )
