"""True calls made false in one respect each, so that recall can be measured by kind of claim.

The patterns here are written apart from those of `harness.rules`: what the rules cannot read is counted as missed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from random import Random

from harness.data.records import Case, ToolCall, TurnPair

REPLY = "respond_to_user"
CITIES = ("Boise", "Tulsa", "Omaha", "Wichita", "Tampa")
NAMES = ("The Copper Lantern", "Blue Heron Kitchen", "Marigold House", "Juniper Yard")
DATES = ("March 23rd", "the 25th", "March 27th", "March 29th")
PRICES = {"inexpensive": "expensive", "moderate": "expensive", "expensive": "inexpensive", "pricey": "cheap"}
FLAGS = {
    "has_live_music": ("They have live music.", "They do not have live music."),
    "serves_alcohol": ("Yes, they serve alcohol.", "No alcohol is served there."),
    "has_wifi": ("They offer wifi.", "They don't have wifi."),
    "pets_welcome": ("Pets are welcome.", "Pets are not allowed."),
    "smoking_allowed": ("Smoking is allowed.", "Smoking is not allowed there."),
    "refundable": ("The ticket is refundable.", "It is not refundable."),
    "has_seating_outdoors": ("There is outdoor seating.", "They have no outdoor seating."),
}
FAILURES = (
    "I'm sorry, I was not able to make that reservation.",
    "Unfortunately the booking failed. Would you like another time?",
    "Sorry, there are no tables available at that time.",
)
SUCCESSES = (
    "Your reservation has been confirmed.",
    "I have booked it for you. Enjoy!",
    "You're all set, the booking was successful.",
)
_TIME = re.compile(r"\b\d{1,2}(?::\d{2})? ?[ap]m\b|\b\d{1,2}:\d{2}\b", re.IGNORECASE)
_DATE = re.compile(
    r"\bMarch \d{1,2}(?:st|nd|rd|th)?\b|\btoday\b|\b(?:the )?day after tomorrow\b|\btomorrow\b|\bnext \w+day\b", re.I
)
_PEOPLE = re.compile(r"\b\d (?=people|persons?\b|guests|tickets\b)|(?<=table for )\d\b|(?<=reservation for )\d\b", re.I)
_PHONE = re.compile(r"\+?\d[\d -]{7,}\d")
_ADDRESS = re.compile(r"\b\d{2,5}(?= [A-Z0-9][\w ]{2,30}(?:Street|Avenue|Road|Boulevard|Drive|Way|Lane)\b)")
_COUNT = re.compile(r"\b(?:found|are|have) (\d)(?= (?:\w+ )?(?:restaurants|places|hotels|options)\b)")


def corrupted(pair: TurnPair) -> Iterator[tuple[str, ToolCall]]:
    """Yield (kind of error, a call with that one error) for all errors that fit the pair's reference."""
    draw = Random(pair.id)
    if pair.reference.name == REPLY:
        for kind, message in _messages(pair, draw):
            yield kind, ToolCall(name=REPLY, arguments={"message": message})
    else:
        yield from _calls(pair.reference, draw)


def case(pair: TurnPair, call: ToolCall, *, withheld: bool = False) -> Case:
    """Return the call as a prediction for the pair; `withheld` blanks the reference's message."""
    reference = pair.reference
    if withheld and reference.name == REPLY:
        reference = replace(reference, arguments={"message": ""})
    return Case(
        id=pair.id,
        conversation=pair.conversation,
        prefix=pair.prefix,
        reference=reference,
        prediction=json.dumps({"name": call.name, "parameters": call.arguments}),
        call=call,
    )


