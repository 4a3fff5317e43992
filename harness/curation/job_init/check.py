"""What is missing or odd in a job folder, each with what to do."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.curation.checks.decontamination import Decontamination
from harness.curation.inspection.advice import likely_problems
from harness.curation.inspection.redaction import find_pii
from harness.curation.inspection.survey import survey
from harness.curation.job_folder import JobFolder
from harness.curation.job_init.gather import links_of
from harness.curation.job_init.record import detectable_difference
from harness.curation.job_init.review import TODO, Review, read_review
from harness.curation.job_init.task_description import DRAFT, VARIES
from harness.curation.job_init.tool_definitions import DRAFT_TOOL, why_unusable
from harness.data.formats.jsonl import read_jsonl
from harness.data.formats.published import read_test_conversations
from harness.data.pipeline_records import TraceRow
from harness.data.records import Conversation, Message, Task
from harness.data.tasks import text_turns
from harness.data.tools import Toolbox
from harness.data.traces.read import read_traces
from harness.errors import DataError
from harness.statistics.formatting import number

_LARGE_DIFFERENCE = 0.1
"""Of staged scores: a test set that shows only larger ones than this has too few conversations."""
_LONG_PROMPT = 40_000
"""Characters of description and tools, about 10,000 tokens, that stand before every turn."""
_CALLABLE = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""Names that endpoints in the style of OpenAI take."""
_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFinding:
    """One thing that a job folder lacks, or that is odd about it."""

    what: str
    advice: str
    missing: bool = False
    """Whether the comparison cannot be run, or not be trusted, without it; otherwise it is worth knowing only."""


def check_job(folder: Path) -> list[JobFinding]:
    """Return what is missing or odd, what is missing first. DataError where the folder is no job folder."""
    job = JobFolder.open(folder)
    task = job.task.task
    test, found = _test(job)
    review, decisions = _review(folder) if test else (None, [])
    dropped = review.dropped if review else frozenset()
    used = [one for one in test if one.id not in dropped]
    found += [*decisions, *_task(task)]
    if used:
        found += [*_size(used), *_calls(used, task)]
    overlaps = _Overlaps(used, _links(folder, used))
    usable = not any(map(why_unusable, task.tools))  # calls can be compared with tools only where these are schemas
    traces = read_traces(job.traces, parallel=task.parallel_tool_calls)
    seen = survey(map(overlaps.look, traces), task if usable else None)
    found += overlaps.findings()
    found += [
        JobFinding(what=f"{one.what} ({one.count:,} of {one.of:,})", advice=one.advice) for one in likely_problems(seen)
    ]
    return sorted(found, key=lambda one: not one.missing)


def _test(job: JobFolder) -> tuple[list[Conversation], list[JobFinding]]:
    if job.test is None:
        advice = "hold out conversations that nothing is trained on, one per line, and correct them; tft job init does"
        return [], [JobFinding(what="there is no test.jsonl", advice=advice, missing=True)]
    try:
        return read_test_conversations(job.test), []
    except DataError as error:
        advice = "correct the line; models are compared on calls"
        return [], [JobFinding(what=f"the test set cannot be read ({error})", advice=advice, missing=True)]


def _review(folder: Path) -> tuple[Review | None, list[JobFinding]]:
    """Return what was decided about the test set; a folder made by hand has no such list, and says nothing."""
    if not (folder / TODO).is_file():
        return None, []
    try:
        review = read_review(folder)
    except DataError as error:
        what = f"{TODO} cannot be read ({error})"
        return None, [JobFinding(what=what, advice="correct the line, or make the list anew", missing=True)]
    counts, found = review.counts, []
    if counts.pending:
        what = f"{counts.pending:,} of {counts.conversations:,} test conversations are not approved"
        found.append(JobFinding(what=what, advice=f"tft job review {folder} shows them", missing=True))
    if counts.taken:
        what = f"nobody looked at {counts.taken:,} of {counts.conversations:,} test conversations"
        found.append(JobFinding(what=what, advice="what is wrong in them counts as right; reports say so"))
    return review, found


