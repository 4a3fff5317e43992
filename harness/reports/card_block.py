"""The harness's block in a README, and all that others have written around it."""

from __future__ import annotations

import re

from harness.errors import DataError

BEGIN = "<!-- tft-harness:begin -->"
END = "<!-- tft-harness:end -->"

_BLOCK = re.compile(rf"^{re.escape(BEGIN)}[ \t\r]*$.*?^{re.escape(END)}[ \t\r]*$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(rf"^(?:{re.escape(BEGIN)}|{re.escape(END)})[ \t\r]*$", re.MULTILINE)
_WHOLE = re.compile(rf"{re.escape(BEGIN)}[ \t\r]*\n+# ")


def merge_readme(existing: str, block: str) -> str:
    """Return `existing` with the marked block added at its end, or put in place of the one it has.

    Nothing outside the block changes, and merging twice is merging once. DataError where the marks in
    `existing` are not one begin followed by one end.
    """
    marks = _MARK.findall(existing)
    found = _BLOCK.search(existing)
    block = marked(block)
    if not marks:
        gap = "" if not existing else "\n" if existing.endswith("\n") else "\n\n"
        return f"{existing}{gap}{block}\n"
    if len(marks) != 2 or found is None:
        raise DataError(
            f"the README has {len(marks)} of the marks {BEGIN} and {END}, expected one of each, in this order; "
            "remove the odd ones by hand and run this again"
        )
    return existing[: found.start()] + block + existing[found.end() :]


def marked(text: str) -> str:
    """Return the marked block of a card, without the metadata before it; a text without marks as it is."""
    found = _BLOCK.search(text)
    return found[0] if found else text.strip("\n")


def is_whole(existing: str) -> bool:
    """Whether the block of a README is all of its text: it begins with the title."""
    return any(_WHOLE.match(found[0]) for found in _BLOCK.finditer(existing))
