"""Pretraining of a small student: full training on dialogues, each shown with the tools that its kind uses."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from harness.data.records import Conversation, Task
from harness.training.config import TrainConfig
from harness.training.data import TrainingData
from harness.training.examples import TrainingExamples, make_examples
from harness.training.loop import train
from harness.training.rendering import TrainingRendering

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_SAVE_EVERY = 100
"""Steps between checkpoints: half a minute of pretraining a small student."""
_DESCRIPTION = "Talk with people, and call the services that they need."


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretraining:
    """What a student was pretrained on, and how."""

    inputs: tuple[str, ...]
    conversations: int
    skipped: dict[str, int]
    config: TrainConfig
    steps: int
    tokens: int
    seconds: float
    loss: float
    """Mean over the last tenth of the steps, nats per token."""


def pretrain_config(
    *, epochs: float = 2, learning_rate: float = 2e-3, batch_size: int = 1, seed: int = 0
) -> TrainConfig:
    """Return settings under which a few million random weights learn on a CPU in minutes."""
    return TrainConfig(
        method="full",
        epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        save_every=_SAVE_EVERY,
        seed=seed,
    )


def pretrain(folder: Path, data: TrainingData, config: TrainConfig, *, work: Path | None = None) -> Pretraining:
    """Train the model in `folder` from scratch on the agent's turns in the dialogues, and replace its weights.

    `work` keeps the checkpoints, with which a run that was killed goes on. Raises DataError where no conversation
    can be learned from, and what rendering and training raise.
    """
    from harness.models.prompts import load_tokenizer
    from harness.training.small_model import prepare_to_learn

    prepare_to_learn(folder, config.seed)
    tokenizer = load_tokenizer(folder, folder.name)
    examples = pretrain_examples(tokenizer, data.conversations, folder.name)
    with tempfile.TemporaryDirectory(prefix="tft-") as scratch:
        place, pad = work or Path(scratch), int(tokenizer.pad_token_id)
        trained = train(folder, examples, config, place, pad_token_id=pad, resume=work is not None)
        shutil.copyfile(trained.folder / "model.safetensors", folder / "model.safetensors")
    return Pretraining(
        inputs=data.inputs,
        conversations=len(examples.items),
        skipped=examples.skipped,
        config=config,
        steps=trained.steps,
        tokens=trained.tokens,
        seconds=trained.seconds,
        loss=mean(entry.loss for entry in trained.log[-max(1, len(trained.log) // 10) :]),
    )


def pretrain_examples(
    tokenizer: PreTrainedTokenizerBase, conversations: Iterable[Conversation], name: str
) -> TrainingExamples:
    """Return one example for each conversation that the model's context holds, in groups that use the same tools.

    `name` is the model's, for error messages. Raises ModelError where its chat template does not keep turns as they
    were learned, DataError where there is no turn to learn.
    """
    items, skipped = [], Counter[str]()
    for group, tools in _groups(conversations):
        rendering = TrainingRendering(tokenizer, Task(description=_DESCRIPTION, tools=tools), name)
        found = make_examples(group, rendering, expand_turns=False, max_length=None)
        fitting = [example for example in found.items if len(example.input_ids) <= tokenizer.model_max_length]
        skipped.update(found.skipped)
        skipped["conversations longer than the context"] += len(found.items) - len(fitting)
        items += fitting
    return TrainingExamples(
        items=tuple(items), skipped={reason: number for reason, number in skipped.items() if number}
    )


def _groups(conversations: Iterable[Conversation]) -> Iterator[tuple[list[Conversation], tuple[dict[str, Any], ...]]]:
    """Yield conversations that use the same tools, with those tools as far as their calls show them.

    A conversation that uses some of another one's tools only, a search without a booking, goes with the other:
    otherwise the tools on offer would tell how it ends.
    """
    by_names: dict[frozenset[str], list[Conversation]] = {}
    for conversation in conversations:
        names = frozenset(call.name for message in conversation.messages for call in message.tool_calls)
        by_names.setdefault(names, []).append(conversation)
    groups: dict[frozenset[str], list[Conversation]] = {}
    for names, members in by_names.items():
        widest = max((other for other in by_names if names <= other), key=lambda other: (len(other), sorted(other)))
        groups.setdefault(widest, []).extend(members)
    for members in groups.values():
        yield members, _tools(members)


def _tools(conversations: Iterable[Conversation]) -> tuple[dict[str, Any], ...]:
    """Return definitions of the tools that the calls show: names, and the arguments ever given, as text."""
    arguments: dict[str, dict[str, None]] = {}
    for conversation in conversations:
        for message in conversation.messages:
            for call in message.tool_calls:
                arguments.setdefault(call.name, {}).update(dict.fromkeys(call.arguments))
    return tuple(
        {
            "type": "function",
            "function": {
                "name": name,
                "parameters": {"type": "object", "properties": {key: {"type": "string"} for key in keys}},
            },
        }
        for name, keys in arguments.items()
    )
