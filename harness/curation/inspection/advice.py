"""Likely problems of a file of traces, each with advice, and the command that comes next."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from harness.curation.inspection.anomalies import ADVICE, SIGNS
from harness.curation.inspection.survey import Survey, ToolUse
from harness.data.formats.reading_notes import ADVICE as READING

_MANY, _TOO_MANY = 0.02, 0.1
"""Shares of a sample from which a finding is reported, and from which damaged traces call for a lower threshold."""
_RELEVANT, _DAMAGED = 4, 2
"""The relevance that `tft filter` keeps by default, and the coherence of traces that may be mended."""
_NAMES = 3
_SMALL, _FEW = 10, 40
"""With fewer traces synthesis has little to learn from; below the second number every one counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LikelyProblem:
    """One likely problem."""

    what: str
    count: int
    of: int
    """What is counted: traces or calls in all."""
    advice: str
    trouble: bool
    """False: worth knowing only."""


def likely_problems(found: Survey) -> list[LikelyProblem]:
    """Return the likely problems of a survey: what explains others first, troubles before what is only worth knowing.

    The others are in the order of how many are concerned.
    """
    others = [*_tools(found), *_signs(found), *_noticed(found), *_personal(found)]
    others.sort(key=lambda one: -one.count / max(1, one.of))
    return sorted([*_rows(found), *_ratings(found), *others], key=lambda one: not one.trouble)


def _rows(found: Survey) -> list[LikelyProblem]:
    problems = []
    readable = found.rows - found.unreadable
    if found.unreadable:
        advice = "the first ones are listed below; the others are used"
        problems.append(_likely("rows that cannot be read", found.unreadable, found.rows, advice))
    if found.rejected:
        advice = "an earlier stage rejected them; later ones leave them out"
        problems.append(_likely("rows that are not kept", found.rejected, found.rows, advice, trouble=False))
    if readable < _FEW:
        advice = "`tft synthesize` makes more of them" if readable < _SMALL else "relabel all of them (no --seeds)"
        problems.append(_likely("traces, which are few", readable, readable, advice, trouble=False))
    return problems


def _tools(found: Survey) -> list[LikelyProblem]:
    problems = []
    calls = sum(one.calls for one in found.tools)
    unknown = [one for one in found.tools if one.known is False]
    if unknown:
        named = ", ".join(map(_meant, unknown[:_NAMES])) + (", ..." if len(unknown) > _NAMES else "")
        advice = f"{named}: `tft relabel` maps drifted names to the task's tools, or correct the task's tools"
        problems.append(_likely("calls of tools that the task does not know", _calls(unknown), calls, advice))
    for one in found.tools:
        if one.known and one.unknown_arguments:
            keys = ", ".join(list(one.unknown_arguments)[:_NAMES])
            number = max(one.unknown_arguments.values())
            advice = f"{keys}: the schema has changed, or these traces are of another service"
            problems.append(
                _likely(f"calls of {one.name} with arguments that it does not take", number, one.calls, advice)
            )
        if one.known and one.missing_arguments:
            key, number = max(one.missing_arguments.items(), key=lambda item: item[1])
            advice = f"{key} is required by its schema; `tft relabel` fills in what the conversation says"
            problems.append(_likely(f"calls of {one.name} without a required argument", number, one.calls, advice))
        if one.known and not one.calls and found.rows > found.unreadable:
            advice = "there is nothing to learn it from; is it still in use?"
            problems.append(_likely(f"calls of the task's tool {one.name}", 0, calls, advice, trouble=False))
    return problems


def _noticed(found: Survey) -> list[LikelyProblem]:
    """Return what reading the rows has changed or left out, in the words of their kinds."""
    readable = found.rows - found.unreadable
    return [
        _likely(READING[kind][0], number, readable, READING[kind][1], trouble=False)
        for kind, number in found.noticed.items()
    ]


def _meant(one: ToolUse) -> str:
    return f"{one.name} (meant as {one.resembles}?)" if one.resembles else one.name


def _calls(tools: list[ToolUse]) -> int:
    return sum(one.calls for one in tools)


def _ratings(found: Survey) -> list[LikelyProblem]:
    problems = []
    off = sum(number for rating, number in found.relevance.items() if rating < _RELEVANT)
    if off > _MANY * max(1, found.rated):
        advice = "they seem to be of another task: `tft filter` rejects them"
        problems.append(_likely("traces of a sample that rules rate below relevance 4", off, found.rated, advice))
    broken = found.coherence.get(1, 0)
    if broken > _MANY * max(1, found.rated):
        advice = "their messages are out of order, or the agent does nothing in them: `tft filter` rejects them"
        problems.append(_likely("traces of a sample that rules rate 1 for coherence", broken, found.rated, advice))
    damaged = found.coherence.get(_DAMAGED, 0)
    if damaged > _MANY * max(1, found.rated):
        advice = "to have damaged traces repaired, let them pass: `tft filter --relevance 3 --coherence 2`"
        problems.append(_likely("traces of a sample that rules rate 2 for coherence", damaged, found.rated, advice))
    return problems


def _signs(found: Survey) -> list[LikelyProblem]:
    readable = found.rows - found.unreadable
    known = {sign.name: (sign.advice, sign.trouble) for sign in SIGNS}
    known |= {name: (advice, True) for name, advice in ADVICE.items()}
    return [
        _likely(f"conversations that {name}", number, readable, known[name][0], trouble=known[name][1])
        for name, number in found.odd.items()
    ]


def _personal(found: Survey) -> list[LikelyProblem]:
    kinds = {"email": "e-mail addresses", "phone": "phone numbers", "card": "payment card numbers", "iban": "IBANs"}
    readable = found.rows - found.unreadable
    return [
        _likely(
            f"conversations that hold what looks like {kinds.get(kind, kind)}",
            number,
            readable,
            "numbers of businesses may stay; `tft filter --redact` masks them all",
            trouble=False,
        )
        for kind, number in found.pii.items()
    ]


def _likely(what: str, count: int, of: int, advice: str, *, trouble: bool = True) -> LikelyProblem:
    return LikelyProblem(what=what, count=count, of=of, advice=advice, trouble=trouble)


def next_command(found: Survey, source: str, *, job: Path | None, task: Path | None) -> str:
    """Return the command to go on with: with settings for damaged traces where many are, and the task filled in."""
    damaged = found.coherence.get(_DAMAGED, 0)
    related = sum(number for rating, number in found.relevance.items() if rating >= _RELEVANT)
    words = ["tft", "filter"]
    if job is None or Path(source) != job:
        words.append(source)
    words += ["--job", str(job)] if job else []
    words += ["--task", str(task or "job_description.json")] if task or not job else []
    if damaged > _TOO_MANY * found.rated and related > found.rated / 2:
        words += ["--relevance", "3", "--coherence", "2"]
    return shlex.join([*words, "--out", "filtered"])
