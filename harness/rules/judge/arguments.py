"""Judges the arguments of a service call: the same values, nothing missing that was said, nothing made up."""

from __future__ import annotations

from typing import Any

from harness.data.events import Event
from harness.data.records import Task, ToolCall
from harness.data.text import plain, tokens
from harness.rules.judge.dialogue_state import DialogueState
from harness.rules.language.equivalence import is_stated, place, same_value, show
from harness.rules.language.lexicon import lexicon
from harness.rules.language.mentions import mention_of


def find_argument_error(call: ToolCall, reference: ToolCall, state: DialogueState, task: Task | None) -> str | None:
    """Return what is wrong with the arguments of a call to the reference's tool, None if nothing is.

    A differing value is wrong; a missing one where the conversation states it or the tool requires it; an extra
    one where it is a date, time or number of people that the conversation does not know.
    """
    for key, expected in reference.arguments.items():
        if key not in call.arguments or not is_stated(call.arguments[key]):
            reason = _missing(key, expected, state, task, reference.name)
        elif same_value(key, expected, call.arguments[key], state.today):
            continue
        else:
            reason = f"{key} is {_show(call.arguments[key])}, but {_where(key, expected, state)}{_show(expected)}"
        if reason:
            return reason
    for key, value in call.arguments.items():
        if key not in reference.arguments and (reason := _extra(key, value, state)):
            return reason
    return None


def _show(value: Any) -> str:
    text = show(value)
    return f'"{text[:80]}{"..." if len(text) > 80 else ""}"'


def _where(key: str, value: Any, state: DialogueState) -> str:
    line = stated_in(key, value, state)
    return f"message {line.number} says " if line else "the reference has "


def _missing(key: str, value: Any, state: DialogueState, task: Task | None, tool: str) -> str | None:
    if not is_stated(value):
        return None
    line = stated_in(key, value, state)
    if line:
        return f"{key} is missing, but message {line.number} says {_show(value)}"
    return f"{key} is missing, but {tool} requires it" if key in _required(task, tool) else None


def _required(task: Task | None, tool: str) -> list[str]:
    for definition in task.tools if task else ():
        function = definition.get("function", definition)
        if isinstance(function, dict) and function.get("name") == tool:
            parameters = function.get("parameters")
            required = parameters.get("required") if isinstance(parameters, dict) else None
            return [key for key in required if isinstance(key, str)] if isinstance(required, list) else []
    return []


def stated_in(key: str, value: Any, state: DialogueState) -> Event | None:
    """Return the latest message of user or agent that states the value of an argument, None if none does."""
    mention = mention_of(key, value, state.today)
    for line in reversed(state.lines):
        if line.kind not in ("user", "reply"):
            continue
        if mention:
            if any(mention.agrees(said) for said in state.stated(line)):
                return line
        elif _says(key, show(value), line.text):
            return line
    return None


def _says(key: str, value: str, text: str) -> bool:
    bare = plain(value).strip()
    if bare in ("true", "false"):
        return any(f" {word} " in f" {' '.join(tokens(text))} " for word in flag_words(key))
    if bare.isdigit():
        return bare in tokens(text)
    usual = place(value)
    known = [short for short, name in lexicon().places.items() if name == usual]
    padded = f" {' '.join(tokens(text))} "
    return any(f" {' '.join(tokens(name))} " in padded for name in (value, usual, *known) if tokens(name))


def flag_words(key: str) -> tuple[str, ...]:
    """Return what a yes/no field is called in messages: `has_live_music` -> `live music`, `live band`, ..."""
    parts = [part for part in key.lower().split("_") if part not in lexicon().flag_affixes]
    name = " ".join(parts)
    return (name, *lexicon().flags.get(name, ())) if name else ()


def _extra(key: str, value: Any, state: DialogueState) -> str | None:
    mention = mention_of(key, value, state.today)
    if mention is None or mention.kind not in ("date", "time"):
        return None
    if mention.kind == "date" and state.today.toordinal() in mention.values:
        return None
    if any(mention.agrees(known) for _, known in state.evidence(mention.kind)):
        return None
    return f"{key} is {_show(value)}, which nobody said"
