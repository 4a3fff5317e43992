"""A model as a GGUF file is the model: what transformers reads from it has its logits, tokens and template."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from harness.errors import ModelError, UsageError
from harness.models.exports.gguf import write_gguf
from harness.models.exports.names import settings, splitting
from harness.models.imports.convert import ToConvert, load_gguf
from support.gguf_files import ARCHITECTURES, small_model

IDS = torch.tensor([[5, 300, 17, 450, 99, 2, 3, 4]])
TEXT = 'Book "Café 7" for  2 at 19:30 <tool_call>{"a": 1}</tool_call><|im_end|>'
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 5e5,
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}

Make = Callable[..., Path]


@pytest.fixture
def make(student: Path, tmp_path: Path) -> Make:
    """Return a folder with a small model and the student's tokenizer; `rows` more than that has tokens."""

    def made(architecture: str, *, rows: int = 0, dtype: str = "float32", **settings: Any) -> Path:
        folder = tmp_path / architecture
        shutil.copytree(student, folder, ignore=shutil.ignore_patterns("*.safetensors", "*config.json"))
        shutil.copy(student / "tokenizer_config.json", folder)
        model = small_model(architecture, len(AutoTokenizer.from_pretrained(student)) + rows, **settings)
        model.to(getattr(torch, dtype)).save_pretrained(folder)
        return folder

    return made


def written(folder: Path, dtype: str = "auto") -> tuple[dict[str, Any], Any]:
    """Write a model to a file; return what was said of it, and the model that the file holds."""
    out = folder.with_suffix(".gguf")
    made = write_gguf(ToConvert(source=folder, name="me/small", out=out, dtype=dtype), "me/small@0")
    return made, load_gguf(ToConvert(source=out, name="small", out=out.parent, dtype="auto"))


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        return model.eval().float()(IDS).logits


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("tied", [False, True])
def test_the_file_holds_the_model_and_its_tokenizer(architecture: str, tied: bool, make: Make) -> None:
    folder = make(architecture, tied=tied, rows=7)
    made, back = written(folder)
    own = AutoTokenizer.from_pretrained(folder)
    assert (made["architecture"], made["dtype"], made["template"]) == (architecture, "float32", True)
    assert made["logits_error"] < 1e-6
    assert torch.allclose(logits(back.model), logits(AutoModelForCausalLM.from_pretrained(folder)), atol=1e-5)
    assert back.tokenizer(TEXT)["input_ids"] == own(TEXT)["input_ids"]
    assert back.tokenizer.chat_template == own.chat_template
    assert back.tokenizer.eos_token_id == own.eos_token_id


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_the_dtype_is_the_models_own_or_the_one_that_is_wanted(dtype: str, make: Make) -> None:
    made, back = written(make("qwen3", dtype=dtype))
    assert (made["dtype"], made["logits_error"]) == (dtype, 0)
    assert {"bfloat16": "BF16", "float16": "F16"}[dtype] in back.stored
    wider, _ = written(make("llama", dtype=dtype), "float32")
    assert (wider["dtype"], wider["logits_error"]) == ("float32", 0)
    narrower, _ = written(make("qwen2"), dtype)
    assert 0 < narrower["logits_error"] < 0.05


def test_scaled_positions_are_those_of_the_model(make: Make) -> None:
    folder = make("llama", rope_parameters=LLAMA3)
    made, back = written(folder)
    assert made["logits_error"] < 1e-5
    assert back.model.config.rope_parameters["factor"] == pytest.approx(32)


@pytest.mark.parametrize(
    ("architecture", "settings", "words"),
    [
        ("llama", {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}}, "(linear, 1)"),
        ("qwen2", {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 0}, "sliding_attention"),
    ],
)
def test_what_the_file_would_leave_out_is_refused(
    architecture: str, settings: dict[str, Any], words: str, make: Make
) -> None:
    with pytest.raises(ModelError) as caught:
        written(make(architecture, **settings))
    assert words in str(caught.value)
    assert "convert_hf_to_gguf.py" in str(caught.value)


def test_another_architecture_is_refused_with_the_list(make: Make, student: Path) -> None:
    from transformers import GemmaConfig, GemmaForCausalLM

    folder = make("qwen3")
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    shape |= {"num_key_value_heads": 1, "head_dim": 16, "vocab_size": len(AutoTokenizer.from_pretrained(student))}
    GemmaForCausalLM(GemmaConfig(**shape)).save_pretrained(folder)
    with pytest.raises(ModelError, match=r"has the architecture gemma, and llama, qwen2, qwen3 are written"):
        written(folder)


def test_a_way_of_splitting_that_has_no_name_is_refused(make: Make) -> None:
    from tokenizers.pre_tokenizers import Whitespace

    folder = make("qwen3")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    tokenizer.backend_tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save_pretrained(folder)
    with pytest.raises(ModelError, match="splits texts in a way that GGUF has no name for"):
        written(folder)


def test_a_merge_with_a_space_in_it_is_refused(make: Make) -> None:
    folder = make("qwen3", rows=2)
    text = json.loads((folder / "tokenizer.json").read_text())
    number = len(AutoTokenizer.from_pretrained(folder))
    text["model"]["vocab"] |= {"q q": number, "q qa": number + 1}
    text["model"]["merges"].append(["q q", "a"])
    (folder / "tokenizer.json").write_text(json.dumps(text))
    with pytest.raises(ModelError, match=r"merges 'q q' and 'a', and GGUF tells parts by the space between them"):
        written(folder)


def test_a_number_that_the_file_does_not_hold_is_named(make: Make) -> None:
    with pytest.raises(ModelError, match=r"has 1,099,511,627,776 as context_length, and GGUF holds 1 to 4,294,967,295"):
        settings(AutoConfig.from_pretrained(make("qwen3"), max_position_embeddings=2**40), 32, "me/small")


def test_a_disk_without_room_is_no_fault_of_the_model(make: Make) -> None:
    full = ToConvert(source=make("qwen3"), name="me/small", out=Path("/dev/full"), dtype="auto")
    with pytest.raises(UsageError, match=r"^full cannot be written \(No space left on device\); make room there"):
        write_gguf(full, "me/small@0")


def test_known_ways_of_splitting_have_their_names() -> None:
    whole = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
    assert splitting(whole, "x") == "gpt-2"
    assert splitting({"pretokenizers": [{"type": "Digits", "individual_digits": True}, whole]}, "x") == "smollm"
    pattern = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
        r"\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    qwen = [{"type": "Split", "pattern": {"Regex": pattern}}, {**whole, "use_regex": False}]
    assert splitting({"pretokenizers": qwen}, "x") == "qwen2"
