"""What a chat template can be told about thinking, found out by rendering it in the guarded child process.

Templates have no common word for it: most take `enable_thinking`, some another variable, some levels of effort, and
some open a block of thinking whatever they are given. A model's name says nothing about its template.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import ModelError, UsageError
from harness.models.engine.guard_child import doing
from harness.models.parsing.strip_thinking import THINKING, opens_thinking
from harness.models.prompts.make_prompts import TokenizerFiles, tokenizer_of
from harness.models.prompts.renderer import LONGEST, THINKING_OFF, encode

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ON, OFF, AUTO = "on", "off", "auto"
LEVELS = ("low", "medium", "high")
SETTINGS = (ON, OFF, AUTO, *LEVELS)
"""What can be asked for; `auto` tells the template nothing."""
DEFAULT = "default"
"""Recorded where nothing was asked for and the model thinks all the same."""

_SWITCHES: tuple[tuple[str, Any, Any], ...] = (
    ("enable_thinking", True, False),
    ("thinking", True, False),
    ("reasoning", True, False),
    ("thinking_option", "on", "off"),
    ("thinking_budget", -1, 0),
)
"""Variables of published templates that switch thinking on and off, with the value of each."""
_EFFORT, _NO_EFFORT = "reasoning_effort", "none"
_UNKNOWN = "qzv9003x"
"""A level that no template knows."""
_AFTER = {"<|end|>": "<|start|>assistant"}
"""What begins the next message, where closing the thinking also ends one (harmony)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinking:
    """How a model thinks in a run."""

    setting: str
    """As it is recorded: one of `SETTINGS`, or `DEFAULT`. It is `OFF` only where prompts differ by that."""
    variables: Mapping[str, Any]
    """What the template is given."""
    opening: str
    closing: str
    """The marks of a block of thinking."""
    closing_id: int | None
    """The closing mark's token, where it is a single one."""
    closing_ids: tuple[int, ...]
    """What is appended to close a block for the model."""

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Thinking:
        """Return what `find_thinking` has found, from JSON."""
        return cls(**{**found, "closing_ids": tuple(found["closing_ids"])})


def may_think(template: bytes) -> bool:
    """Return whether a file can hold a template of a model that thinks: it names a mark or a level of effort."""
    return any(mark.encode() in template for pair in THINKING for mark in pair) or _EFFORT.encode() in template


def find_thinking(files: TokenizerFiles, tools: list[dict[str, Any]], asked: str | None) -> dict[str, Any] | None:
    """Return a `Thinking` as JSON where `asked` is wanted of a model; None where it does not think.

    `asked` is one of `SETTINGS`, None for what has always been done: off, where the template can. Raises UsageError
    where the template has no such setting, with those that it has.
    """
    tokenizer = tokenizer_of(files)
    template = _Template(tokenizer, tools)
    known = template.settings()
    usual = template.render(THINKING_OFF)
    if asked is None:
        thinks = usual is not None and (
            opens_thinking(usual) or (OFF not in known and any(one in known for one in LEVELS))
        )
        if not thinks:
            return None
        return _found(tokenizer, files.name, template, DEFAULT, THINKING_OFF)
    if asked not in known:
        raise UsageError(_refusal(files.name, asked, known))
    if asked == OFF:
        same = template.render(known[OFF]) == usual
        return None if same else _found(tokenizer, files.name, template, OFF, known[OFF])
    return _found(tokenizer, files.name, template, asked, known[asked])


def _found(
    tokenizer: PreTrainedTokenizerBase, name: str, template: _Template, setting: str, variables: Mapping[str, Any]
) -> dict[str, Any]:
    opening, closing = template.marks()
    on_lines = any(f"{opening}{end}" in text for text in template.texts() for end in ("\n", "\\n"))
    close = ("\n" if on_lines else "") + closing + _AFTER.get(closing, "")
    mark, ids = encode(tokenizer, [closing, close], name)
    single = tokenizer.get_added_vocab().get(closing, mark[0] if len(mark) == 1 else None)
    marks = {"opening": opening, "closing": closing, "closing_id": single, "closing_ids": ids}
    return {"setting": setting, "variables": dict(variables), **marks}


