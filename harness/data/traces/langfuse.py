"""Langfuse exports: traces with their input and output, or observations, of which the last generation tells it all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.data.formats.json_texts import as_value, kind
from harness.data.formats.message_reader import read_messages
from harness.data.prefixes import Prefixes
from harness.data.records import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedConversation:
    """One conversation as it was logged at one moment, or why it cannot be read."""

    id: str
    session: str
    """Conversations of one session may be the same one, logged again with every turn."""
    line: int
    messages: tuple[Message, ...] = ()
    problem: str | None = None


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


def whole_conversations(logged: Sequence[LoggedConversation]) -> list[LoggedConversation]:
    """Return the conversations of which no later one of the same session is a continuation, in the order of the file.

    A chat agent logs its whole history with every turn, so that all but the last are beginnings of it.
    """
    groups: dict[str, list[LoggedConversation]] = {}
    kept: list[LoggedConversation] = [one for one in logged if one.problem]
    for one in logged:
        if not one.problem:
            groups.setdefault(one.session, []).append(one)
    for group in groups.values():
        prefixes, begun = Prefixes(), set[int]()
        for one in sorted(group, key=lambda one: -len(one.messages)):  # stable: earlier ones first
            beginnings = prefixes.of(one.messages)
            if beginnings[-1] not in begun:
                kept.append(one)
                begun.update(beginnings)
    return sorted(kept, key=lambda one: one.line)


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
    asked = _listed(value.get("input"), "user")
    answered = _listed(value.get("output"), "assistant")
    calls = value.get("tool_calls") or value.get("toolCalls")
    alone = answered[0] if len(answered) == 1 and isinstance(answered[0], Mapping) else {"tool_calls": True}
    if calls and isinstance(calls, list) and not alone.get("tool_calls"):
        answered = [{**alone, "tool_calls": [_decoded(call) for call in calls]}]
    if not asked and not answered:
        raise ValueError("neither input nor output holds a message; export the generations of the trace as well")
    before = read_messages(asked, "input", strict=False)
    after = read_messages(answered, "output", strict=False)
    return after if after[: len(before)] == before else before + after  # some agents return their whole state


def _decoded(value: Any) -> Any:
    found = as_value(value) if isinstance(value, str) else None
    return value if found is None else found


def _listed(value: Any, role: str) -> list[Any]:
    """Return the messages of an input or output: a list, an object around one, one message, or text of that role."""
    value = _decoded(value)
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [{"role": role, "content": value}]
    if isinstance(value, list):
        flat = value[0] if len(value) == 1 and isinstance(value[0], list) else value
        return [_with_role(one, role) for one in flat]
    if not isinstance(value, Mapping):
        raise ValueError(f"the {role}'s part must be text, a message or a list of them, got {kind(value)}")
    for key in ("messages", "input", "output", "choices", "generations"):
        if isinstance(value.get(key), list):
            return [_with_role(one, role) for one in value[key]]
    return [_with_role(value, role)]


def _with_role(value: Any, role: str) -> Any:
    if isinstance(value, str):
        return {"role": role, "content": value}
    if not isinstance(value, Mapping):
        return value
    inner = value.get("message")
    if isinstance(inner, Mapping):
        return _with_role(inner, role)
    if "content" in value or "tool_calls" in value:
        return value if value.get("role") or value.get("type") else {**value, "role": role}
    if "role" in value or value.get("type") in ("function_call", "function_call_output"):
        return value
    text = next((value[key] for key in ("text", "query", "question", "answer", "response") if key in value), None)
    return {"role": role, "content": text if isinstance(text, str) else json.dumps(value, ensure_ascii=False)}
