"""Langfuse exports: traces with their input and output, or observations, of which the last generation tells it all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.data.formats.json_texts import json_value
from harness.data.records import Message
from harness.data.traces.json_document import FileRecord
from harness.data.traces.logged_conversations import (
    Again,
    LoggedConversation,
    exchange,
    listed_messages,
    whole_conversations,
)


class LangfuseReader:
    """Reads a file of traces or observations."""

    words = "a Langfuse export"
    record = "trace or observation of Langfuse"

    def __init__(self) -> None:
        self._kinds: Counter[str] = Counter()
        self._logged: list[LoggedConversation] = []

    def add(self, record: FileRecord) -> bool:
        """Take one record of the file; False for a value that is none of an export."""
        value = record.value
        if not is_export(value):
            return False
        self._kinds[str(value.get("type"))] += 1
        self._logged.extend(replace(one, file=record.file) for one in read_record(value, record.line))
        return True

    def conversations(self, again: Again) -> Sequence[LoggedConversation]:  # noqa: ARG002 - all is held
        """Return what all records said, each conversation once."""
        return whole_conversations(self._logged)

    def nothing(self) -> str:
        """Return what was found in the place of conversations, and what to export."""
        there = ", ".join(f"{kind} ({count})" for kind, count in self._kinds.most_common())
        return (
            f"has observations of type {there} alone, and conversations stand in those of type GENERATION; "
            "export the generations, or the traces with their input and output"
        )


def is_export(value: Any) -> bool:
    """Return whether a record is a trace, an observation, or a trace with its observations."""
    if not isinstance(value, Mapping):
        return False
    if isinstance(value.get("observations"), list) and (isinstance(value.get("trace"), Mapping) or _spoke(value)):
        return True
    known = _named(value, "trace_id") or value.get("type") in ("GENERATION", "SPAN", "EVENT")
    timed = any(_named(value, key) for key in ("timestamp", "start_time", "session_id", "user_id"))
    return _spoke(value) and bool(known or timed)


def read_record(value: Mapping[str, Any], line: int) -> Iterable[LoggedConversation]:
    """Yield what a record of an export says, at most one conversation per generation; nothing for other spans."""
    inner = value.get("observations")
    if isinstance(inner, list) and inner and all(isinstance(one, Mapping) and _spoke(one) for one in inner):
        trace = value["trace"] if isinstance(value.get("trace"), Mapping) else value
        identity = {"traceId": trace.get("id"), "sessionId": _named(trace, "session_id")}
        said = [logged for one in sorted(inner, key=_time) for logged in read_record({**one, **identity}, line)]
        if any(one.problem is None for one in said):  # some downloads have all of them as nulls
            yield from said
            return
        value = trace
    kind = value.get("type")
    if isinstance(kind, str) and kind.isupper() and kind != "GENERATION":
        return
    trace_id = str(_named(value, "trace_id") or value.get("id") or "")
    session = str(_named(value, "session_id") or trace_id)
    try:
        yield LoggedConversation(id=trace_id, session=session, line=line, messages=_messages(value))
    except ValueError as error:
        yield LoggedConversation(id=trace_id, session=session, line=line, problem=str(error))


def _spoke(value: Mapping[str, Any]) -> bool:
    return "input" in value and "output" in value


def _named(value: Mapping[str, Any], key: str) -> Any:
    """Return the value of a key that one export writes `trace_id` and another `traceId`."""
    first, *rest = key.split("_")
    return value.get(key) or value.get(first + "".join(part.capitalize() for part in rest))


def _time(value: Mapping[str, Any]) -> str:
    return str(_named(value, "start_time") or "")


def _messages(value: Mapping[str, Any]) -> tuple[Message, ...]:
    """Return what was sent and what came back, as one conversation."""
    asked = listed_messages(value.get("input"), "user")
    answered = listed_messages(value.get("output"), "assistant")
    calls = value.get("tool_calls") or value.get("toolCalls")
    alone = answered[0] if len(answered) == 1 and isinstance(answered[0], Mapping) else {"tool_calls": True}
    if calls and isinstance(calls, list) and not alone.get("tool_calls"):
        answered = [{**alone, "tool_calls": [json_value(call) for call in calls]}]
    if not asked and not answered:
        raise ValueError("neither input nor output holds a message; export the generations of the trace as well")
    return exchange(asked, answered)
