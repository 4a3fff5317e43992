"""Conversations with a small restaurant service, simulated from `datasets/sample/`.

They have the shape of the benchmark: every assistant message is exactly one call, and what the
service returns comes back as a *user* message that holds a JSON list.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

import yaml

from harness.data.records import Conversation, Message, Task, ToolCall
from harness.errors import UsageError
from harness.resources import folder as resource

_OPENINGS = ("open_city", "open_cuisine", "open_both", "open_vague")
_MONTHS = ("March", "April", "May", "June", "July", "August", "September", "October")
_FIRST_HOUR, _LAST_HOUR = 17, 21


@dataclass(frozen=True, slots=True, kw_only=True)
class _World:
    """The service's restaurants, and the wordings of both sides."""

    restaurants: tuple[Mapping[str, str], ...]
    phrases: Mapping[str, Mapping[str, tuple[str, ...]]]
    """Side (`user`, `agent`) -> intent -> wordings with `{fields}`."""

    def search(self, wish: Mapping[str, str]) -> list[Mapping[str, str]]:
        """Return the restaurants that agree with every value of the wish."""
        return [row for row in self.restaurants if all(row[key] == value for key, value in wish.items())]

    def values(self, column: str) -> list[str]:
        """Return the distinct values of a column, sorted."""
        return sorted({row[column] for row in self.restaurants})


def _declaration(name: str) -> Any:
    return yaml.safe_load((resource("datasets") / "sample" / name).read_text(encoding="utf-8"))


@cache
def _world() -> _World:
    table = _declaration("restaurants.yaml")
    return _World(
        restaurants=tuple(dict(zip(table["columns"], row, strict=True)) for row in table["rows"]),
        phrases=_declaration("phrases.yaml"),
    )


def sample_task() -> Task:
    """Return the description, the tools and the rubric of the sample task."""
    task = _declaration("task.yaml")
    return Task(description=task["description"].strip(), tools=tuple(task["tools"]), rubric=task["rubric"].strip())


class _Dialogue:
    """A conversation while it is being written: the messages so far, and what is known by now."""

    def __init__(self, world: _World, name: str, rng: Random) -> None:
        self.world = world
        self.name = name
        self.rng = rng
        self.messages: list[Message] = []
        start = rng.choice(world.restaurants)
        self.facts: dict[str, str] = {"city": start["city"], "cuisine": start["cuisine"]}

    def _word(self, side: str, intent: str) -> str:
        return self.rng.choice(self.world.phrases[side][intent]).format(**self.facts)

    def hear(self, intent: str) -> None:
        """The person says something."""
        self.messages.append(Message(role="user", content=self._word("user", intent)))

    def say(self, intent: str) -> None:
        """The agent says something."""
        self._call("respond_to_user", {"message": self._word("agent", intent)})

    def _call(self, tool: str, arguments: dict[str, str]) -> None:
        digest = hashlib.sha256(f"{self.name}:{len(self.messages)}".encode()).hexdigest()
        call = ToolCall(name=tool, arguments=arguments, id=f"call_{digest[:12]}")
        self.messages.append(Message(role="assistant", tool_calls=(call,)))

    def _returns(self, rows: list[dict[str, str]]) -> None:
        self.messages.append(Message(role="user", content=json.dumps(rows)))

    def find(self, *columns: str) -> bool:
        """The agent searches by town, cuisine and `columns`; True where the service knows a place."""
        wish = {key: self.facts[key] for key in ("city", "cuisine", *columns)}
        self._call("FindRestaurants", wish)
        found = [dict(row) for row in self.world.search(wish)]
        self._returns(found)
        if found:
            self.facts.update(found[0], count=str(len(found)))
        return bool(found)

    def reserve(self, *, free: bool) -> None:
        """The agent books what is known by now; the service has a table or not."""
        keys = ("restaurant_name", "city", "date", "time", "party_size")
        booking = {key: self.facts[key] for key in keys}
        self._call("ReserveRestaurant", booking)
        row = self.world.search({"restaurant_name": booking["restaurant_name"]})[0]
        self._returns([{**row, **booking}] if free else [])

    def draw_time(self) -> None:
        """Choose a time that differs from the one before."""
        times = [f"{hour}:{minute}" for hour in range(_FIRST_HOUR, _LAST_HOUR + 1) for minute in ("00", "30")]
        time = self.rng.choice([time for time in times if time != self.facts.get("time")])
        hour, minute = time.split(":")
        self.facts.update(time=time, spoken_time=f"{int(hour) - 12}:{minute} pm")


