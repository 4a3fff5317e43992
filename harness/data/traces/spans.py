"""Files of spans (OpenTelemetry, OpenInference, LangSmith, MLflow): what models were sent and answered, in one tree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.data.formats.exchanges import exchange
from harness.data.formats.json_texts import encodable, json_value
from harness.data.formats.message_reader import whole
from harness.data.traces.logged_conversations import LoggedConversation, whole_conversations
from harness.data.traces.span_attributes import (
    EXPECTED,
    attributes,
    conversation_of,
    is_agent,
    kind_of,
    messages,
    nested,
    objects,
    tools_of,
)

_MOST_ABOVE = 1000
_FEW = 8
"""Records of one conversation that are held before those are dropped which others continue."""
_SESSION = "mlflow.trace.session"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    trace: str
    id: str
    parent: str
    conversation: str
    """Empty where the span itself names none."""
    start: tuple[int, str]
    root: Mapping[str, Any]
    """Its attributes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Logged(LoggedConversation):
    """What one span says, with its place in the tree."""

    trace: str
    span: str
    start: tuple[int, str]


class _Held:
    """Records of one conversation, or trace, without those that others continue."""

    def __init__(self) -> None:
        self.records: list[_Logged] = []
        self._most = _FEW

    def add(self, logged: _Logged) -> None:
        """Hold a record; whenever there are twice as many as were left the last time, those are dropped."""
        last = self.records[-1] if self.records else logged
        short, long = sorted((last, logged), key=lambda one: len(one.messages))
        if self.records and not (last.problem or logged.problem) and _begins(long, short):  # the usual case
            self.records[-1] = long
            return
        self.records.append(logged)
        if len(self.records) >= self._most:
            self.records = whole_conversations(self.records)
            self._most = max(_FEW, 2 * len(self.records))


class SpanReader:
    """Reads a file of spans in any order. Held are the messages of spans that no other one continues, and the tree."""

    words = "spans (OpenTelemetry, OpenInference, LangSmith or MLflow)"
    record = "span"

    def __init__(self) -> None:
        self._kinds: Counter[str] = Counter()
        self._above: dict[tuple[str, str], tuple[str, str]] = {}
        """Of each span, its parent and the conversation that it names."""
        self._said: dict[str, _Held] = {}
        self._agents: dict[str, _Held] = {}
        self._told: set[str] = set()
        """The traces of which a model's span was read: an agent's span says what those of its models say."""

    def add(self, value: Any, line: int) -> bool:
        """Take one record of the file: a span, a trace, or a document of many; False for any other value."""
        if not is_export(value):
            return False
        for span in _spans(value):
            self._kinds[kind_of(span.root) or "(none)"] += 1
            if span.id:
                self._above[span.trace, span.id] = span.parent, span.conversation
            logged = _read(span, line)
            if logged is not None:
                agent = is_agent(span.root)
                if not agent and not logged.problem:
                    self._told.add(span.trace)
                groups = self._agents if agent else self._said
                groups.setdefault(logged.session, _Held()).add(logged)
        return True

    def conversations(self) -> Sequence[LoggedConversation]:
        """Return what all spans said, each conversation once: first the outermost agent's of a trace."""
        told = [one for held in self._said.values() for one in held.records]
        told += [one for held in self._agents.values() for one in held.records if one.trace not in self._told]
        depths: dict[tuple[str, str], int] = {}
        resolved = []
        for one in told:
            session, depths[one.trace, one.span] = self._place(one)
            resolved.append(replace(one, id=session, session=session))
        kept = whole_conversations(resolved)
        kept.sort(key=lambda one: (depths[one.trace, one.span], one.start))
        first: dict[str, int] = {}
        for one in kept:
            first[one.session] = min(one.line, first.get(one.session, one.line))
        return sorted((one if one.problem else replace(one, line=first[one.session]) for one in kept), key=_line)

    def _place(self, one: _Logged) -> tuple[str, int]:
        """Return the conversation of a span, which it or the nearest span above it names, and how many are above it."""
        found, id, depth = "", one.span, 0
        while depth < _MOST_ABOVE and (above := self._above.get((one.trace, id))):
            id, conversation = above
            found = found or conversation
            depth += 1
        return found or one.session, depth

    def nothing(self) -> str:
        """Return what was found in the place of conversations, and what to export."""
        there = ", ".join(f"{kind} ({count})" for kind, count in self._kinds.most_common(10))
        return (
            f"has spans of the kinds {there or '(no span at all)'}, and none holds messages; expected spans of a "
            f"model's calls with {EXPECTED}: switch on that messages are recorded, and export again"
        )


