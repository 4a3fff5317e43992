"""A small student from scratch: the architecture of Qwen3, random weights, a tokenizer trained on given texts.

It exercises everything that a real model goes through (Hub, engine, prompts, training, scoring) in seconds. It has
learned nothing; `harness.training.pretrain` pretrains it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import DataError, UsageError
from harness.hub.artifact import dataset_name
from harness.resources import folder as resource

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

    from harness.data.records import Conversation
    from harness.hub.client import Hub

_END_OF_TEXT, _TURN_START, _TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
_MARKS = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>")
_BYTES = 256
_HEAD = 64
"""Width of an attention head; every attention kernel has it."""
_HEADS_PER_KEY = 2
_MAX_WIDTH, _MAX_LAYERS = 2048, 32
_LAYERS_PER_WIDTH = 1 / 64
_TOLERANCE = 0.25
_SAMPLE_CONVERSATIONS = 200
_WEIGHT_SCALE = 1 / 16


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentSummary:
    """The student: counts, and the shape of the network."""

    parameters: int
    vocabulary: int
    """Tokens, the special ones included."""
    context: int
    """Longest sequence in tokens."""
    hidden_size: int
    layers: int
    heads: int
    seed: int


def create_student(
    folder: Path,
    *,
    texts: Iterable[str],
    parameters: int = 4_000_000,
    vocabulary: int = 4096,
    context: int = 16384,
    seed: int = 0,
) -> StudentSummary:
    """Write a causal language model with its tokenizer and chat template to `folder`; the same seed, the same files.

    `vocabulary` is the most tokens that the tokenizer may have: few texts give fewer. The number of
    parameters comes within a quarter of the one asked for. The weights make its answers stable; before all of it
    is trained, `prepare_to_learn` gives it others. Raises UsageError where no shape has this size.
    """
    tokenizer = _train_tokenizer(texts, vocabulary, context)
    config = _config(parameters, tokenizer, context)
    model = _initialise(config, seed, stable=True)
    tokenizer.save_pretrained(folder)
    shutil.copyfile(resource("datasets") / "sample" / "chat_template.jinja", folder / "chat_template.jinja")
    _save(model, folder)
    return StudentSummary(
        parameters=model.num_parameters(),
        vocabulary=len(tokenizer),
        context=context,
        hidden_size=config.hidden_size,
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        seed=seed,
    )


def prepare_to_learn(folder: Path, seed: int) -> None:
    """Give the student in `folder` weights from which all of it is to be trained: no token is likelier than another."""
    from transformers import Qwen3Config

    _save(_initialise(Qwen3Config.from_pretrained(folder), seed, stable=False), folder)


def _save(model: Qwen3ForCausalLM, folder: Path) -> None:
    model.save_pretrained(folder, max_shard_size="1TB")
    shutil.copymode(folder / "config.json", folder / "model.safetensors")  # written for its owner only


def _train_tokenizer(texts: Iterable[str], vocabulary: int, context: int) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE tokenizer: every text has tokens, and decodes to itself."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    special = [_END_OF_TEXT, _TURN_START, _TURN_END]
    smallest = _BYTES + len(special) + len(_MARKS)
    if vocabulary < smallest:
        raise UsageError(f"a vocabulary of {vocabulary} cannot hold all bytes; give {smallest} or more")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(_MARKS),
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    # Not special: they are text that a parser must see, so decoding keeps them.
    tokenizer.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in _MARKS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=_TURN_END,
        pad_token=_END_OF_TEXT,
        additional_special_tokens=[_TURN_START],
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """Width and depth of a network."""

    width: int
    layers: int

    @property
    def heads(self) -> int:
        return self.width // _HEAD

    @property
    def key_heads(self) -> int:
        return self.heads // _HEADS_PER_KEY if self.heads % _HEADS_PER_KEY == 0 else 1

    def parameters(self, vocabulary: int) -> int:
        """Return the number of weights: two embeddings, the layers, and the norms."""
        attention = 2 * self.width * self.width + 2 * self.width * self.key_heads * _HEAD
        feed_forward = 3 * self.width * 3 * self.width
        norms = 2 * self.width + 2 * _HEAD
        return 2 * vocabulary * self.width + self.layers * (attention + feed_forward + norms) + self.width


def _choose_shape(parameters: int, vocabulary: int) -> _Shape:
    """Return the shape whose size is close to `parameters` and whose depth suits its width."""
    shapes = [
        _Shape(width=width, layers=layers)
        for width in range(_HEAD, _MAX_WIDTH + 1, _HEAD)
        for layers in range(1, _MAX_LAYERS + 1)
    ]

    def misfit(shape: _Shape) -> float:
        size = abs(shape.parameters(vocabulary) / parameters - 1)
        depth = abs(shape.layers / max(2.0, shape.width * _LAYERS_PER_WIDTH) - 1)
        return size + depth / 10

    near = [shape for shape in shapes if abs(shape.parameters(vocabulary) / parameters - 1) <= _TOLERANCE]
    if not near:
        low, high = (shapes[end].parameters(vocabulary) for end in (0, -1))
        raise UsageError(
            f"no student of {parameters:,} parameters has a vocabulary of {vocabulary}; "
            f"ask for {low:,} to {high:,}, or change the vocabulary"
        )
    return min(near, key=misfit)


def _config(parameters: int, tokenizer: PreTrainedTokenizerFast, context: int) -> Qwen3Config:
    from transformers import Qwen3Config

    shape = _choose_shape(parameters, len(tokenizer))
    return Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=shape.width,
        intermediate_size=3 * shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_heads,
        head_dim=_HEAD,
        max_position_embeddings=context,
        tie_word_embeddings=False,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        dtype="float32",
    )


def _initialise(config: Qwen3Config, seed: int, *, stable: bool) -> Qwen3ForCausalLM:
    """Return the network with random weights: set apart for stable answers, else the library's own."""
    import torch
    from transformers import GenerationConfig, Qwen3ForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen3ForCausalLM(config)
        if stable:
            _set_apart(model)
    model.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=config.eos_token_id, pad_token_id=config.pad_token_id
    )
    return model


