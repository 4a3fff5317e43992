"""Scenario 3, schema drift: the tools of the traces are not those of today.

Half of the traces use another restaurant service under constant new names; the other half use the
right service, but with function and parameter names drawn anew for every conversation. Only calls are
renamed: tool results keep the original keys. In the TFT file the first tenth of that half stays clean.
"""

from __future__ import annotations

import random

from harness.data.formats.sgd import REPLY_TOOL, Trace
from harness.data.scenarios._base import CLEAN_FRACTION, Arm, CleanTraces, Scenario, published_stream
from harness.data.scenarios._recipes import draw_names, rename

OTHER_SERVICE = {"FindRestaurants": "SearchDining", "ReserveRestaurant": "BookDining", REPLY_TOOL: "send_user_message"}

# One name is drawn for each entry, in this order and by position in its list.
FUNCTIONS = {
    "FindRestaurants": (
        "search_restaurants",
        "lookup_restaurants",
        "find_places_to_eat",
        "get_restaurants",
        "query_restaurants",
        "search_venues",
    ),
    "ReserveRestaurant": (
        "book_restaurant",
        "make_reservation",
        "reserve_table",
        "book_table",
        "create_booking",
        "schedule_reservation",
    ),
    REPLY_TOOL: (
        "reply_to_user",
        "send_message",
        "send_reply",
        "user_response",
        "chat_response",
        "assistant_reply",
    ),
}
PARAMETERS = {
    "cuisine": ("food_type", "cuisine_type", "category", "food_category"),
    "city": ("location", "town", "area", "place"),
    "price_range": ("budget", "price_level", "cost_range", "pricing"),
    # The third name is never drawn in the published files where it would show, so any name does.
    "has_live_music": ("live_music", "music", "has_music", "live_entertainment"),
    "serves_alcohol": ("has_alcohol", "alcohol", "serves_drinks", "has_bar"),
    "restaurant_name": ("name", "venue_name", "place_name", "establishment"),
    "time": ("reservation_time", "booking_time", "time_slot", "hour"),
    "date": ("reservation_date", "booking_date", "day", "when"),
    "party_size": ("guests", "number_of_people", "group_size", "num_guests"),
    "message": ("text", "reply", "response_text", "content"),
}


def build(dialogues: CleanTraces, arm: Arm) -> list[Trace]:
    """Return both halves, renamed and mixed."""
    rng = published_stream()
    picked = rng.sample(dialogues.restaurants, len(dialogues.other_restaurants))
    clean = int(len(picked) * CLEAN_FRACTION[arm])
    drifted = [trace if position < clean else _drift(trace, rng) for position, trace in enumerate(picked)]
    others = [rename(trace, OTHER_SERVICE, {}) for trace in dialogues.other_restaurants]
    mixed = others + drifted
    rng.shuffle(mixed)
    return mixed


def _drift(trace: Trace, rng: random.Random) -> Trace:
    functions = draw_names(FUNCTIONS, rng)
    return rename(trace, functions, draw_names(PARAMETERS, rng))


SCENARIO = Scenario(number=3, slug="schema-drift", build=build)
