"""Personal data in traces: what looks like e-mail addresses, phone, card and bank account numbers, found and masked."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Set
from dataclasses import replace
from typing import Any

from harness.data.formats.json_texts import as_value
from harness.data.records import Conversation, Message

_EMAIL = r"(?<![\w.+-])[\w.+-]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_]{2,24}(?![\w-])"
_IBAN = r"(?<![\w-])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![\w-])"
_CARD = r"(?<![\w.+-])\d(?:[ -]?\d){12,18}(?![\w-]|\.\d)"
_PHONE = (
    r"(?<![\w.,:/$€£#+-])(?:"
    r"\+\d{1,3}(?:[ .-]?\(?\d{1,5}\)?){2,5}"  # international
    r"|\(\d{2,5}\) ?\d{2,5}(?:[ .-]?\d{2,5}){1,2}"  # (area) number
    r"|(?:1[ .-])?[2-9]\d{2}(?P<gap>[ .-])[2-9]\d{2}(?P=gap)\d{4}"  # North America
    r"|\d{10,12}"  # without separators only where the words before say so
    r"|0\d{1,4}[ /-]\d{2,8}(?:[ -]?\d{2,5}){0,2}"  # area code with its zero
    r")(?![\w-]|[.:/]\d)"
)
_NUMBERS = f"(?P<IBAN>{_IBAN})|(?P<CARD>{_CARD})|(?P<PHONE>{_PHONE})"
_FIND = {True: re.compile(f"(?P<EMAIL>{_EMAIL})|{_NUMBERS}"), False: re.compile(_NUMBERS)}
"""By whether there is an @ in the text: looking for addresses takes longest."""
_KINDS = ("EMAIL", "IBAN", "CARD", "PHONE")
_HINT = re.compile(r"@|\d[\d ().+-]{5,}\d")
"""What a text has to hold for anything to be found; most texts do not."""
_DATE = re.compile(r"\d{4}[-./ ]\d{1,2}[-./ ]\d{1,2}|\d{1,2}[-./ ]\d{1,2}[-./ ]\d{4}")
_CUE = re.compile(r"phone|\btel\b|telephone|mobile|\bcell|\bcall\b|contact|whats ?app|\bfax\b", re.IGNORECASE)
_NEAR = 30
"""Characters before a number that are searched for such a word."""
_LOCAL = 10
"""Last digits by which two spellings of a phone number are the same one, with or without a country's code."""
_FEWEST = 7
"""Digits of a phone number."""
_IBAN_REST = 97
_DOUBLED = 9


def find_pii(conversation: Conversation) -> Counter[str]:
    """Return how many different values of each kind (`email`, `phone`, `card`, `iban`) a conversation holds."""
    return Counter(kind.lower() for kind, _ in sorted(_values(conversation)))


def redact(conversation: Conversation) -> Conversation:
    """Return the conversation with masks like `[PHONE_1]` in texts, arguments and results.

    The same value has the same mask everywhere in a conversation, however it is written, so that calls and results
    still agree; numbers count from 1 in the order of appearance.
    """
    known = _values(conversation)
    if not known:
        return conversation
    masks: dict[tuple[str, str], str] = {}

    def mask(text: str) -> str:
        out, done = [], 0
        for kind, value, (start, end) in _found(text, known):
            number = 1 + sum(other == kind for other, _ in masks)
            out += [text[done:start], masks.setdefault((kind, value), f"[{kind}_{number}]")]
            done = end
        return "".join([*out, text[done:]]) if out else text

    return replace(conversation, messages=tuple(_masked(message, mask) for message in conversation.messages))


def _values(conversation: Conversation) -> set[tuple[str, str]]:
    """Return kind and value of everything personal."""
    return {(kind, value) for text in _texts(conversation) for kind, value, _ in _found(text)}


def _masked(message: Message, mask: Callable[[str], str]) -> Message:
    content = None if message.content is None else _result(message.content, mask)
    calls = tuple(replace(call, arguments=_inside(call.arguments, mask)) for call in message.tool_calls)
    return replace(message, content=content, tool_calls=calls)


def _result(text: str, mask: Callable[[str], str]) -> str:
    """Return a text masked; JSON stays JSON, also where a number without quotes becomes a mask."""
    masked = mask(text)
    value = as_value(text) if masked != text else None
    if value is None or as_value(masked) is not None:
        return masked
    return json.dumps(_inside(value, mask), ensure_ascii=False)


def _inside(value: Any, mask: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {key: _inside(one, mask) for key, one in value.items()}
    if isinstance(value, list):
        return [_inside(one, mask) for one in value]
    if isinstance(value, int) and not isinstance(value, bool):
        masked = mask(str(value))
        return value if masked == str(value) else masked
    return value


def _texts(conversation: Conversation) -> Iterator[str]:
    for message in conversation.messages:
        if message.content:
            yield message.content
        for call in message.tool_calls:  # with the keys: they say what a number is
            yield json.dumps(call.arguments, ensure_ascii=False)


def _found(text: str, known: Set[tuple[str, str]] = frozenset()) -> Iterator[tuple[str, str, tuple[int, int]]]:
    """Yield kind, value in one spelling, and place of everything that looks personal, or is `known` to be."""
    if not _HINT.search(text):
        return
    for match in _FIND["@" in text].finditer(text):
        kind = next(name for name, found in match.groupdict().items() if found and name in _KINDS)
        value = match[0].lower() if kind == "EMAIL" else re.sub(r"[^0-9A-Z]", "", match[0].upper())
        value = value[-_LOCAL:] if kind == "PHONE" else value
        before = text[max(0, match.start() - _NEAR) : match.start()]
        if (kind, value) in known or _holds(kind, match[0], value, before):
            yield kind, value, match.span()


def _holds(kind: str, found: str, value: str, before: str) -> bool:
    """Return whether a match is more than a number of the same shape: by check digits, or the words before it."""
    if kind == "CARD":
        return _luhn(value) and len(set(value)) > 1
    if kind == "IBAN":
        return _iban(value)
    if kind == "PHONE":
        bare = found.isdigit() and not _CUE.search(before)
        return not bare and len(value) >= _FEWEST and not _DATE.fullmatch(found)
    return True


def _luhn(digits: str) -> bool:
    """Return whether the check digit is right (ISO/IEC 7812-1, the Luhn algorithm)."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        number = int(digit) * (1 + position % 2)
        total += number - _DOUBLED if number > _DOUBLED else number
    return total % 10 == 0


def _iban(value: str) -> bool:
    """Return whether the check digits are right (ISO 13616: the rearranged number is 1 modulo 97)."""
    return int("".join(str(int(char, 36)) for char in value[4:] + value[:4])) % _IBAN_REST == 1
