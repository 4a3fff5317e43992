"""What GGUF calls a model's settings, weights, tokens and ways of splitting text, for `llama`, `qwen2` and `qwen3`.

Keys are those of the package gguf (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from harness.errors import ModelError
from harness.models.imports.architectures import FREQUENCIES, READABLE

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

ELSEWHERE = "convert it with llama.cpp's convert_hf_to_gguf.py"
_NORMAL, _CONTROL, _USER_DEFINED, _UNUSED = 1, 3, 4, 5
"""Types of tokens."""
_LARGEST = 2**32 - 1
_POSITIONS = ("default", "llama3")


def check_architecture(config: PreTrainedConfig, name: str) -> None:
    """Raise ModelError for a model of which the file would leave something out."""
    if config.model_type not in READABLE:
        raise ModelError(
            f"{name} has the architecture {config.model_type}, and {', '.join(READABLE)} are written; {ELSEWHERE}"
        )
    positions = config.rope_parameters or {}
    kind, part = positions.get("rope_type", "default"), positions.get("partial_rotary_factor") or 1.0
    if kind not in _POSITIONS or part != 1.0:
        raise ModelError(f"{name} scales its positions in a way that is not written ({kind}, {part:g}); {ELSEWHERE}")
    if others := set(getattr(config, "layer_types", None) or ()) - {"full_attention"}:
        raise ModelError(f"{name} has layers of another kind ({', '.join(sorted(others))}); {ELSEWHERE}")


def settings(config: PreTrainedConfig, head_dim: int, name: str) -> dict[str, Any]:
    """Return the settings of a model by their GGUF keys; ModelError for a number that GGUF does not hold."""
    values = {
        "context_length": config.max_position_embeddings,
        "block_count": config.num_hidden_layers,
        "embedding_length": config.hidden_size,
        "feed_forward_length": config.intermediate_size,
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": config.num_key_value_heads,
        "attention.key_length": head_dim,
        "attention.value_length": head_dim,
        "attention.layer_norm_rms_epsilon": float(config.rms_norm_eps),
        "rope.dimension_count": head_dim,
        "rope.freq_base": float(config.rope_parameters["rope_theta"]),
        "vocab_size": config.vocab_size,
    }
    for key, value in values.items():
        if isinstance(value, int) and not 0 < value <= _LARGEST:
            raise ModelError(
                f"{name} has {value:,} as {key}, and GGUF holds 1 to {_LARGEST:,}; correct its config.json"
            )
    return {f"{config.model_type}.{key}": value for key, value in values.items()}


def tensors(model: PreTrainedModel) -> dict[str, NDArray[Any]]:
    """Return the weights of a model in float32 by their GGUF names.

    llama.cpp rotates neighbouring dimensions of Llama's queries and keys, transformers one of each half: their rows
    are put in its order. Scaled positions (Llama 3) are a tensor of factors.
    """
    import gguf
    import numpy as np

    config = model.config
    kind = next(key for key, known in gguf.MODEL_ARCH_NAMES.items() if known == config.model_type)
    names = gguf.get_tensor_name_map(kind, config.num_hidden_layers)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    found = {}
    for key, weight in model.state_dict().items():
        base, _, suffix = key.rpartition(".")
        if base == "lm_head" and config.tie_word_embeddings:
            continue
        values, projection = weight.float().numpy(), base.rpartition(".")[2]
        if config.model_type == "llama" and projection in heads:
            halves = values.reshape(heads[projection], 2, -1, *values.shape[1:])
            values = np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(values.shape)
        if (known := names.get_name(base)) is None:
            raise ModelError(f"{key} has no name in GGUF; {ELSEWHERE}")
        found[f"{known}.{suffix}"] = values
    if config.rope_parameters.get("rope_type") == "llama3":
        width = 2 * len(model.model.rotary_emb.inv_freq)
        plain = config.rope_parameters["rope_theta"] ** -(np.arange(0, width, 2) / width)
        found[FREQUENCIES] = (plain / model.model.rotary_emb.inv_freq.numpy()).astype("float32")
    return found


def tokens(tokenizer: PreTrainedTokenizerBase, rows: int, ends: list[int], name: str) -> dict[str, Any]:
    """Return a tokenizer by GGUF's keys, filled up to the `rows` of the embedding; `ends` are tokens that end answers.

    Raises ModelError for one that is not byte-level BPE, or splits texts in a way that GGUF has no name for.
    """
    text = json.loads(tokenizer.backend_tokenizer.to_str())
    if text["model"]["type"] != "BPE" or text["model"].get("byte_fallback"):
        raise ModelError(f"{name} has a tokenizer that is not byte-level BPE; {ELSEWHERE}")
    added = {one["id"]: one for one in text["added_tokens"]}
    by_id = {number: token for token, number in text["model"]["vocab"].items()}
    by_id |= {number: one["content"] for number, one in added.items()}

    def kind(number: int) -> int:
        if number in added:
            return _CONTROL if added[number]["special"] else _USER_DEFINED
        return _NORMAL if number in by_id else _UNUSED

    pairs = [pair.split(" ") if isinstance(pair, str) else pair for pair in text["model"]["merges"]]
    for pair in pairs:
        if len(pair) != 2 or any(" " in part for part in pair):
            raise ModelError(
                f"the tokenizer of {name} merges {' and '.join(map(repr, pair))}, and GGUF tells parts by the space "
                f"between them; {ELSEWHERE}"
            )
    merges = [" ".join(pair) for pair in pairs]
    bos, first = tokenizer.bos_token_id, tokenizer("a")["input_ids"][:1]
    marks = {"bos": bos, "eos": tokenizer.eos_token_id, "padding": tokenizer.pad_token_id}
    marks["eot"] = next((end for end in ends if end != tokenizer.eos_token_id), None)
    return {
        "model": "gpt2",
        "pre": splitting(text["pre_tokenizer"], name),
        "tokens": [by_id.get(number, f"[PAD{number}]") for number in range(rows)],
        "token_type": [kind(number) for number in range(rows)],
        "merges": merges,
        "add_bos_token": bos is not None and first == [bos],
        **{f"{mark}_token_id": number for mark, number in marks.items() if number is not None},
    }


def splitting(pre_tokenizer: dict[str, Any] | None, name: str) -> str:
    """Return what GGUF calls the way in which a tokenizer splits texts before it merges; ModelError for no name."""
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    match (pre_tokenizer or {}).get("pretokenizers", [pre_tokenizer]):
        case [{"type": "ByteLevel", "use_regex": True, "add_prefix_space": False}]:
            return "gpt-2"
        case [{"type": "Digits", "individual_digits": True}, {"type": "ByteLevel", "use_regex": True}]:
            return "smollm"
        case [{"type": "Split", "pattern": {"Regex": pattern}}, {"type": "ByteLevel", "use_regex": False}]:
            for known, expression in GGUF_PRE_TOKENIZER_SPLITS.items():
                if expression == pattern:
                    return str(known)
    raise ModelError(f"the tokenizer of {name} splits texts in a way that GGUF has no name for; {ELSEWHERE}")
