"""The day that prompts call today: the one that was named, else that of the first run, else today."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

from harness.errors import RepoNotFound
from harness.hub.client import Hub
from harness.hub.lineage import LINEAGE, Lineage, parse_record, read_lineage
from harness.models.backends._base import DAY, EvaluatedModel
from harness.models.prompts import Calendar
from harness.terminal import say
from harness.training.checkpoints import recorded_day


def dated(lineage: Lineage, day: date) -> Lineage:
    """Return the lineage of a run that takes this day for today."""
    return replace(lineage, config={**lineage.config, DAY: day.isoformat()})


def use_day(model: EvaluatedModel, lineage: Lineage, folders: Iterable[Path], named: date | None) -> None:
    """Let a model be asked on the day that was named, on that of the run in one of the folders, or today.

    `lineage` is the run's without a day. Nothing is done where what is sent does not depend on it.
    """
    if not model.asks_for_day():
        if named:
            say_no_day(named)
        return
    day = named or next(_matching(lineage, _evaluated(folders)), None) or Calendar().day
    model.use_day(day)
    say_day(day)


def say_day(day: date) -> None:
    """Say which day prompts have."""
    say(f"the chat template asks for the date: prompts say {day} (--date chooses another day)")


def say_no_day(named: date) -> None:
    """Say that a day was named in vain."""
    say(f"--date {named} changes nothing: no chat template asks for the date here")


def day_of_training(
    lineage: Lineage, begun: Iterable[tuple[Path, str | None]], hub: Hub, target: str | None
) -> date | None:
    """Return the day of a training that was begun here, or is on the Hub, and has this lineage but for its day.

    `begun` has folders of checkpoints and the fingerprint of their run, None where the user named the folder.
    """
    for folder, fingerprint in begun:
        day = recorded_day(folder)
        if day and fingerprint in (None, dated(lineage, day).fingerprint()):
            return day
    return next(_matching(lineage, _pushed(hub, target)), None)


def _matching(lineage: Lineage, known: Iterable[tuple[date, str]]) -> Iterator[date]:
    """Yield the days of runs, given with their fingerprints, that are this one but for its day."""
    for day, fingerprint in known:
        if dated(lineage, day).fingerprint() == fingerprint:
            yield day


def _evaluated(folders: Iterable[Path]) -> Iterator[tuple[date, str]]:
    for folder in folders:
        if (folder / LINEAGE).is_file():
            record = parse_record((folder / LINEAGE).read_bytes(), str(folder / LINEAGE))
            if day := record.lineage.config.get(DAY):
                yield date.fromisoformat(day), record.fingerprint


def _pushed(hub: Hub, target: str | None) -> Iterator[tuple[date, str]]:
    if target is None:
        return
    try:
        record = read_lineage(hub, hub.resolve("model", target))
    except RepoNotFound:
        return
    if record and (day := record.lineage.config.get(DAY)):
        yield date.fromisoformat(day), record.fingerprint
