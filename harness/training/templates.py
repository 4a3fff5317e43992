"""Chat templates for training: which one a tokenizer uses, TRL's variant of it, and thinking off unless asked for."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

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


def switch_thinking_off(tokenizer: PreTrainedTokenizerBase) -> None:
    """Make the template think only where asked to, so that a plain request is served as training rendered it."""
    probe = [{"role": "user", "content": "Hello."}]
    default, quiet = (
        tokenizer.apply_chat_template(probe, add_generation_prompt=True, tokenize=False, **options)
        for options in ({}, {"enable_thinking": False})
    )
    if default != quiet:
        tokenizer.chat_template = _THINKING_OFF + chat_template(tokenizer)
