"""Conversations of unique words, built like the real ones: what a rendering leaves out can be named.

Which messages follow each other, how long texts are and which kinds of values arguments have is taken from the real
conversations, so that a template is not refused for what it is never asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, pairwise
from typing import Any, Final

from harness.data.formats.messages import without_system
from harness.data.records import Message, Task, ToolCall
from harness.models.parsing.schemas import kind_of

_LONG: Final = 1_000
"""Characters of a text at least: templates that cut texts are seen even where the real ones are short."""
_LONGEST: Final = 20_000
_ALL: Final = 400_000
"""Characters of all texts of a probe together, where they are longer than `_LONG`."""
_MOST: Final = 8
"""Conversations to probe with; each shows some order of messages that those before it do not."""
_NEAR: Final = 80
"""Characters after the name of an argument in which a value without a word of its own has to follow."""
_MARKS: Final = "<b>&\"'é"
"""Written after the words in texts: a template may not write them otherwise, as HTML has to, or take them away."""
_UNICODE: Final = re.compile(r"\\+u([0-9a-fA-F]{4})")
_BESIDE: Final = re.compile(r"[\s\\]+")
_PART: Final = re.compile(r"""text\\*['"]\s*:\s*\\*['"]Qz\d""")
_SPELLED: Final = {"boolean": re.compile("true", re.IGNORECASE), "null": re.compile("null|none|nil", re.IGNORECASE)}
_TEXTS: Final = frozenset(("system", "user", "assistant", "beside", "tool", "string"))
"""What words stand for that are followed by marks."""
_SHOWN: Final = {
    "system": "the system message",
    "user": "texts of the user",
    "assistant": "texts of the assistant",
    "beside": "texts of the assistant beside calls",
    "tool": "results of tools",
    "call": "names of called tools",
    "key": "names of arguments",
    "string": "texts in arguments",
    "integer": "whole numbers in arguments",
    "number": "numbers in arguments",
    "boolean": "true and false in arguments",
    "null": "null in arguments",
    "array": "lists in arguments",
    "object": "objects in arguments",
    "tools": "definitions of tools",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A conversation of unique words, and what has to be found of it in a rendering."""

    before: str
    after: str
    """Words around the system message."""
    messages: tuple[Message, ...]
    words: Mapping[str, str]
    """Unique word -> what it stands for, a key of `_SHOWN`."""
    spelled: Mapping[str, str]
    """Name of an argument -> the kind of its value, which has no word of its own."""

    def around(self, system: str) -> str:
        """Return a system message with the probe's words around it."""
        return f"{self.before}{_MARKS}\n{system}\n{self.after}{_MARKS}"

    def left_out(self, text: str) -> list[str]:
        """Return, in words, what of the conversation a rendering does not hold.

        Escapes of JSON and white space are not taken for a loss.
        """
        lost = {kind for word, kind in self.words.items() if word not in text}
        lost |= {kind for name, kind in self.spelled.items() if not _follows(text, name, _SPELLED[kind])}
        plain = _unescaped(text)
        changed = {kind for word, kind in self.words.items() if kind in _TEXTS and word + _MARKS not in plain} - lost
        return [
            words if kind in lost else f"characters such as < and é in {words}"
            for kind, words in _SHOWN.items()
            if kind in lost | changed
        ]


def _unescaped(text: str) -> str:
    """Return a text without escapes of JSON, in JSON in a text either, and without white space."""
    return _BESIDE.sub("", _UNICODE.sub(lambda found: chr(int(found[1], 16)), text))


def _follows(text: str, name: str, value: re.Pattern[str]) -> bool:
    """Return whether a value comes right after its name, or the name is not there at all."""
    places = [found.end() for found in re.finditer(name, text)]
    return not places or any(value.search(text, place, place + _NEAR) for place in places)


def make_probes(prefixes: Iterable[Sequence[Message]], task: Task) -> list[Probe]:
    """Return probes for conversations like these, with arguments of the kinds that these and the task's tools have."""
    known = [without_system(prefix) for prefix in prefixes]
    lengths: dict[str, int] = {}
    kinds = set(_declared(task))
    for message in (message for prefix in known for message in prefix):
        lengths[message.role] = max(lengths.get(message.role, 0), len(message.content or ""))
        kinds |= {kind for call in message.tool_calls for value in call.arguments.values() for kind in _kinds(value)}
    return [_Maker(prefix, lengths, sorted(kinds - {"string"})).probe() for prefix in _covering(known)]


def names_tools(text: str, task: Task) -> bool:
    """Return whether a rendering names every tool of a task and each of its arguments."""
    names = [name for one in _functions(task) for name in (one.get("name", ""), *_properties(one))]
    return all(any(spelling in text for spelling in _spellings(str(name))) for name in names)


def shows_parts(text: str) -> bool:
    """Return whether a rendering writes parts of content as data, with their keys, and not their text."""
    return _PART.search(text) is not None


def _spellings(name: str) -> tuple[str, ...]:
    return (name, json.dumps(name)[1:-1], json.dumps(name, ensure_ascii=False)[1:-1])


def _functions(task: Task) -> list[Mapping[str, Any]]:
    return [tool.get("function", tool) for tool in task.tools]


def _properties(function: Mapping[str, Any]) -> Mapping[str, Any]:
    return (function.get("parameters") or {}).get("properties") or {}


def _declared(task: Task) -> Iterator[str]:
    """Yield the kinds of values that the tools of a task name for their arguments."""
    for function in _functions(task):
        for schema in _properties(function).values():
            named = schema.get("type") if isinstance(schema, Mapping) else None
            yield from (one for one in (named if isinstance(named, list) else [named]) if one in _SHOWN)


def _covering(prefixes: Sequence[Sequence[Message]]) -> Iterator[Sequence[Message]]:
    """Yield conversations that show between them which messages follow which; the longest show most."""
    seen: set[tuple[str, str]] = set()
    shapes = {tuple(map(_shape, prefix)): prefix for prefix in prefixes}
    chosen = 0
    for shape in sorted(shapes, key=len, reverse=True):
        following = _steps(shape)
        if following - seen and chosen < _MOST:
            seen |= following
            chosen += 1
            yield shapes[shape]


def steps(prefix: Sequence[Message]) -> set[tuple[str, str]]:
    """Return which kinds of messages follow which in a conversation: a form that shows these shows all of it."""
    return _steps(tuple(map(_shape, prefix)))


def _steps(shape: Sequence[str]) -> set[tuple[str, str]]:
    return {*pairwise(("", *shape))}


def _shape(message: Message) -> str:
    return f"{message.role} {min(len(message.tool_calls), 2)} {bool(message.tool_calls and message.content)}"


def _kinds(value: Any) -> Iterator[str]:
    """Yield the kinds of JSON values other than text that are in a value, at any depth."""
    if (kind := kind_of(value)) != "string":
        yield kind
    if isinstance(value, Mapping | list):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _kinds(one)


class _Maker:
    """Makes one probe like a conversation."""

    def __init__(self, like: Sequence[Message], lengths: Mapping[str, int], kinds: Sequence[str]) -> None:
        """`lengths`: role -> characters of the longest text; `kinds`: those of an argument's values besides text."""
        self._like = like
        self._lengths = lengths
        self._longest = max(_LONG, min(_LONGEST, _ALL // max(1, len(like))))
        self._kinds = kinds
        self._number = count(1)
        self._words: dict[str, str] = {}
        self._spelled: dict[str, str] = {}

    def probe(self) -> Probe:
        return Probe(
            before=self._word("system"),
            after=self._word("system"),
            messages=tuple(map(self._message, self._like)),
            words=self._words,
            spelled=self._spelled,
        )

    def _word(self, stands_for: str) -> str:
        """Return a word that is in no other text, in letters of both cases: a template may change them."""
        word = f"Qz{next(self._number):04d}Vx"
        self._words[word] = stands_for
        return word

    def _text(self, role: str, stands_for: str) -> str:
        length = min(max(self._lengths.get(role, 0), _LONG), self._longest)
        between = " and" * (length // 8)
        return between.join(f"{self._word(stands_for)}{_MARKS}" for _ in range(3))

    def _message(self, like: Message) -> Message:
        if not like.tool_calls:
            # A result answers the call that has its id in the real conversation.
            return Message(role=like.role, content=self._text(like.role, like.role), tool_call_id=like.tool_call_id)
        calls = [ToolCall(name=self._word("call"), arguments=self._arguments(), id=call.id) for call in like.tool_calls]
        beside = self._text("assistant", "beside") if (like.content or "").strip() else like.content
        return Message(role="assistant", content=beside, tool_calls=tuple(calls))

    def _arguments(self) -> dict[str, Any]:
        made: dict[str, Any] = {self._word("key"): self._word("string") + _MARKS}
        for kind in self._kinds:
            name = self._word("key")
            made[name] = self._value(kind)
            if kind in _SPELLED:
                self._spelled[name] = kind
        return made

    def _value(self, kind: str) -> Any:
        if kind == "array":
            return [self._word(kind), self._word(kind)]
        if kind == "object":
            return {self._word(kind): self._word(kind)}
        if kind in _SPELLED:
            return True if kind == "boolean" else None
        number = 7_100_000 + next(self._number)
        value = number if kind == "integer" else number + 0.5
        self._words[str(value)] = kind
        return value
