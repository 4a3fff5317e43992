"""Logs of the Responses API whose requests name the response that they continue instead of repeating what was said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.data.formats.json_texts import json_value
from harness.data.formats.message_reader import one_after_another
from harness.data.formats.reading_notes import ReadingNotes
from harness.data.formats.row_columns import columns_of
from harness.data.formats.row_layouts import expected, layout_of
from harness.data.traces.json_document import FileRecord
from harness.data.traces.logged_conversations import Again, LoggedConversation

_BEFORE = "previous_response_id"


class ResponseReader:
    """Reads a file of responses: a conversation is what leads to a response that no other one continues."""

    words = "responses of OpenAI's API, each with the one before it"
    record = "response"
    parallel = False

    def __init__(self) -> None:
        self._read: dict[str, LoggedConversation] = {}
        self._before: dict[str, str] = {}

    def add(self, record: FileRecord) -> bool:
        """Take one row of a file; False for one of another layout."""
        value, line = record.value, record.line
        layout = layout_of(value)
        if not isinstance(value, Mapping) or layout is None:
            return False
        id = str(_held(value, "id") or f"response-{line}")
        notes = ReadingNotes(parallel=self.parallel)
        logged = LoggedConversation(id=id, session=id, file=record.file, line=line, columns=columns_of(value))
        try:
            messages = layout.read(value, False, notes)
            self._read[id] = replace(logged, messages=messages, findings=tuple(notes.findings))
        except ValueError as error:
            self._read[id] = replace(logged, problem=str(error))
        if before := _held(value, _BEFORE):
            self._before[id] = str(before)
        return True

    def conversations(self, again: Again) -> Sequence[LoggedConversation]:  # noqa: ARG002 - all is held
        """Return what leads to each response that no other one continues."""
        continued = set(self._before.values())
        return [self._whole(one) for id, one in self._read.items() if id not in continued]

    def _whole(self, last: LoggedConversation) -> LoggedConversation:
        chain, seen = [last], {last.id}
        while before := self._before.get(chain[-1].id):
            if before not in self._read or before in seen:
                return replace(last, problem=f"it continues the response {before}, which is not in the file")
            seen.add(before)
            chain.append(self._read[before])
        if problem := next((one.problem for one in chain if one.problem), None):
            return replace(last, problem=problem)
        chain.reverse()
        notes = ReadingNotes(parallel=self.parallel)
        messages = one_after_another([message for one in chain for message in one.messages], notes)
        return replace(
            last,
            messages=messages,
            columns={key: one for part in reversed(chain) for key, one in part.columns.items()},
            findings=(*(finding for one in chain for finding in one.findings), *notes.findings),
        )

    def nothing(self) -> str:
        """Return what was found in the place of conversations."""
        return f"has no response; {expected({})}"


def is_response(value: Any) -> bool:
    """Return whether a row is a response that says which one it continues, or that it continues none."""
    if not isinstance(value, Mapping):
        return False
    responses = (value, json_value(value.get("response")))
    said = (one for one in responses if isinstance(one, Mapping))
    return any(_BEFORE in one and "output" in one for one in said) or continues(value)


def continues(value: Mapping[str, Any]) -> bool:
    """Return whether a row goes on from a response, so that it is no conversation by itself."""
    holders = (value, *(value.get(part) for part in ("request", "response")))
    named = any(_BEFORE in one for one in holders if isinstance(one, Mapping | str))  # a text is not read without it
    return named and _held(value, _BEFORE) is not None


def _held(value: Mapping[str, Any], key: str) -> Any:
    """Return what a row, its request or its response has under a key."""
    holders = (value, *(json_value(value.get(part)) for part in ("request", "response")))
    found = (one.get(key) for one in holders if isinstance(one, Mapping))
    return next((one for one in found if one), None)
