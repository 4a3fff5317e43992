"""The repair report in a terminal and as Markdown for a card."""

from __future__ import annotations

from harness.curation.repair.scores import Measure, RepairReport
from harness.reports.evaluation_tables import table
from harness.statistics.formatting import cell, short_interval
from harness.statistics.records import Estimate
from harness.terminal import console, one_line

_SHARES = ("detected", "name", "keys", "arguments", "strictly", "text")
_LONGEST = 32
NOTE = (
    "detected: changed or left undecided (false alarms where nothing was done). name, keys, arguments: right now, the "
    "last two and strictly (character by character) of service calls; text: the very words of replies, which for "
    "replaced ones nobody can know. Undecided turns are not right."
)


def shown(kind: str) -> str:
    """Return a kind of damage as a table shows it: in short, and as text that any terminal and font can show."""
    short = kind.replace("replace_with_", "to ").replace("_", " ").encode("unicode_escape").decode("ascii")
    return short if len(short) <= _LONGEST else f"{short[: _LONGEST - 3]}..."


def measures_of(report: RepairReport) -> list[Measure]:
    """Return all measures that have something to measure, that of whole conversations last."""
    every = [*report.measures, *([report.rejection] if report.rejection else [])]
    return [one for one in every if one.positives or one.flagged]


def facts(report: RepairReport) -> list[tuple[str, Estimate]]:
    """Return the shares over all turns, with what each is."""
    listed = [
        ("tool name right, as they came", report.before["name"]),
        ("tool name right now", report.after["name"]),
        ("service calls right, as they came", report.before["arguments"]),
        ("service calls right now", report.after["arguments"]),
        ("clean turns: tool name broken", report.broken["name"]),
        ("clean turns: service call broken", report.broken["arguments"]),
        ("clean turns: reply changed", report.broken["text"]),
    ]
    if report.kept is not None:
        listed.append(("conversations of the task that are kept", report.kept))
    return [(what, one) for what, one in listed if one.value is not None]


def scope(report: RepairReport) -> str:
    """Return in a sentence what was measured, and what could not be."""
    turns = sum(one.n for one in report.kinds)
    parts = [f"{turns} turns of {report.conversations} conversations" if turns else "whole conversations only"]
    if report.unmatched:
        parts.append(f"{report.unmatched} conversations without a clean one were not measured")
    if report.misplaced:
        parts.append(f"{report.misplaced} turns without a clean call at their place were not measured")
    return "; ".join(parts) + "."


def print_repair(report: RepairReport, width: int | None = None) -> None:
    """Print the report on stdout."""
    out = console(width=width, markup=False)
    out.print(one_line(f"{report.source} against {report.truth}: {scope(report)}"))
    measures = table("found or mended", "precision", "recall", "F1", "wrong", "touched")
    for one in measures_of(report):
        row = (
            short_interval(one.precision),
            short_interval(one.recall),
            cell(one.f1.value),
            str(one.positives),
            str(one.flagged),
        )
        measures.add_row(one.name, *row)
    out.print(measures)
    if report.kinds:
        kinds = table("damage", "turns", "found", "name", "keys", "args", "exact", "text", "undecided")
        for kind in report.kinds:
            shares = [cell(getattr(kind, name).value) for name in _SHARES]
            kinds.add_row(shown(kind.kind), str(kind.n), *shares, str(kind.undecided))
        out.print(kinds)
    shares_table = table("over all", "share")
    for what, share in facts(report):
        shares_table.add_row(what, short_interval(share))
    out.print(shares_table)


def as_markdown(report: RepairReport) -> str:
    """Return the report as a section of a card, intervals included."""
    lines = ["## Repair, measured against the clean traces", "", _safe(f"{report.truth}: {scope(report)}"), ""]
    lines += _rows(
        ("found or mended", "precision", "recall", "F1", "wrong", "touched"),
        [
            (
                one.what,
                short_interval(one.precision),
                short_interval(one.recall),
                short_interval(one.f1),
                str(one.positives),
                str(one.flagged),
            )
            for one in measures_of(report)
        ],
    )
    if report.kinds:
        lines += _rows(
            ("damage", "turns", *_SHARES, "undecided"),
            [
                (
                    shown(one.kind),
                    str(one.n),
                    *(short_interval(getattr(one, share)) for share in _SHARES),
                    str(one.undecided),
                )
                for one in report.kinds
            ],
        )
        lines += [NOTE, ""]
    lines += _rows(("over all", "share"), [(what, short_interval(one)) for what, one in facts(report)])
    lines.append("Brackets hold 95 % intervals, clustered by conversation.")
    return "\n".join(lines) + "\n"


def _rows(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    body = [f"| {' | '.join((_safe(row[0]), *row[1:]))} |" for row in rows]
    return [f"| {' | '.join(header)} |", "|---" * len(header) + "|", *body, ""] if rows else []


def _safe(text: str) -> str:
    """Return text as one line of Markdown: names of kinds and files come from outside."""
    from harness.reports.markdown import escape

    return str(escape(text))
