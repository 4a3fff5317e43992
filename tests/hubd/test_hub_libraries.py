"""datasets, transformers, peft and evaluate against the embedded Hub: they know HF_ENDPOINT and HF_TOKEN only."""

from __future__ import annotations

import pytest

DATASETS = """
from datasets import Dataset, DatasetDict, get_dataset_config_names, load_dataset
rows = Dataset.from_dict({"id": list(range(50)), "text": [f"row {i}" for i in range(50)]})
first = rows.push_to_hub("ada/rows", "one", split="train").oid
DatasetDict({"train": rows.select(range(10)), "test": rows.select(range(5))}).push_to_hub("ada/rows", "two")
from huggingface_hub import HfApi
HfApi().create_tag("ada/rows", tag="v1", repo_type="dataset")
rows.select(range(3)).push_to_hub("ada/rows", "one", split="train")
assert set(get_dataset_config_names("ada/rows")) == {"one", "two"}
assert load_dataset("ada/rows", "two", split="test").num_rows == 5
assert load_dataset("ada/rows", "one", split="train").num_rows == 3
assert load_dataset("ada/rows", "one", split="train", revision="v1").num_rows == 50
assert load_dataset("ada/rows", "one", split="train", revision=first).num_rows == 50
assert sum(1 for _ in load_dataset("ada/rows", "one", split="train", streaming=True)) == 3
assert load_dataset("json", data_files="hf://datasets/ada/files/x.jsonl", split="train").num_rows == 2
"""

MODELS = """
import torch
from huggingface_hub import HfApi
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, Qwen3Config, Qwen3ForCausalLM
config = Qwen3Config(vocab_size=64, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
                     num_key_value_heads=1, head_dim=8)
model = Qwen3ForCausalLM(config)
model.push_to_hub("ada/tiny")
HfApi().create_tag("ada/tiny", tag="v1")
with torch.no_grad():
    model.lm_head.weight.zero_()
model.push_to_hub("ada/tiny")
assert AutoModelForCausalLM.from_pretrained("ada/tiny").lm_head.weight.abs().sum() == 0
assert AutoModelForCausalLM.from_pretrained("ada/tiny", revision="v1").lm_head.weight.abs().sum() > 0
get_peft_model(model, LoraConfig(target_modules=["q_proj"], r=2)).push_to_hub("ada/tiny-lora")
PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("ada/tiny"), "ada/tiny-lora")
"""

METRIC = """
import datasets
import evaluate


class Same(evaluate.Metric):
    def _info(self):
        features = datasets.Features({"predictions": datasets.Value("string"), "references": datasets.Value("string")})
        return evaluate.MetricInfo(description="", citation="", features=features)

    def _compute(self, predictions, references):
        return {"same": sum(p == r for p, r in zip(predictions, references)) / len(references)}
"""

EVALUATE = """
import evaluate
print(evaluate.load("ada/same").compute(predictions=["a", "b"], references=["a", "c"]))
"""

COMMAND_LINE = """
import subprocess, sys
from pathlib import Path
def hf(*arguments):
    done = subprocess.run([str(Path(sys.executable).parent / "hf"), *arguments], capture_output=True, text=True)
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    return done.stdout
assert "ada" in hf("auth", "whoami")
hf("repos", "create", "ada/shell")
Path("x.txt").write_text("hello")
hf("upload", "ada/shell", "x.txt", "x.txt")
hf("repos", "tag", "create", "ada/shell", "v1")
hf("download", "ada/shell", "--revision", "v1", "--local-dir", "out")
assert Path("out/x.txt").read_text() == "hello"
"""


@pytest.mark.slow  # importing the library takes seconds
def test_datasets_pushes_configs_and_loads_revisions(run_client, api):
    api.create_repo("ada/files", repo_type="dataset")
    lines = b'{"a": 1}\n{"a": 2}\n'
    api.upload_file(path_or_fileobj=lines, path_in_repo="x.jsonl", repo_id="ada/files", repo_type="dataset")
    run_client(DATASETS)


@pytest.mark.slow  # importing the library takes seconds
def test_transformers_and_peft_push_and_load_revisions(run_client):
    run_client(MODELS)


@pytest.mark.slow  # importing the library takes seconds
def test_evaluate_loads_a_metric_from_a_space(run_client, api):
    api.create_repo("ada/same", repo_type="space", space_sdk="gradio")
    api.upload_file(path_or_fileobj=METRIC.encode(), path_in_repo="same.py", repo_id="ada/same", repo_type="space")
    assert "{'same': 0.5}" in run_client(EVALUATE)


def test_the_hf_command(run_client):
    run_client(COMMAND_LINE)