def _ask_for_place(talk: _Dialogue) -> None:
    """From the first message to the first search and its offer: 2 to 4 calls."""
    opening = talk.rng.choice(_OPENINGS)
    talk.hear(opening)
    if opening in ("open_cuisine", "open_vague"):
        talk.say("ask_city")
        talk.hear("give_city")
    if opening in ("open_city", "open_vague"):
        talk.say("ask_cuisine")
        talk.hear("give_cuisine")
    talk.find()
    _offer(talk)


def _offer(talk: _Dialogue) -> None:
    talk.say("offer_one" if talk.facts["count"] == "1" else "offer_many")


def _ask_details(talk: _Dialogue, number: int) -> None:
    for topic in talk.rng.sample(("phone", "address", "outdoor"), number):
        talk.hear(f"ask_{topic}")
        outdoor = "yes" if talk.facts["outdoor_seating"] == "True" else "no"
        talk.say(f"tell_outdoor_{outdoor}" if topic == "outdoor" else f"tell_{topic}")


def _change_mind(talk: _Dialogue) -> None:
    """The person wants another price or another cuisine: 2 calls, 4 where there is no such place."""
    found = False
    if talk.rng.random() < 0.5:
        prices = talk.world.values("price_range")
        talk.facts["price_range"] = talk.rng.choice([price for price in prices if price != talk.facts["price_range"]])
        talk.hear("change_price")
        found = talk.find("price_range")
        if not found:
            talk.say("nothing")
    if not found:
        here = talk.world.search({"city": talk.facts["city"]})
        others = sorted({row["cuisine"] for row in here} - {talk.facts["cuisine"]})
        talk.facts["cuisine"] = talk.rng.choice(others)
        talk.hear("change_cuisine")
        talk.find()
    _offer(talk)


def _book(talk: _Dialogue, *, refused: bool) -> None:
    """The person books the place on offer: 4 or 5 calls, and 3 more where the first time is taken."""
    talk.facts["date"] = f"{talk.rng.choice(_MONTHS)} {talk.rng.randint(1, 30):02d}"
    talk.facts["party_size"] = str(talk.rng.randint(1, 6))
    talk.draw_time()
    talk.hear("want_table")
    for question, answer in talk.rng.choice(
        ((("ask_all", "give_all"),), (("ask_when", "give_when"), ("ask_party", "give_party")))
    ):
        talk.say(question)
        talk.hear(answer)
    talk.say("check")
    talk.hear("confirm")
    if refused:
        talk.reserve(free=False)
        talk.say("full")
        talk.draw_time()
        talk.hear("give_time")
        talk.say("check")
        talk.hear("confirm")
    talk.reserve(free=True)
    talk.say("booked")


def _part(talk: _Dialogue) -> None:
    talk.hear("thanks")
    talk.say("more")
    talk.hear("done")
    talk.say("goodbye")


def _search_only(talk: _Dialogue) -> None:
    _ask_for_place(talk)
    _ask_details(talk, talk.rng.randint(1, 2))


def _booking(talk: _Dialogue) -> None:
    _ask_for_place(talk)
    _ask_details(talk, talk.rng.randint(0, 1))
    _book(talk, refused=False)


def _changed_mind(talk: _Dialogue) -> None:
    _ask_for_place(talk)
    _change_mind(talk)
    _book(talk, refused=False)


def _refused_booking(talk: _Dialogue) -> None:
    _ask_for_place(talk)
    _book(talk, refused=True)


_PATHS: dict[str, Callable[[_Dialogue], None]] = {
    "search": _search_only,
    "booking": _booking,
    "changed-mind": _changed_mind,
    "refused-booking": _refused_booking,
}


def sample_conversations(n: int, seed: int = 0) -> list[Conversation]:
    """Return `n` conversations of 5 to 15 calls; the kinds take turns, so that four have each once.

    A conversation depends on its id and the seed only: the first ones of a longer list are the same.
    Raises UsageError where `n` is not positive.
    """
    if n < 1:
        raise UsageError(f"a sample of {n} conversations was asked for; ask for 1 or more")
    conversations = []
    for position in range(n):
        name = f"sample-{position:04d}"
        kind, write = list(_PATHS.items())[position % len(_PATHS)]
        # Not for secrets: the same id and seed give the same conversation.
        talk = _Dialogue(_world(), name, Random(f"{seed}:{name}"))  # noqa: S311
        write(talk)
        _part(talk)
        conversations.append(Conversation(id=name, messages=tuple(talk.messages), source=f"sample task, {kind}"))
    return conversations
