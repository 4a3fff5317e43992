"""What the agent was told, from the system messages of traces: the most frequent kind, and what differs within it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from harness.data.records import Conversation

DRAFT = "Draft, to be replaced by what your agent is told."
"""How the description begins that is written where traces do not say what the agent was told."""
VARIES = "[varies]"
"""What stands where system messages of one kind differ: a date, the name of a user."""
_MOST_WORDINGS = 200
"""Texts of one kind that are counted one by one."""
_COMPARED, _LONGEST = 12, 30_000
"""Wordings of one kind that are compared word by word, and characters up to which they are."""
_MOST_PAIRS = 4_000_000
"""Pairs of words that are compared with each other in one place."""
_ALIKE = 0.6
"""Share of words from which two system messages are the same one with something filled in."""
_MOST_KINDS = 20
_WORD = re.compile(r"\s+|\w(?:[\w@./:+'-]*\w)?|[^\w\s]")
"""A date, a time or an address is one word: what differs of it makes it another one."""
_NAMED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDescription:
    """The task's description, and what it was made from."""

    text: str
    draft: bool
    """Whether no trace says what the agent was told."""
    seen: int = 0
    """Conversations with a system message of the kind that was taken."""
    wordings: int = 0
    """Different texts of that kind; beyond 200, one that comes again counts again."""
    varies: int = 0
    """Places where they differ."""
    other_kinds: int = 0
    other_seen: int = 0
    """Conversations with system messages of other kinds: other agents, probably."""
    without: int = 0
    """Conversations without any."""


@dataclass(slots=True)
class _Kind:
    """System messages that are much the same."""

    bag: Counter[str]
    """Words of the first one."""
    seen: int = 0
    texts: Counter[str] = field(default_factory=Counter)
    """The first wordings -> conversations."""
    wordings: int = 0

    def is_alike(self, bag: Counter[str]) -> bool:
        return (bag & self.bag).total() >= _ALIKE * max(bag.total(), self.bag.total())

    def add(self, text: str) -> None:
        self.seen += 1
        if text in self.texts or len(self.texts) < _MOST_WORDINGS:
            self.wordings += text not in self.texts
            self.texts[text] += 1
        else:
            self.wordings += 1


class SystemTally:
    """The system messages of traces, counted row by row."""

    def __init__(self) -> None:
        self._kinds: list[_Kind] = []
        self._of_text: dict[str, _Kind] = {}
        self._without = self._beyond = 0

    def add(self, conversation: Conversation, system: str | None = None) -> None:
        """Count what the agent was told in one conversation: its system messages, else `system`, said beside them."""
        said = [one.content.strip() for one in conversation.messages if one.role == "system" and one.content]
        text = "\n\n".join(filter(None, said)) or (system or "").strip()
        kind = self._kind(text) if text else None
        if kind is not None:
            kind.add(text)
        elif text:
            self._beyond += 1
        else:
            self._without += 1

    def _kind(self, text: str) -> _Kind | None:
        """Return the kind that a text is of, a new one where it is like none; None where there are too many."""
        if (known := self._of_text.get(text)) is not None:
            return known
        bag = Counter(text.split())
        kind = next((one for one in self._kinds if one.is_alike(bag)), None)
        if kind is None and len(self._kinds) < _MOST_KINDS:
            kind = _Kind(bag)
            self._kinds.append(kind)
        if kind is not None and len(kind.texts) < _MOST_WORDINGS:
            self._of_text[text] = kind
        return kind

    def description(self, tools: Sequence[str]) -> FoundDescription:
        """Return the description: what the most frequent kind has in common, else a draft that names the tools."""
        if not self._kinds:
            return FoundDescription(text=_draft(tools), draft=True, without=self._without)
        best = max(self._kinds, key=lambda kind: kind.seen)
        text, varies = _common([text for text, _ in best.texts.most_common()])
        return FoundDescription(
            text=text,
            draft=False,
            seen=best.seen,
            wordings=best.wordings,
            varies=varies,
            other_kinds=len(self._kinds) - 1,
            other_seen=sum(kind.seen for kind in self._kinds) - best.seen + self._beyond,
            without=self._without,
        )


def _common(texts: Sequence[str]) -> tuple[str, int]:
    """Return what the texts have in common, with `VARIES` where they differ, and at how many places they do."""
    compared = [text for text in texts[:_COMPARED] if len(text) <= _LONGEST]
    if len(compared) < 2:
        return texts[0], 0
    common = _WORD.findall(compared[0])
    for text in compared[1:]:
        common = _shared(common, _WORD.findall(text))
    return "".join(common), common.count(VARIES)


def _shared(common: list[str], words: list[str]) -> list[str]:
    found: list[str] = []
    # Frequent words make a comparison of all with all quadratic, so rarer ones anchor it; what lies between is short.
    for kind, start, end, other, other_end in SequenceMatcher(None, common, words).get_opcodes():
        if kind == "replace" and (end - start) * (other_end - other) <= _MOST_PAIRS:
            found += _aligned(common[start:end], words[other:other_end])
        else:
            found += common[start:end] if kind == "equal" else [VARIES]
    return _merged(found)


def _aligned(common: list[str], words: list[str]) -> Iterator[str]:
    for kind, start, end, _, _ in SequenceMatcher(None, common, words, autojunk=False).get_opcodes():
        yield from common[start:end] if kind == "equal" else [VARIES]


def _merged(words: list[str]) -> list[str]:
    """Return the words with places that vary joined where only spaces or marks, as in dates, lie between them."""
    found: list[str] = []
    for word in words:
        if word == VARIES and VARIES in found:
            last = len(found) - 1 - found[::-1].index(VARIES)
            if not any(one.isalnum() or "\n" in one for one in found[last + 1 :]):
                del found[last + 1 :]
                continue
        found.append(word)
    return found


def _draft(tools: Sequence[str]) -> str:
    named = ", ".join(tools[:_NAMED]) + (", and others" if len(tools) > _NAMED else "")
    acts = f" You act through tools ({named})." if named else ""
    return f"{DRAFT} You are an assistant that helps its users.{acts} Ask for what is missing, and make nothing up."
