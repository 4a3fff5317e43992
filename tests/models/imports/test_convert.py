"""A GGUF file or a folder becomes the same model in safetensors, or is refused with one sentence."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from harness.errors import ModelError
from harness.models.imports.convert import ToConvert, convert, head
from support.gguf_files import ARCHITECTURES, small_model, write_gguf

VOCABULARY = 600
TEXT = 'Book "Café 7" for  2 at 19:30 <tool_call>{"a": 1}</tool_call><|im_end|>'
IDS = torch.tensor([[5, 300, 17, 450, 99, 2, 3, 4]])

Make = Callable[..., Path]


@pytest.fixture
def make(student: Path, tmp_path: Path) -> Make:
    """Write a GGUF file of a small model with the student's tokenizer."""

    def made(architecture: str = "qwen3", *, tied: bool = False, **how: Any) -> Path:
        rows = len(AutoTokenizer.from_pretrained(student))
        return write_gguf(tmp_path / "small.gguf", small_model(architecture, rows, tied=tied), student, **how)

    return made


def run(source: Path, out: Path, dtype: str = "auto") -> dict[str, Any]:
    out.mkdir()
    return convert(ToConvert(source=source, name=source.name, out=out, dtype=dtype))


def refused(source: Path, tmp_path: Path, *words: str, dtype: str = "auto") -> None:
    with pytest.raises(ModelError) as caught:
        run(source, tmp_path / "out", dtype)
    said = str(caught.value)
    assert "\n" not in said
    assert not [word for word in words if word not in said], said


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        return model.float()(IDS).logits


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("tied", [False, True])
def test_a_file_in_float32_becomes_the_model_that_it_was_made_of(
    architecture: str, tied: bool, make: Make, student: Path, tmp_path: Path
) -> None:
    source = make(architecture, tied=tied)
    made = run(source, tmp_path / "out")
    assert (made["architecture"], made["dtype"], made["stored"].keys()) == (architecture, "float32", {"F32"})
    tokenizer, own = (AutoTokenizer.from_pretrained(one) for one in (tmp_path / "out", student))
    rows = len(own)
    written = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert torch.allclose(logits(written), logits(small_model(architecture, rows, tied=tied)), atol=1e-5)
    assert tokenizer(TEXT)["input_ids"] == own(TEXT)["input_ids"]
    assert tokenizer.chat_template == own.chat_template
    assert written.generation_config.eos_token_id == own.eos_token_id
    assert head(source, "x")["said"]["license"] == "mit"
    assert not re.search(r"gguf|/tmp|quantiz", (tmp_path / "out" / "config.json").read_text())


