"""Chat templates for training: a tokenizer's own, TRL's variant of it, one day, and no thinking unless asked."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from harness.data.records import Message
from harness.errors import ModelError
from harness.models.prompts import Calendar, Renderer, fix_day

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_YEARS = timedelta(days=5 * 365 + 40)
_THINKING_OFF = "{% if enable_thinking is not defined %}{% set enable_thinking = false %}{% endif %}{{ '' }}"
"""Put before a template: nothing is written, and no white space of what follows is trimmed."""


def chat_template(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return the template that renders prompts with tools; a tokenizer may have several, by name."""
    template: str = tokenizer.get_chat_template(tools=[{}])
    return template


def training_variant(template: str) -> Path | None:
    """Return the file of TRL's variant for training of a chat template, None where TRL is missing or has none.

    TRL keeps a template as `<name>.jinja` and its variant as `<name>_training.jinja`. The files are compared
    because asking TRL itself costs seconds of imports, and it answers only for templates that its own probes pass.
    """
    spec = importlib.util.find_spec("trl")
    if spec is None or spec.origin is None:
        return None
    for path in sorted((Path(spec.origin).parent / "chat_templates").glob("*_training.jinja")):
        original = path.with_name(path.name.replace("_training", ""))
        if original.is_file() and original.read_text("utf-8") == template:
            return path
    return None


def keep_day(
    tokenizer: PreTrainedTokenizerBase, renderer: Renderer, conversations: Sequence[Sequence[Message]]
) -> date | None:
    """Make a template that asks for the day say the renderer's for good, and return that day; None: it does not ask.

    ModelError where the template, asked on another day, would not write the conversations as on this one.
    """
    calendar = renderer.calendar
    if not renderer.asks_for_day(conversations):
        return None
    written = [renderer.text(one) for one in conversations]
    tokenizer.chat_template = fix_day(chat_template(tokenizer), calendar)
    renderer.calendar = Calendar(calendar.day - _YEARS)  # as any server's clock, which shows another day
    if written != [renderer.text(one) for one in conversations]:
        raise ModelError(
            "the chat template cannot be given a day for good; give the model one that asks for the date with "
            "strftime_now(format), the format in quotes"
        )
    return calendar.day


def switch_thinking_off(tokenizer: PreTrainedTokenizerBase) -> None:
    """Make the template think only where asked to, so that a plain request is served as training rendered it."""
    probe = [{"role": "user", "content": "Hello."}]
    default, quiet = (
        tokenizer.apply_chat_template(probe, add_generation_prompt=True, tokenize=False, **options)
        for options in ({}, {"enable_thinking": False})
    )
    if default != quiet:
        tokenizer.chat_template = _THINKING_OFF + chat_template(tokenizer)
