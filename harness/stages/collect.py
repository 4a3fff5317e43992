"""Stage `collect`: the published test set as a dataset repository, whole conversations and turn pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from harness import resources
from harness.data.formats.published import read_test_conversations
from harness.data.formats.strict_records import FrozenModel
from harness.data.formats.task import read_task
from harness.data.records import Conversation, TurnPair
from harness.data.scenarios import CleanTraces, dialogue_files
from harness.data.scenarios._base import clean_traces
from harness.data.sources import Sources, locate
from harness.data.tasks import EVALUATION, TASK, write_test_set
from harness.errors import DataError
from harness.evaluation.metrics import metric_names
from harness.hub.artifact import README
from harness.hub.client import Hub
from harness.hub.lineage import Lineage
from harness.reports.dataset_card import render, size_category
from harness.stages._result import OutputTarget, StageResult, produce
from harness.statistics.formatting import most_common_first

STAGE = "collect"
VERSION = 2
TEST_FILE = "tft-benchmark/test.jsonl"
TASK_FILE = "tft-benchmark/job_description.json"

_BOOKING_TOOL = "ReserveRestaurant"
_TODAY = "2019-03-01"
"""What "today" means in the source: its reservations without a stated day are for this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSetFacts:
    """What the card of the test set says, counted on the data."""

    __test__ = False  # its name looks like a test class to pytest

    conversations: int
    unchanged: int
    """Conversations that equal one of the held-out source dialogues, call ids aside."""
    pairs: int
    references: dict[str, int]
    """Tool -> pairs whose reference calls it, most frequent first."""
    shortest: int
    longest: int
    mean: float
    """Messages per conversation."""
    bookings: int
    today_bookings: int
    unstated_dates: int
    """Booking references whose date occurs nowhere before them."""
    size: str
    today: str = _TODAY


class CollectRequest(FrozenModel):
    """Where the source files are and where the test set goes."""

    sources: Path | None = None
    """Folder of the source files; None: the one of the environment or the cache."""
    place: OutputTarget


def run(request: CollectRequest, hub: Hub) -> StageResult:
    """Write the published test set, or find it on the Hub; SourceError where a source file is not the pinned one."""
    sources = locate(request.sources)
    return produce(lineage(sources), hub, request.place, partial(write, sources, request.place.target or ""))


def lineage(sources: Sources) -> Lineage:
    """Return what the test set is made from."""
    inputs = sources.inputs([TEST_FILE, TASK_FILE, *dialogue_files(sources)])
    return Lineage(stage=STAGE, version=VERSION, config={"configs": ["conversations", "pairs"]}, inputs=inputs)


def write(sources: Sources, repo_id: str, folder: Path) -> dict[str, Any]:
    """Write the repository's files, without its lineage, into `folder`; return no counts, which the card has.

    Raises SourceError where a source file is not the pinned one, DataError where a row cannot be read.
    """
    conversations, dialogues = read_test_set(sources), clean_traces(sources.folder)
    pairs = write_test_set(folder, conversations, task=sources.read(TASK_FILE), evaluation=_evaluation())
    card = render(
        "testset.md.jinja",
        repo_id=repo_id,
        facts=measure_test_set(conversations, pairs, dialogues),
        task=read_task(folder / TASK),
        lineage=lineage(sources),
    )
    (folder / README).write_text(card, encoding="utf-8")
    return {}


def _evaluation() -> str:
    """Return the benchmark's definition for the Hub, with a task for each metric that it does not name itself."""
    text = (resources.folder("datasets") / EVALUATION).read_text(encoding="utf-8")
    named = {task["id"] for task in yaml.safe_load(text)["tasks"]}
    return text + "".join(f"  - {{<<: *task, id: {metric}}}\n" for metric in metric_names() if metric not in named)


def read_test_set(sources: Sources) -> list[Conversation]:
    """Return the 34 test conversations, after verifying their file."""
    sources.read(TEST_FILE)
    return read_test_conversations(sources.folder / TEST_FILE)


def measure_test_set(
    conversations: Sequence[Conversation], pairs: Sequence[TurnPair], dialogues: CleanTraces
) -> TestSetFacts:
    """Count what the card says; DataError for an empty test set."""
    if not conversations:
        raise DataError("the test set has no conversations; there is nothing to describe")
    held_out = [trace.conversation.messages for trace in dialogues.held_out]
    lengths = [len(conversation.messages) for conversation in conversations]
    bookings = [pair for pair in pairs if pair.reference.name == _BOOKING_TOOL]
    return TestSetFacts(
        conversations=len(conversations),
        unchanged=sum(conversation.messages in held_out for conversation in conversations),
        pairs=len(pairs),
        references=most_common_first(Counter(pair.reference.name for pair in pairs)),
        shortest=min(lengths),
        longest=max(lengths),
        mean=sum(lengths) / len(lengths),
        bookings=len(bookings),
        today_bookings=sum(pair.reference.arguments.get("date") == _TODAY for pair in bookings),
        unstated_dates=sum(_date_is_unstated(pair) for pair in bookings),
        size=size_category(len(pairs)),
    )


def _date_is_unstated(pair: TurnPair) -> bool:
    date = str(pair.reference.arguments.get("date") or "")
    said = [message.content or "" for message in pair.prefix]
    said += [str(call.arguments) for message in pair.prefix for call in message.tool_calls]
    return bool(date) and not any(date in text for text in said)
