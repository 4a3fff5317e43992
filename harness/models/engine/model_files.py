"""The files of a model's repository, read in the child that `guard.py` starts; `checkpoint.py` uses it.

Nothing here is trusted: sizes are checked before files are read, and numbers before anything is computed with them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import ModelError
from harness.models.engine.guard_child import doing, shown

CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
_MIB = 1 << 20
_LARGEST = {
    **dict.fromkeys(
        ("config.json", "generation_config.json", "adapter_config.json", "special_tokens_map.json"), 8 * _MIB
    ),
    "tokenizer_config.json": 32 * _MIB,
    ".jinja": _MIB,
}
"""Most bytes of a file, by its name or ending."""
_OTHER = 128 * _MIB
_CARD = 256 << 10
"""Characters of a card in which its metadata is looked for."""
_METADATA = re.compile(r"\s{0,64}---\r?\n(.*?)\n---[ \t]*(?:\r?\n|$)", re.DOTALL)
_DEEPEST = 32
_REPOSITORY = re.compile(r"(?!(?:null|[\d.]+)$)[\w.-]{1,96}(?:/[\w.-]{1,96})?", re.IGNORECASE)

_RANGES: dict[str, tuple[int, int]] = {
    **dict.fromkeys(("vocab_size", "head_dim"), (1, 1 << 24)),
    **dict.fromkeys(("hidden_size", "n_embd", "d_model"), (1, 1 << 20)),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers"), (1, 4096)),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads"), (0, 1 << 16)),
    **dict.fromkeys(("num_key_value_heads", "num_experts", "num_local_experts", "n_routed_experts"), (0, 1 << 16)),
    **dict.fromkeys(("intermediate_size", "moe_intermediate_size", "n_inner", "ffn_dim"), (0, 1 << 24)),
    **dict.fromkeys(CONTEXT_KEYS, (1, 1 << 25)),
}
"""Settings that decide about memory and time, each with what any model of today is far below."""
_WIDTHS, _DEPTHS = ("hidden_size", "n_embd", "d_model"), ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
_PACKED = 8
"""Most parameters in a byte of weights: those of one bit."""
_OBJECTS = (
    *("generation_config.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("tokenizer.json", "vocab.json", "preprocessor_config.json", "model.safetensors.index.json"),
)
_ENDS = 4096
"""Most tokens that may end an answer."""


def read_head(folder: Path, name: str) -> dict[str, Any]:
    """Return the configuration and the base model that the card names; ModelError where the former cannot be used."""
    config = read_object(folder, "config.json", name)
    check_numbers(config, f"the config.json of {name}")
    doing("the card")
    return {"config": config, "base_model": base_model(folder / "README.md")}


def check_files(folder: Path, name: str) -> dict[str, int]:
    """Check the files that tokenizers and engines read, and return the weights' bytes and the number of tensors.

    Raises ModelError with the file and what is wrong with it.
    """
    check_sizes(folder, name)
    found = {file: read_object(folder, file, name) for file in _OBJECTS if (folder / file).is_file()}
    if index := found.get("model.safetensors.index.json"):
        _check_index(index, folder, name)
    if settings := found.get("generation_config.json"):
        _check_generation(settings, name)
    doing("the weights")
    files = sorted(folder.glob("*.safetensors"))
    weights = {
        "bytes": sum(path.stat().st_size for path in files),
        "tensors": sum(len(shapes(one, name)) for one in files),
    }
    check_parameters(read_object(folder, "config.json", name), weights["bytes"], f"the config.json of {name}")
    return weights


def check_sizes(folder: Path, name: str) -> None:
    """Raise ModelError where a file other than weights is larger than such files are."""
    for path in sorted(folder.rglob("*")):
        _check_size(path, path.relative_to(folder).as_posix(), name)


def read_object(folder: Path, file: str, name: str) -> dict[str, Any]:
    """Return the JSON object in a file; ModelError where it is too large, too deep, or no object."""
    doing(f"the {file}")
    _check_size(folder / file, file, name)
    try:
        found = json.loads((folder / file).read_text(encoding="utf-8"))
    except RecursionError:
        raise ModelError(f"the {file} of {name} is nested too deep; push it again") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"the {file} of {name} cannot be read ({shown(error)}); push it again") from error
    if not isinstance(found, dict):
        raise ModelError(f"the {file} of {name} is not a JSON object; push it again")
    if file != "tokenizer.json" and _depth(found) > _DEEPEST:
        raise ModelError(f"the {file} of {name} is nested deeper than {_DEEPEST} levels; push it again")
    return found


def _check_size(path: Path, file: str, name: str) -> None:
    if not path.is_file() or file.endswith(".safetensors"):
        return
    most = _LARGEST.get(path.name) or _LARGEST.get(path.suffix, _OTHER)
    if (size := path.stat().st_size) > most:
        raise ModelError(
            f"the {file} of {name} has {size:,} bytes, and no more than {most:,} are read of such a file; "
            "use another model, or make it smaller"
        )


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level and depth <= _DEEPEST:
        depth += 1
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return depth


def _objects(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield an object and those below it."""
    yield value
    for inner in value.values():
        if isinstance(inner, dict):
            yield from _objects(inner)


