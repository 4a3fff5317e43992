"""Judges what a message asks: not again for what the user has just said, nor the user's own question back."""

from __future__ import annotations

from typing import Any

from harness.data.events import Event
from harness.data.text import plain, sentences, tokens
from harness.rules.judge.arguments import stated_in
from harness.rules.judge.dialogue_state import DialogueState
from harness.rules.language.equivalence import show
from harness.rules.language.lexicon import lexicon
from harness.rules.language.mentions import mention_of

_ECHO_WORDS = 4


def find_question_error(message: str, state: DialogueState) -> str | None:
    """Return the question that is already answered, with the line that answers it, else None."""
    for sentence in sentences(message):
        text = plain(sentence)
        if not text.endswith("?"):
            continue
        if echo := _echo(text, state):
            return echo
        if lexicon().other_value.search(text):
            continue
        for kind, pattern in lexicon().questions.items():
            if not pattern.search(text) or pattern.search(plain(state.reference)):
                continue
            if reason := _answered(kind, sentence, state):
                return reason
    return None


def _echo(text: str, state: DialogueState) -> str | None:
    asked = state.asked
    if asked is None or len(tokens(text)) < _ECHO_WORDS:
        return None
    for question in sentences(asked.text):
        if question.endswith("?") and tokens(question) == tokens(text):
            return f'asks "{text}", which is the user\'s own question in message {asked.number}'
    return None


def _answered(kind: str, sentence: str, state: DialogueState) -> str | None:
    """A value is known if the user's last message states it, or an earlier call has it and the reference repeats it."""
    last = state.lines[-1] if state.lines else None
    for line, mention in [(last, said) for said in state.stated(last)] if last and last.kind == "user" else []:
        if mention.kind == kind:
            return f'asks "{sentence.strip()}", but message {line.number} says "{mention.text}"'
    for line, key, value in _call_arguments(state):
        if _is_kind(kind, key, value, state) and _repeats(key, value, state) and stated_in(key, value, state):
            return f'asks "{sentence.strip()}", but the call in message {line.number} has {key} "{value}"'
    return None


def _call_arguments(state: DialogueState) -> list[tuple[Event, str, Any]]:
    calls = [line for line in reversed(state.lines) if line.kind == "call" and line.call]
    return [(line, key, value) for line in calls for key, value in (line.call.arguments if line.call else {}).items()]


def _is_kind(kind: str, key: str, value: Any, state: DialogueState) -> bool:
    if kind == "city":
        return any(part in key for part in ("city", "location", "area", "where_to"))
    mention = mention_of(key, value, state.today)
    return mention is not None and mention.kind == kind


def _repeats(key: str, value: Any, state: DialogueState) -> bool:
    """Whether the reference's text states the value, so that it still holds at this turn."""
    mention = mention_of(key, value, state.today)
    if mention:
        return any(mention.agrees(said) for said in state.mentions(state.reference))
    padded = f" {' '.join(tokens(state.reference))} "
    return bool(tokens(show(value))) and f" {' '.join(tokens(show(value)))} " in padded
