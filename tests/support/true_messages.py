"""True messages in the manner of large models, made from what the tools returned: lists, labels, markup, long dates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from harness.data.records import Case, TurnPair

REPLY = "respond_to_user"
Row = dict[str, str]


def renderings(pair: TurnPair, following: TurnPair | None) -> Iterator[str]:
    """Yield true messages for the pair's turn; `following` is the next pair of the conversation."""
    if pair.reference.name != REPLY:
        return
    before = pair.prefix[-2].tool_calls[0] if len(pair.prefix) > 1 and pair.prefix[-2].tool_calls else None
    content = pair.prefix[-1].content or ""
    if before and before.name != REPLY and content.startswith("[{"):
        rows = [row for row in json.loads(content) if "restaurant_name" in row]
        if rows and before.name.startswith("Find"):
            yield from _found(rows)
        elif rows and _agrees(before.arguments, rows[0]):
            yield from _booked(rows[0])
    elif following and {"date", "time", "restaurant_name"} <= following.reference.arguments.keys():
        call = {key: str(value) for key, value in following.reference.arguments.items()}
        # One published conversation was held on another day, which nothing says before its first call.
        yield from _confirms(call) if call["date"].startswith("2019") else ()


def _agrees(arguments: dict[str, str], row: Row) -> bool:
    return all(row.get(key) == value for key, value in arguments.items())


def _found(rows: list[Row]) -> Iterator[str]:
    city, first = rows[0].get("city", rows[0].get("location")), rows[0]
    yield (
        f"I found {len(rows)} great options for you in {city}:\n\n"
        + "\n".join(
            f"{number}. **{row['restaurant_name']}** - {_address(row)} | 📞 {row['phone_number']}"
            + f" | {row['price_range']}"
            + "".join(f" | {name}: {'Yes' if row[key] == 'True' else 'No'}" for key, name in _flags(row))
            for number, row in enumerate(rows, 1)
        )
        + "\n\nWould you like to make a reservation at any of these?"
    )
    yield f"Here are the options: {', '.join(row['restaurant_name'] for row in rows)}. Do any of these interest you?"
    flags = "; ".join(
        f"{'it offers' if row_true else 'there is no'} {name.lower()}" for name, row_true in _truth(first)
    )
    yield (
        f"How about **{first['restaurant_name']}**? It's located at {_address(first)} in {city}, its prices are "
        f"{first['price_range']}, and {flags}. You can reach them at {first['phone_number']}. "
        "Would you like me to book a table? If so, what time works for you (e.g., 7:00 PM)?"
    )
    yield "\n".join(
        f"- {row['restaurant_name']}\n  - Address: {_address(row)}\n  - Price range: {row['price_range']}\n"
        + "\n".join(f"  - {name}: {row[key]}" for key, name in _flags(row))
        for row in rows
    )


def _booked(row: Row) -> Iterator[str]:
    day, hour = _day(row["date"]), _hour(row["time"])
    people = row.get("party_size", row.get("number_of_seats", "2"))
    yield (
        f"🎉 Your reservation is confirmed!\n\n**Restaurant:** {row['restaurant_name']}\n"
        f"**City:** {row.get('city', row.get('location'))}\n**Date:** {day}\n**Time:** {hour}\n"
        f"**Party Size:** {people}\n**Address:** {_address(row)}\n**Phone:** {row['phone_number']}\n\n"
        "Is there anything else I can help you with today?"
    )
    flags = " ".join(f"They {'do' if truth else 'do not'} have {name.lower()}." for name, truth in _truth(row))
    yield f"Great news! I've successfully booked your table for {people} at {row['restaurant_name']} at {hour}. {flags}"


def _confirms(call: Row) -> Iterator[str]:
    where = call.get("city", call.get("location"))
    people = call.get("party_size", call.get("number_of_seats", "2"))
    day, hour = _day(call["date"]), _hour(call["time"])
    name = call["restaurant_name"]
    yield (
        f"Just to confirm: a table for {people} at {name} in {where} on {day} at {hour}. Shall I go ahead and book it?"
    )
    yield (
        f"Please confirm the following details:\n- **Restaurant:** {name}\n- **City:** {where}\n"
        f"- **Date:** {call['date']}\n- **Time:** {call['time']}\n- **Party size:** {people}\n\nIs everything correct?"
    )


def _flags(row: Row) -> list[tuple[str, str]]:
    names = {
        "has_live_music": "Live Music",
        "serves_alcohol": "Alcohol",
        "has_seating_outdoors": "Outdoor Seating",
        "has_vegetarian_options": "Vegetarian Options",
    }
    return [(key, name) for key, name in names.items() if row.get(key) in ("True", "False")]


def _truth(row: Row) -> list[tuple[str, bool]]:
    return [(name, row[key] == "True") for key, name in _flags(row)]


def _address(row: Row) -> str:
    return row.get("street_address", row.get("address", ""))


def _day(iso: str) -> str:
    day = date.fromisoformat(iso)
    return f"{day:%A, %B} {day.day}, {day.year}"


def _hour(clock: str) -> str:
    hour, minute = int(clock[:2]), clock[3:]
    return f"{(hour - 1) % 12 + 1}:{minute} {'AM' if hour < 12 else 'PM'}"


def stated(pair: TurnPair, message: str) -> Case:
    """Return a case whose prediction says `message`."""
    call = replace(pair.reference, arguments={"message": message})
    return Case(
        id=pair.id,
        conversation=pair.conversation,
        prefix=pair.prefix,
        reference=pair.reference,
        prediction=json.dumps({"name": call.name, "parameters": call.arguments}),
        call=call,
    )
