"""What a model says to the user, while it is generated: the words inside a call that is not whole yet."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from harness.data.tools import ReplyTool

SAMPLES = ("Qz9003Vx", "Qz9004Vx<b>&\"'é\n\\Qz9005Vx")
"""What a template is given to say, to see where words begin and end in its notation, and how they are written."""
_OPENING = r"\s*(?:<[^<>{}\[\]]{1,40}>|\[TOOL_CALLS\])?\s*\[?\s*\{"
_AFTER = 12
"""Characters behind the words, white space aside, by which their end is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What stands around the words for the user in an answer."""

    before: re.Pattern[str]
    after: str | None
    """None: the words are a text of JSON, and end with its quote."""


@lru_cache(maxsize=64)
def surroundings(reply: ReplyTool, written: tuple[str, str] | None) -> tuple[Around, ...]:
    """Return what stands around the words of a reply: in JSON at the head of an answer, and as a template writes them.

    The template's way is taken where it gives the words of its own second sample back.
    """
    name, argument = re.escape(json.dumps(reply.tool)), re.escape(json.dumps(reply.argument))
    head = rf'{_OPENING}\s*"name"\s*:\s*{name}\s*,\s*"(?:arguments|parameters)"\s*:\s*\{{\s*{argument}\s*:\s*"'
    found = (Around(before=re.compile(head), after=None),)
    if written is None:
        return found
    for around in (*found, *_of_template(written[0])):
        words = GrowingWords((around,))
        words.add(written[1])
        if words.text == SAMPLES[1]:
            return found if around in found else (*found, around)
    return found


def _of_template(written: str) -> Iterator[Around]:
    before, _, behind = written.partition(SAMPLES[0])
    pattern = re.compile(r"\s*" + re.escape(before.lstrip()))
    end = behind[: len(behind) - len(behind.lstrip()) + _AFTER]
    end = end[: end.find("<|", 1)] if "<|" in end[1:] else end  # the token that ends a turn may not be in an answer
    if before.strip() and end.strip():
        yield Around(before=pattern, after=end)
    if before.strip() and behind.startswith('"'):
        yield Around(before=pattern, after=None)


class GrowingWords:
    """The words for the user in an answer that is still growing: `text` is what is sure to be said of them."""

    def __init__(self, around: tuple[Around, ...]) -> None:
        self.text = ""
        self._candidates = around
        self._around: Around | None = None
        self._raw = ""
        self._place = 0
        """Where in the raw text the words go on."""
        self._ended = False

    def add(self, piece: str) -> None:
        """Take further text of the model."""
        self._raw += piece
        if self._around is None:
            for around in self._candidates:
                if found := around.before.match(self._raw):
                    self._around, self._place = around, found.end()
                    break
        if self._around is None or self._ended:
            return
        if self._around.after is None:
            self._in_json()
        else:
            self._until(self._around.after)

    def _until(self, after: str) -> None:
        end = self._raw.find(after, self._place)
        self._ended = end >= 0
        if not self._ended:
            end = len(self._raw) - len(after) + 1  # the rest may be its beginning
        if end > self._place:
            self.text += self._raw[self._place : end]
            self._place = end

    def _in_json(self) -> None:
        """Resolve what has come of a JSON text up to its end, or to an escape that is not whole."""
        raw, end = self._raw, self._place
        while end < len(raw) and raw[end] != '"':
            if raw[end] != "\\":
                end += 1
                continue
            size = _escape_size(raw, end)
            if size is None:
                break
            end += size
        self._ended = end < len(raw) and raw[end] == '"'
        try:
            found = json.loads(f'"{raw[self._place : end]}"', strict=False)
        except ValueError:  # the final reading repairs it, or says what it is
            self._ended = True
            return
        self.text += found
        self._place = end


def _escape_size(raw: str, start: int) -> int | None:
    """Return the characters of an escape, with the second half of a surrogate pair; None where it is not all there."""
    size = 6 if raw[start + 1 : start + 2] == "u" else 2
    if start + size > len(raw):
        return None
    if size == 6 and raw[start + 2 : start + 4].lower() in ("d8", "d9", "da", "db"):
        following = raw[start + 6 : start + 12]
        if not following or (len(following) < 6 and "\\u".startswith(following[:2])):
            return None
        return 12 if following.startswith("\\u") else 6
    return size
