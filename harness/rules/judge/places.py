"""Judges the places and names that a message brings in: each must be known to the conversation."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from harness.data.text import alike, sentences, straight, tokens
from harness.rules.judge.scene import JudgeScene
from harness.rules.language.entities import is_kind, place
from harness.rules.language.lexicon import lexicon

_WORD = r"[A-Z][\w'&.-]*[\w'&]"
_AFTER_PREPOSITION = re.compile(
    rf"\b(?:in|in the city of|at|at the|called|named|near)\s+"
    rf"((?:{_WORD})(?:\s+(?:of\s+|&\s+|the\s+|-\s+)?{_WORD}){{0,5}})"
)
_LABELLED = re.compile(
    rf"\b(?:City|Restaurant|Location|Hotel|Venue)(?: Name)?\s*\**\s*:\s*\**\s*({_WORD}(?:\s+{_WORD}){{0,5}})"
)
_MARKUP = re.compile(r"[*_`]+")


def fault_in_places(message: str, scene: JudgeScene) -> str | None:
    """Return a place or name (after `in`, `at`, `called`, or a label) that nothing in the conversation mentions."""
    known = _known(" ".join([*(line.text for line in scene.lines), scene.reference]))
    for sentence in sentences(_MARKUP.sub("", straight(message))):
        said = sentence.lower()
        if said.endswith("?") and (lexicon().hypothetical.search(said) or lexicon().examples.search(said)):
            continue
        for pattern in (_AFTER_PREPOSITION, _LABELLED):
            for match in pattern.finditer(sentence):
                if name := _stranger(match[1], known):
                    return f'says "{name}", which neither the conversation nor a result mentions'
    return None


@lru_cache(maxsize=512)
def _known(text: str) -> frozenset[str]:
    found = set(tokens(text))
    joined = f" {' '.join(tokens(text))} "
    for short, name in _places():
        if f" {' '.join(short)} " in joined or f" {' '.join(name)} " in joined:
            found.update(name, short)
    return frozenset(found)


@cache
def _places() -> tuple[tuple[list[str], list[str]], ...]:
    """Return the words of each place's short and whole name."""
    return tuple((tokens(short), tokens(name)) for short, name in lexicon().places.items())


def _stranger(name: str, known: frozenset[str]) -> str | None:
    """Return the name if none of its words is known, None if one is, also with a typo."""
    if is_kind(name):
        return None
    usual = place(name)
    found = {*tokens(name), *tokens(usual)} - lexicon().no_names
    long = {word for word in found if len(word) > 2 and not word.isdigit()}
    if not long or long & known or "".join(tokens(name)) in known:
        return None
    return None if any(alike(word, other) for word in long for other in known) else name
