"""Judges what a message asks: not again for what the user has just said, nor the user's own question back."""

from __future__ import annotations

from typing import Any

from harness.data.text import plain, sentences, tokens
from harness.rules.judge.arguments import stated_in
from harness.rules.judge.scene import JudgeScene, SceneLine
from harness.rules.language.entities import show
from harness.rules.language.lexicon import lexicon
from harness.rules.language.mentions import mention_of

_ECHO_WORDS = 4


def fault_in_questions(message: str, scene: JudgeScene) -> str | None:
    """Return the question that is already answered, with the line that answers it, else None."""
    for sentence in sentences(message):
        text = plain(sentence)
        if not text.endswith("?"):
            continue
        if echo := _echo(text, scene):
            return echo
        if lexicon().other_value.search(text):
            continue
        for kind, pattern in lexicon().questions.items():
            if not pattern.search(text) or pattern.search(plain(scene.reference)):
                continue
            if reason := _answered(kind, sentence, scene):
                return reason
    return None


def _echo(text: str, scene: JudgeScene) -> str | None:
    asked = scene.asked
    if asked is None or len(tokens(text)) < _ECHO_WORDS:
        return None
    for question in sentences(asked.text):
        if question.endswith("?") and tokens(question) == tokens(text):
            return f'asks "{text}", which is the user\'s own question in message {asked.number}'
    return None


def _answered(kind: str, sentence: str, scene: JudgeScene) -> str | None:
    """A value is known if the user's last message states it, or an earlier call has it and the reference repeats it."""
    last = scene.lines[-1] if scene.lines else None
    for line, mention in [(last, said) for said in scene.stated(last)] if last and last.speaker == "user" else []:
        if mention.kind == kind:
            return f'asks "{sentence.strip()}", but message {line.number} says "{mention.text}"'
    for line, key, value in _call_arguments(scene):
        if _is_kind(kind, key, value, scene) and _repeats(key, value, scene) and stated_in(key, value, scene):
            return f'asks "{sentence.strip()}", but the call in message {line.number} has {key} "{value}"'
    return None


def _call_arguments(scene: JudgeScene) -> list[tuple[SceneLine, str, Any]]:
    calls = [line for line in reversed(scene.lines) if line.speaker == "call" and line.call]
    return [(line, key, value) for line in calls for key, value in (line.call.arguments if line.call else {}).items()]


def _is_kind(kind: str, key: str, value: Any, scene: JudgeScene) -> bool:
    if kind == "city":
        return any(part in key for part in ("city", "location", "area", "where_to"))
    mention = mention_of(key, value, scene.today)
    return mention is not None and mention.kind == kind


def _repeats(key: str, value: Any, scene: JudgeScene) -> bool:
    """Whether the reference's text states the value, so that it still holds at this turn."""
    mention = mention_of(key, value, scene.today)
    if mention:
        return any(mention.agrees(said) for said in scene.mentions(scene.reference))
    padded = f" {' '.join(tokens(scene.reference))} "
    return bool(tokens(show(value))) and f" {' '.join(tokens(show(value)))} " in padded