def _refusal(name: str, asked: str, known: Mapping[str, Any]) -> str:
    has = [one for one in SETTINGS if one in known and one != AUTO]
    if has == [ON] and not known[ON]:
        what = "it opens a block of thinking whatever it is told"
    else:
        what = f"it has {' and '.join(filter(None, (', '.join(has[:-1]), has[-1])))}" if has else "it has no switch"
    return (
        f"--thinking {asked} asks for what the chat template of {name} does not have: {what}; give "
        f"{' or '.join(f'--thinking {one}' for one in (*has, AUTO))} (which tells it nothing), or leave the option out"
    )


class _Template:
    """A chat template, rendered for a short conversation with what it is told about thinking."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, tools: list[dict[str, Any]]) -> None:
        self._tokenizer = tokenizer
        own = tokenizer.chat_template or ""
        self.source: str = own if isinstance(own, str) else "\n".join(own.values())
        contents: tuple[Any, ...] = ("Hello.", [{"type": "text", "text": "Hello."}])
        forms = [([{"role": "user", "content": one}], given) for one in contents for given in (tools, None)]
        doing("the chat template")
        self._form = next((form for form in forms if self._rendered(form, THINKING_OFF) is not None), None)
        self._known: dict[str, Mapping[str, Any]] | None = None

    def render(self, variables: Mapping[str, Any]) -> str | None:
        """Return the prompt, None where the template refuses."""
        return self._rendered(self._form, variables) if self._form else None

    def _rendered(self, form: tuple[Any, Any], variables: Mapping[str, Any]) -> str | None:
        messages, tools = form
        options = {"add_generation_prompt": True, "tokenize": False, **variables}
        try:
            text = str(self._tokenizer.apply_chat_template(messages, tools=tools, **options))
        except MemoryError:
            raise
        except Exception:  # a template may refuse any value in its own way; what comes of none is said with the prompts
            return None
        if len(text) > LONGEST:
            raise ModelError(f"the chat template writes more than {LONGEST:,} characters for a greeting")
        return text

    def settings(self) -> dict[str, Mapping[str, Any]]:
        """Return what of `SETTINGS` the template has, and the variables that say so to it."""
        if self._known is None:
            self._known = self._settings()
        return self._known

    def _settings(self) -> dict[str, Mapping[str, Any]]:
        known: dict[str, Mapping[str, Any]] = {AUTO: {}}
        for variable, yes, no in _SWITCHES:
            on, off = self.render({variable: yes}), self.render({variable: no})
            if on is not None and off is not None and on != off and not opens_thinking(off):
                known |= {ON: {variable: yes}, OFF: {variable: no}}
                break
        known |= self._levels(known.get(ON, {}))
        plain = self.render({})
        if ON not in known and plain is not None and opens_thinking(plain):
            known[ON] = {}
        if not known.keys() - {AUTO} and not may_think(self.source.encode("utf-8", "replace")):
            known[OFF] = THINKING_OFF  # there is nothing to switch off
        return known

    def _levels(self, beside: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
        """Return the levels of effort that the template tells apart, and `off` where it has a level for that alone."""
        unknown = self.render({**beside, _EFFORT: _UNKNOWN})
        written = {one: self.render({**beside, _EFFORT: one}) for one in LEVELS}
        known = [one for one in LEVELS if written[one] not in (None, unknown)]
        if len(known) == len(LEVELS) - 1:  # the third is what the template does by itself
            known = [one for one in LEVELS if written[one] is not None]
        levels: dict[str, Mapping[str, Any]] = {one: {**beside, _EFFORT: one} for one in known}
        none = self.render({_EFFORT: _NO_EFFORT})
        if (
            not beside
            and none not in (None, unknown)
            and not opens_thinking(none or "")
            and _UNKNOWN not in (unknown or "")
        ):
            levels[OFF] = {_EFFORT: _NO_EFFORT}
        return levels

    def texts(self) -> list[str]:
        """Return what the template writes in each setting, and the template."""
        written = [self.render(one) or "" for one in (*self.settings().values(), THINKING_OFF)]
        return [*written, self.source]

    def marks(self) -> tuple[str, str]:
        """Return the marks of the template's thinking, the most usual ones where it shows none."""
        texts = self.texts()
        ended = [pair for text in texts for pair in THINKING if text.rstrip().endswith(pair)]
        written = [pair for text in texts for pair in THINKING if pair[0] in text]
        return next(iter([*ended, *written]), THINKING[0])
