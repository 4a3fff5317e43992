"""Everyday things that people do with a Hub, done by unmodified clients that know HF_ENDPOINT and HF_TOKEN only."""

from __future__ import annotations

import pytest

SCHEDULER = """
from pathlib import Path
from huggingface_hub import CommitScheduler, HfApi
folder = Path("logs"); folder.mkdir()
with CommitScheduler(repo_id="ada/logs", repo_type="dataset", folder_path=folder, every=60) as scheduler:
    for number in range(3):
        with scheduler.lock, (folder / "log.jsonl").open("a") as file:
            file.write(f'{{"n": {number}}}\\n')
        scheduler.trigger().result()
api = HfApi()
path = api.hf_hub_download("ada/logs", "log.jsonl", repo_type="dataset")
assert Path(path).read_text().count("\\n") == 3
assert len(api.list_repo_commits("ada/logs", repo_type="dataset")) >= 4
"""

MANY = """
from pathlib import Path
from huggingface_hub import HfApi, snapshot_download
folder = Path("many")
for number in range(300):
    place = folder / f"part{number % 7}"; place.mkdir(parents=True, exist_ok=True)
    (place / f"{number}.txt").write_text(f"file {number}")
    if number % 30 == 0:
        (place / f"{number}.bin").write_bytes(bytes([number % 251]) * 20_000)
(folder / ".gitignore").write_text("secret.txt\\n"); (folder / "secret.txt").write_text("no")
api = HfApi()
api.create_repo("ada/many")
api.upload_folder(folder_path=folder, repo_id="ada/many")
files = set(api.list_repo_files("ada/many"))
assert len(files) == 300 + 10 + 2 and "secret.txt" not in files, len(files)
before = len(api.list_repo_commits("ada/many"))
api.upload_folder(folder_path=folder, repo_id="ada/many", ignore_patterns="secret.txt")
assert len(api.list_repo_commits("ada/many")) == before, "nothing changed, and yet there is a commit"
got = Path(snapshot_download("ada/many", allow_patterns="part3/*"))
assert {p.name for p in got.rglob("*.txt")} == {f"{n}.txt" for n in range(3, 300, 7)}
snapshot_download("ada/many")
result = api.verify_repo_checksums("ada/many")
assert not result.mismatches and not result.missing_paths, result
local = Path(snapshot_download("ada/many", local_dir="here"))
(local / "part0/0.txt").write_text("changed")
assert api.verify_repo_checksums("ada/many", local_dir=local).mismatches
api.upload_folder(folder_path=folder, repo_id="ada/many", allow_patterns="part0/*", delete_patterns="part1/*")
assert not any(f.startswith("part1/") for f in api.list_repo_files("ada/many"))
"""

CARDS = """
from huggingface_hub import EvalResult, HfApi, ModelCard, ModelCardData, metadata_load, metadata_update
api = HfApi()
api.create_repo("ada/carded-model")
result = EvalResult(task_type="text-generation", dataset_type="ada/bench", dataset_name="Bench", metric_type="accuracy",
                    metric_value=0.5)
data = ModelCardData(license="apache-2.0", language="en", tags=["tools"], model_name="carded", eval_results=[result])
ModelCard.from_template(data, model_id="carded").push_to_hub("ada/carded-model")
assert api.model_info("ada/carded-model").card_data.eval_results[0].metric_value == 0.5
metadata_update("ada/carded-model", {"pipeline_tag": "text-generation", "tags": ["tools", "small"]}, overwrite=True)
info = api.model_info("ada/carded-model", files_metadata=True)
assert info.pipeline_tag == "text-generation" and "small" in info.tags, info
assert metadata_load(api.hf_hub_download("ada/carded-model", "README.md"))["tags"] == ["tools", "small"]
ModelCard.load("ada/carded-model").validate()
card = ModelCard.load("ada/carded-model")
card.data.license = "no-such-licence"
try:
    card.push_to_hub("ada/carded-model")
    raise SystemExit("an unknown licence was taken")
except ValueError as error:
    assert "license" in str(error)
metadata_update("ada/carded-model", {"library_name": "peft"}, create_pr=True)
number = next(api.get_repo_discussions("ada/carded-model", discussion_type="pull_request")).num
assert api.model_info("ada/carded-model").library_name is None
api.merge_pull_request("ada/carded-model", number)
assert api.model_info("ada/carded-model").library_name == "peft"
"""

