"""Infers which rows of published files belong to one conversation, from what was said in each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence

from harness.data.prefixes import Prefixes, hashable
from harness.data.records import Message

Said = tuple[tuple[str, str, tuple[tuple[str, dict[str, object]], ...]], ...]
"""Role, text and calls of each message."""
_Step = tuple[int, Hashable]
"""The number of what came before, with the role and the calls of a message."""


def said(messages: Sequence[Message]) -> Said:
    """Return what was said and called, which tells conversations apart.

    An empty text is none however it is spelled, space around a text and ids of calls do not count, and a message that
    says nothing is no message.
    """
    found = (
        (one.role, (one.content or "").strip(), tuple((call.name, call.arguments) for call in one.tool_calls))
        for one in messages
    )
    return tuple(one for one in found if one[1] or one[2])


class Conversations:
    """The conversations of a file so far, each known by the longest row of it."""

    def __init__(self) -> None:
        self._prefixes = Prefixes()
        self._lengths: list[int] = []
        self._through: dict[_Step, int] = {}
        """The newest conversation that has this step."""
        self._ending: defaultdict[_Step, list[int]] = defaultdict(list)
        """The conversations whose last step is this one."""
        self._ends: list[_Step] = []

    def name(self, messages: Said) -> str:
        """Return the conversation of a row: the newest that continues it, or that it continues; else a new one.

        What ends the shorter of both is its answer, a bare call; a log may have words beside it.
        """
        before = self._prefixes.of(messages)
        steps = [(number, hashable((role, calls))) for number, (role, _, calls) in zip(before, messages, strict=False)]
        end = steps[-1]
        fitting = [max(self._ending[step]) for step in steps if self._ending.get(step)]
        position = max([*fitting, self._through.get(end, -1)])
        if position < 0:
            position = len(self._lengths)
            self._lengths.append(0)
            self._ends.append(end)
            self._ending[end].append(position)
        if len(messages) > self._lengths[position]:
            self._lengths[position] = len(messages)
            self._ending[self._ends[position]].remove(position)
            self._ends[position] = end
            self._ending[end].append(position)
            for step in steps:
                self._through[step] = max(position, self._through.get(step, -1))
        return f"conversation-{position:04d}"
