"""Judges whose phone number or address a message gives: that of the thing it speaks of, not of another one."""

from __future__ import annotations

from collections.abc import Iterator

from harness.data.text import plain, sentences, tokens
from harness.rules.judge.facts import Returned, in_focus, named, returned, row_names, undotted
from harness.rules.judge.scene import JudgeScene
from harness.rules.language.mentions import Kind, Mention, mention_of

_OWNED: tuple[Kind, ...] = ("phone", "address")
_SHORT = 3


def fault_in_owners(message: str, scene: JudgeScene) -> str | None:
    """Return the first number or address that belongs to another thing than the one spoken of, else None."""
    text = undotted(plain(message), scene)
    focus = in_focus(text, scene)
    reference = scene.mentions(scene.reference)
    for said in sentences(text) if focus else ():
        focus = named(said, scene) or focus
        for claim in scene.mentions(said):
            if claim.kind not in _OWNED or any(claim.agrees(mention) for mention in reference):
                continue
            if reason := _of_another(claim, said, focus, scene):
                return reason
    return None


def _of_another(claim: Mention, said: str, focus: Returned, scene: JudgeScene) -> str | None:
    own = list(_values(claim.kind, focus, scene))
    if not own or any(claim.agrees(mention) for _, mention in own):
        return None
    spoken = set(tokens(said))
    for line, row in returned(scene):
        # A shortened name is still a name: `the Olive Garden` of `Olive Garden Italian Kitchen`.
        if any(len(word) > _SHORT and word in spoken for name in row_names(row) for word in tokens(name)):
            continue
        if any(claim.agrees(mention) for _, mention in _values(claim.kind, [(line, row)], scene)):
            return (
                f'says "{claim.text}", which message {line.number} gives for another one; '
                f'here it is "{own[0][1].text}" (message {own[0][0]})'
            )
    return None


def _values(kind: Kind, rows: Returned, scene: JudgeScene) -> Iterator[tuple[int, Mention]]:
    """Yield the number of the message and the value of each field of a kind."""
    for line, row in rows:
        for key, value in row.items():
            mention = mention_of(key, value, scene.today)
            if mention is not None and mention.kind == kind:
                yield line.number, mention