def test_positions_are_scaled_as_in_llama_3(student: Path, tmp_path: Path) -> None:
    scaling = {"rope_type": "llama3", "rope_theta": 5e5, "factor": 32.0, "low_freq_factor": 1.0}
    scaling |= {"high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
    model = small_model("llama", VOCABULARY, rope_parameters=scaling)
    run(write_gguf(tmp_path / "scaled.gguf", model, student), tmp_path / "out")
    written = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert written.config.rope_parameters["factor"] == 32
    torch.testing.assert_close(written.model.rotary_emb.inv_freq, model.model.rotary_emb.inv_freq)


@pytest.mark.parametrize("encoding", ["F16", "BF16", "Q8_0", "Q5_1", "Q4_0", "Q4_1"])
def test_quantised_weights_become_the_numbers_that_they_stand_for(encoding: str, make: Make, tmp_path: Path) -> None:
    import gguf

    source = make(encoding=encoding)
    made = run(source, tmp_path / "out", "float32")
    written = AutoModelForCausalLM.from_pretrained(tmp_path / "out").state_dict()
    tensor = next(one for one in gguf.GGUFReader(source).tensors if one.name == "blk.1.ffn_down.weight")
    expected = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    assert torch.equal(written["model.layers.1.mlp.down_proj.weight"], torch.tensor(expected).float())
    assert encoding in made["stored"]


def test_a_dtype_in_which_the_model_answers_otherwise_is_not_taken(make: Make, tmp_path: Path) -> None:
    def nearly_tied(_metadata: dict[str, Any], tensors: dict[str, Any]) -> None:
        """Have two tokens lead, by less than bfloat16 can tell apart; rounded, the earlier one wins."""
        head = tensors["output.weight"]
        head *= 0.01
        hidden = tensors["output_norm.weight"]
        hidden[:] = 0
        hidden[0], tensors["token_embd.weight"][:, 0] = 1, 50
        head[7, 0], head[9, 0] = 4.0, 4.00390625

    source = make("llama", encoding="F32", change=nearly_tied)
    refused(source, tmp_path, "bfloat16", "other greedy tokens", "--dtype float32", dtype="bfloat16")
    shutil.rmtree(tmp_path / "out")
    source = make("llama", encoding="F16", change=nearly_tied)
    made = run(source, tmp_path / "out")
    assert (made["dtype"], made["tried"]) == ("float32", ["bfloat16"])


def test_weights_that_are_no_numbers_are_refused(make: Make, tmp_path: Path) -> None:
    def damage(_metadata: dict[str, Any], tensors: dict[str, Any]) -> None:
        tensors["blk.0.ffn_up.weight"][3, 3] = float("nan")

    refused(make(change=damage), tmp_path, "infinities, or no numbers", "damaged")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("general.architecture", "mammoth", ("'mammoth'", "llama", "qwen2", "qwen3")),
        ("general.architecture", "t5", ("'t5'", "cannot be read")),
        ("general.type", "adapter", ("adapter", "not a model")),
        ("split.count", 3, ("one of 3 parts", "merge")),
        ("qwen3.rope.scaling.factor", 4.0, ("qwen3.rope.scaling.factor = 4.0", "original files")),
        ("qwen3.attention.layer_norm_rms_epsilon", None, ("does not state its qwen3.attention.layer_norm_rms",)),
        ("qwen3.block_count", 3, ("lacks", "model.layers.2")),
        ("qwen3.block_count", 1, ("have no place", "blk.1.")),
        ("qwen3.block_count", 5_000, ("5000", "num_hidden_layers", "4,096")),
        ("qwen3.embedding_length", 1 << 19, ("describes at least", "parameters")),
        ("qwen3.attention.head_count", 3, ()),
        ("qwen3.context_length", 0, ("max_position_embeddings", "from 1")),
        ("tokenizer.ggml.eos_token_id", 1 << 20, ()),
        ("tokenizer.ggml.model", "bert", ()),
        ("tokenizer.chat_template", "{{ raise_exception('no chats') }}", ("chat template", "no chats")),
        ("tokenizer.chat_template", "{% for", ("chat template",)),
    ],
)
def test_metadata_that_is_not_the_models_is_refused(
    key: str, value: Any, words: tuple[str, ...], make: Make, tmp_path: Path
) -> None:
    def change(metadata: dict[str, Any], _tensors: dict[str, Any]) -> None:
        metadata |= {key: value}
        if value is None:
            del metadata[key]

    source, error = make(change=change), ModelError if words else Exception  # the guard makes a sentence of others
    with pytest.raises(error) as caught:
        run(source, tmp_path / "out")
    assert not [word for word in words if word not in str(caught.value)], str(caught.value)


def test_tensors_without_a_place_are_refused(make: Make, tmp_path: Path) -> None:
    def add(name: str) -> Callable[..., None]:
        return lambda _metadata, tensors: tensors.update({name: tensors["output_norm.weight"]})

    refused(make("llama", change=add("rope_freqs.weight")), tmp_path, "rope_freqs.weight", "original files")
    shutil.rmtree(tmp_path / "out")
    refused(make(change=add("blk.0.extra.weight")), tmp_path, "blk.0.extra.weight", "no place")


