"""The dialogue state when a prediction is made: who said which values, and what the tools returned."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, lru_cache
from typing import Any, Literal

from harness.data.formats.json_texts import as_value
from harness.data.records import Case, Message, Task, ToolCall
from harness.data.text import plain
from harness.rules.language.equivalence import show
from harness.rules.language.lexicon import lexicon
from harness.rules.language.mentions import Kind, Mention, find_mentions, mention_of

Speaker = Literal["user", "agent", "call", "result"]
_NAME_ENDINGS = ("name", "title", "artist", "album", "venue", "track", "place_name")
_ISO = re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)")
_TODAY_IN_RUBRIC = re.compile(r"today\W+(?:\w+\W+){0,3}?(\d{4}-\d{2}-\d{2})", re.IGNORECASE)
_YEARS = (1900, 2200)
"""Other years are no dates that a conversation is held on."""
_RELATIVE = {"today": 0, "tonight": 0, "tomorrow": 1, "day after tomorrow": 2}
_RELATIVE_WORDS = re.compile(r"\b(day after tomorrow|tomorrow|today|tonight)\b")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StateLine:
    """One message of the conversation as evidence."""

    number: int
    """Its place in the conversation, from 1."""
    speaker: Speaker
    text: str
    call: ToolCall | None = None
    """The service call, for a call and its result."""
    rows: tuple[dict[str, Any], ...] = ()
    """What a service returned; empty where it failed or found nothing."""

    @property
    def changes_something(self) -> bool:
        """Whether the service does more than look things up, judged by the first word of its name."""
        return self.call is not None and not is_lookup(self.call.name)

    @property
    def only_finds(self) -> bool:
        """Whether the service certainly changes nothing: `GetRide` may book, `FindRestaurants` does not."""
        return self.call is not None and _verb(self.call.name) in lexicon().lookup_verbs - lexicon().doubtful_verbs


def _verb(name: str) -> str:
    first = re.match(r"[a-z]+|[A-Z][a-z]*", name)
    return first[0].lower() if first else ""


def is_lookup(name: str) -> bool:
    """Whether a tool only looks things up: its name starts with such a verb (`FindRestaurants`, `get_weather`)."""
    return _verb(name) in lexicon().lookup_verbs


def message_text(call: ToolCall) -> str | None:
    """Return the text of a call that speaks to the user: its one argument holds a message. None for a service call."""
    if len(call.arguments) != 1:
        return None
    key, value = next(iter(call.arguments.items()))
    return value if isinstance(value, str) and key.lower() in lexicon().message_arguments else None


@dataclass(frozen=True, kw_only=True)
class DialogueState:
    """The conversation before a prediction, and the reference's own statements. No slots: it caches what it derives."""

    lines: tuple[StateLine, ...]
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
    def _stated(self) -> dict[StateLine, tuple[Mention, ...]]:
        return {line: self._read(line) for line in self.lines}

    def stated(self, line: StateLine) -> tuple[Mention, ...]:
        """Return the values that a line states."""
        return self._stated[line]

    def _read(self, line: StateLine) -> tuple[Mention, ...]:
        if line.speaker in ("user", "agent"):
            return self.mentions(line.text)
        fields = line.rows if line.speaker == "result" else ((line.call.arguments,) if line.call else ())
        pairs = ((key, value) for row in fields for key, value in row.items())
        return tuple(found for key, value in pairs if (found := mention_of(key, value, self.today)))

    def mentions(self, text: str) -> tuple[Mention, ...]:
        """Return the values that another text states, read as this conversation reads them."""
        return find_mentions(text, self.today, self._numbered)

    def evidence(self, kind: Kind) -> Iterator[tuple[StateLine, Mention]]:
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
    def pending(self) -> StateLine | None:
        """The result that the prediction answers to, if it does."""
        return self.lines[-1] if self.lines and self.lines[-1].speaker == "result" else None

    @property
    def asked(self) -> StateLine | None:
        """What the user said last."""
        return next((line for line in reversed(self.lines) if line.speaker == "user"), None)

    @property
    def results(self) -> list[StateLine]:
        """All results, the latest first."""
        return [line for line in reversed(self.lines) if line.speaker == "result"]


def dialogue_state(case: Case, task: Task | None) -> DialogueState:
    """Return what is known at the case's turn. Never raises, whatever the messages hold."""
    lines = tuple(_lines(case.prefix))
    reference = message_text(case.reference) or ""
    return DialogueState(lines=lines, reference=reference, today=_today(lines, case.reference, task))


def _lines(prefix: tuple[Message, ...]) -> Iterator[StateLine]:
    open_call: ToolCall | None = None
    for number, message in enumerate(prefix, 1):
        if message.role == "assistant":
            open_call = None
            if message.content:
                yield StateLine(number=number, speaker="agent", text=message.content)
            for call in message.tool_calls:
                said = message_text(call)
                open_call = call if said is None else open_call
                text = _dump(call) if said is None else said
                yield StateLine(number=number, speaker="call" if said is None else "agent", text=text, call=open_call)
        elif message.role != "system":
            text = message.content or ""
            rows = _rows(text) if open_call or message.role == "tool" else None
            if rows is None:
                yield StateLine(number=number, speaker="user", text=text)
            else:
                yield StateLine(number=number, speaker="result", text=text, call=open_call, rows=rows)
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


def _today(lines: tuple[StateLine, ...], reference: ToolCall, task: Task | None) -> date:
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


def _aligned(lines: tuple[StateLine, ...], reference: ToolCall) -> date | None:
    offset = None
    final = StateLine(number=len(lines) + 1, speaker="call", text=_dump(reference), call=reference)
    for line in (*lines, final):
        if line.speaker in ("user", "agent"):
            for match in _RELATIVE_WORDS.findall(line.text.lower()):
                offset = _RELATIVE[match]
        elif offset is not None and line.speaker == "call" and (found := _ISO.search(line.text)):
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
