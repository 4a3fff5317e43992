"""The dialogue state when a prediction is made: who said which values, and what the tools returned."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, lru_cache
from typing import Any

from harness.data.events import Event
from harness.data.formats.json_texts import as_value
from harness.data.records import Case, Message, Task, ToolCall
from harness.data.text import plain
from harness.rules.language.equivalence import show
from harness.rules.language.lexicon import first_verb, is_lookup, lexicon
from harness.rules.language.mentions import Kind, Mention, find_mentions, mention_of

_NAME_ENDINGS = ("name", "title", "artist", "album", "venue", "track", "place_name")
_ISO = re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)")
_TODAY_IN_RUBRIC = re.compile(r"today\W+(?:\w+\W+){0,3}?(\d{4}-\d{2}-\d{2})", re.IGNORECASE)
_YEARS = (1900, 2200)
"""Other years are no dates that a conversation is held on."""
_RELATIVE = {"today": 0, "tonight": 0, "tomorrow": 1, "day after tomorrow": 2}
_RELATIVE_WORDS = re.compile(r"\b(day after tomorrow|tomorrow|today|tonight)\b")


def changes_something(line: Event) -> bool:
    """Whether a call (or the one that a result answers) does more than look up, by the first word of its name."""
    return line.call is not None and not is_lookup(line.call.name)


def only_finds(line: Event) -> bool:
    """Whether it certainly changes nothing: `GetRide` may book, `FindRestaurants` does not."""
    return line.call is not None and first_verb(line.call.name) in lexicon().lookup_verbs - lexicon().doubtful_verbs


def message_text(call: ToolCall) -> str | None:
    """Return the text of a call to the user (its only argument holds a message), None for a service call."""
    if len(call.arguments) != 1:
        return None
    key, value = next(iter(call.arguments.items()))
    return value if isinstance(value, str) and key.lower() in lexicon().message_arguments else None


@dataclass(frozen=True, kw_only=True)
class DialogueState:
    """The conversation before a prediction, and the reference's own statements. No slots: it caches what it derives."""

    lines: tuple[Event, ...]
    """Messages as evidence, several of one message with several calls. The call of a result is the one it answers, and
    its rows are empty where the service failed or found nothing."""
    reference: str
    """The text of the reference message, empty for a service call."""
    today: date

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of things in calls and results, plain, longest first."""
        found = {
            plain(value)
            for line in self.lines
            for fields in (*line.rows, line.call.arguments if line.call else {})
            for key, value in fields.items()
            if isinstance(value, str) and key.endswith(_NAME_ENDINGS)
        }
        return tuple(sorted((name for name in found if len(name) > 1), key=lambda name: (-len(name), name)))

    @cached_property
    def _numbered(self) -> tuple[str, ...]:
        """The names with digits in them, which are no values: `Kingston 11`."""
        return tuple(name for name in self.names if any(char.isdigit() for char in name))

    @cached_property
    def _stated(self) -> dict[int, tuple[Mention, ...]]:
        return {id(line): self._read(line) for line in self.lines}

    def stated(self, line: Event) -> tuple[Mention, ...]:
        """Return the values that a line states."""
        return self._stated[id(line)]

    def _read(self, line: Event) -> tuple[Mention, ...]:
        if line.kind in ("user", "reply"):
            return self.mentions(line.text)
        fields = line.rows if line.kind == "result" else ((line.call.arguments,) if line.call else ())
        pairs = ((key, value) for row in fields for key, value in row.items())
        return tuple(found for key, value in pairs if (found := mention_of(key, value, self.today)))

    def mentions(self, text: str) -> tuple[Mention, ...]:
        """Return the values that another text states, read as this conversation reads them."""
        return find_mentions(text, self.today, self._numbered)

    def evidence(self, kind: Kind) -> Iterator[tuple[Event, Mention]]:
        """Yield what was stated of a kind, the latest first."""
        for line in reversed(self.lines):
            for mention in self.stated(line):
                if mention.kind == kind:
                    yield line, mention

    def without_names(self, text: str) -> str:
        """Return plain text with names that hold digits blanked, so that `8 Immortals Restaurant` counts nothing."""
        for name in self._numbered:
            text = text.replace(name, " " * len(name))
        return text

    @property
    def pending(self) -> Event | None:
        """The result that the prediction answers to, if it does."""
        return self.lines[-1] if self.lines and self.lines[-1].kind == "result" else None

    @property
    def asked(self) -> Event | None:
        """What the user said last."""
        return next((line for line in reversed(self.lines) if line.kind == "user"), None)

    @property
    def results(self) -> list[Event]:
        """All results, the latest first."""
        return [line for line in reversed(self.lines) if line.kind == "result"]


def dialogue_state(case: Case, task: Task | None) -> DialogueState:
    """Return what is known at the case's turn. Never raises, whatever the messages hold."""
    lines = tuple(_lines(case.prefix))
    reference = message_text(case.reference) or ""
    return DialogueState(lines=lines, reference=reference, today=_today(lines, case.reference, task))


