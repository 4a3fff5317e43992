"""A model on a Hub as a GGUF file, for llama.cpp and what is built on it: written, read again, and compared."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data.formats.strict_records import load_record
from harness.errors import ModelError, UsageError
from harness.hub.artifact import split_revision
from harness.hub.client import Hub
from harness.models.engine.checkpoint import pull_checkpoint
from harness.models.engine.guard import Guard
from harness.models.engine.guard_child import doing
from harness.models.exports.names import check_architecture, settings, tensors, tokens
from harness.models.imports.convert import AUTO, Loaded, ToConvert, load_folder, load_gguf
from harness.models.imports.tokenizer_check import check_rows, check_same, read_texts
from harness.terminal import progress

DTYPES = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}
"""PyTorch's names -> GGUF's. Vectors, such as norms, are always in float32."""
_TOLERANCE = {"float32": 1e-4, "bfloat16": 0.05, "float16": 0.01}
"""Largest relative error of the logits (norm of the difference over norm) of what was written."""
_COPIES, _FLOAT32 = 4, 4
_SECONDS, _SECONDS_PER_BYTE = 60.0, 2e-6
"""Of the processor; an export takes a tenth of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedModel:
    """A model that was written."""

    model: str
    """Repository and commit."""
    architecture: str
    parameters: int
    dtype: str
    bytes: int
    logits_error: float
    """Norm of the difference of the logits over their norm, for a few prompts, as transformers reads the file."""
    template: bool
    """Whether there is a chat template; it is the same text in the file."""


def export_gguf(model: str, hub: Hub, out: Path, dtype: str = AUTO) -> ExportedModel:
    """Write a model (`owner/name[@revision]`) to `out`, whole or not at all.

    `dtype` is one of `DTYPES`, or `AUTO` for the model's own. Raises UsageError where `out` is no file to write, and
    ModelError where the model cannot be written so that it reads the same.
    """
    if out.suffix != ".gguf" or out.is_dir():
        raise UsageError(f"{out} is no name of a GGUF file; end it with .gguf")
    name, revision = split_revision(model)
    artifact = hub.resolve("model", name, revision)
    checkpoint = pull_checkpoint(hub, artifact)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
        what = ToConvert(source=checkpoint.folder, name=name, out=Path(scratch) / out.name, dtype=dtype)
        with Guard(name) as guard, progress("writing GGUF"):
            guard.start("harness.models.exports.gguf", torch=True)
            made = guard.call(
                *(write_gguf, what, str(artifact)),
                seconds=_SECONDS + _SECONDS_PER_BYTE * checkpoint.weights,
                memory=_COPIES * _FLOAT32 * checkpoint.weights,  # at least a byte each
                file=_FLOAT32 * checkpoint.weights,
            )
        what.out.replace(out)
    found: ExportedModel = load_record(
        ExportedModel, {"model": str(artifact), "bytes": out.stat().st_size, **made}, name
    )
    return found


def write_gguf(what: ToConvert, origin: str) -> dict[str, Any]:
    """Write the model in a folder to the file `what.out`, in the guarded child; return what `ExportedModel` lacks."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    loaded = load_folder(what)
    config, tokenizer, rows = loaded.model.config, loaded.tokenizer, loaded.model.get_input_embeddings().weight.shape[0]
    check_architecture(config, what.name)
    check_rows(tokenizer, rows, what.name)
    dtype = loaded.dtypes[0] if what.dtype == AUTO else what.dtype
    ends = loaded.model.generation_config.eos_token_id
    marks = tokens(tokenizer, rows, ends if isinstance(ends, list) else [] if ends is None else [ends], what.name)
    template = tokenizer.chat_template
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    metadata = {
        "general.type": "model",
        "general.name": what.name.rpartition("/")[2],
        "general.description": f"Exported from {origin}",
        **settings(config, head_dim, what.name),
        **{f"tokenizer.ggml.{key}": value for key, value in marks.items()},
        **({"tokenizer.chat_template": template} if isinstance(template, str) else {}),
    }
    doing("the GGUF file")
    try:
        _write(what.out, config.model_type, metadata, tensors(loaded.model), DTYPES[dtype])
    except OSError as full:  # it is about the disk, and not about the model
        problem = f"{what.out.name} cannot be written ({full.strerror or full})"
        raise UsageError(f"{problem}; make room there, or name a file elsewhere with --out") from full
    error = _compare(loaded, what, dtype)
    return {
        "architecture": str(config.model_type),
        "parameters": loaded.model.num_parameters(),
        "dtype": dtype,
        "logits_error": error,
        "template": isinstance(template, str),
    }


def _write(
    path: Path, architecture: str, metadata: Mapping[str, Any], weights: Mapping[str, Any], encoding: str
) -> None:
    import gguf

    writer = gguf.GGUFWriter(path, architecture)
    put = {
        bool: writer.add_bool,
        int: writer.add_uint32,
        float: writer.add_float32,
        str: writer.add_string,
        list: writer.add_array,
    }
    wanted, full = gguf.GGMLQuantizationType[encoding], gguf.GGMLQuantizationType.F32
    try:
        for key, value in metadata.items():
            put[type(value)](key, value)
        for name, values in weights.items():
            kind = wanted if values.ndim > 1 else full
            writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def _compare(source: Loaded, what: ToConvert, dtype: str) -> float:
    """Read what was written, and return how its logits differ; ModelError where it is not the same model."""
    import torch

    back = load_gguf(ToConvert(source=what.out, name=what.name, out=what.out.parent, dtype=AUTO))
    before, after = read_texts(source.tokenizer, what.name), read_texts(back.tokenizer, what.name)
    check_same(before, after, what.name)
    if source.tokenizer.chat_template != back.tokenizer.chat_template:
        raise ModelError(f"the chat template of {what.name} is another text once it is written; export another model")
    doing("the answers")
    largest = 0.0
    with torch.inference_mode():
        for prompt in before.prompts:
            expected, found = (one.model.eval()(torch.tensor([prompt])).logits for one in (source, back))
            error = float((found - expected).norm() / expected.norm())
            if not error <= _TOLERANCE[dtype]:  # a NaN is no agreement
                raise ModelError(
                    f"{what.name}, written in {dtype}, computes other logits than before (relative error {error:.2g}); "
                    "export it with --dtype float32, or another model"
                )
            largest = max(largest, error)
    return largest
