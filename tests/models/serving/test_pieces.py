"""Texts that are encoded piece by piece have the token ids of the whole, whatever their tokenizer is built of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from harness.models.prompts.renderer import encode
from harness.models.serving.pieces import KEPT, PieceEncoder

SPECIAL = ("<|im_start|>", "<|im_end|>", "<|im_", "<s>", "[INST]")
WORDS = (
    "a table",
    " a table",
    "\n",
    "  ",
    "Ä",
    "e\u0301",
    "\u0301",
    "😀",
    "<|",
    "im_start|>",
    "<s",
    ">",
    "\u2581",
    "T7",
)
KINDS = {
    "bytes": (None, pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "bytes with a space before": (normalizers.NFC(), pre_tokenizers.ByteLevel(add_prefix_space=True)),
    "space before the first": (None, pre_tokenizers.Metaspace(prepend_scheme="first")),
    "space before each": (None, pre_tokenizers.Metaspace(prepend_scheme="always")),
    "normalised": (
        normalizers.Sequence(
            [normalizers.NFKC(), normalizers.Strip(), normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
        ),
        None,
    ),
}


def made(kind: str, **token: bool) -> PreTrainedTokenizerBase:
    """Return a tokenizer of a kind, trained on a few words, whose first special token has these properties."""
    normalizer, pre_tokenizer = KINDS[kind]
    inner = Tokenizer(models.BPE(byte_fallback=True))
    if normalizer:
        inner.normalizer = normalizer
    if pre_tokenizer:
        inner.pre_tokenizer = pre_tokenizer
    inner.decoder = decoders.ByteFallback()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet, show_progress=False)
    inner.train_from_iterator([*WORDS, "A table for two in T7, please."] * 3, trainer)
    inner.add_special_tokens([AddedToken(SPECIAL[0], normalized=False, special=True, **token)])
    inner.add_special_tokens([AddedToken(one, normalized=False, special=True) for one in SPECIAL[1:]])
    inner.add_tokens([AddedToken("able<|im_end|>", normalized=True)])
    return PreTrainedTokenizerFast(tokenizer_object=inner)


TOKENIZERS = {kind: made(kind) for kind in KINDS} | {"space taken": made("bytes", lstrip=True, rstrip=True)}
texts = st.lists(st.sampled_from((*SPECIAL, *WORDS)), max_size=30).map("".join)


@pytest.mark.parametrize("kind", TOKENIZERS)
@settings(max_examples=20, deadline=None)
@given(some=st.lists(texts, min_size=12, max_size=12))
def test_pieces_make_the_whole(kind: str, some: list[str]) -> None:
    """Twelve texts: the first eight with something new in them are compared by the encoder itself."""
    tokenizer = TOKENIZERS[kind]
    encoder = PieceEncoder(tokenizer, "me/model")
    assert [encoder.encode(text) for text in some] == encode(tokenizer, some, "me/model")
    assert encoder.in_pieces


def test_a_tokenizer_that_looks_around_its_tokens_is_given_whole_texts() -> None:
    assert not PieceEncoder(made("bytes", single_word=True), "me/model").in_pieces


def test_pieces_that_make_something_else_are_given_up(student: Path) -> None:
    """As for a tokenizer that is not what it says it is."""
    tokenizer = AutoTokenizer.from_pretrained(student)
    encoder = PieceEncoder(tokenizer, "me/model")
    encoder._starts = (re.compile("er"), frozenset({"er"}))
    text = "<|im_start|>user\nWhat is there for dinner?<|im_end|>\n" * 3
    assert encoder.encode(text) == encode(tokenizer, [text], "me/model")[0]
    assert not encoder.in_pieces


def test_what_is_kept_has_a_bound(student: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = AutoTokenizer.from_pretrained(student)
    monkeypatch.setattr("harness.models.serving.pieces.KEPT", 200)
    encoder = PieceEncoder(tokenizer, "me/model")
    for number in range(50):
        text = "".join(f"<|im_start|>user\n{number} {turn}<|im_end|>\n" for turn in range(6))
        assert encoder.encode(text) == encode(tokenizer, [text], "me/model")[0]
    assert sum(map(len, encoder._known)) <= 200 < KEPT
