"""Replies retrieved from similar contexts, their slots filled with what this conversation knows.

For example, `It is at 12 Main Street.` is learned as `It is at {street_address:0}.`, and filled with the address of
another conversation's row.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.data.events import Event, events
from harness.data.records import Conversation, Task
from harness.data.text import tokens
from harness.data.tools import Toolbox
from harness.rules.labeler.reply_context import ContextIndex, ReplyInContext, context_at, strangers
from harness.rules.labeler.reply_phrases import compose
from harness.rules.labeler.reply_state import RELATIVE_DAYS, ReplyState, forms, reply_state, scalars
from harness.rules.labeler.response_fit import find_out_of_context
from harness.rules.language.equivalence import truth

_TRUSTED = 0.3
"""Replies with a higher out-of-context score are not learned from."""
_NEIGHBOURS = 16
_PER_RANK = 0.01
_SAME_ACT = 0.6
"""A reply that can be filled is preferred if it has at least this share of the best other reply's support."""
_RARE = 3
"""Words in fewer replies than this are taken to be specific to one conversation."""
_SLOT = re.compile(r"\{([^{}]+):(\d)\}")
_MANY = 100
_COUNT = "#"
_SHORT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyTemplate:
    """A trusted reply with slots, and where it stood."""

    place: ReplyInContext
    text: str | None
    """Values as `{key:form}`; None where it says something that no slot accounts for."""
    flags: Mapping[str, str]
    """Yes/no fields of the row under discussion that the reply may be about."""

    def fill(self, known: ReplyState) -> str | None:
        """Return the reply with this conversation's values; None where one is missing, or the reply may be untrue."""
        if self.text is None or any(known.row.get(key) != value for key, value in self.flags.items()):
            return None
        values: list[str] = []
        for key, form in _SLOT.findall(self.text):
            value = str(len(known.rows)) if key == _COUNT and known.rows else known.facts.get(key)
            written = list(forms(value)) if value is not None else []
            if len(written) <= int(form):
                return None
            values.append(written[int(form)])
        remaining = iter(values)
        return _SLOT.sub(lambda _: next(remaining), self.text)


class Replies:
    """Replies learned from a batch."""

    def __init__(self, templates: Sequence[ReplyTemplate], toolbox: Toolbox) -> None:
        self._templates = templates
        self._toolbox = toolbox
        self._index = ContextIndex([template.place for template in templates])

    @classmethod
    def learn(
        cls,
        conversations: Sequence[Conversation],
        task: Task,
        *,
        foreign: Mapping[tuple[str, int], float] | None = None,
    ) -> Replies:
        """Return the replies of a batch that belong where they stand and say nothing that no slot accounts for.

        `foreign` are the scores of `find_out_of_context`, where they are known already.
        """
        toolbox = Toolbox(task.tools)
        scores = find_out_of_context(conversations, task) if foreign is None else foreign
        choices = frozenset(
            word
            for name in toolbox.services
            for parameter in toolbox.parameters(name).values()
            for choice in parameter.choices
            if truth(choice) is None
            for word in tokens(choice)
        )
        templates = []
        for conversation in conversations:
            sequence = events(conversation.messages, toolbox)
            for event in sequence:
                if scores.get((conversation.id, event.position), 1.0) < _TRUSTED:
                    templates.append(_template(conversation.id, sequence, event, choices, toolbox))
        return cls(_without_rare(templates), toolbox)

    def retrieve(self, conversation: Conversation, position: int) -> str:
        """Return the reply of a similar context for the message at `position`, composed where none can be filled."""
        sequence = events(conversation.messages, self._toolbox)
        text = self._nearest(
            context_at(conversation.id, sequence, position), reply_state(sequence, position, self._toolbox)
        )
        return compose(sequence, position, self._toolbox) if text is None else text

    def _nearest(self, place: ReplyInContext, known: ReplyState) -> str | None:
        """Return the reply that is most like the others among those of the most similar places; None without any."""
        near = [(self._templates[row], likeness) for row, likeness in self._index.nearest(place, _NEIGHBOURS)]
        best, most = None, 0.0
        for rank, (one, _) in enumerate(near):
            support = sum(likeness**2 * _shared(one.place, other.place) for other, likeness in near if other is not one)
            text = one.fill(known)
            score = support * (1 - _PER_RANK * rank) * (1 if text is not None else _SAME_ACT)
            if score > most:
                best, most = text, score
        return best


def _shared(one: ReplyInContext, other: ReplyInContext) -> float:
    return len(one.words & other.words) / (len(one.words | other.words) or 1)


def _template(
    id: str, sequence: Sequence[Event], event: Event, choices: frozenset[str], toolbox: Toolbox
) -> ReplyTemplate:
    """Return a reply with slots for the values known in its context."""
    known = reply_state(sequence, event.position, toolbox)
    text = event.text.replace("{", "(").replace("}", ")")
    written = [
        (form, f"{{{key}:{number}}}")
        for key, value in known.facts.items()
        if truth(value) is None
        for number, form in enumerate(forms(value))
        if len(form) > _SHORT or form.isdigit()
    ]
    if known.rows:
        written.append((str(len(known.rows)), f"{{{_COUNT}:0}}"))
    slots = {form.lower(): slot for form, slot in reversed(written)}
    if slots:
        longest_first = sorted(slots, key=len, reverse=True)
        pattern = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, longest_first)) + r")(?!\w)", re.IGNORECASE)
        text = pattern.sub(lambda match: slots[match[0].lower()], text)
    rest = _SLOT.sub(" it ", text)
    written_out: str | None = text
    if any(strangers(rest, frozenset())) or _is_about(rest, choices) or RELATIVE_DAYS & set(tokens(rest)):
        written_out = None
    flags = {key: value for key, value in scalars(known.row).items() if truth(value) is not None}
    about = {key: value for key, value in flags.items() if _is_about(rest, frozenset(tokens(key.replace("_", " "))))}
    return ReplyTemplate(place=context_at(id, sequence, event.position), text=written_out, flags=about)


def _without_rare(templates: Sequence[ReplyTemplate]) -> list[ReplyTemplate]:
    """Return the templates, those with rare words without their text."""
    bags = [frozenset(tokens(_SLOT.sub(" ", template.text or ""))) for template in templates]
    counts = Counter(word for bag in bags for word in bag)
    rare = _RARE if len(templates) > _MANY else 1
    return [
        template if all(counts[word] >= rare for word in bag) else replace(template, text=None)
        for template, bag in zip(templates, bags, strict=True)
    ]


def _is_about(text: str, words: frozenset[str]) -> bool:
    """Whether a text has one of the words, or one that begins with it."""
    long = tuple(word for word in words if len(word) > _SHORT + 1)
    return any(word in words if len(word) <= _SHORT + 1 else word.startswith(long) for word in tokens(text) if long)
