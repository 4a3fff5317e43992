"""Small GGUF files, made from small models of transformers with the writer of the package gguf."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.models.exports.names import tensors

ARCHITECTURES = ("llama", "qwen2", "qwen3")
CONTROL, NORMAL = 3, 1


def small_model(architecture: str, vocabulary: int, *, tied: bool = False, **settings: Any) -> Any:
    """Return a model with random weights, the same every time."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

    config, model = {
        "llama": (LlamaConfig, LlamaForCausalLM),
        "qwen2": (Qwen2Config, Qwen2ForCausalLM),
        "qwen3": (Qwen3Config, Qwen3ForCausalLM),
    }[architecture]
    shape = {
        "vocab_size": vocabulary,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "tie_word_embeddings": tied,
        "initializer_range": 0.3,
    }
    shape |= {"head_dim": 32} if architecture == "qwen3" else {}
    with torch.random.fork_rng():
        torch.manual_seed(7)
        made = model(config(**shape, **settings)).eval()
        for name, weight in made.named_parameters():
            if name.endswith(("bias", "norm.weight")):  # else all zeros and ones, which hide mistakes
                torch.nn.init.uniform_(weight, 0.5, 1.5)
    return made


def write_gguf(
    path: Path,
    model: Any,
    tokenizer: Path,
    *,
    encoding: str = "F32",
    change: Callable[[dict[str, Any], dict[str, Any]], None] | None = None,
) -> Path:
    """Write a model with the tokenizer in a folder; `change` may alter metadata and tensors before."""
    import gguf

    metadata, weights = _metadata(model, tokenizer), tensors(model)
    if change:
        change(metadata, weights)
    writer = gguf.GGUFWriter(path, metadata.pop("general.architecture"))
    for key, value in metadata.items():
        _put(writer, key, value)
    wanted = gguf.GGMLQuantizationType[encoding]
    for name, values in weights.items():
        kind = wanted if values.ndim > 1 else gguf.GGMLQuantizationType.F32
        if kind in (gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.F16):
            writer.add_tensor(name, values.astype("float16" if kind.name == "F16" else "float32"))
        else:
            writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _put(writer: Any, key: str, value: Any) -> None:
    kinds: Mapping[type, Any] = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32}
    kinds = {**kinds, str: writer.add_string, list: writer.add_array}
    kinds[type(value)](key, value)


def _metadata(model: Any, tokenizer: Path) -> dict[str, Any]:
    """Return what converters have written, older ones too: without what `harness.models.exports.names` adds."""
    config, architecture = model.config, model.config.model_type
    text = json.loads((tokenizer / "tokenizer.json").read_text(encoding="utf-8"))
    special = {one["id"]: one for one in text["added_tokens"]}
    tokens = {**text["model"]["vocab"], **{one["content"]: number for number, one in special.items()}}
    ordered = sorted(tokens, key=tokens.__getitem__)
    types = [CONTROL if special.get(tokens[one], {}).get("special") else NORMAL for one in ordered]
    types = [4 if tokens[one] in special and kind == NORMAL else kind for one, kind in zip(ordered, types, strict=True)]
    settings = {
        "context_length": config.max_position_embeddings,
        "block_count": config.num_hidden_layers,
        "embedding_length": config.hidden_size,
        "feed_forward_length": config.intermediate_size,
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": config.num_key_value_heads,
        "attention.layer_norm_rms_epsilon": float(config.rms_norm_eps),
        "rope.freq_base": float(config.rope_parameters["rope_theta"]),
        "vocab_size": config.vocab_size,
    }
    if architecture == "qwen3":
        settings["attention.key_length"] = settings["attention.value_length"] = config.head_dim
    return {
        "general.architecture": architecture,
        "general.name": "Small",
        "general.license": "mit",
        **{f"{architecture}.{key}": value for key, value in settings.items()},
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": ordered,
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.merges": [" ".join(pair) for pair in text["model"]["merges"]],
        "tokenizer.ggml.eos_token_id": tokens["<|im_end|>"],
        "tokenizer.ggml.padding_token_id": tokens["<|endoftext|>"],
        "tokenizer.chat_template": (tokenizer / "chat_template.jinja").read_text(encoding="utf-8"),
    }
