"""Judges what a message says of a row that a tool returned: flags, price level, listed values, contact details."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from harness.data.events import Event
from harness.data.text import plain, sentences, tokens
from harness.rules.judge.arguments import flag_words
from harness.rules.judge.dialogue_state import DialogueState
from harness.rules.language.equivalence import price_level
from harness.rules.language.lexicon import lexicon, words
from harness.rules.language.mentions import Kind, Mention, mention_of

_CLAUSE = re.compile(
    r"[,;|()•·/]|\b(?:but|however|although|though|while|whereas|which|yet)\b"
    r"|\band (?=(?:it|they|there|also|do|does|has|have|is|are|serves?|offers?|no)\b)"
)
_NEGATION = re.compile(r"\b(?:not|no|non|none|nor|neither|nothing|nobody|without|never|lacks?|isn't)\b|n't\b|\bnope\b")
_NO_AFTER = re.compile(
    r"[^.,;]{0,12}?(?:[:=-] ?(?:(?:no|false|none|not)\b|[❌✗✘])|\b(?:is|are)(?: not|n't)\b|\bnot (?:available|allowed|"
    r"permitted|served|included|offered|welcome|provided)\b|\b(?:unavailable|prohibited|forbidden|banned)\b)"
)
_YES_AFTER = re.compile(r"\s*[:=-] ?(?:(?:yes|true|available)\b|[✅✓✔])")
_UNSURE = re.compile(
    r"\?|\b(?:if|whether|would|could|should|looking|search|find|found|prefer|want|like|need|know|check|sure|any other|"
    r"request|requested|require|options?|match|matching|criteria|same|confirm|instead|except|apart|some|most|only|rest|others)\b"
)
_TOPIC = re.compile(
    r"^\W*(?:and |now |so )?(?:as for|as to|regarding|concerning|speaking of|when it comes to|in terms of)\b"
)
_YES_NO = re.compile(r"^(?:sorry,? |i'm sorry,? |unfortunately,? )?(?:but )?(yes|yeah|yep|no|nope)\b")
_LISTED = re.compile(r"^[\s*\d.)-]*(?P<name>[^:]{2,60}?) ?[:-] (?P<value>[\w ]{2,30})$")
_PRICE_FIELDS = ("price_range",)

Returned = list[tuple[Event, dict[str, Any]]]
"""Rows of tool results, each with the message that it stands in."""

_OWNED: tuple[Kind, ...] = ("phone", "address")
_SHORT = 3


def find_fact_error(message: str, state: DialogueState) -> str | None:
    """Return the first statement about a returned thing that its row contradicts, with the line, else None."""
    for said, focus in _with_focus(message, state):
        # In a table the heading stands apart from the mark, so that no clause of it says anything of a flag.
        if reason := (None if said.startswith("|") else _flags(said, focus, state)) or _price(said, focus, state):
            return reason
    return _listing(undotted(plain(message), state), state)


def _with_focus(message: str, state: DialogueState) -> Iterator[tuple[str, Returned]]:
    """Yield each sentence with the rows that it is about; nothing where no row is in focus."""
    text = undotted(plain(message), state)
    focus = in_focus(text, state)
    for said in sentences(text) if focus else ():
        focus = named(said, state) or focus
        yield said, focus


def undotted(text: str, state: DialogueState) -> str:
    """Return the text with names as `row_names` has them: the dot of `St. Regis` ends no sentence."""
    for name in state.names:
        if "." in name:
            text = text.replace(name, name.replace(".", ""))
    return text


def returned(state: DialogueState) -> Iterator[tuple[Event, dict[str, Any]]]:
    """Yield every row that a tool has returned, with its message, the latest result first."""
    for line in state.results:
        for row in line.rows:
            yield line, row


def row_names(row: dict[str, Any]) -> list[str]:
    """Return the names of the thing that a row is about, plain and without dots."""
    return [
        plain(value).replace(".", "")
        for key, value in row.items()
        if key.endswith(("name", "title")) and isinstance(value, str)
    ]


def mentioned(name: str, text: str) -> bool:
    """Whether a plain name stands in a plain text as whole words."""
    start = text.find(name) if name else -1
    while start >= 0:
        end = start + len(name)
        if not text[start - 1 : start].isalnum() and not text[end : end + 1].isalnum():
            return True
        start = text.find(name, start + 1)
    return False


def named(text: str, state: DialogueState) -> Returned:
    """Return the rows of the things that a text names."""
    return [(line, row) for line, row in returned(state) if any(mentioned(name, text) for name in row_names(row))]


def in_focus(text: str, state: DialogueState) -> Returned:
    """Return the rows that a message is about: those it names; those of a pending result; those named last."""
    if found := named(text, state):
        return found
    if state.pending and state.pending.rows:
        return [(state.pending, row) for row in state.pending.rows]
    for line in reversed(state.lines):
        if line.kind == "result" and line.rows:
            return [(line, row) for row in line.rows]
        if line.kind in ("reply", "call", "user") and (found := named(undotted(plain(line.text), state), state)):
            return found
    return []


def _flags(said: str, focus: Returned, state: DialogueState) -> str | None:
    for key in sorted({key for _, row in focus for key, value in row.items() if value in ("True", "False")}):
        claim = _flag_claim(said, key) if flag_words(key) else None
        if claim is None:
            claim = _short_answer(said, key, state)
        if claim is None or any(_flag_claim(plain(other), key) == claim for other in sentences(state.reference)):
            continue
        values = [(line, row[key]) for line, row in focus if row.get(key) in ("True", "False")]
        if values and all((value == "True") != claim for _, value in values):
            line, value = values[0]
            return f'says "{said[:120].strip()}", but in the result of message {line.number} {key} is {value}'
    return None


def _flag_claim(said: str, key: str) -> bool | None:
    """Return what a sentence says of a yes/no field, None if nothing, or both."""
    pattern = words(flag_words(key))
    claims = set()
    for clause in _clauses(said):
        match = pattern.search(clause)
        if match is None or _TOPIC.match(clause):
            continue
        if _UNSURE.search(clause) or said.endswith("?"):
            return None
        negated = _NEGATION.search(clause, 0, match.start()) or _NO_AFTER.match(clause, match.end())
        negated = None if _YES_AFTER.match(clause, match.end()) else negated
        claims.add(not negated)
    return claims.pop() if len(claims) == 1 else None


def _clauses(said: str) -> list[str]:
    return [clause for clause in _CLAUSE.split(said) if clause.strip()]


def _short_answer(said: str, key: str, state: DialogueState) -> bool | None:
    """Return what a bare yes or no says of the one field that the user has just asked about."""
    asked = state.asked
    answer = _YES_NO.match(said)
    if answer is None or asked is None or asked.number < len(state.lines) or not flag_words(key):
        return None
    if len(said.split()) > 4:
        return None
    questions = [plain(sentence) for sentence in sentences(asked.text) if sentence.endswith("?")]
    if len(questions) != 1 or not words(flag_words(key)).search(questions[0]):
        return None
    return answer[1] in ("yes", "yeah", "yep")


def _price(said: str, focus: Returned, state: DialogueState) -> str | None:
    if said.endswith("?"):
        return None
    stated = [clause for clause in _clauses(said) if not (_NEGATION.search(clause) or _UNSURE.search(clause))]
    levels = {level for clause in stated for level in _levels(clause)}
    rows = [(line, str(row[key])) for line, row in focus for key in _PRICE_FIELDS if key in row]
    known = {level for _, value in rows if (level := price_level(value)) is not None}
    if not levels or not known or levels & (known | _levels(plain(state.reference))):
        return None
    line, value = rows[0]
    return f'says "{said[:120].strip()}", but in the result of message {line.number} the price range is {value}'


def _levels(text: str) -> set[int]:
    return {level for level, entries in enumerate(lexicon().price_levels) if words(entries).search(text)}


def _listing(text: str, state: DialogueState) -> str | None:
    """`prices: Golden Wok - cheap, Seapot - True`: under a heading that names a field, values must be that field's."""
    heading, colon, rest = text.partition(":")
    if not colon:
        return None
    rows = {name: (line, row) for line, row in returned(state) for name in row_names(row)}
    keys = [
        key for key in _PRICE_FIELDS if re.search(rf"\b{key.split('_')[0]}s?\b", heading[heading.rfind("\n") + 1 :])
    ]
    for item in re.split(r"[,.\n] ?", rest) if keys and rows else ():
        match = _LISTED.match(item)
        found = rows.get(match["name"].strip()) if match else None
        if match and found and keys[0] in found[1] and not _same_level(match["value"], str(found[1][keys[0]])):
            line, row = found
            return f'lists "{item.strip()}", but in the result of message {line.number} it is {row[keys[0]]}'
    return None


