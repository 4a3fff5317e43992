"""Exports of Langfuse and its like: traces with input and output, or observations, of which the last tells it all.

Opik's spans, Weave's calls, Braintrust's and Datadog's spans and Lunary's runs are such observations too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pydantic_core import from_json

from harness.data.formats.exchanges import exchange, listed_messages
from harness.data.formats.json_texts import json_value
from harness.data.formats.reading_notes import ReadingNotes
from harness.data.formats.row_columns import columns_of
from harness.data.records import Message
from harness.data.traces.json_document import FileRecord
from harness.data.traces.logged_conversations import Again, LoggedConversation, whole_conversations


class LangfuseReader:
    """Reads a file of traces or observations; memory holds what was said once, however often it was logged."""

    words = "observations (Langfuse, Opik, Weave, Braintrust, Datadog or Lunary)"
    record = "trace or observation"
    parallel = False

    def __init__(self, at_once: int = 10_000) -> None:
        """Of more than `at_once` observations, those that others continue are dropped while the file is read."""
        self._kinds: Counter[str] = Counter()
        self._logged: list[LoggedConversation] = []
        self._at_once = self._most = at_once
        self._begun: dict[int, str] = {}
        """When the conversations began, of which it is known."""

    def add(self, record: FileRecord) -> bool:
        """Take one record of a file; False for a value that is none of an export."""
        value = record.value
        if not is_export(value):
            return False
        self._kinds[_kind(value) or "(none)"] += 1
        for one in read_record(value, record.line, parallel=self.parallel):
            self._logged.append(replace(one, file=record.file))
            if one.messages and (time := one.columns.get("time")):
                self._begun[_start(one)] = min(time, self._begun.get(_start(one), time))
        if len(self._logged) > self._most:
            self._logged = whole_conversations(self._logged)
            self._most = max(self._at_once, 2 * len(self._logged))
        return True

    def conversations(self, again: Again) -> Sequence[LoggedConversation]:  # noqa: ARG002 - all is held
        """Return what all records said, each conversation once, with the time when it began."""
        return [
            replace(one, columns={**one.columns, "time": time}) if (time := self._begun.get(_start(one))) else one
            for one in whole_conversations(self._logged)
        ]

    def nothing(self) -> str:
        """Return what was found in the place of conversations, and what to export."""
        there = ", ".join(f"{kind} ({count})" for kind, count in self._kinds.most_common())
        return (
            f"has observations of type {there} alone, and conversations stand in those of models (GENERATION, llm); "
            "export the generations, or the traces with their input and output"
        )


def _start(one: LoggedConversation) -> int:
    """Return a number for what the records of one conversation have in common: the session, and what was said first."""
    return hash((one.session, one.messages[0].content if one.messages else None))


def is_export(value: Any) -> bool:
    """Return whether a record is a trace, an observation, or a trace with its observations."""
    if not isinstance(value, Mapping):
        return False
    if value.get("object") in _OF_AGENTS_SDK:
        return True
    if isinstance(value.get("observations"), list) and (isinstance(value.get("trace"), Mapping) or _spoke(value)):
        return True
    known = _named(value, "trace_id") or value.get("root_span_id") or value.get("type") in _KINDS
    timed = any(_named(value, key) for key in ("timestamp", "start_time", "session_id", "user_id"))
    return _spoke(value) and bool(known or timed)


def read_record(value: Mapping[str, Any], line: int, *, parallel: bool = False) -> Iterable[LoggedConversation]:
    """Yield what a record of an export says, at most one conversation per generation; nothing for other spans."""
    inner = value.get("observations")
    if isinstance(inner, list) and inner and all(isinstance(one, Mapping) and _spoke(one) for one in inner):
        trace = value["trace"] if isinstance(value.get("trace"), Mapping) else value
        identity = {"traceId": trace.get("id") or f"trace-{line}", "sessionId": _named(trace, "session_id")}
        ordered = ({**one, **identity} for one in sorted(inner, key=_time))
        said = [logged for one in ordered for logged in read_record(one, line, parallel=parallel)]
        if any(one.problem is None for one in said):  # some downloads have all of them as nulls
            yield from said
            return
        value = trace
    if not _is_of_a_model(value) or (value.get("object") in _OF_AGENTS_SDK and not _spoke(value)):
        return
    trace_id = str(_named(value, "trace_id") or value.get("root_span_id") or value.get("id") or "")
    session = str(_named(value, "session_id") or _named(value, "thread_id") or trace_id)
    notes = ReadingNotes(parallel=parallel)
    place = LoggedConversation(id=trace_id, session=session, line=line, columns=_columns(value))
    try:
        yield replace(place, messages=_messages(value, notes), findings=tuple(notes.findings))
    except ValueError as error:
        yield replace(place, problem=str(error), messages=_before_cut(_said(value, *_INPUTS)))


def _before_cut(text: Any) -> tuple[Message, ...]:
    """Return the messages of an input before a size limit cut its JSON; none where it is not cut, or cannot be read."""
    if not isinstance(text, str) or json_value(text) is not text:
        return ()
    try:
        begun = listed_messages(from_json(text, allow_partial=True), "user", notes=ReadingNotes())
    except ValueError:
        return ()
    for messages in (begun, begun[:-1]):  # the last one may be cut itself
        with suppress(ValueError):
            return exchange(messages, [], ReadingNotes())
    return ()


def _columns(value: Mapping[str, Any]) -> dict[str, Any]:
    return columns_of({**value, **_meta(value)}, _said(value, *_INPUTS))


def _kind(value: Mapping[str, Any]) -> str:
    """Return what an observation is of, in the words of its tool; empty for traces, which say nothing of it."""
    about = json_value(value.get("span_attributes"))
    holders = (value, _meta(value), about if isinstance(about, Mapping) else {})
    kinds = (holder.get(key) for holder in holders for key in ("type", "kind", "span_kind", "event_type", "op_name"))
    return next((one for one in kinds if isinstance(one, str)), "")


def _is_of_a_model(value: Mapping[str, Any]) -> bool:
    """Return whether an observation may be a model's call, or a trace; those of functions and tools are neither."""
    if isinstance(operation := value.get("op_name"), str):
        return any(name in operation for name in _OPERATIONS)
    return _kind(value).lower() not in _OTHERS