def _messages(pair: TurnPair, draw: Random) -> Iterator[tuple[str, str]]:
    said = str(pair.reference.arguments["message"])
    rows = _rows(pair)
    for kind, pattern, values in (
        ("time", _TIME, ("9:05 am", "10:20 pm", "3:40 am")),
        ("date", _DATE, DATES),
        ("people", _PEOPLE, ("7", "8", "9")),
    ):
        if pattern.search(said):
            value = draw.choice(values)
            yield kind, pattern.sub(lambda match, v=value: v + match[0][1:] if len(match[0]) == 2 else v, said)
    for kind, pattern in (("phone", _PHONE), ("address", _ADDRESS)):
        if match := pattern.search(said):
            yield kind, said[: match.start()] + _other_digits(match[0]) + said[match.end() :]
    if (match := _COUNT.search(said)) and int(match[1]) > 1:
        yield "result count", said[: match.start(1)] + str(int(match[1]) - 1) + said[match.end(1) :]
    yield from _names(said, rows, draw)
    for true, false in PRICES.items():
        if rows and re.search(rf"\b{true}\b", said):
            yield "price", re.sub(rf"\b{true}(?:ly)?\b", false, said)
            break
    yield from _bookings(pair, said, draw)
    yield from _flags(pair, said)


def _rows(pair: TurnPair) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    for message in pair.prefix:
        if message.role == "user" and (message.content or "").startswith("["):
            rows += [row for row in json.loads(message.content or "[]") if isinstance(row, dict)]
    return rows


def _names(said: str, rows: list[dict[str, str]], draw: Random) -> Iterator[tuple[str, str]]:
    for kind, keys, others in (
        ("city", ("city", "location", "destination"), CITIES),
        ("name", ("restaurant_name", "hotel_name", "place_name"), NAMES),
    ):
        for value in sorted({row[key] for row in rows for key in keys if key in row}):
            if re.search(rf"\b(?:in|at) {re.escape(value)}\b", said):
                yield kind, said.replace(value, draw.choice(others))
                break


def _last_call(pair: TurnPair) -> ToolCall | None:
    message = pair.prefix[-2] if len(pair.prefix) > 1 else None
    call = message.tool_calls[0] if message and message.tool_calls else None
    return call if call and call.name != REPLY else None


def _bookings(pair: TurnPair, said: str, draw: Random) -> Iterator[tuple[str, str]]:
    call = _last_call(pair)
    if call is None or not call.name.startswith(("Reserve", "Book", "Buy")):
        if not _rows(pair) and "?" in said:
            yield "booking invented", draw.choice(SUCCESSES)
        return
    if pair.prefix[-1].content == "[]":
        yield "failure called success", draw.choice(SUCCESSES)
    elif not re.search(r"sorry|unable|not able|n't|fail|unfortunately|not successful", said, re.I):
        yield "success called failure", draw.choice(FAILURES)


def _flags(pair: TurnPair, said: str) -> Iterator[tuple[str, str]]:
    content = pair.prefix[-1].content or ""
    rows = json.loads(content) if content.startswith("[{") else []
    for key, (yes, no) in FLAGS.items() if len(rows) == 1 else ():
        if rows[0].get(key) in ("True", "False"):
            yield "flag", f"{said} {no if rows[0][key] == 'True' else yes}"


def _calls(reference: ToolCall, draw: Random) -> Iterator[tuple[str, ToolCall]]:
    for key, value in reference.arguments.items():
        if re.fullmatch(r"\d{2}:\d{2}", str(value)):
            yield "call time", _with(reference, key, f"{(int(value[:2]) + 2) % 24:02d}:{value[3:]}")
        elif re.fullmatch(r"\d{4}-\d{2}-\d{2}", str(value)):
            yield "call date", _with(reference, key, f"2019-03-{23 + draw.randrange(7)}")
        elif value in ("True", "False"):
            yield "call flag", _with(reference, key, "False" if value == "True" else "True")
        elif str(value).isdigit():
            yield "call number", _with(reference, key, str(int(value) + 1))
        elif key in ("city", "location", "destination", "where_to"):
            yield "call city", _with(reference, key, draw.choice(CITIES))
        elif key.endswith("name"):
            yield "call name", _with(reference, key, draw.choice(NAMES))
        elif key in ("cuisine", "category"):
            yield "call kind", _with(reference, key, "Scandinavian")


def _with(call: ToolCall, key: str, value: str) -> ToolCall:
    return replace(call, arguments={**call.arguments, key: value})


def _other_digits(text: str) -> str:
    """Return the text with its last two digits changed."""
    changed, left = list(text), 2
    for position in range(len(text) - 1, -1, -1):
        if changed[position].isdigit() and left:
            changed[position], left = str((int(changed[position]) + 3) % 10), left - 1
    return "".join(changed)