LISTS = """
from huggingface_hub import HfApi
api = HfApi()
for number in range(7):
    name = f"lab/list-{number}"
    api.create_repo(name, private=False)
    tag = "even" if number % 2 == 0 else "odd"
    card = f"---\\ntags: [{tag}]\\nlicense: mit\\nlanguage: en\\npipeline_tag: text-generation\\n---\\n"
    api.upload_file(path_or_fileobj=card.encode(), path_in_repo="README.md", repo_id=name)
def names(search="list-", **how):  # others make repositories in lab too
    return [model.id for model in api.list_models(author="lab", search=search, **how)]
assert len(names()) == 7 and len(names(limit=3)) == 3
assert set(names(filter="even")) == {"lab/list-0", "lab/list-2", "lab/list-4", "lab/list-6"}
assert names(filter=["even", "license:mit", "en"], search="list-4") == ["lab/list-4"]
assert names(pipeline_tag="text-classification") == []
assert names(sort="created_at")[0] == "lab/list-6"
assert names(sort="last_modified", limit=1) == ["lab/list-6"]
model = next(iter(api.list_models(author="lab", search="list-1", full=True, cardData=True)))
assert model.card_data.license == "mit" and {s.rfilename for s in model.siblings} == {".gitattributes", "README.md"}
expanded = next(iter(api.list_models(author="lab", search="list-", expand=["downloads", "tags"], limit=1)))
assert expanded.tags and expanded.downloads == 0
api.auth_check("lab/list-0", write=True)
assert api.repo_exists("lab/list-0") and not api.repo_exists("lab/none") and api.file_exists("lab/list-0", "README.md")
"""

SAFETENSORS = """
import torch
from huggingface_hub import HfApi, PyTorchModelHubMixin, hf_hub_download, try_to_load_from_cache
class Net(torch.nn.Module, PyTorchModelHubMixin):
    def __init__(self, width: int = 4):
        super().__init__()
        self.layer = torch.nn.Linear(width, width)
net = Net(width=3)
net.push_to_hub("ada/net")
again = Net.from_pretrained("ada/net")
assert torch.equal(again.layer.weight, net.layer.weight)
api = HfApi()
assert api.get_safetensors_metadata("ada/net").parameter_count == {"F32": 12}
from huggingface_hub.errors import EntryNotFoundError
try:
    hf_hub_download("ada/net", "absent.json")
    raise SystemExit("absent.json was found")
except EntryNotFoundError:
    pass
assert not isinstance(try_to_load_from_cache("ada/net", "absent.json"), (str, type(None))), "its absence is remembered"
assert hf_hub_download("ada/net", "config.json", local_files_only=True)
"""

COMMAND_LINE = """
import json, subprocess, sys
from pathlib import Path
def hf(*arguments, fails=False):
    done = subprocess.run([str(Path(sys.executable).parent / "hf"), *arguments], capture_output=True, text=True)
    assert (done.returncode != 0) is fails, (arguments, done.stdout, done.stderr)
    return done.stdout + done.stderr
hf("repos", "create", "ada/cli", "--private")
hf("repos", "create", "ada/cli", "--exist-ok")
Path("folder/sub").mkdir(parents=True)
Path("folder/a.txt").write_text("a"); Path("folder/sub/b.bin").write_bytes(b"b" * 9000)
hf("upload", "ada/cli", "folder", "data", "--commit-message", "two files")
hf("upload", "ada/cli", "folder/a.txt", "proposed.txt", "--create-pr")
hf("download", "ada/cli", "proposed.txt", "--revision", "refs/pr/1")
hf("repos", "branch", "create", "ada/cli", "dev")
hf("repos", "tag", "create", "ada/cli", "v1")
assert "v1" in hf("repos", "tag", "list", "ada/cli")
hf("download", "ada/cli", "--include", "data/*", "--local-dir", "out")
assert Path("out/data/sub/b.bin").read_bytes() == b"b" * 9000 and Path("out/data/a.txt").exists()
hf("download", "ada/cli")
assert "ada/cli" in hf("cache", "ls")
hf("cache", "verify", "ada/cli")
assert "ada/cli" in hf("models", "ls", "--author", "ada", "--search", "cli", "--format", "json")
assert "ada/cli" in hf("models", "info", "ada/cli")
made = hf("collections", "create", "Shelf of the shell")
slug = next(word for word in made.replace('"', " ").split() if "shelf-of-the-shell" in word).split("/collections/")[-1]
hf("collections", "add-item", slug, "ada/cli", "model")
assert "ada/cli" in hf("collections", "info", slug)
hf("repos", "settings", "ada/cli", "--public")
hf("repos", "delete-files", "ada/cli", "data/*")
hf("repos", "move", "ada/cli", "ada/cli-moved")
hf("repos", "delete", "ada/cli-moved", "--yes")
hf("download", "ada/cli-moved", fails=True)
"""

