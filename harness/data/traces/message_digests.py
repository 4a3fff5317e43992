"""Numbers for the messages of a span as they were logged: a quick look at which of two spans goes on from the other."""

from __future__ import annotations

import marshal
import re
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from harness.data.formats.json_texts import json_value

_BEGIN = re.compile(r'\[\{"role":')
_BETWEEN = (', {"role":', ',{"role":')
_ASSISTANT = (' "assistant"', '"assistant"')
_MOST_ANSWERS = 200_000
_LISTS = ("messages", "input", "output", "choices", "generations")
_BESIDE = frozenset(("finish_reason", "index", "logprobs"))
"""What an answer has that is gone when it is sent back as part of the conversation."""

_LANGCHAIN = ("human", "ai", "system", "tool", "function")


class MessageDigests:
    """Gives messages numbers: equal ones have the same, and of different ones some, as one tool has several forms."""

    def __init__(self) -> None:
        self._answers: dict[int, int] = {}
        """Of the text of an assistant's message, the number of what it says."""

    def of(self, asked: Any, answered: Any) -> tuple[list[int], bool]:
        """Return the numbers of what was sent and what came back, and whether one of the two is a text that is cut.

        Of a cut one those of the messages that stand in it whole are returned.
        """
        before, cut = self._of(asked, "user")
        if cut:
            return before, True
        after, cut = self._of(answered, "assistant")
        if after[: len(before)] == before:  # some agents return their whole state
            return after, cut
        return before + after, cut

    def _of(self, value: Any, role: str) -> tuple[list[int], bool]:
        if isinstance(value, str) and (begin := _BEGIN.match(value)):
            return self._of_text(value, begin)
        listed, cut = _listed(value)
        while isinstance(listed, Mapping) or (len(listed) == 1 and isinstance(listed[0], list)):
            if isinstance(listed, list):
                listed = listed[0]
                continue
            inner = next((listed[key] for key in _LISTS if isinstance(listed.get(key), list)), None)
            listed = [listed] if inner is None else inner
        return [_digest(one, role) for one in listed], cut

    def _of_text(self, text: str, begin: re.Match[str]) -> tuple[list[int], bool]:
        """Return the numbers of messages without reading the JSON that they are, which is most of an export.

        The text is parted where an object begins with a role. That may be inside of a message, but where all parts of
        one text are the first parts of another, it is the first messages of that one.
        """
        written = text.rstrip()
        cut = not (written.endswith("]") and written[:-1].rstrip().endswith("}"))
        between = _BETWEEN[0] if _BETWEEN[0] in text else _BETWEEN[1]
        parts = (written if cut else written[:-1])[begin.end() :].split(between)
        if cut:
            parts.pop()
        known = self._answers
        numbers = [*map(hash, parts)]
        for place, part in enumerate(parts):
            if part.startswith(_ASSISTANT):
                number = numbers[place]
                numbers[place] = known[number] if number in known else self._answer(number, part)
        return numbers, cut

    def _answer(self, key: int, part: str) -> int:
        """Return the number of an assistant's message, which has other keys as an answer than when it is sent again."""
        if len(self._answers) >= _MOST_ANSWERS:
            self._answers.clear()
        try:
            found = _digest(from_json(f'{{"role":{part}', cache_strings="none"), "assistant")
        except (ValueError, TypeError):  # TypeError: half a character
            found = key
        self._answers[key] = found
        return found


def _listed(value: Any) -> tuple[Any, bool]:
    if isinstance(value, list | Mapping):
        return value, False
    if not isinstance(value, str) or value[:1] not in ("[", "{"):
        found = json_value(value)
        return (found if isinstance(found, list | Mapping) else [value] if value else []), False
    try:
        return from_json(value, cache_strings="none"), False
    except (ValueError, TypeError):  # TypeError: half a character
        return _whole_messages(value)


def _whole_messages(text: str) -> tuple[list[Any], bool]:
    try:
        found = from_json(text, allow_partial=True)
    except (ValueError, TypeError):  # TypeError: half a character
        return [text], True
    if isinstance(found, dict):
        found = next((found[key] for key in _LISTS if isinstance(found.get(key), list)), None)
    while isinstance(found, list) and len(found) == 1 and isinstance(found[0], list):
        found = found[0]
    return (found[:-1] if isinstance(found, list) else [text]), True


def _digest(value: Any, role: str) -> int:
    if isinstance(value, str):
        value = {"role": role, "content": value}
    if isinstance(value, dict):
        if isinstance(inner := value.get("message"), dict):
            value = inner
        if not all(value.values()) or not _BESIDE.isdisjoint(value):
            value = {key: one for key, one in value.items() if one and key not in _BESIDE}
        if not ("role" in value or "message.role" in value or _is_of_langchain(value)):
            value = {"role": role, **value}
    return hash(marshal.dumps(value, 2))


def _is_of_langchain(value: Mapping[str, Any]) -> bool:
    """Return whether a message is one of LangChain, whose type says who spoke."""
    return value.get("type") in _LANGCHAIN or (value.get("type") == "constructor" and "id" in value)
