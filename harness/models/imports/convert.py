"""The conversion of a model on this machine to what a Hub holds, in the guarded child process.

The model is loaded in float32 from its source, written in one dtype, loaded again from what was written, and both
answer the same prompts greedily: other tokens than the source's, and the next dtype is tried, or the import refused.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import ModelError
from harness.models.engine.guard_child import doing, shown
from harness.models.engine.model_files import check_files, check_numbers, check_parameters
from harness.models.imports.architectures import FREQUENCIES, check_all_used, check_readable, complete, scale_positions
from harness.models.imports.gguf_header import GgufHeader, read_header
from harness.models.imports.tokenizer_check import (
    check_marks,
    check_rows,
    check_same,
    not_given_back,
    read_texts,
    split_as_named,
)
from harness.models.imports.write_weights import write_weights
from harness.models.prompts.renderer import load_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

DTYPES = ("float32", "bfloat16", "float16")
AUTO = "auto"
_ARRAYS = ("tokenizer.ggml.tokens", "tokenizer.ggml.token_type")
_GGUF = "model.gguf"
_LISTED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ToConvert:
    """What is converted."""

    source: Path
    """A GGUF file, or a folder with a model's files that have been checked."""
    name: str
    """The source's, for messages."""
    out: Path
    """An empty folder."""
    dtype: str
    """One of `DTYPES`, or `AUTO`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """A model that was written, and what was found on the way."""

    architecture: str
    parameters: int
    dtype: str
    tried: tuple[str, ...]
    """The dtypes before it, in which the model answered otherwise than its source."""
    stored: dict[str, int]
    """How the source stores its weights: encoding -> tensors."""
    vocabulary: int
    context: int | None
    template: bool
    prompts: int
    """How many prompts were answered to compare."""
    not_given_back: tuple[str, ...]
    """Kinds of text that the tokenizer does not give back as they were."""
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A source in memory."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    architecture: str
    stored: dict[str, int]
    dtypes: tuple[str, ...]
    """Those to write it in, the best first."""
    ends: tuple[int, ...] = ()
    """Tokens that end an answer, as far as the source names them outside the model's own settings."""
    remarks: tuple[str, ...] = ()


def head(path: Path, name: str) -> dict[str, Any]:
    """Return what the conversion of a GGUF file will take, and what the file says of its origin.

    Raises ModelError where it cannot be read.
    """
    header = read_header(path, name)
    check_readable(header, name)
    said = {key: header.text(f"general.{key}") for key in ("name", "organization", "license", "source.url")}
    return {"parameters": header.parameters, "elements": header.elements, "said": said}


def convert(what: ToConvert) -> dict[str, Any]:
    """Write the model to `what.out`, and return the fields of `Converted`. Raises ModelError where it is refused."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    loaded = load_gguf(what) if what.source.is_file() else load_folder(what)
    model, tokenizer = loaded.model, loaded.tokenizer
    rows = model.get_input_embeddings().weight.shape[0]
    check_rows(tokenizer, rows, what.name)
    source = read_texts(tokenizer, what.name)
    tokenizer.save_pretrained(what.out)
    written = load_tokenizer(what.out, what.name)
    check_same(source, read_texts(written, what.name), what.name)
    lost = not_given_back(written, source, what.name)
    _set_ends(model, tokenizer, loaded.ends)
    dtypes = loaded.dtypes if what.dtype == AUTO else (what.dtype,)
    dtype, tried = write_weights(model, dtypes, source.prompts, what.out, what.name)
    check_files(what.out, what.name)
    return {
        "architecture": loaded.architecture,
        "parameters": model.num_parameters(),
        "dtype": dtype,
        "tried": tried,
        "stored": loaded.stored,
        "vocabulary": len(tokenizer),
        "context": getattr(model.config.get_text_config(), "max_position_embeddings", None),
        "template": source.rendered is not None,
        "prompts": len(source.prompts),
        "not_given_back": lost,
        "remarks": loaded.remarks,
    }


def load_gguf(what: ToConvert) -> Loaded:
    """Return the model of a GGUF file in float32; ModelError where it cannot be read, or not as a whole."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GgufConfig

    header = read_header(what.source, what.name, _ARRAYS)
    architecture = check_readable(header, what.name)
    with tempfile.TemporaryDirectory(prefix="tft-") as place:  # nothing else in the file's own folder is read
        (Path(place) / _GGUF).symlink_to(what.source.resolve())
        doing("the metadata")
        config = AutoConfig.from_pretrained(place, gguf_file=_GGUF)
        where = f"the metadata of {what.name}"
        check_numbers(config.to_dict(), where)
        check_parameters(config.to_dict(), sum(tensor.size for tensor in header.tensors), where)
        complete(config, header, what.name)
        scale_positions(config, header, what.source, what.name)
        doing("the tokenizer")
        tokenizer = AutoTokenizer.from_pretrained(place, gguf_file=_GGUF)
        remark = split_as_named(tokenizer, header)
        check_marks(tokenizer, header, what.name)
        doing("the weights")
        model, found = AutoModelForCausalLM.from_pretrained(
            place,
            gguf_file=_GGUF,
            config=config,
            dtype=torch.float32,
            quantization_config=GgufConfig(dequantize=True),
            output_loading_info=True,
        )
    _check_whole(found, what.name)
    _check_tensors(model, header, what.name)
    _forget_source(model)
    tokenizer.model_max_length = config.max_position_embeddings
    stored = _counted(tensor.type for tensor in header.tensors)
    ends = [header.values.get(f"tokenizer.ggml.{one}_token_id") for one in ("eos", "eot", "eom")]
    return Loaded(
        model=model,
        tokenizer=tokenizer,
        architecture=architecture,
        stored=stored,
        dtypes=("float32",) if set(stored) == {"F32"} else ("bfloat16", "float32"),
        ends=tuple(end for end in ends if isinstance(end, int) and 0 <= end < len(tokenizer)),
        remarks=(remark,) if remark else (),
    )


