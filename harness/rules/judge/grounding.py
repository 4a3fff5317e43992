"""Judges the values, places and names that a message states: each must be known to the conversation."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from harness.data.events import Event
from harness.data.text import alike, plain, sentences, straight, tokens
from harness.rules.judge.dialogue_state import DialogueState
from harness.rules.language.equivalence import is_kind, place
from harness.rules.language.lexicon import lexicon
from harness.rules.language.mentions import Kind, Mention

_WHAT: dict[Kind, str] = {
    "time": "time",
    "date": "date",
    "people": "number of people",
    "phone": "phone number",
    "money": "amount",
    "address": "address",
}
_REJECTS = re.compile(
    r"\b(?:not|can't|cannot|don't|won't|other|another|different|any|earlier|later|before|after|from|instead of|"
    r"than|too|did you say)\b"
)
_SPELT = re.compile(r"\b(?:hundred|thousand|million|\d+k|grand)\b")
_COMPUTED = re.compile(r"\b(?:total|less|more|cheaper|difference|altogether|each|per|save)\b")
_CHANGEABLE: tuple[Kind, ...] = ("time", "date", "people")

_WORD = r"[A-Z][\w'&.-]*[\w'&]"
_AFTER_PREPOSITION = re.compile(
    rf"\b(?:in|in the city of|at|at the|called|named|near)\s+"
    rf"((?:{_WORD})(?:\s+(?:of\s+|&\s+|the\s+|-\s+)?{_WORD}){{0,5}})"
)
_LABELLED = re.compile(
    rf"\b(?:City|Restaurant|Location|Hotel|Venue)(?: Name)?\s*\**\s*:\s*\**\s*({_WORD}(?:\s+{_WORD}){{0,5}})"
)
_MARKUP = re.compile(r"[*_`]+")


def find_quantity_error(message: str, state: DialogueState) -> str | None:
    """Return the first value of `message` that the conversation contradicts, with the line that does, else None."""
    claims, proposals = claimed(message, state), claimed(message, state, proposals=True)
    reference = state.mentions(state.reference)
    for kind in _WHAT:
        expected = [mention for mention in reference if mention.kind == kind]
        proposed = [claim for claim in proposals if claim.kind == kind]
        bare = [claim for claim in proposals if claim.kind == "number"]
        if kind in _CHANGEABLE and proposed and (reason := _outdated(kind, proposed, bare, expected, state)):
            return reason
        for claim in claims:
            if claim.kind != kind:
                continue
            if reason := _unknown(kind, claim, expected, state):
                return reason
    return None


def claimed(message: str, state: DialogueState, *, proposals: bool = False) -> list[Mention]:
    """Return the values that a message states as facts, without examples and courtesies.

    `proposals` adds those of questions such as `Shall I book it for 5 pm?`: they need not be known, but may not
    contradict what the user has just said.
    """
    found: list[Mention] = []
    known = lexicon()
    for sentence in sentences(message):
        text = plain(sentence)
        if known.open_question.search(text) or (
            not proposals and text.endswith("?") and known.hypothetical.search(text)
        ):
            continue
        mentions = state.mentions(sentence)
        if known.courtesies.search(text):
            mentions = tuple(mention for mention in mentions if mention.kind not in ("date", "time"))
        if _COMPUTED.search(text):
            mentions = tuple(mention for mention in mentions if mention.kind != "money")
        found.extend(mentions)
    return found


def _unknown(kind: Kind, claim: Mention, expected: list[Mention], state: DialogueState) -> str | None:
    """A value that neither the conversation nor the reference states is made up."""
    known = list(state.evidence(kind))
    if any(claim.agrees(mention) for mention in (*expected, *(mention for _, mention in known))):
        return None
    if _is_today(kind, claim, state) or _left_unsaid(kind, claim, state):
        return None
    says = f'says {_WHAT[kind]} "{claim.text}"'
    if known:
        return f'{says}, but {_source(known[0][0])} has "{known[0][1].text}" and nothing else says so'
    if expected:
        return f'{says}, which nobody said; the reference has "{expected[0].text}"'
    return None if kind == "people" else f"{says}, which nothing in the conversation states"


def _left_unsaid(kind: Kind, claim: Mention, state: DialogueState) -> bool:
    """Whether someone stated only the number (`make it 4`, `at 7`), or an amount in words."""
    if kind == "money":
        return any(_SPELT.search(plain(line.text)) for line in state.lines if line.kind == "user")
    numbers = claim.values
    if kind == "time":
        numbers = frozenset(value % 720 // 60 or 12 for value in claim.values if value % 60 == 0)
    elif kind != "people":
        return False
    return any(bool(numbers & mention.values) for _, mention in state.evidence("number"))


def _is_today(kind: Kind, claim: Mention, state: DialogueState) -> bool:
    """Whether a date is today, which need not be stated: services assume it where no date is given."""
    return kind == "date" and state.today.toordinal() in claim.values


def _source(line: Event) -> str:
    what = {"user": "the user's", "reply": "", "call": "the call in", "result": "the result in"}[line.kind]
    return f"{what} message {line.number}".strip()


def _outdated(
    kind: Kind, stated: list[Mention], bare: list[Mention], expected: list[Mention], state: DialogueState
) -> str | None:
    """Values that the user's last message or the reference replaced: none of the stated ones agrees with the new.

    `bare` numbers count for people: `you said 5 people and now 4`.
    """
    if any(claim.agrees(mention) for claim in stated for mention in expected):
        return None
    fresh = _fresh(kind, expected, state)
    new = frozenset().union(*(mention.values for _, mention in fresh))
    if any(claim.values & new for claim in (*stated, *(bare if kind == "people" else ()))):
        return None
    claim = stated[0]
    if fresh and fresh[0][0].kind == "user":
        line, mention = fresh[0]
        return (
            f'says {_WHAT[kind]} "{claim.text}", but the user has just said "{mention.text}" in message {line.number}'
        )
    if fresh and state.pending and state.pending.rows:
        number, mention = state.pending.number, fresh[-1][1]
        return f'says {_WHAT[kind]} "{claim.text}", but the result in message {number} has "{mention.text}"'
    if expected:
        return f'says {_WHAT[kind]} "{claim.text}", but it is "{expected[0].text}"{_where(expected[0], state)}'
    return None


def _where(mention: Mention, state: DialogueState) -> str:
    for line, known in state.evidence(mention.kind):
        if known.agrees(mention):
            return f" ({_source(line)})"
    return " (the reference)"


def _fresh(kind: Kind, expected: list[Mention], state: DialogueState) -> list[tuple[Event, Mention]]:
    """Return what the last message of the user states, or the pending result and the call that it answers.

    A time that may be morning or evening is taken as the reference takes it.
    """
    pending = state.pending
    lines = [state.lines[-2], pending] if pending and len(state.lines) > 1 else state.lines[-1:]
    found = [
        (line, mention)
        for line in lines
        for mention in state.stated(line)
        if mention.kind == kind and not (line.kind == "user" and _rejects(line.text, mention))
    ]
    return [(line, _narrowed(mention, expected)) for line, mention in found]


def _rejects(text: str, mention: Mention) -> bool:
    """Whether the sentence that states a value refuses or varies it: `not today`, `earlier than 5 pm`."""
    return any(mention.text in plain(part) and _REJECTS.search(plain(part)) for part in sentences(text))


def _narrowed(mention: Mention, expected: list[Mention]) -> Mention:
    for other in expected:
        if mention.agrees(other):
            return Mention(kind=mention.kind, values=mention.values & other.values, text=mention.text)
    return mention


def find_place_error(message: str, state: DialogueState) -> str | None:
    """Return a place or name (after `in`, `at`, `called`, or a label) that nothing in the conversation mentions."""
    known = _known(" ".join([*(line.text for line in state.lines), state.reference]))
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