def check_numbers(config: dict[str, Any], where: str) -> None:
    """Raise ModelError for a number that is unsafe to compute with, in the configuration that `where` names."""
    for found in _objects(config):
        for key, value in found.items():
            if isinstance(value, float) and math.isnan(value):
                raise ModelError(f"{where} has no number as {key} (NaN); make it again")
            low, high = _RANGES.get(key, (0, 0))
            low = low if found is config else -1  # parts that are not used are written so
            for one in () if not high or value is None else value if isinstance(value, list) else [value]:
                if isinstance(one, bool) or not isinstance(one, int) or not low <= one <= high:
                    raise ModelError(
                        f"{where} has {shown(ValueError(repr(one)))} as {key}, expected a whole number from {low} to "
                        f"{high:,}; make it again"
                    )


def check_parameters(config: dict[str, Any], size: int, where: str) -> None:
    """Raise ModelError where the configuration describes far more than `size` bytes of weights: it would be allocated.

    `where` names the configuration.
    """
    for found in _objects(config):
        width = max((found.get(key) or 0 for key in _WIDTHS), default=0)
        depth = max((found.get(key) or 0 for key in _DEPTHS), default=0)
        least = width * ((found.get("vocab_size") or 0) + 2 * depth)
        if least > _PACKED * size:
            raise ModelError(
                f"{where} describes at least {least:,} parameters, and its weights have {size:,} bytes; make weights "
                "and configuration again"
            )


def _check_index(index: dict[str, Any], folder: Path, name: str) -> None:
    """Raise ModelError where the index of the weights names something that is not a file beside it."""
    files = index.get("weight_map")
    named = set(map(str, files.values())) if isinstance(files, dict) else {"no weight_map"}
    missing = sorted(file for file in named if "/" in file or "\\" in file or not (folder / file).is_file())
    if missing:
        raise ModelError(
            f"the model.safetensors.index.json of {name} names {shown(ValueError(missing[0]))}, which is not a file "
            "beside it; push index and weights again"
        )


def _check_generation(settings: dict[str, Any], name: str) -> None:
    where = f"the generation_config.json of {name}"
    ends = settings.get("eos_token_id")
    several = ends if isinstance(ends, list) else [] if ends is None else [ends]
    if len(several) > _ENDS or any(not isinstance(one, int) or not 0 <= one < 1 << 31 for one in several):
        raise ModelError(f"{where} has no number of a token as eos_token_id, or more than {_ENDS}; push it again")
    for key, value in settings.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ModelError(f"{where} has {value} as {key}; push it again")


def shapes(path: Path, name: str) -> dict[str, list[int]]:
    """Return the shape of each tensor of a safetensors file; ModelError where it is damaged."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return {name: list(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 -- no dict
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"the {path.name} of {name} is not a safetensors file ({shown(error)}); push it again"
        ) from error


def base_model(card: Path) -> str | None:
    """Return the base model that the repository's own card names, if any."""
    base = card_metadata(card).get("base_model")
    first = base[0] if isinstance(base, list) and base else base
    return first if isinstance(first, str) and _REPOSITORY.fullmatch(first) else None


def card_metadata(card: Path) -> Mapping[Any, Any]:
    """Return the metadata of a repository's own card, as texts; empty where it has none, or none that can be read.

    The owner's card is not ours to refuse the model for. Only texts are made of its YAML: no tags, numbers or dates.
    """
    import yaml

    if not card.is_file():
        return {}
    with card.open(encoding="utf-8", errors="replace") as file:
        head = _METADATA.match(file.read(_CARD))
    try:
        metadata = yaml.load(head[1], getattr(yaml, "CBaseLoader", yaml.BaseLoader)) if head else None  # noqa: S506 -- makes texts alone
    except Exception:  # an untrusted card can raise anything
        return {}
    return metadata if isinstance(metadata, Mapping) else {}
