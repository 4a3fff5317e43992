"""What speaks for the arguments of a service call: the rows returned, and what was said and returned around it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from harness.data.events import Event
from harness.data.tools import Toolbox
from harness.rules.labeler.scenes import LabelerTurn, constants
from harness.rules.labeler.wording import Mention, Wording, words_of

Outcome = tuple[str, str, str, str]
"""Tool, parameter, how its value (or its absence) agrees with the rows returned, and who stated it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A service call whose tool is known."""

    turn: LabelerTurn
    tool: str
    known: Mapping[str, str]
    """What all rows returned agree on."""


class CallEvidence:
    """The evidence for the calls of a batch."""

    def __init__(self, wording: Wording, toolbox: Toolbox) -> None:
        self._wording, self._toolbox = wording, toolbox
        self._sources: dict[tuple[int, int], dict[str, dict[str, Mention]]] = {}

    def sources(self, call: Call) -> dict[str, dict[str, Mention]]:
        """Return, by parameter and source (see `weights.SOURCES`), the value that the source gives."""
        found = self._sources.get(call.turn.key)
        if found is None:
            found = self._sources[call.turn.key] = {
                key: {source: mention for source, mention in self._sources_of(call, key) if mention}
                for key in self._toolbox.parameters(call.tool)
            }
        return found

    def outcomes(self, call: Call, arguments: Mapping[str, str]) -> list[Outcome]:
        """Return how arguments, values as text, agree with the evidence: one outcome for each parameter of the tool."""
        return [
            (call.tool, key, *self._outcome(call, key, arguments.get(key)))
            for key in self._toolbox.parameters(call.tool)
        ]

    def said(self, call: Call, key: str, value: str) -> str:
        """Return who stated a value before the turn: the user, only the agent, or nobody."""
        who = "nobody"
        for event in call.turn.scene.said_before(call.turn.position):
            if self._wording.states(key, value, event.text):
                if event.kind == "user":
                    return "user"
                who = "agent"
        return who

    def _outcome(self, call: Call, key: str, value: str | None) -> tuple[str, str]:
        row = call.known.get(key)
        if value is None:
            return "absent", self.said(call, key, row) if row is not None else "unknown"
        agrees = "nothing" if row is None else "same" if row == value else "other"
        return agrees, self.said(call, key, value)

    def _sources_of(self, call: Call, key: str) -> Iterator[tuple[str, Mention]]:
        scene, position = call.turn.scene, call.turn.position
        known = (call.known[key],) if key in call.known else ()
        yield "row", known
        yield "rows", known if len(call.turn.rows) > 1 else ()
        last: Mention = ()
        seen: set[str] = set()
        for number, event in enumerate(scene.said_before(position)):
            mentions = self._wording.find(key, event.text)
            if not mentions:
                continue
            who = "user" if event.kind == "user" else "agent"
            last = last or mentions[-1]
            if who == "agent" and number <= 1:
                yield "question", mentions[-1]
            if who not in seen:
                seen.add(who)
                yield who, mentions[-1]
        yield "last", last
        yield "past", _returned(key, reversed(scene.events[:position]))
        yield "later", _returned(key, scene.events[position + 2 :])
        usual = self._wording.usual(key)
        yield "usual", (usual,) if usual is not None else ()


def user_words(call: Call) -> frozenset[str]:
    """Return the words that the user said before a call."""
    said = call.turn.scene.said_before(call.turn.position)
    return frozenset(word for event in said if event.kind == "user" for word in words_of(event.text))


def _returned(key: str, events: Iterable[Event]) -> Mention:
    """Return the value on which all rows of the first such result agree."""
    for event in events:
        if event.kind == "result" and key in (known := constants(event.rows)):
            return (known[key],)
    return ()