DATASETS = """
import pandas
from datasets import Dataset, DatasetDict, IterableDataset, load_dataset, load_dataset_builder
from huggingface_hub import HfApi
rows = Dataset.from_dict({"id": list(range(200)), "text": [f"row {i}" for i in range(200)]})
rows.push_to_hub("ada/shards", num_shards=4, private=True)
api = HfApi()
parts = [f for f in api.list_repo_files("ada/shards", repo_type="dataset") if f.endswith(".parquet")]
assert len(parts) == 4, parts
assert load_dataset("ada/shards", split="train").num_rows == 200
assert [r["id"] for r in load_dataset("ada/shards", split="train", streaming=True).skip(150).take(2)] == [150, 151]
assert load_dataset("ada/shards", split="train[:10%]").num_rows == 20
assert load_dataset_builder("ada/shards").info.splits["train"].num_examples == 200
frame = pandas.read_parquet(f"hf://datasets/ada/shards/{parts[0]}")
assert len(frame) == 50
frame.to_json("hf://datasets/ada/shards/extra/first.jsonl", orient="records", lines=True)
extra = load_dataset("ada/shards", data_files="extra/*.jsonl", split="train")
assert extra.num_rows == 50
DatasetDict({"train": rows, "test": rows.select(range(3))}).push_to_hub("ada/shards", "pair", revision="dev")
assert load_dataset("ada/shards", "pair", split="test", revision="dev").num_rows == 3
rows.select(range(5)).push_to_hub("ada/shards", "proposed", create_pr=True)
api.merge_pull_request("ada/shards", 1, repo_type="dataset")
assert load_dataset("ada/shards", "proposed", split="train").num_rows == 5
IterableDataset.from_generator(lambda: ({"n": i} for i in range(9))).push_to_hub("ada/stream")
assert load_dataset("ada/stream", split="train").num_rows == 9
"""

TRAINER = """
import torch
from datasets import Dataset
from huggingface_hub import HfApi
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM,
                          Trainer, TrainingArguments, pipeline)
words = {word: number for number, word in enumerate(["<unk>", "<eos>", "a", "b", "c"])}
raw = Tokenizer(WordLevel(words, unk_token="<unk>")); raw.pre_tokenizer = Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="<unk>", eos_token="<eos>", pad_token="<eos>")
tokenizer.push_to_hub("ada/trained")
config = Qwen3Config(vocab_size=5, hidden_size=16, intermediate_size=32, num_hidden_layers=4, num_attention_heads=2,
                     num_key_value_heads=1, head_dim=8)
model = Qwen3ForCausalLM(config)
model.push_to_hub("ada/sharded", max_shard_size="6KB")
api = HfApi()
assert sum(f.endswith(".safetensors") for f in api.list_repo_files("ada/sharded")) > 2
again = AutoModelForCausalLM.from_pretrained("ada/sharded")
assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), model.state_dict().values()))
data = Dataset.from_dict({"input_ids": [[2, 3, 4, 1]] * 8, "labels": [[2, 3, 4, 1]] * 8})
arguments = TrainingArguments(output_dir="out", max_steps=2, per_device_train_batch_size=2, report_to=[], use_cpu=True,
                              push_to_hub=True, hub_model_id="ada/trained", hub_strategy="every_save", save_steps=1,
                              hub_revision=None)
trainer = Trainer(model=model, args=arguments, train_dataset=data, processing_class=tokenizer)
trainer.train()
trainer.push_to_hub("done")
api.create_tag("ada/trained", tag="v1")
info = api.model_info("ada/trained")
assert info.library_name == "transformers" and "model.safetensors" in {s.rfilename for s in info.siblings}
assert any(c.title == "done" for c in api.list_repo_commits("ada/trained"))
assert AutoTokenizer.from_pretrained("ada/trained", revision="v1")("a b").input_ids == [2, 3]
assert pipeline("text-generation", model="ada/trained", revision="v1", device="cpu")("a", max_new_tokens=2)
"""


@pytest.mark.parametrize("script", [SCHEDULER, MANY, CARDS, LISTS], ids=["scheduler", "folder", "cards", "lists"])
def test_huggingface_hub_finds_everything_it_does_every_day(run_client, api, script: str):
    api.delete_repo("ada/many", missing_ok=True)
    run_client(script)


@pytest.mark.slow
@pytest.mark.parametrize("disabled", ["0", "1"], ids=["xet", "lfs"])
@pytest.mark.parametrize("script", [MANY, SAFETENSORS], ids=["folder", "safetensors"])
def test_large_and_small_files_travel_either_way(run_client, api, script: str, disabled: str):
    for name in ("ada/many", "ada/net"):
        api.delete_repo(name, missing_ok=True)
    run_client(script, HF_HUB_DISABLE_XET=disabled)


@pytest.mark.slow
def test_the_hf_command_manages_repositories_collections_and_the_cache(run_client):
    run_client(COMMAND_LINE)


@pytest.mark.slow
def test_datasets_shards_streams_proposes_and_reads_addresses(run_client):
    run_client(DATASETS)


@pytest.mark.slow
def test_a_trainer_pushes_what_pipelines_load(run_client):
    run_client(TRAINER)
