"""Judges what a message says of a booking (made, refused, still to be made) and of a search (found, how many)."""

from __future__ import annotations

import re

from harness.data.events import Event
from harness.data.text import plain, sentences
from harness.rules.judge.dialogue_state import DialogueState, changes_something, only_finds
from harness.rules.language.equivalence import same_value
from harness.rules.language.lexicon import lexicon
from harness.rules.language.mentions import mention_of

_AVAILABLE = re.compile(r"\b(?:is|are|there's|there is|they have|have) (?:\w+ ){0,3}?(?:available|availability)\b")
_UNCERTAIN = re.compile(
    r"\b(?:if|once|when|before|until|to be|will be|would be|please confirm|shall|should|could|confirm that|"
    r"correct|right|want|like me to|ready|not|n't|whether|after)\b|n't\b|\bno\b|\bunable\b|\bfailed\b"
)
_FOUND_COUNT = re.compile(
    r"\b(?:found|there (?:are|is)|there're|i have|i see|located) (?:about |a total of |you )?(\d{1,2}) "
    r"(?!minutes|hours|days|nights|people|stops?|stars?|dollars|seats?|tickets?|rooms?|tables?|reservations?)"
    r"(?:[\w-]+ ){0,4}?(restaurants|places|options|results|hotels|events|flights|movies|matches|"
    r"dentists|doctors|salons|stylists|songs|buses|cars|properties|apartments|that (?:match|meet|fit|you))\b"
)
_FULL_PAGE = 10


def find_booking_error(message: str, state: DialogueState) -> str | None:
    """Return the claim about a booking or a search that the tools' results contradict, with the line, else None."""
    said = [plain(sentence) for sentence in sentences(message)]
    asking = any(lexicon().says("asks_to_confirm", text) for text in said)
    booked = None if asking else next((words for text in said if (words := _booked(text))), None)
    refused = _first("refused", said)
    return (
        _against_result(said, booked, refused, state)
        or _without_result(booked, state)
        or _against_reference(said, booked, refused, state)
        or _search(said, state)
        or _availability(said, state)
    )


def _first(what: str, said: list[str]) -> str | None:
    """Return the words by which the first such sentence says `what`, see `Lexicon.says`."""
    return next((words for text in said if (words := lexicon().says(what, text))), None)


def _booked(text: str) -> str | None:
    """Return the words by which a sentence says that a booking is made, None if it does not or only asks."""
    words = lexicon().says("booked", text)
    if words is None or text.endswith("?") or lexicon().says("refused", text) or _UNCERTAIN.search(text):
        return None
    return words


def _against_result(said: list[str], booked: str | None, refused: str | None, state: DialogueState) -> str | None:
    """Check the pending result of a booking: rows mean that it was made, none that it was not.

    A service that cannot book as requested may return what it can book: where the row differs from the call, the
    reference says which of the two it is.
    """
    line = state.pending
    if line is None or not changes_something(line):
        return None
    if line.rows and not _as_asked(line, state) and not _reference_says("booked", state):
        return None
    if not line.rows:
        return f'says "{booked}", but message {line.number} returns nothing: the booking failed' if booked else None
    if booked:
        return None
    made = f"but message {line.number} returns the booking, so it was made"
    if refused and not _reference_says("refused", state):
        return f'says "{refused}", {made}'
    asks = [text for text in said if not lexicon().other_value.search(text)]
    still = _first("still_to_book", asks)
    return f'says "{still}", {made}' if still and not _reference_says("still_to_book", state) else None


def _as_asked(line: Event, state: DialogueState) -> bool:
    """Whether a result has what its call asked for: no argument with another value."""
    asked = line.call.arguments if line.call else {}
    return any(
        all(same_value(key, row[key], value, state.today) for key, value in asked.items() if key in row)
        for row in line.rows
    )


def _without_result(booked: str | None, state: DialogueState) -> str | None:
    """A booking that is said to be made needs a result with rows from a tool that books."""
    if booked is None or _reference_says("booked", state):
        return None
    attempts = [line for line in state.results if changes_something(line)]
    pending = state.pending
    if any(line.rows for line in attempts) or (pending and pending.rows and not only_finds(pending)):
        return None
    where = f"message {attempts[0].number} returns nothing" if attempts else "no tool has booked anything so far"
    return f'says "{booked}", but {where}'


def _against_reference(said: list[str], booked: str | None, refused: str | None, state: DialogueState) -> str | None:
    """Where the reference has to report a refusal, going ahead with the booking contradicts it."""
    if state.pending is None or refused or not _reference_says("refused", state):
        return None
    ahead = booked or _first("will_book", said)
    if ahead is None or (not booked and (_reference_says("will_book", state) or _offers_another(said, state))):
        return None
    return (
        f'says "{ahead}", but after the result in message {state.pending.number} the booking is not possible as asked'
    )


def _offers_another(said: list[str], state: DialogueState) -> bool:
    """Whether a message names the time that the result has instead of the requested one."""
    row = state.pending.rows[0] if state.pending and state.pending.rows else {}
    free = [mention for key, value in row.items() if (mention := mention_of(key, value, state.today))]
    named = [mention for text in said for mention in state.mentions(text) if mention.kind == "time"]
    return any(mention.agrees(time) for mention in free for time in named)


def _reference_says(what: str, state: DialogueState) -> bool:
    text = plain(state.reference)
    if what == "booked":
        return any(_booked(plain(sentence)) for sentence in sentences(state.reference))
    return lexicon().says(what, text) is not None


def _search(said: list[str], state: DialogueState) -> str | None:
    """Check the pending result of a search: whether there is anything, and how many."""
    line = state.pending
    if line is None or changes_something(line):
        return None
    if line.rows:
        nothing = _first("found_nothing", said)
        if nothing and not _reference_says("found_nothing", state) and not _reference_says("refused", state):
            return f'says "{nothing}", but message {line.number} returns {len(line.rows)}'
        return _count(said, line, state)
    if any(lexicon().says("found_nothing", text) or lexicon().says("refused", text) for text in said):
        return None
    some = _first("found_some", said)
    return f'says "{some}", but message {line.number} returns nothing' if some else None


def _count(said: list[str], line: Event, state: DialogueState) -> str | None:
    named = _named(line, " ".join(said))
    for text in said:
        match = _FOUND_COUNT.search(state.without_names(text))
        if match is None:
            continue
        count, returned = int(match[1]), len(line.rows)
        reference = _FOUND_COUNT.search(plain(state.reference))
        if count == returned or (count > returned >= _FULL_PAGE) or (reference and int(reference[1]) == count):
            continue
        if count < returned and count == len(named):
            continue
        return f'says "{match[0]}", but message {line.number} returns {returned}'
    return None


def _named(line: Event, text: str) -> set[str]:
    names = (plain(str(value)) for row in line.rows for key, value in row.items() if key.endswith(("name", "title")))
    return {name for name in names if name in text}


def _availability(said: list[str], state: DialogueState) -> str | None:
    """A time that is said to be available must be one that a tool returned."""
    for text in said:
        match = _AVAILABLE.search(text)
        if match is None or text.endswith("?") or _UNCERTAIN.search(text):
            continue
        times = [mention for mention in state.mentions(text) if mention.kind == "time"]
        known = [mention for line, mention in state.evidence("time") if line.kind == "result"]
        known += (
            [mention for mention in state.mentions(state.reference) if mention.kind == "time"]
            if _AVAILABLE.search(plain(state.reference))
            else []
        )
        free = [time for time in times if not any(time.agrees(other) for other in known)]
        if free:
            return f'says "{free[0].text}" is available, but no result shows it'
    return None