def _same_level(one: str, other: str) -> bool:
    return one.strip() == plain(other) or (price_level(one) is not None and price_level(one) == price_level(other))


def find_contact_error(message: str, state: DialogueState) -> str | None:
    """Return the first phone number or address that belongs to another entity than the one the message is about, else
    None."""
    reference = state.mentions(state.reference)
    for said, focus in _with_focus(message, state):
        for claim in state.mentions(said):
            if claim.kind not in _OWNED or any(claim.agrees(mention) for mention in reference):
                continue
            if reason := _of_another(claim, said, focus, state):
                return reason
    return None


def _of_another(claim: Mention, said: str, focus: Returned, state: DialogueState) -> str | None:
    own = list(_values(claim.kind, focus, state))
    if not own or any(claim.agrees(mention) for _, mention in own):
        return None
    spoken = set(tokens(said))
    for line, row in returned(state):
        # A shortened name is still a name: `the Olive Garden` of `Olive Garden Italian Kitchen`.
        if any(len(word) > _SHORT and word in spoken for name in row_names(row) for word in tokens(name)):
            continue
        if any(claim.agrees(mention) for _, mention in _values(claim.kind, [(line, row)], state)):
            return (
                f'says "{claim.text}", which message {line.number} gives for another one; '
                f'here it is "{own[0][1].text}" (message {own[0][0]})'
            )
    return None


def _values(kind: Kind, rows: Returned, state: DialogueState) -> Iterator[tuple[int, Mention]]:
    """Yield the number of the message and the value of each field of a kind."""
    for line, row in rows:
        for key, value in row.items():
            mention = mention_of(key, value, state.today)
            if mention is not None and mention.kind == kind:
                yield line.number, mention
