"""What the reading of a logged conversation leaves out, reorders or takes for granted: to be counted and shown."""

from __future__ import annotations

from collections.abc import Iterable

from harness.data.pipeline_records import Finding

SEVERAL_CALLS, MEDIA, ORDER, NEWEST_FIRST, OTHER_ANSWER, ALTERNATIVES, CUT_RESULT, REPEATED = (
    *("several-calls-made", "media-left-out", "order-guessed", "newest-first"),
    *("other-answer", "alternatives-left-out", "result-cut", "exported-twice"),
)
ADVICE = {
    SEVERAL_CALLS: (
        "conversations with several calls in a turn",
        "each call is a turn of its own now, with its result behind it; they stay together where job_description.json "
        "has parallel_tool_calls (tft job init --parallel-tool-calls)",
    ),
    MEDIA: (
        "conversations that end before a picture, a sound or a file",
        "only text can be learned from: what was said from there on is left out",
    ),
    ORDER: (
        "conversations in which a text may stand before or behind a call",
        "the text was taken for the reply to the results, as it mostly is; look at some of them",
    ),
    NEWEST_FIRST: (
        "conversations whose messages stood newest first",
        "they were read from the last to the first, by the times that they say; nothing has to be done",
    ),
    OTHER_ANSWER: (
        "conversations that end with another answer than the one beside them",
        "the messages were taken as they stand; remove the output beside them, or the last message",
    ),
    ALTERNATIVES: ("answers with alternatives", "the first one was taken"),
    CUT_RESULT: (
        "conversations with a tool's result that ends in a mark of being cut",
        "fine where the agent cuts results itself; else raise the size limit of the tool that logs, and export again",
    ),
    REPEATED: ("conversations that were exported more than once", "each counts once; nothing has to be done"),
}
"""Of each kind, what it is and what to do, in words."""


def in_words(findings: Iterable[Finding]) -> list[str]:
    """Return what kinds of notes there are, each once, in the words of `ADVICE`."""
    return [ADVICE[kind][0] for kind in dict.fromkeys(one.check for one in findings) if kind in ADVICE]


class ReadingNotes:
    """Collects the notes of one conversation; `parallel` says that several calls may stay in one turn."""

    def __init__(self, *, parallel: bool = False) -> None:
        self.findings: list[Finding] = []
        self.parallel = parallel

    def add(self, kind: str, problem: str, position: int | None = None) -> None:
        """Note something of one of the kinds above; `position` is that of the logged message, from 0."""
        self.findings.append(Finding(check=kind, severity="note", problem=problem, position=position))
