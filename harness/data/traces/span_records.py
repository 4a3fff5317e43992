"""The spans in a record of a file: a span or a run by itself, a trace of them, a document of OTLP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from harness.data.formats.json_texts import encodable, json_value
from harness.data.traces.span_attributes import Attributes, attributes, nested, objects
from harness.data.traces.span_contents import conversation_of
from harness.data.traces.span_names import FAILURES

_IDS, _TRACES = ("spanId", "span_id", "spanID"), ("traceId", "trace_id", "traceID")
_PARENTS = ("parentSpanId", "parent_span_id", "parent_id", "parentId", "parent_run_id")
_STARTS = ("startTimeUnixNano", "start_time_unix_nano", "start_time_ns", "start_time", "startTime")
_SESSION, _USER = "mlflow.trace.session", "mlflow.trace.user"
_LONGEST = 500
"""Characters of what went wrong."""


@dataclass(slots=True, kw_only=True)
class LoggedSpan:
    """One span, of whichever tool."""

    trace: str
    id: str
    parent: str
    conversation: str
    """Empty where the span itself names none."""
    attributes: Attributes
    value: Mapping[str, Any]
    """The span as it was logged."""
    of_trace: Mapping[str, Any] = field(default_factory=dict)
    """Columns that the record says of the whole trace."""

    @property
    def start(self) -> int:
        """Nanoseconds since 1970 where the tool counts so; 0 where there is no time."""
        return nanoseconds(_named(self.value, *_STARTS))

    @property
    def error(self) -> str:
        """Return in words that the span is marked as failed; empty where it is not."""
        return _failure(self.value) or _failure_of_tags(self.attributes)


def is_export(value: Any) -> bool:
    """Return whether a record is a span, a run, a trace of them, or a document of OTLP."""
    if not isinstance(value, Mapping):
        return False
    if isinstance(value.get("resourceSpans"), list) or isinstance(value.get("resource_spans"), list):
        return True
    if isinstance(value.get("run_type"), str):
        return "inputs" in value or "outputs" in value
    if _inner_spans(value) is not None:
        return True
    own = _named(value, *_IDS, "context.span_id") or _named(_context(value), *_IDS)
    return bool(own) and any(key in ("attributes", "tags") or key.startswith("attributes.") for key in value)


def spans(value: Mapping[str, Any]) -> Iterator[LoggedSpan]:
    """Yield the spans of a record for which `is_export` holds."""
    documents = value.get("resourceSpans", value.get("resource_spans"))
    if isinstance(documents, list):
        for resource in objects(documents):
            for scope in objects(_named(resource, "scopeSpans", "scope_spans", "instrumentationLibrarySpans")):
                for one in objects(scope.get("spans")):
                    yield _span(one)
    elif (inner := _inner_spans(value)) is not None:
        yield from _of_trace(value, inner)
    elif "run_type" in value:
        runs = [value]
        while runs:
            run = runs.pop()
            yield _span(run)
            runs.extend(objects(run.get("child_runs")))
    else:
        yield _span(nested(value) if "context.span_id" in value else value)


def nanoseconds(value: Any) -> int:
    """Return a time as a whole number: as it is where it is one, else of a date in nanoseconds; 0 where it is none."""
    if isinstance(value, int):
        return value if abs(value) < 1 << 62 else 0
    text = str(value or "")
    if text.isdecimal():
        return int(text) if len(text) < 19 or (len(text) == 19 and text < "4") else 0
    try:
        moment = datetime.fromisoformat(text)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e9)
    except (ValueError, OverflowError):
        return 0


def _of_trace(value: Mapping[str, Any], inner: list[Any]) -> Iterator[LoggedSpan]:
    """Yield the spans of a trace of MLflow, or of Jaeger, each with what is said of the whole."""
    info = json_value(value.get("info")) or value
    info = info if isinstance(info, Mapping) else value
    kept = [json_value(info.get(key)) for key in ("trace_metadata", "request_metadata", "tags")]
    held = [one for one in kept if isinstance(one, Mapping)]
    session, user = (next((str(one[key]) for one in held if one.get(key)), "") for key in (_SESSION, _USER))
    failed = "the trace is marked as failed" if str(info.get("state") or info.get("status")).endswith("ERROR") else ""
    of_trace = {key: one for key, one in (("user_id", user), ("error", failed)) if one}
    trace = str(_named(info, *_TRACES, "request_id") or "")
    for one in objects(inner):
        span = _span(one)
        trace = encodable(trace or span.trace)
        yield replace(span, trace=trace, conversation=span.conversation or encodable(session), of_trace=of_trace)


def _inner_spans(value: Mapping[str, Any]) -> list[Any] | None:
    """Return the spans of a trace of MLflow, or of Jaeger."""
    if "spans" not in value and "data" not in value:
        return None
    data = json_value(value.get("data"))
    held = json_value(data.get("spans") if isinstance(data, Mapping) else value.get("spans"))
    named = any(key in value for key in ("info", "data", "request_id", *_TRACES))
    return held if isinstance(held, list) and named else None


def _span(value: Mapping[str, Any]) -> LoggedSpan:
    root = attributes(value)
    id, trace = _named(value, *_IDS), _named(value, *_TRACES)
    if not (id and trace):
        context = _context(value)
        id = id or _named(context, *_IDS) or value.get("id")
        trace = trace or _named(context, *_TRACES) or id
    id = str(id or "")
    return LoggedSpan(
        trace=encodable(str(trace or "")),
        id=id,
        parent=str(_named(value, *_PARENTS) or _referred(value) or ""),
        conversation=encodable(conversation_of(root)),
        attributes=root,
        value=value,
    )


def _referred(value: Mapping[str, Any]) -> Any:
    """Return the span that a span of Jaeger is a child of."""
    found = objects(value.get("references")) if "references" in value else ()
    return next((_named(one, *_IDS) for one in found if one.get("refType", "CHILD_OF") == "CHILD_OF"), None)


def _failure(value: Mapping[str, Any]) -> str:
    status = json_value(value.get("status"))
    held = status if isinstance(status, Mapping) else {"code": status}
    code = _named(held, "code", "status_code") or value.get("status_code")
    words = _named(held, "message", "description") or _named(value, "status_message", "error")
    if not (code == 2 or str(code).upper().endswith("ERROR") or ("run_type" in value and value.get("error"))):
        return ""
    return encodable(str(words))[:_LONGEST] if words else "the span is marked as failed"


def _failure_of_tags(root: Attributes) -> str:
    """Return what a span of Jaeger says of its failure, which stands among its attributes there."""
    if root.get("otel.status_code") != "ERROR" and root.get("error") is not True:
        return ""
    words = root.first(FAILURES)
    return encodable(str(words))[:_LONGEST] if words else "the span is marked as failed"


def _context(value: Mapping[str, Any]) -> Mapping[str, Any]:
    if "context" not in value and "span_context" not in value:
        return {}
    context = json_value(value.get("context", value.get("span_context")))
    return context if isinstance(context, Mapping) else {}


def _named(value: Mapping[str, Any], *keys: str) -> Any:
    for key in keys:
        if found := value.get(key):
            return found
    return None
