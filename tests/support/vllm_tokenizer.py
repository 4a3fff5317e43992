"""A tokenizer for vLLM's parsers, which look up special tokens."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest


def byte_tokenizer(special_tokens: Path) -> Any:
    """Return a tokenizer of single bytes that knows the special tokens of a file; the test is skipped without vLLM."""
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    pytest.importorskip("vllm")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bare = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(alphabet)}, merges=[]))
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=bare,
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=special_tokens.read_text().split(),
    )
