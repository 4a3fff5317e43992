"""Names of the attributes in which spans hold what, per convention: another tool's are one more entry."""

from __future__ import annotations

from dataclasses import dataclass

MODELS = (
    *("chat", "generate_content", "text_completion", "completion", "llm", "chat_model"),
    *(f"ai.{verb}.{call}" for verb, call in (("generatetext", "dogenerate"), ("streamtext", "dostream"))),
    *(f"ai.{verb}.{call}" for verb, call in (("generateobject", "dogenerate"), ("streamobject", "dostream"))),
)
AGENTS = ("invoke_agent", "agent")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanFamily:
    """Where the spans of one convention hold what; of several names, the first that is there."""

    kind: tuple[str, ...]
    input: tuple[str, ...]
    output: tuple[str, ...]
    tools: tuple[str, ...]
    own: bool
    """Whether these names say by themselves that a model was asked: then a span needs no kind."""


FAMILIES = (
    SpanFamily(  # OpenTelemetry GenAI, and the indexed names of before
        kind=("gen_ai.operation.name", "llm.request.type"),
        input=("gen_ai.input.messages", "gen_ai.prompt"),
        output=("gen_ai.output.messages", "gen_ai.completion"),
        tools=("gen_ai.tool.definitions", "llm.request.functions"),
        own=True,
    ),
    SpanFamily(  # OpenInference
        kind=("openinference.span.kind",),
        input=("llm.input_messages",),
        output=("llm.output_messages",),
        tools=("llm.tools",),
        own=True,
    ),
    SpanFamily(
        kind=("openinference.span.kind",),
        input=("input.value",),
        output=("output.value",),
        tools=("llm.tools",),
        own=False,
    ),
    SpanFamily(  # the AI SDK
        kind=("ai.operationId",),
        input=("ai.prompt.messages",),
        output=("ai.response", "ai.result"),
        tools=("ai.prompt.tools",),
        own=False,
    ),
    SpanFamily(
        kind=("mlflow.spanType",),
        input=("mlflow.spanInputs",),
        output=("mlflow.spanOutputs",),
        tools=("mlflow.chat.tools",),
        own=False,
    ),
    SpanFamily(  # LangSmith
        kind=("run_type",),
        input=("inputs",),
        output=("outputs",),
        tools=("extra.invocation_params.tools", "inputs.tools"),
        own=False,
    ),
)
KINDS = tuple(dict.fromkeys(name for family in FAMILIES for name in family.kind))
LISTED = tuple(
    dict.fromkeys(name for one in FAMILIES for names in (one.input, one.output, one.tools) for name in names)
)
"""Names of messages and tools, whose elements may be attributes of their own, by number."""
EXPECTED = (
    "gen_ai.input.messages and gen_ai.output.messages (OpenTelemetry), llm.input_messages (OpenInference), "
    "ai.prompt.messages (AI SDK), inputs and outputs (LangSmith) or mlflow.spanInputs"
)
CONVERSATIONS = (
    "gen_ai.conversation.id",
    "session.id",
    "langfuse.session.id",
    "traceloop.association.properties.session_id",
    "traceloop.association.properties.thread_id",
    "ai.telemetry.metadata.sessionId",
    "extra.metadata.thread_id",
    "extra.metadata.session_id",
    "extra.metadata.conversation_id",
    "thread_id",
)
COLUMNS = {
    "system": (
        *("gen_ai.system_instructions", "mlflow.spanInputs.system", "inputs.system"),
        *("mlflow.spanInputs.instructions", "inputs.instructions"),
    ),
    "model": (
        *("gen_ai.request.model", "gen_ai.response.model", "llm.model_name", "ai.model.id"),
        *("extra.metadata.ls_model_name", "extra.invocation_params.model", "extra.invocation_params.model_name"),
        *("mlflow.llm.model", "mlflow.chat.model", "mlflow.spanInputs.model", "inputs.model"),
    ),
    "user_id": (
        *("user.id", "enduser.id", "langfuse.user.id", "ai.telemetry.metadata.userId"),
        *("traceloop.association.properties.user_id", "extra.metadata.user_id"),
    ),
}
FAILURES = ("otel.status_description", "error.message")
"""What went wrong, among the tags of Jaeger's spans."""
NAMES = frozenset(
    name
    for names in (
        *(one for family in FAMILIES for one in (family.kind, family.input, family.output, family.tools)),
        CONVERSATIONS,
        FAILURES,
        *COLUMNS.values(),
    )
    for name in names
)