def is_export(value: Any) -> bool:
    """Return whether a record is a span, a run, a trace of them, or a document of OTLP."""
    if not isinstance(value, Mapping):
        return False
    if any(isinstance(value.get(key), list) for key in ("resourceSpans", "resource_spans")):
        return True
    if isinstance(value.get("run_type"), str):
        return "inputs" in value or "outputs" in value
    if _inner_spans(value) is not None:
        return True
    own = _named(value, "spanId", "span_id", "context.span_id") or _named(_context(value), "span_id", "spanId")
    return bool(own) and any(key == "attributes" or key.startswith("attributes.") for key in value)


def _begins(long: LoggedConversation, short: LoggedConversation) -> bool:
    return long.messages[: len(short.messages)] == short.messages


def _line(one: LoggedConversation) -> int:
    return one.line


def _inner_spans(value: Mapping[str, Any]) -> list[Any] | None:
    """Return the spans of a trace of MLflow."""
    data = json_value(value.get("data"))
    held = json_value(data.get("spans") if isinstance(data, Mapping) else value.get("spans"))
    named = any(key in value for key in ("info", "data", "trace_id", "request_id"))
    return held if isinstance(held, list) and named else None


def _spans(value: Mapping[str, Any]) -> Iterator[_Span]:
    inner = _inner_spans(value)
    documents = value.get("resourceSpans", value.get("resource_spans"))
    if isinstance(documents, list):
        for resource in objects(documents):
            scopes = _named(resource, "scopeSpans", "scope_spans", "instrumentationLibrarySpans")
            for scope in objects(scopes):
                yield from (_span(one) for one in objects(scope.get("spans")))
    elif inner is not None:
        info = json_value(value.get("info")) or value
        info = info if isinstance(info, Mapping) else value
        kept = (info.get(key) for key in ("trace_metadata", "request_metadata", "tags"))
        sessions = (one.get(_SESSION) for one in map(json_value, kept) if isinstance(one, Mapping))
        session = next((str(one) for one in sessions if one), "")
        trace = str(_named(info, "trace_id", "request_id") or "")
        for one in objects(inner):
            span = _span(one)
            trace = encodable(trace or span.trace)
            yield replace(span, trace=trace, conversation=span.conversation or encodable(session))
    elif "run_type" in value:
        runs = [value]
        while runs:
            run = runs.pop()
            yield _span(run)
            runs.extend(objects(run.get("child_runs")))
    else:
        yield _span(nested(value) if "context.span_id" in value else value)


def _span(value: Mapping[str, Any]) -> _Span:
    context, root = _context(value), attributes(value)
    id = str(_named(value, "spanId", "span_id") or _named(context, "span_id", "spanId") or value.get("id") or "")
    trace = str(_named(value, "traceId", "trace_id") or _named(context, "trace_id", "traceId") or id)
    start = _named(value, "startTimeUnixNano", "start_time_unix_nano", "start_time_ns", "start_time", "startTime")
    number = str(start or "")
    return _Span(
        trace=encodable(trace),
        id=id,
        parent=str(_named(value, "parentSpanId", "parent_span_id", "parent_id", "parentId", "parent_run_id") or ""),
        conversation=encodable(conversation_of(root)),
        start=(int(number), "") if number.isdecimal() and len(number) < 30 else (0, number),
        root=root,
    )


def _read(span: _Span, line: int) -> _Logged | None:
    """Return what a span says, or why that cannot be read; None where it says nothing."""
    place = _Logged(
        id=span.trace,
        session=span.conversation or span.trace,
        line=line,
        trace=span.trace,
        span=span.id,
        start=span.start,
    )
    try:
        asked, answered = messages(span.root)
        if not asked:
            return None
        tools = tools_of(span.root)
        whole(list(tools), "a tool's definition")
        return replace(place, messages=exchange(asked, answered), tools=tools)
    except ValueError as error:
        return replace(place, problem=f"span {span.id or '(without an id)'}: {error}")


def _context(value: Mapping[str, Any]) -> Mapping[str, Any]:
    context = json_value(value.get("context", value.get("span_context")))
    return context if isinstance(context, Mapping) else {}


def _named(value: Mapping[str, Any], *keys: str) -> Any:
    return next((value[key] for key in keys if value.get(key)), None)
