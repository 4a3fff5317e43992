"""Two small services in SGD's layout, made up for the tests: a nursery that sells plants, and trams."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.data.sources import Sources

PLANTS, TRAMS = "Plants_1", "Trams_1"
SPECIES = ["fern", "ivy", "moss", "sage", "mint", "dill"]


def slot(name: str, *values: str) -> dict[str, Any]:
    return {
        "name": name,
        "description": f"The {name}",
        "is_categorical": bool(values),
        "possible_values": list(values),
    }


def intent(name: str, required: list[str], optional: list[str], *, transactional: bool) -> dict[str, Any]:
    return {
        "name": name,
        "description": f"Does {name}",
        "is_transactional": transactional,
        "required_slots": required,
        "optional_slots": dict.fromkeys(optional, "dontcare"),
        "result_slots": required,
    }


PLANTS_SCHEMA = {
    "service_name": PLANTS,
    "description": "A nursery",
    "slots": [slot("species"), slot("pot_size", "small", "large"), slot("delivery_date")],
    "intents": [
        intent("FindPlants", ["species"], ["pot_size"], transactional=False),
        intent("OrderPlant", ["species", "delivery_date"], [], transactional=True),
    ],
}
TRAMS_SCHEMA = {
    "service_name": TRAMS,
    "description": "Trams",
    "slots": [slot("line"), slot("stop")],
    "intents": [
        intent("FindTram", ["line"], ["stop"], transactional=False),
        intent("BuyTicket", ["line"], [], transactional=True),
    ],
}


def say(text: str, call: tuple[str, dict[str, str]] | None = None) -> dict[str, Any]:
    frame = {"service_call": {"method": call[0], "parameters": call[1]}, "service_results": [call[1]]} if call else {}
    return {"speaker": "SYSTEM", "utterance": text, "frames": [frame]}


def ask(text: str) -> dict[str, Any]:
    return {"speaker": "USER", "utterance": text, "frames": []}


def plant_dialogue(number: int) -> dict[str, Any]:
    species = SPECIES[number % len(SPECIES)]
    return {
        "dialogue_id": f"1_{number:05d}",
        "services": [PLANTS],
        "turns": [
            ask(f"I want a plant, number {number}."),
            say("Which one?"),
            ask(f"A {species}."),
            say(f"We have {species}.", ("FindPlants", {"species": species, "pot_size": "small"})),
            ask("Bring it, please."),
            say(f"Coming on day {number}.", ("OrderPlant", {"species": species, "delivery_date": f"day {number}"})),
        ],
    }


def tram_dialogue(number: int) -> dict[str, Any]:
    return {
        "dialogue_id": f"9_{number:05d}",
        "services": [TRAMS],
        "turns": [
            ask(f"When does line {number} leave?"),
            say(f"Line {number} leaves at noon.", ("FindTram", {"line": str(number)})),
            ask("A ticket, then."),
            say(f"Here is your ticket for line {number}.", ("BuyTicket", {"line": str(number)})),
        ],
    }


def write(folder: Path, split: str, dialogues: list[dict[str, Any]], schemas: list[dict[str, Any]]) -> None:
    target = folder / "sgd" / split
    target.mkdir(parents=True, exist_ok=True)
    (target / "dialogues_001.json").write_text(json.dumps(dialogues))
    (target / "schema.json").write_text(json.dumps(schemas))


@pytest.fixture
def services(tmp_path: Path) -> Sources:
    """40 dialogues about plants, 30 about trams, none of them a declared file."""
    folder = tmp_path / "sources"
    dialogues = [plant_dialogue(number) for number in range(40)] + [tram_dialogue(number) for number in range(30)]
    write(folder, "train", dialogues, [PLANTS_SCHEMA, TRAMS_SCHEMA])
    return Sources(folder=folder, files={})


@pytest.fixture(scope="session")
def sgd() -> SimpleNamespace:
    """What dialogues and schemas are made with."""
    return SimpleNamespace(
        PLANTS=PLANTS,
        PLANTS_SCHEMA=PLANTS_SCHEMA,
        TRAMS_SCHEMA=TRAMS_SCHEMA,
        say=say,
        plant_dialogue=plant_dialogue,
        tram_dialogue=tram_dialogue,
        write=write,
    )