_OF_AGENTS_SDK = ("trace", "trace.span")
"""Objects of the OpenAI Agents SDK, of which the spans of models alone have an input and an output."""
_KINDS = ("GENERATION", "SPAN", "EVENT")
_OTHERS = (
    *("span", "event", "agent", "tool", "chain", "retriever", "retrieval", "evaluator", "embedding", "guardrail"),
    *("function", "task", "workflow", "general", "score", "eval", "thread", "experiment", "model_chunk"),
    *("handoff", "response", "custom", "session"),
)
_OPERATIONS = ("chat.completions", "messages.create", "messages.stream", "responses.create", "generate_content")
"""Parts of the names of functions that ask a model, in Weave's calls."""


def _meta(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what Datadog, or the Agents SDK, has its observations' kind, input and output in."""
    held = (json_value(value.get(key)) for key in ("meta", "span_data"))
    return next((one for one in held if isinstance(one, Mapping)), {})


def _said(value: Mapping[str, Any], *keys: str) -> Any:
    return next((holder[key] for holder in (value, _meta(value)) for key in keys if key in holder), None)


def _spoke(value: Mapping[str, Any]) -> bool:
    holders = (value, _meta(value))
    return any(_INPUTS & holder.keys() and _OUTPUTS & holder.keys() for holder in holders)


_INPUTS, _OUTPUTS = {"input", "inputs"}, {"output", "outputs"}


def _named(value: Mapping[str, Any], key: str) -> Any:
    """Return the value of a key that one export writes `trace_id` and another `traceId`."""
    first, *rest = key.split("_")
    return value.get(key) or value.get(first + "".join(part.capitalize() for part in rest))


def _time(value: Mapping[str, Any]) -> str:
    return str(_named(value, "start_time") or "")


def _messages(value: Mapping[str, Any], notes: ReadingNotes) -> tuple[Message, ...]:
    """Return what was sent and what came back, as one conversation."""
    asked = listed_messages(_said(value, *_INPUTS), "user", notes=notes)
    answered = listed_messages(_said(value, *_OUTPUTS), "assistant", notes=notes)
    calls = value.get("tool_calls") or value.get("toolCalls")
    alone = answered[0] if len(answered) == 1 and isinstance(answered[0], Mapping) else {"tool_calls": True}
    if calls and isinstance(calls, list) and not alone.get("tool_calls"):
        answered = [{**alone, "tool_calls": [json_value(call) for call in calls]}]
    if not asked and not answered:
        raise ValueError("neither input nor output holds a message; export the generations of the trace as well")
    return exchange(asked, answered, notes)
