"""The record of a job folder that was made from an export, and what of it a person should read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from harness import __version__
from harness.curation.job_init.task_description import VARIES, FoundDescription
from harness.curation.job_init.tool_definitions import FoundTool
from harness.data.formats.reading_notes import ADVICE
from harness.statistics.estimates import smallest_detectable
from harness.statistics.formatting import number

ASIDE, RECORD = "set_aside.jsonl", "job_init.json"
_SPREAD = 0.12
"""Standard deviation, over conversations, of the difference of two models' staged scores: that of the two models whose
predictions on the benchmark are published (9 conversations, 78 turns)."""
_NAMED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """What was made from an export: `job_init.json`."""

    source: str
    """The export, by name and hash."""
    files: tuple[str, ...]
    """Of a folder of exports: its files, each by name and hash."""
    seed: int
    rows: int
    """Rows of the export: the sum of the next three."""
    traces: int
    test: int
    set_aside: int
    reasons: dict[str, int]
    """Why rows were set aside -> rows."""
    test_wanted: int
    """Test conversations that were asked for, or the default."""
    usable: int
    """Conversations that nothing was wrong with before the test set was chosen."""
    test_candidates: int
    """Those of them that could be test conversations."""
    groups: int
    shared: tuple[str, ...]
    detectable: float | None
    """The difference of staged scores that the test set shows with 80 % power, if conversations spread as `SPREAD`."""
    description: FoundDescription
    tools: tuple[FoundTool, ...]
    """Without their definitions, which the task has."""
    rows_with_tools: int
    overlooked_tools: int
    personal: dict[str, int]
    reading: dict[str, int]
    """What reading left out, reordered or guessed -> conversations."""
    columns: dict[str, int]
    """What the export says beside conversations, as far as it is carried on -> rows."""
    redacted: bool
    decided_by: str | None


def detectable_difference(conversations: int) -> float | None:
    """Return the difference of staged scores that so many test conversations show with 80 % power; None below two."""
    if conversations < 2:
        return None
    return smallest_detectable(_SPREAD / conversations**0.5, conversations - 1)


def dump_record(record: JobRecord) -> dict[str, Any]:
    """Return the document of `job_init.json`; the definitions of tools stand in the task."""
    document = {"version": 1, "harness": __version__, **asdict(record)}
    document["description"].pop("text")
    for tool in document["tools"]:
        tool.pop("definition")
    return document


def counted(counts: Mapping[str, int]) -> str:
    """Return counts in words, `12 near duplicate, 3 failed`."""
    return ", ".join(f"{count:,} {what}" for what, count in counts.items()) or "none"


def notes(record: JobRecord) -> Iterator[str]:
    """Yield what was dropped, guessed or left open, a sentence each."""
    yield from _about_rows(record)
    yield from _about_test(record)
    yield from _about_tools(record)
    yield from _about_description(record.description)
    if record.redacted:
        yield "e-mail addresses, phone, card and account numbers are masked, users and sessions numbered; names are not"
    if record.personal:
        yield (
            f"what looks personal in conversations: {counted(record.personal)}; `--redact` masks it, and "
            "nothing is pushed by this command"
        )


def _about_rows(record: JobRecord) -> Iterator[str]:
    if record.reasons:
        yield f"set aside: {counted(record.reasons)}; each stands in {ASIDE} with its reason"
    for kind, count in record.reading.items():
        what, advice = ADVICE.get(kind, (f"conversations with {kind}", "look at some of them"))
        yield f"{count:,} {what}: {advice}"


def _about_test(record: JobRecord) -> Iterator[str]:
    untestable = record.usable - record.test_candidates
    if untestable:
        yield (
            f"{untestable:,} of {record.usable:,} conversations cannot be held out, most often for having no call or "
            "several in one turn: models are compared on single calls"
        )
    if record.detectable is None:
        yield (
            "there is no test set that can tell anything: of the conversations that can be held out, at most half are, "
            f"and there are {record.test_candidates:,}; export more"
        )
    else:
        yield (
            f"{record.test} test conversations show a difference of {number(record.detectable, digits=2)} in the "
            "staged score with 80 % power, if conversations differ as much as in the published predictions"
        )
    if record.test < record.test_wanted:
        yield (
            f"{record.test_wanted} were to be held out: each of the other users or sessions has more conversations "
            "than were left to choose, and none is on both sides"
        )
    for link in record.shared:
        kind = link.split(" ", 1)[0]
        yield f"all conversations with a {kind} have the same one, so it keeps none apart"
    if not {"user_id", "session_id"} & record.columns.keys():
        yield "the export names neither users nor sessions: one user may be on both sides"


def _about_tools(record: JobRecord) -> Iterator[str]:
    inferred = [one for one in record.tools if one.inferred]
    if inferred:
        named = ", ".join(f"{one.name} ({one.calls:,} calls)" for one in inferred[:_NAMED])
        more = f" and {len(inferred) - _NAMED} more" if len(inferred) > _NAMED else ""
        yield f"inferred from calls, as drafts: {named}{more}; correct them in job_description.json"
    for one in record.tools:
        if one.versions > 1:
            yield f"{one.name} is defined in {one.versions} ways, {one.chosen} was taken"
        if one.unusable:
            yield f"a definition of {one.name} was not taken: {one.unusable}"
    if record.overlooked_tools:
        yield f"{record.overlooked_tools:,} definitions and calls of further tools were not looked at: too many"


def _about_description(found: FoundDescription) -> Iterator[str]:
    if found.draft:
        yield "no trace says what the agent is told: task_description is a draft; write what your agent is told"
        return
    if found.varies:
        yield (
            f"system messages differ in {found.varies} places, which stand as {VARIES} in task_description; put in "
            "what your agent is told there"
        )
    if found.other_seen:
        yield (
            f"{found.other_seen:,} conversations have system messages of another kind: are they of another agent? "
            "Export one agent at a time"
        )