def _task(task: Task) -> Iterator[JobFinding]:
    if task.description.startswith(DRAFT):
        yield JobFinding(what="task_description is a draft", advice="write what your agent is told")
    if VARIES in task.description:
        advice = "put in what your agent is told there"
        yield JobFinding(what=f"task_description has {task.description.count(VARIES)} times {VARIES}", advice=advice)
    told = Conversation(id="", messages=(Message(role="system", content=task.description),), source="")
    if personal := find_pii(told):
        what = f"task_description holds what looks personal: {', '.join(personal)}"
        yield JobFinding(what=what, advice="it stands in every prompt, and is pushed with the task; take it out")
    functions = [tool["function"] for tool in task.tools]
    drafts = [one["name"] for one in functions if str(one.get("description") or "").startswith(DRAFT_TOOL)]
    if drafts:
        advice = "say what they do, and correct their arguments, in job_description.json"
        yield JobFinding(what=f"tools inferred from calls: {_names(drafts)}", advice=advice)
    for tool in task.tools:
        if why := why_unusable(tool):
            what = f"the tool {tool['function']['name']} cannot be used, {why}"
            yield JobFinding(what=what, advice="correct it in job_description.json", missing=True)
    if strange := [one["name"] for one in functions if not _CALLABLE.fullmatch(one["name"])]:
        advice = "endpoints refuse such names; models that run here take them"
        yield JobFinding(what=f"names of tools that are no function names: {_names(strange)}", advice=advice)
    size = len(task.description) + sum(len(str(tool)) for tool in task.tools)
    if size > _LONG_PROMPT:
        what = f"description and tools have {size:,} characters"
        yield JobFinding(what=what, advice="they stand before every turn; leave out tools that the agent does not need")


def _size(test: Sequence[Conversation]) -> Iterator[JobFinding]:
    least = detectable_difference(len(test))
    what = f"{len(test)} test conversations"
    if least is None:
        yield JobFinding(what=f"{what} cannot tell anything", advice="hold out ten or more", missing=True)
    elif least > _LARGE_DIFFERENCE:
        what = f"{what} show only differences above {number(least, digits=2)}"
        yield JobFinding(what=f"{what} of the staged score (80 % power)", advice="hold out more, if you have them")


def _calls(test: Sequence[Conversation], task: Task) -> Iterator[JobFinding]:
    """Look at what the test set takes for right: calls of tools that there are, with arguments that they take."""
    toolbox = Toolbox(task.tools)
    unknown: Counter[str] = Counter()
    wrong: dict[str, str] = {}
    usable = not any(map(why_unusable, task.tools))
    for conversation in test:
        for call in (call for message in conversation.messages for call in message.tool_calls):
            if call.name not in toolbox:
                unknown[call.name] += 1
            elif usable and (problems := toolbox.problems(call)):
                wrong.setdefault(conversation.id, problems[0])
    if spoken := text_turns(test):
        turns = sum(one.role == "assistant" for each in test for one in each.messages)
        what = f"{spoken:,} of {turns:,} turns in the test set are text and no call"
        yield JobFinding(
            what=what, advice="they are not scored: only calls are, among them those of a tool that replies"
        )
    if unknown:
        advice = "define them in job_description.json, or correct the calls"
        what = f"{unknown.total():,} calls in the test set of tools that the task does not have: {_names([*unknown])}"
        yield JobFinding(what=what, advice=advice, missing=True)
    if wrong:
        id, problem = next(iter(wrong.items()))
        what = f"{len(wrong):,} test conversations have calls that their tools do not take, the first {id} ({problem})"
        yield JobFinding(what=what[:400], advice="correct the calls, or the tools in job_description.json")


class _Overlaps:
    """What traces have in common with the test set, noted while they pass by."""

    def __init__(self, test: Sequence[Conversation], links: frozenset[str]) -> None:
        self._test, self._links = Decontamination(test), links
        self._same: dict[str, str] = {}
        self._shared: dict[str, None] = {}
        self._kinds = {kind: {link for link in links if _kind(link) == kind} for kind in map(_kind, links)}

    def look(self, row: TraceRow) -> TraceRow:
        if row.problem is None:
            if overlaps := self._test.find(row.conversation):
                self._same[row.conversation.id] = overlaps[0].test_id
            for link in links_of(row.columns):
                if link in self._links:
                    self._shared[link] = None
                if len(known := self._kinds.get(_kind(link), set())) < 2:
                    known.add(link)
        return row

    def findings(self) -> Iterator[JobFinding]:
        if self._same:
            id, test_id = next(iter(self._same.items()))
            what = f"{len(self._same):,} traces are test conversations too, {id} is {test_id}"
            advice = "take them out of the traces: what is trained on the test cannot be measured by it"
            yield JobFinding(what=what, advice=advice, missing=True)
        apart = [link for link in self._shared if len(self._kinds[_kind(link)]) > 1]  # one that all have is no one's
        if apart:
            what = f"{len(apart):,} users or sessions are in the traces and in the test set, such as {apart[0]}"
            yield JobFinding(what=what[:300], advice="keep each on one side", missing=True)


def _kind(link: str) -> str:
    return link.split(" ", 1)[0]


def _links(folder: Path, test: Sequence[Conversation]) -> frozenset[str]:
    used = {one.id for one in test}
    rows = (row for _, row in read_jsonl(folder / "test.jsonl")) if used else ()
    return frozenset(link for row in rows if row.get("id") in used for link in links_of(row))


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(f"{name:.64}" for name in names[:_NAMED]) + more
