"""Judges the times, dates, numbers of people, phone numbers, amounts and addresses that a message states."""

from __future__ import annotations

import re

from harness.data.text import plain, sentences
from harness.rules.judge.scene import JudgeScene, SceneLine
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


def fault_in_quantities(message: str, scene: JudgeScene) -> str | None:
    """Return the first value of `message` that the conversation contradicts, with the line that does, else None."""
    claims, proposals = claimed(message, scene), claimed(message, scene, proposals=True)
    reference = scene.mentions(scene.reference)
    for kind in _WHAT:
        expected = [mention for mention in reference if mention.kind == kind]
        proposed = [claim for claim in proposals if claim.kind == kind]
        bare = [claim for claim in proposals if claim.kind == "number"]
        if kind in _CHANGEABLE and proposed and (reason := _outdated(kind, proposed, bare, expected, scene)):
            return reason
        for claim in claims:
            if claim.kind != kind:
                continue
            if reason := _unknown(kind, claim, expected, scene):
                return reason
    return None


def claimed(message: str, scene: JudgeScene, *, proposals: bool = False) -> list[Mention]:
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
        mentions = scene.mentions(sentence)
        if known.courtesies.search(text):
            mentions = tuple(mention for mention in mentions if mention.kind not in ("date", "time"))
        if _COMPUTED.search(text):
            mentions = tuple(mention for mention in mentions if mention.kind != "money")
        found.extend(mentions)
    return found


def _unknown(kind: Kind, claim: Mention, expected: list[Mention], scene: JudgeScene) -> str | None:
    """A value that neither the conversation nor the reference states is made up."""
    known = list(scene.evidence(kind))
    if any(claim.agrees(mention) for mention in (*expected, *(mention for _, mention in known))):
        return None
    if _is_today(kind, claim, scene) or _left_unsaid(kind, claim, scene):
        return None
    says = f'says {_WHAT[kind]} "{claim.text}"'
    if known:
        return f'{says}, but {_source(known[0][0])} has "{known[0][1].text}" and nothing else says so'
    if expected:
        return f'{says}, which nobody said; the reference has "{expected[0].text}"'
    return None if kind == "people" else f"{says}, which nothing in the conversation states"


def _left_unsaid(kind: Kind, claim: Mention, scene: JudgeScene) -> bool:
    """Whether someone said the number alone (`make it 4`, `at 7`), or an amount in words."""
    if kind == "money":
        return any(_SPELT.search(plain(line.text)) for line in scene.lines if line.speaker == "user")
    numbers = claim.values
    if kind == "time":
        numbers = frozenset(value % 720 // 60 or 12 for value in claim.values if value % 60 == 0)
    elif kind != "people":
        return False
    return any(bool(numbers & mention.values) for _, mention in scene.evidence("number"))


def _is_today(kind: Kind, claim: Mention, scene: JudgeScene) -> bool:
    """Whether a date is today, which needs not be said: services take it where no date is given."""
    return kind == "date" and scene.today.toordinal() in claim.values


def _source(line: SceneLine) -> str:
    what = {"user": "the user's", "agent": "", "call": "the call in", "result": "the result in"}[line.speaker]
    return f"{what} message {line.number}".strip()


def _outdated(
    kind: Kind, stated: list[Mention], bare: list[Mention], expected: list[Mention], scene: JudgeScene
) -> str | None:
    """Values that the user's last message or the reference replaced: none of the stated ones agrees with the new.

    `bare` numbers count for people: `you said 5 people and now 4`.
    """
    if any(claim.agrees(mention) for claim in stated for mention in expected):
        return None
    fresh = _fresh(kind, expected, scene)
    new = frozenset().union(*(mention.values for _, mention in fresh))
    if any(claim.values & new for claim in (*stated, *(bare if kind == "people" else ()))):
        return None
    claim = stated[0]
    if fresh and fresh[0][0].speaker == "user":
        line, mention = fresh[0]
        return (
            f'says {_WHAT[kind]} "{claim.text}", but the user has just said "{mention.text}" in message {line.number}'
        )
    if fresh and scene.pending and scene.pending.rows:
        number, mention = scene.pending.number, fresh[-1][1]
        return f'says {_WHAT[kind]} "{claim.text}", but the result in message {number} has "{mention.text}"'
    if expected:
        return f'says {_WHAT[kind]} "{claim.text}", but it is "{expected[0].text}"{_where(expected[0], scene)}'
    return None


def _where(mention: Mention, scene: JudgeScene) -> str:
    for line, known in scene.evidence(mention.kind):
        if known.agrees(mention):
            return f" ({_source(line)})"
    return " (the reference)"


def _fresh(kind: Kind, expected: list[Mention], scene: JudgeScene) -> list[tuple[SceneLine, Mention]]:
    """Return what the last message of the user states, or the pending result and the call that it answers.

    A time that may be morning or evening is taken as the reference takes it.
    """
    pending = scene.pending
    lines = [scene.lines[-2], pending] if pending and len(scene.lines) > 1 else scene.lines[-1:]
    found = [
        (line, mention)
        for line in lines
        for mention in scene.stated(line)
        if mention.kind == kind and not (line.speaker == "user" and _rejects(line.text, mention))
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