def load_folder(what: ToConvert) -> Loaded:
    """Return the model of a folder in float32; ModelError where weights are missing, or of an unusual type."""
    from transformers import AutoModelForCausalLM

    tokenizer = load_tokenizer(what.source, what.name)
    doing("the weights")
    model, found = AutoModelForCausalLM.from_pretrained(
        what.source, dtype="auto", local_files_only=True, use_safetensors=True, output_loading_info=True
    )
    _check_whole(found, what.name)
    dtypes = _counted(str(weight.dtype).removeprefix("torch.") for weight in model.parameters())
    stored = str(model.dtype).removeprefix("torch.")
    if set(dtypes) - set(DTYPES):
        raise ModelError(f"{what.name} has weights of {', '.join(sorted(dtypes))}; import one of {', '.join(DTYPES)}")
    _forget_source(model)
    return Loaded(
        model=model.float(),
        tokenizer=tokenizer,
        architecture=str(model.config.model_type),
        stored=dtypes,
        dtypes=tuple(dict.fromkeys((stored, "float32"))),
    )


def _forget_source(model: PreTrainedModel) -> None:
    """Have nothing written of where the model came from: it is neither quantised any more nor in that folder."""
    model.hf_quantizer, model.config._name_or_path = None, ""
    for key in ("quantization_config", "_model_name_or_path"):
        model.config.__dict__.pop(key, None)


def _check_whole(found: Mapping[str, Any], name: str) -> None:
    """Raise ModelError where weights are missing, which would be random, or left over."""
    for key, what in (("missing_keys", "lacks"), ("mismatched_keys", "misfits"), ("unexpected_keys", "has unused")):
        if keys := sorted(map(str, found.get(key) or ())):
            more = ", …" if len(keys) > _LISTED else ""
            raise ModelError(
                f"{name} {what} {len(keys)} weights of its architecture ({', '.join(keys[:_LISTED])}{more}); "
                "convert the model again"
            )


def _check_tensors(model: PreTrainedModel, header: GgufHeader, name: str) -> None:
    """Raise ModelError where the reader has left tensors of the file out, or put in one of another shape.

    It does both without a word.
    """
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.modeling_gguf_pytorch_utils import TensorProcessor, get_gguf_hf_weights_map

    used = set(get_gguf_hf_weights_map(model, TensorProcessor(config={})))
    check_all_used(header, used | {FREQUENCIES}, name)
    with torch.device("meta"):
        expected = AutoModelForCausalLM.from_config(model.config).state_dict()
    for key, weight in model.state_dict().items():
        if weight.shape != expected[key].shape:
            raise ModelError(
                f"{name} has {key} in the shape {list(weight.shape)}, and its metadata ask for "
                f"{list(expected[key].shape)}; convert the model again"
            )


def _set_ends(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, ends: Sequence[int]) -> None:
    """Have the written model stop at every token that ends an answer."""
    known = model.generation_config.eos_token_id
    several = known if isinstance(known, list) else [known]
    own = [*several, *ends, tokenizer.eos_token_id]
    found = list(dict.fromkeys(end for end in own if end is not None))
    model.generation_config.eos_token_id = found if len(found) > 1 else (found or [None])[0]


def _counted(kinds: Any) -> dict[str, int]:
    from collections import Counter

    return dict(sorted(Counter(map(shown, map(ValueError, kinds))).items()))
