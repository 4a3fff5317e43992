"""The prompts of a test set, made in the guarded child process (`harness.models.engine.guard`).

What goes in is pickled, what comes out is JSON: see `MadePrompts`.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from harness.data.records import Task, TurnPair
from harness.errors import ModelError
from harness.models import parsing
from harness.models.engine.guard_child import doing
from harness.models.prompts.calendar import Calendar
from harness.models.prompts.choose_form import fitting_renderer
from harness.models.prompts.form import LEFT_OUT
from harness.models.prompts.renderer import THINKING_OFF, encode, load_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MODULES = ("transformers.models.auto.tokenization_auto", "harness.models.prompts.make_prompts")
"""What the child imports before it is asked for anything."""
_DECODED = 4
_ALL = 16 << 20
_EACH = 200_000
"""Most tokens of all prompts: this many for each, but at least `_ALL`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerFiles:
    """Where a tokenizer and its chat template are: a model's own, or an adapter's on those of its base."""

    name: str
    """The model's, for messages."""
    folder: Path
    trust_remote_code: bool = False
    own: Path | None = None
    """Folder of an adapter's tokenizer, where it has one."""
    template: Path | None = None
    """File of an adapter's chat template, where it has one."""
    base: str | None = None
    """What an adapter's tokens are compared with, for messages; None where it is no adapter."""


class MadePrompts(TypedDict):
    """Prompts and what is recorded of them."""

    prompts: list[list[int]]
    """Token ids of each pair, in the pairs' order."""
    opened: list[bool]
    """Whether each ends in a block of thinking that it opens."""
    asks: bool
    """Whether the chat template asks for the day."""
    form: dict[str, Any]
    """What the form of the prompts is, as a run records it."""
    system: str
    """The system message."""
    family: str | None
    """The notation of tool calls that the template shows."""


def make_prompts(
    files: TokenizerFiles,
    task: Task,
    pairs: Sequence[TurnPair],
    calendar: Calendar,
    thinking: Mapping[str, Any] = THINKING_OFF,
) -> MadePrompts:
    """Render and encode every pair; ModelError where that fails. `thinking` is as in `Renderer`."""
    tokenizer = tokenizer_of(files)
    renderer = fitting_renderer(tokenizer, task, files.name, pairs, calendar=calendar, thinking=dict(thinking))
    made = renderer.prompts(pairs)
    prompts = [list(prompt.token_ids) for prompt in made]
    check_tokens(files, prompts)
    _check_decoding(files, tokenizer, prompts)
    doing("the chat template")
    form = renderer.form
    return MadePrompts(
        prompts=prompts,
        opened=[prompt.opened for prompt in made],
        asks=renderer.asks_for_day([pair.prefix for pair in pairs]),
        form={**form.record(), **({LEFT_OUT: list(renderer.left_out)} if renderer.left_out else {})},
        system=renderer.system,
        family=family_of(tokenizer) if form.tools_in_template else None,  # else the model was told to write plain JSON
    )


def try_tokenizer(files: TokenizerFiles) -> None:
    """Load, render, encode and decode a greeting, as an engine will that is given chats; ModelError where it fails."""
    tokenizer = tokenizer_of(files)
    text = "Hello."
    if tokenizer.chat_template:
        doing("the chat template")
        greeting = [{"role": "user", "content": text}]
        try:
            text = str(tokenizer.apply_chat_template(greeting, add_generation_prompt=True, tokenize=False))
        except MemoryError:
            raise
        except Exception:  # noqa: S110 -- it may want a system message or tools; the engine says so to who asks it
            pass
    _check_decoding(files, tokenizer, encode(tokenizer, [text], files.name))


def second_reading(files: TokenizerFiles, texts: Sequence[str], parser: str, tools: Sequence[Any]) -> list[Any]:
    """Return the reading of each text by vLLM's parser: its call, the reason where there is none, and how many."""
    return [asdict(one) for one in parsing.read_with_vllm(texts, parser, tokenizer_of(files), tools)]


def family_of(tokenizer: PreTrainedTokenizerBase) -> str | None:
    """Return the notation of tool calls that a chat template shows."""
    template = tokenizer.chat_template
    return parsing.detect_family(template if isinstance(template, str) else "\n".join(template.values()))


def check_tokens(files: TokenizerFiles, prompts: Sequence[Sequence[int]]) -> None:
    """Raise ModelError where there are no tokens, absurdly many, or such as the engine does not know."""
    total = sum(map(len, prompts))
    if total > (most := max(_ALL, _EACH * len(prompts))):
        raise ModelError(
            f"the prompts of {files.name} have {total:,} tokens, more than the {most:,} that are taken for "
            f"{len(prompts)} of them; use a model with another tokenizer"
        )
    if not all(prompts):
        raise ModelError(f"the tokenizer of {files.name} makes no tokens of a prompt; use another model")
    if files.base and any(max(prompt) > _last_token(files) for prompt in prompts):
        raise ModelError(_other_tokens(files, "puts new tokens into prompts"))


def _check_decoding(
    files: TokenizerFiles, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[Sequence[int]]
) -> None:
    """Raise ModelError where tokens cannot be turned into text, which the engine does with each answer."""
    doing("the tokenizer")
    try:
        for prompt in prompts[:_DECODED]:
            tokenizer.decode(list(prompt))
    except MemoryError:
        raise
    except Exception as error:
        raise ModelError(f"the tokenizer of {files.name} cannot decode its own tokens ({error})") from error


@functools.lru_cache(maxsize=2)
def _loaded(folder: Path, name: str, trust_remote_code: bool) -> PreTrainedTokenizerBase:
    return load_tokenizer(folder, name, trust_remote_code=trust_remote_code)


def _vocabulary(files: TokenizerFiles) -> dict[str, int]:
    known: dict[str, int] = _loaded(files.folder, files.name, files.trust_remote_code).get_vocab()
    return known


@functools.lru_cache(maxsize=2)
def _last_token(files: TokenizerFiles) -> int:
    return max(_vocabulary(files).values())


def tokenizer_of(files: TokenizerFiles) -> PreTrainedTokenizerBase:
    """Return the tokenizer with its chat template; ModelError where an adapter's numbers tokens unlike its base's."""
    base = tokenizer = _loaded(files.folder, files.name, files.trust_remote_code)
    if files.own:
        tokenizer = _loaded(files.own, files.name, False)
        vocabulary = tokenizer.get_vocab()
        if any(vocabulary.get(token) != number for token, number in _vocabulary(files).items()):
            raise ModelError(_other_tokens(files, "numbers tokens otherwise"))
    if files.template:
        tokenizer = copy.copy(tokenizer)
        tokenizer.chat_template = files.template.read_text(encoding="utf-8")
    elif files.base and not tokenizer.chat_template:
        tokenizer.chat_template = base.chat_template
    return tokenizer


def _other_tokens(files: TokenizerFiles, problem: str) -> str:
    return (
        f"the tokenizer of {files.name} {problem}, but the engine reads with that of {files.base}; "
        "evaluate the merged weights"
    )
