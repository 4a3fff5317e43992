"""Replies composed from our own phrases: the act by what comes before and after, slots from what is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.data.events import Event
from harness.data.text import tokens
from harness.data.tools import Toolbox
from harness.rules.labeler.reply_state import (
    ReplyState,
    asks_for_others,
    forms,
    is_known,
    known_words,
    phrases,
    reply_state,
    spoken,
)
from harness.rules.language.equivalence import truth
from harness.rules.language.lexicon import is_lookup

_MOST_FACTS = 8
_SHORT_WORD = 2
_FIRST = 4
_VERBS = frozenset(["has", "have", "is", "are", "does"])


def compose(sequence: Sequence[Event], position: int, toolbox: Toolbox) -> str:
    """Return a reply that fits before and after the message at `position`, which is not looked at.

    It states only values of what came before, and arguments of the next service call that the user has already stated.
    """
    state = reply_state(sequence, position, toolbox)
    for act in (_after_result, _goodbye, _answer, _other, _confirm_change, _ask, _confirm, _more):
        text = act(state)
        if text:
            return text
    return phrases().replies["ask_open"]


def _after_result(state: ReplyState) -> str | None:
    if state.before is None or state.before.kind != "result":
        return None
    lookup = state.made is None or is_lookup(state.made.name)
    replies, rows = phrases().replies, state.before.rows
    if not rows:
        return replies["nothing" if lookup else "failed"]
    if not lookup:
        return " ".join(text for text in (replies["done"], _answer(state)) if text)
    title = _title(state.row, rows)
    if not title:
        return replies["offer_plain"].format(facts=_facts(state.row))
    return replies["offer_many" if len(rows) > 1 else "offer"].format(title=title, count=len(rows))


def _goodbye(state: ReplyState) -> str | None:
    return phrases().replies["goodbye"] if state.after is None and state.before is not None else None


def _answer(state: ReplyState) -> str | None:
    """Answer with the fields of the row that the user asked for."""
    row = state.row
    return " ".join(_tell(key, row[key]) for key in _asked(state.question, row))


def _other(state: ReplyState) -> str | None:
    title = _title(state.row, state.rows) if asks_for_others(state.question) else ""
    return phrases().replies["offer_next"].format(title=title) if title else None


def _confirm_change(state: ReplyState) -> str | None:
    """Confirm where the user's next message corrects something, instead of asking for what it then says."""
    corrected = state.after is not None and set(tokens(state.after.text)[:_FIRST]) & phrases().corrections
    return _confirm(state) if corrected else None


def _ask(state: ReplyState) -> str | None:
    """Ask for those arguments of the next call that only the user's next message states."""
    if state.next is None or state.after is None or state.after.kind != "user":
        return None
    said = known_words([state.after])
    values = {key: str(value) for key, value in state.next.arguments.items() if truth(str(value)) is None}
    keys = [key for key, value in values.items() if not is_known(value, state.words) and is_known(value, said)]
    return phrases().replies["ask"].format(slots=" and the ".join(map(_spaced, keys))) if keys else None


def _confirm(state: ReplyState) -> str | None:
    if state.next is None or is_lookup(state.next.name) or not state.prepared:
        return None
    return phrases().replies["confirm"].format(facts=_facts(state.prepared))


def _more(state: ReplyState) -> str | None:
    ends = state.after is not None and set(tokens(state.after.text)) & phrases().ends
    return phrases().replies["more"] if state.rows or ends else None


def _title(row: Mapping[str, str], rows: Sequence[Mapping[str, object]]) -> str:
    """Return what a row is called: its value under a key with `name` or `title`, the one that differs most by row."""
    named = [
        key for key, value in row.items() if {"name", "title"} & set(_spaced(key).split()) and truth(value) is None
    ]
    best = max(named, key=lambda key: len({str(other.get(key)) for other in rows}), default=None)
    return row[best] if best else ""


def _asked(text: str, row: Mapping[str, str]) -> list[str]:
    """Return the keys of a row that a text names, by the last of their words at least, without stating their values."""
    words, line = set(tokens(text)), " ".join(tokens(text))
    found = []
    for key, value in row.items():
        parts = [part for part in _spaced(key).split() if len(part) > _SHORT_WORD and part not in _VERBS]
        hits = [part in words or f"{part}s" in words for part in parts]
        stated = truth(value) is None and any(" ".join(tokens(form)) in line for form in forms(value))
        if parts and hits[-1] and not stated:
            found.append((sum(hits) / len(parts), key))
    best = max((share for share, _ in found), default=0.0)
    return [key for share, key in found if share == best]


def _tell(key: str, value: str) -> str:
    answer, replies = truth(value), phrases().replies
    if answer is None:
        return replies["tell"].format(slot=_spaced(key), value=spoken(value))
    return replies["tell_yes" if answer else "tell_no"].format(slot=_spaced(key).capitalize())


def _facts(row: Mapping[str, str]) -> str:
    pairs = [phrases().pair.format(slot=_spaced(key), value=spoken(value)) for key, value in row.items()]
    return phrases().join.join(pairs[:_MOST_FACTS])


def _spaced(key: str) -> str:
    return " ".join(tokens(key.replace("_", " "))) if not key.islower() else key.replace("_", " ").strip()