def _set_apart(model: Qwen3ForCausalLM) -> None:
    """Give the network random weights under which the likeliest token stands out.

    With the usual small Gaussian weights all logits are nearly the same, and rounding that depends on
    the batch decides which token is greatest. Larger weights let the prompt matter; rows of the output
    layer of log-normal length set the logits apart: the smallest gaps between the first and the second
    grow more than tenfold, in units of their spread. A few dozen tokens make up most answers. It learns
    badly from there: every layer starts saturated.
    """
    import torch

    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() == 2:  # the others are the norms' scales, which stay 1
                weight.normal_(0, _WEIGHT_SCALE)
        model.lm_head.weight.mul_(torch.randn(model.config.vocab_size, 1).exp())


def sample_texts() -> Iterator[str]:
    """Yield the texts of the sample task: what it says in the system message, and what is said in conversations."""
    from harness.data.sample import sample_conversations, sample_task

    task = sample_task()
    yield task.description
    yield json.dumps(task.tools)
    yield from conversation_texts(sample_conversations(_SAMPLE_CONVERSATIONS))


def conversation_texts(conversations: Iterable[Conversation]) -> Iterator[str]:
    """Yield what is said and called in conversations."""
    from harness.data.formats.messages import dump_conversation

    for conversation in conversations:
        yield from _strings(dump_conversation(conversation)["messages"])


def read_texts(hub: Hub, sources: Iterable[str]) -> Iterator[str]:
    """Yield the texts of files and of dataset repositories: lines of text, and every string in JSON lines.

    Raises DataError where a file cannot be read or nothing in a repository is text, HubError where it cannot be had.
    """
    for source in sources:
        path = Path(source)
        if path.is_file():
            yield from _file_texts(path)
            continue
        folder = hub.pull(hub.find(dataset_name(source), "dataset"), ["*.jsonl", "*.txt"])
        files = sorted(file for file in folder.rglob("*") if file.suffix in (".jsonl", ".txt"))
        if not files:
            raise DataError(f"the dataset {source} has no .jsonl and no .txt file; give text files instead")
        for file in files:
            yield from _file_texts(file)


def _file_texts(path: Path) -> Iterator[str]:
    from harness.data.formats.jsonl import read_jsonl

    if path.suffix == ".jsonl":
        for _, row in read_jsonl(path):
            yield from _strings(row)
        return
    try:
        with path.open(encoding="utf-8") as stream:
            yield from stream
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text ({error.reason}); give .txt or .jsonl files") from error


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
