"""Which GGUF files can be read: those whose architecture transformers converts, with nothing of it left out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import ModelError
from harness.models.engine.guard_child import shown
from harness.models.imports.gguf_header import GgufHeader, Value

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

READABLE = ("llama", "qwen2", "qwen3")
"""The architectures whose conversion is tested here, weight by weight: transformers has mappings for more, in which
settings of the file are left out without a word. SmolLM, Mistral and TinyLlama are `llama` too."""
_NEEDED = (
    *("context_length", "block_count", "embedding_length", "feed_forward_length", "attention.head_count"),
    "attention.layer_norm_rms_epsilon",
)
"""Settings for which the reader would take a default of its own, and so compute with another model."""
_BASE = 10_000.0
"""Of the positions, where a file states none."""
_NEUTRAL: tuple[Value, ...] = (0, 1, False, "", "none", "linear")
"""Values of a scale that change nothing; a linear one has its factor in a setting of its own."""
FREQUENCIES = "rope_freqs.weight"
"""Factors by which positions are scaled."""
_LLAMA3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
"""What Llama 3.1 to 3.3 have in common; their factors differ."""
_LISTED = 5


def check_readable(header: GgufHeader, name: str) -> str:
    """Return the architecture of a file that can be read; ModelError for another, and for a part of a model."""
    architecture = header.text("general.architecture")
    if architecture is None:
        raise ModelError(f"{name} states no architecture (general.architecture); convert the model again")
    if (kind := header.text("general.type") or "model") != "model":
        raise ModelError(f"{name} is of the type {shown(ValueError(kind))}, not a model; give the model's own file")
    parts = header.values.get("split.count", 1)
    if parts not in (0, 1):
        raise ModelError(f"{name} is one of {parts} parts; merge them into one file (llama-gguf-split --merge)")
    if architecture not in READABLE:
        raise ModelError(
            f"{name} has the architecture {shown(ValueError(repr(architecture)))}, which cannot be read; "
            f"those that can are {', '.join(READABLE)}"
        )
    for key in _NEEDED:
        if f"{architecture}.{key}" not in header.values:
            raise ModelError(f"{name} does not state its {architecture}.{key}; convert the model again")
    _check_scales(header, architecture, name)
    return architecture


def _check_scales(header: GgufHeader, architecture: str, name: str) -> None:
    """Raise ModelError for a factor in the file that the reader knows nothing of: every answer would differ."""
    from transformers.integrations import GGUF_CONFIG_MAPPING

    used = GGUF_CONFIG_MAPPING[architecture]
    for key, value in header.values.items():
        prefix, _, setting = key.partition(".")
        scales = "scal" in setting or setting.endswith("softcapping") or "sliding_window" in setting
        if prefix == architecture and scales and setting not in used and not _harmless(header, key, value):
            raise ModelError(
                f"{name} has {shown(ValueError(f'{key} = {value}'))}, which would be left out here and change every "
                "answer; import the model from its original files"
            )


def _harmless(header: GgufHeader, key: str, value: Value) -> bool:
    """Whether a setting changes nothing: it is neutral, or a detail of one that is."""
    kind = key.rpartition(".")[0] + ".type"
    return value in _NEUTRAL or (".rope.scaling." in key and header.values.get(kind) == "none")


def complete(config: PreTrainedConfig, header: GgufHeader, name: str) -> None:
    """Set what the file leaves out, and the width of a head, where the reader takes defaults of its own.

    Raises ModelError where only a part of each head is rotated, which the reader knows nothing of.
    """
    architecture = header.text("general.architecture")
    width = header.values.get(f"{architecture}.attention.key_length", config.hidden_size // config.num_attention_heads)
    values = header.values.get(f"{architecture}.attention.value_length", width)
    rotated = header.values.get(f"{architecture}.rope.dimension_count", width)
    if not width == values == rotated:
        raise ModelError(
            f"{name} has heads of {width} keys and {values} values of which {rotated} are rotated, and the three have "
            "to be equal to be read; import the model from its original files"
        )
    config.head_dim = width
    if f"{architecture}.attention.head_count_kv" not in header.values:
        config.num_key_value_heads = config.num_attention_heads
    if f"{architecture}.rope.freq_base" not in header.values:
        config.rope_parameters["rope_theta"] = _BASE


def scale_positions(config: PreTrainedConfig, header: GgufHeader, path: Path, name: str) -> None:
    """Set the scaling of positions that the file has as a tensor of factors, as Llama 3.1 and later do.

    Raises ModelError where the factors are not those of that scaling.
    """
    import numpy as np
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    tensor = next((one for one in header.tensors if one.name == FREQUENCIES), None)
    if tensor is None:
        return
    plain = config.rope_parameters["rope_theta"] ** -(np.arange(0, config.head_dim, 2) / config.head_dim)
    factors = np.fromfile(path, dtype="<f4", count=tensor.elements, offset=tensor.start)
    fits = config.model_type == "llama" and tensor.type == "F32" and factors.shape == plain.shape
    if fits and np.isfinite(factors).all() and factors.min() > 0:
        config.rope_parameters |= {"rope_type": "llama3", "factor": float(factors.max()), **_LLAMA3}
        scaled = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")[0].numpy()
        fits = np.allclose(plain / factors, scaled, rtol=1e-4)
    else:
        fits = False
    if not fits:
        raise ModelError(
            f"{name} scales its positions by factors ({FREQUENCIES}) that are not those of Llama 3; import the model "
            "from its original files"
        )


def check_all_used(header: GgufHeader, used: set[str], name: str) -> None:
    """Raise ModelError where tensors of the file have no place in the model."""
    unused = [tensor.name for tensor in header.tensors if tensor.name not in used]
    if unused:
        more = ", …" if len(unused) > _LISTED else ""
        raise ModelError(
            f"{name} has {len(unused)} tensors that have no place in its architecture "
            f"({', '.join(unused[:_LISTED])}{more}); convert the model again"
        )
