"""A tokenizer against its source: the ids of texts and renderings, marks that stay whole, and how texts are split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import ModelError
from harness.models.engine.guard_child import doing, shown
from harness.models.imports.gguf_header import GgufHeader
from harness.models.prompts.renderer import encode

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_TEXTS = {
    "a call": '{"name": "find_restaurants", "arguments": {"city": "San Jose", "party_size": 2, "time": "19:30"}}',
    "a sentence": "The capital of France is",
    "accents": "Café déjà vu à Málaga, naïve Ünıcode",
    "other scripts": "東京のレストラン, Москва, مطعم, 서울",
    "emoji": "🍕👩‍🍳",
    "white space": "  two  spaces\n\n\ttabs   and 123 4567  89\n",
}
_NEEDED = ("a call", "a sentence")
"""A tokenizer that does not give these back cannot be trained to call tools."""
_CONTROL = 3
"""The type of a token that is a mark and no text."""
_CHAT = [
    {"role": "user", "content": "What is the capital of France?"},
    {"role": "assistant", "content": "The capital of France is Paris."},
    {"role": "user", "content": "And of Italy?"},
]
_DIGITS_APART = frozenset(("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"))
_AS_GPT2 = frozenset(
    ("gpt-2", "phi-2", "jina-es", "jina-de", "gigachat", "roberta-bpe", "mpt", "olmo", "jais", "trillion", "exaone4")
)
"""How llama.cpp names the ways of splitting texts that are those of GPT-2, after digits are set apart or at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What a tokenizer makes of the same texts, wherever its files came from."""

    ids: dict[str, list[int]]
    """Of each text, and of a rendered conversation where there is a chat template."""
    rendered: str | None
    """The conversation; None without a template."""

    @property
    def prompts(self) -> list[list[int]]:
        """Prompts to answer: the conversation, a sentence and a call."""
        return [self.ids[one] for one in ("chat", *_NEEDED) if self.ids.get(one)]


def read_texts(tokenizer: PreTrainedTokenizerBase, name: str) -> Readings:
    """Return what a tokenizer makes of the texts; ModelError where its template fails, or refuses a plain chat."""
    texts, rendered = dict(_TEXTS), None
    if tokenizer.chat_template:
        doing("the chat template")
        try:
            rendered = str(tokenizer.apply_chat_template(_CHAT, tokenize=False, add_generation_prompt=True))
        except MemoryError:
            raise
        except Exception as error:  # what a template does is decided by its author
            raise ModelError(f"the chat template of {name} cannot render a conversation ({shown(error)})") from error
        texts["chat"] = rendered
    return Readings(ids=dict(zip(texts, encode(tokenizer, list(texts.values()), name), strict=True)), rendered=rendered)


def check_same(source: Readings, written: Readings, name: str) -> None:
    """Raise ModelError where the written tokenizer reads or renders anything otherwise than its source."""
    if source.rendered != written.rendered:
        raise ModelError(f"the chat template of {name} renders otherwise once it is written; import another model")
    for what, ids in source.ids.items():
        if written.ids[what] != ids:
            raise ModelError(
                f"the tokenizer of {name} reads {what} otherwise once it is written (first {written.ids[what][:8]}, "
                f"not {ids[:8]}); import another model"
            )


def not_given_back(tokenizer: PreTrainedTokenizerBase, readings: Readings, name: str) -> list[str]:
    """Return the kinds of text that do not come back from their ids as they were.

    Raises ModelError where calls or plain sentences do not.
    """
    lost = {}
    for what, text in _TEXTS.items():
        back = tokenizer.decode(readings.ids[what], skip_special_tokens=False, clean_up_tokenization_spaces=False)
        if back not in (text, f" {text}"):  # some put a space before every text
            lost[what] = back
    for what in _NEEDED:
        if what in lost:
            raise ModelError(
                f"the tokenizer of {name} does not round-trip: {_TEXTS[what]!r} comes back as "
                f"{shown(ValueError(repr(lost[what])))}; import a model with its whole tokenizer"
            )
    return list(lost)


def check_rows(tokenizer: PreTrainedTokenizerBase, rows: int, name: str) -> None:
    """Raise ModelError where the tokenizer has ids that the model has no embedding for."""
    highest = max(tokenizer.get_vocab().values(), default=-1)
    if highest >= rows:
        raise ModelError(
            f"the tokenizer of {name} has the id {highest:,}, and the model embeds {rows:,} tokens; import a model "
            "whose tokenizer is its own"
        )


def check_marks(tokenizer: PreTrainedTokenizerBase, header: GgufHeader, name: str) -> None:
    """Raise ModelError where a mark that prompts are made of is cut into pieces, or ends are other tokens."""
    tokens = [str(one) for one in header.arrays.get("tokenizer.ggml.tokens", ())]
    types = header.arrays.get("tokenizer.ggml.token_type", ())
    template = str(tokenizer.chat_template or "")
    end = header.values.get("tokenizer.ggml.eos_token_id")
    if end is not None and tokenizer.eos_token_id != end:
        raise ModelError(f"the tokenizer of {name} ends texts with {tokenizer.eos_token_id}, and the file with {end}")
    for number, (token, kind) in enumerate(zip(tokens, types, strict=False)):
        if kind == _CONTROL and token and (token in template or number == end):
            ids = encode(tokenizer, [token], name)[0]
            if ids != [number]:
                raise ModelError(
                    f"the tokenizer of {name} cuts the mark {shown(ValueError(repr(token)))} into {len(ids)} pieces "
                    "once it is converted; import the model from its original files"
                )


def split_as_named(tokenizer: PreTrainedTokenizerBase, header: GgufHeader) -> str | None:
    """Split texts as the file names it, where transformers does not; return a remark where nobody here knows how."""
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    way = header.text("tokenizer.ggml.pre") or "default"
    if header.text("tokenizer.ggml.model") != "gpt2" or way in GGUF_PRE_TOKENIZER_SPLITS or way in _AS_GPT2:
        return None
    if way in _DIGITS_APART:
        tokenizer.backend_tokenizer.pre_tokenizer = Sequence(
            [Digits(individual_digits=True), ByteLevel(add_prefix_space=False, use_regex=True)]
        )
        return None
    return (
        f"The file splits texts in a way that it calls {shown(ValueError(repr(way)))} and that is not known here: they "
        "are split as GPT-2 does, so some numbers and words may become other tokens than in the original."
    )