def test_a_tokenizer_that_loses_text_is_refused_or_said(make: Make, tmp_path: Path) -> None:
    def without(*lost: str) -> Callable[..., None]:
        def change(metadata: dict[str, Any], _tensors: dict[str, Any]) -> None:
            key = "tokenizer.ggml.tokens"
            metadata[key] = [f"lost{place}" if one in lost else one for place, one in enumerate(metadata[key])]
            merges = metadata["tokenizer.ggml.merges"]
            metadata["tokenizer.ggml.merges"] = [one for one in merges if not set(lost) & set("".join(one.split()))]

        return change

    refused(make(change=without("{")), tmp_path, "does not round-trip", "find_restaurants")
    shutil.rmtree(tmp_path / "out")
    made = run(make(change=without("ð")), tmp_path / "out")  # the first byte of emoji
    assert made["not_given_back"] == ["emoji"]


def test_a_tokenizer_of_sentencepiece_is_read_and_the_spaces_that_it_adds_are_said(make: Make, tmp_path: Path) -> None:
    pieces = ["\u2581t", "he", "\u2581the", "in", "on", "\u2581\u2581", "\u2581", *map(chr, range(33, 127))]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *pieces]

    def change(metadata: dict[str, Any], tensors: dict[str, Any]) -> None:
        metadata.pop("tokenizer.ggml.merges")
        metadata |= {
            "tokenizer.ggml.model": "llama",
            "tokenizer.ggml.tokens": tokens,
            "tokenizer.ggml.scores": [float(-place) for place in range(len(tokens))],
            "tokenizer.ggml.token_type": [2, 3, 3, *[6] * 256, *[1] * len(pieces)],
            "tokenizer.ggml.eos_token_id": 2,
            "tokenizer.ggml.padding_token_id": 0,
            "tokenizer.chat_template": "{% for one in messages %}[{{ one.role }}] {{ one.content }}</s>{% endfor %}",
            "llama.vocab_size": len(tokens),
        }
        for name in ("token_embd.weight", "output.weight"):
            tensors[name] = tensors[name][: len(tokens)]

    made = run(make("llama", change=change), tmp_path / "out")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert tokenizer.tokenize("the tone") == ["\u2581the", "\u2581t", "on", "e"]
    assert made["not_given_back"] == ["white space"]


def test_a_mark_that_the_tokenizer_would_cut_is_refused(make: Make, tmp_path: Path) -> None:
    def rename(metadata: dict[str, Any], _tensors: dict[str, Any]) -> None:
        key, template = "tokenizer.ggml.tokens", "tokenizer.chat_template"
        metadata[key] = ["<\uff5cstart\uff5c>" if one == "<|im_start|>" else one for one in metadata[key]]
        metadata[template] = metadata[template].replace("<|im_start|>", "<\uff5cstart\uff5c>")

    refused(make(change=rename), tmp_path, "cuts the mark", "original files")


def test_an_unknown_way_of_splitting_texts_is_said(make: Make, tmp_path: Path) -> None:
    made = run(make(change=lambda metadata, _: metadata.update({"tokenizer.ggml.pre": "newest"})), tmp_path / "out")
    assert "'newest'" in made["remarks"][0]


def test_a_folder_keeps_its_dtype_its_weights_and_its_tokenizer(student: Path, tmp_path: Path) -> None:
    made = run(student, tmp_path / "out")
    assert (made["dtype"], made["template"], made["not_given_back"]) == ("float32", True, [])
    before, after = (AutoModelForCausalLM.from_pretrained(one).state_dict() for one in (student, tmp_path / "out"))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_a_folder_with_other_weights_than_its_architecture_is_refused(student: Path, tmp_path: Path) -> None:
    shutil.copytree(student, tmp_path / "model")
    config = json.loads((student / "config.json").read_text())
    config["num_hidden_layers"] += 1
    config.pop("layer_types", None)
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    refused(tmp_path / "model", tmp_path, "lacks")