def _lines(prefix: tuple[Message, ...]) -> Iterator[Event]:
    open_call: ToolCall | None = None
    for position, message in enumerate(prefix):
        if message.role == "assistant":
            open_call = None
            if message.content:
                yield Event(position=position, kind="reply", text=message.content)
            for call in message.tool_calls:
                said = message_text(call)
                open_call = call if said is None else open_call
                text = _dump(call) if said is None else said
                yield Event(position=position, kind="call" if said is None else "reply", text=text, call=open_call)
        elif message.role != "system":
            text = message.content or ""
            rows = _rows(text) if open_call or message.role == "tool" else None
            if rows is None:
                yield Event(position=position, kind="user", text=text)
            else:
                yield Event(position=position, kind="result", text=text, call=open_call, rows=rows)
            open_call = None


def _dump(call: ToolCall) -> str:
    """Return the values of a call's arguments as one text."""
    return "; ".join(show(value) for value in call.arguments.values())


@lru_cache(maxsize=1024)
def _rows(text: str) -> tuple[dict[str, Any], ...] | None:
    """Return the rows of a tool result, None for text that is none."""
    value = as_value(text)
    if value is None:
        return None
    value = value if isinstance(value, list) else [value]
    return tuple({key: _plain_value(field) for key, field in row.items()} for row in value if isinstance(row, dict))


def _plain_value(field: Any) -> Any:
    """Return a field as services write it: numbers and flags as text (`"True"`)."""
    return str(field) if isinstance(field, bool | int | float) else field


def _today(lines: tuple[Event, ...], reference: ToolCall, task: Task | None) -> date:
    """Return the day that `today` means.

    The rubric's, if it says; else the lexicon's, if the dates of the conversation allow it; else the day that makes
    the last relative date before a call equal to the call's; else the earliest day that is named.
    """
    said = _TODAY_IN_RUBRIC.search(task.rubric) if task and task.rubric else None
    if said and (day := _parse(said[1])):
        return day
    texts = [*(line.text for line in lines), _dump(reference)]
    days = sorted(day for text in texts for match in _ISO.findall(text) if (day := _parse(match)))
    usual = lexicon().today
    if not days or (usual <= days[0] and days[-1] < usual + timedelta(days=366)):
        return usual
    return _aligned(lines, reference) or days[0]


def _aligned(lines: tuple[Event, ...], reference: ToolCall) -> date | None:
    offset = None
    final = Event(position=len(lines), kind="call", text=_dump(reference), call=reference)
    for line in (*lines, final):
        if line.kind in ("user", "reply"):
            for match in _RELATIVE_WORDS.findall(line.text.lower()):
                offset = _RELATIVE[match]
        elif offset is not None and line.kind == "call" and (found := _ISO.search(line.text)):
            day = _parse(found[0])
            if day:
                return day - timedelta(days=offset)
    return None


def _parse(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if _YEARS[0] <= day.year <= _YEARS[1] else None
