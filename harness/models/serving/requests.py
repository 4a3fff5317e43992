"""Requests for chat completions: validated, with what cannot be honoured refused, as messages of the harness."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.data.formats.message_reader import one_after_another, read_messages, whole
from harness.data.formats.openai_tools import openai_tools
from harness.data.formats.reading_notes import ReadingNotes
from harness.data.records import Message
from harness.data.tools import function_of
from harness.hub.foreign_json import load_json
from harness.hub.local_http import Refused
from harness.models.prompts.renderer import LONGEST

CHOICES = 16
"""Most answers of one request."""
STOPS = 4
TOOLS = 500
"""Several times as many as OpenAI takes."""
_RETRY_SECONDS = "5"
_LARGEST_SEED = 2**63 - 1
_WITHOUT_EFFECT = frozenset(
    (
        *("user", "metadata", "store", "service_tier", "parallel_tool_calls", "safety_identifier", "prompt_cache_key"),
        *("prompt_cache_retention", "reasoning_effort", "verbosity", "modalities", "logprobs"),
    )
)
"""Parameters of OpenAI that decide nothing here: a turn has one call, thinking is off, answers are text."""


class StreamOptions(BaseModel):
    """What a stream ends with."""

    model_config = ConfigDict(extra="ignore")
    include_usage: bool = False


class CompletionBody(BaseModel):
    """The body of a request, in OpenAI's names; what else it holds is in `model_extra`."""

    model_config = ConfigDict(extra="allow", strict=True)
    model: str | None = None
    messages: list[dict[str, Any]] = Field(min_length=1)
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    response_format: dict[str, Any] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    logit_bias: dict[str, float] | None = None
    seed: int | None = Field(default=None, ge=-_LARGEST_SEED, le=_LARGEST_SEED)
    n: int | None = Field(default=None, ge=1, le=CHOICES)
    stop: str | list[str] | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    return_token_ids: bool | None = None
    logprobs: bool | None = None

    @property
    def sampling(self) -> dict[str, Any]:
        """What is asked for besides greedy decoding, in the engine's names."""
        names = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "logit_bias", "seed", "n")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    @property
    def stops(self) -> tuple[str, ...]:
        """Texts at which what the assistant says ends."""
        found = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(text for text in found if text)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedTurn:
    """A request as the harness takes it."""

    body: CompletionBody
    system: str | None
    """Its system messages, None where it has none."""
    messages: tuple[Message, ...]
    """All others; calls in parallel are turns of their own, as in training."""
    tools: tuple[dict[str, Any], ...]
    required: bool
    """Whether the answer has to be a call, so that the tool that speaks to the user is one like any other."""
    ignored: tuple[str, ...]
    """Parameters that are not known."""
    notes: tuple[str, ...]
    """What was changed in the conversation, in words."""

    @property
    def longest(self) -> int | None:
        """The longest answer in tokens, None where the request does not say."""
        return self.body.max_completion_tokens or self.body.max_tokens


def refused(problem: str, parameter: str | None = None, *, status: int = 400, code: str | None = None) -> Refused:
    """Return a refusal in the form of OpenAI's API."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    error = {"message": problem, "type": kind, "param": parameter, "code": code}
    return Refused(status, problem, body={"error": error})


def unavailable(problem: str) -> Refused:
    """Return a refusal of what the engine cannot answer now (503)."""
    found = refused(problem, status=503, code="engine_unavailable")
    found.headers["Retry-After"] = _RETRY_SECONDS
    return found


def read_request(data: bytes) -> AskedTurn:
    """Return the request in a body of JSON; raises Refused (400) with what was found and what was expected."""
    try:
        value = load_json(data.decode("utf-8"))
        if not isinstance(value, dict):
            raise refused("the body is no JSON object; send one with messages")
        body = CompletionBody.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise refused(f"{place}: {first['msg']}, got {first['input']!s:.80}", place) from None
    except ValueError as error:
        raise refused(f"the body cannot be read ({error}); send a request as JSON in UTF-8") from None
    _check_honoured(body)
    notes = ReadingNotes()
    system, messages = _conversation(body.messages, notes)
    return AskedTurn(
        body=body,
        system=system,
        messages=messages,
        tools=_tools(body),
        required=body.tool_choice == "required",
        ignored=tuple(name for name in body.model_extra or {} if name not in _WITHOUT_EFFECT),
        notes=tuple(finding.problem for finding in notes.findings),
    )


def _check_honoured(body: CompletionBody) -> None:
    """Raise Refused for what would change the answer and cannot be done."""
    kind = (body.response_format or {}).get("type", "text")
    if kind != "text":
        raise refused(
            f"response_format {kind!s:.40} is not served: the model answers by calling tools; leave it out, and give a "
            "tool with the wanted fields as its parameters",
            "response_format",
        )
    if body.logprobs:
        raise refused("logprobs are not served; leave them out", "logprobs")
    extra = body.model_extra or {}
    if extra.get("functions") or extra.get("function_call"):
        raise refused("functions are the old name of tools; send tools", "functions")
    if len(body.stops) > STOPS:
        raise refused(f"stop has {len(body.stops)} texts; give {STOPS} at most", "stop")
    if (body.n or 1) > 1 and not body.temperature:
        raise refused("n above 1 without a temperature gives the same answer again; set one, or leave out n", "n")
    choice = body.tool_choice
    if choice == "none" and (body.tools is None or not body.tools):
        return
    if choice not in (None, "auto", "required"):
        shown = "none" if choice == "none" else "of one tool" if isinstance(choice, dict) else f"{choice!s:.40}"
        raise refused(
            f"tool_choice {shown} is not served: a model can be shown its tools, but not be made to take or leave one; "
            "send auto or required, with the tools that it may call",
            "tool_choice",
        )


def _tools(body: CompletionBody) -> tuple[dict[str, Any], ...]:
    tools = body.tools or []
    if len(tools) > TOOLS:
        raise refused(f"there are {len(tools):,} tools; send {TOOLS:,} at most", "tools")
    wrong = next((place for place, tool in enumerate(tools) if function_of(tool) is None), None)
    if wrong is not None:
        raise refused(f"tools.{wrong} is no function definition; expected type function and a name", f"tools.{wrong}")
    found = openai_tools(tools)
    if len(found) < len(tools):
        raise refused("two tools have the same name, or one is no function; give each name once", "tools")
    for place, tool in enumerate(found):
        if (problem := _schema_problem(tool["function"].get("parameters"))) is not None:
            raise refused(f"tools.{place}: {problem}; expected JSON Schema", f"tools.{place}")
    try:
        whole(found, "a tool")
    except ValueError as error:
        raise refused(str(error), "tools") from None
    return tuple(found)


def _schema_problem(parameters: Any) -> str | None:
    """Return what is wrong with the parameters of a tool, as far as prompts are made of them; None where nothing is."""
    properties = (parameters or {}).get("properties") or {}
    if not isinstance(properties, Mapping):
        return "the properties of its parameters are no object"
    for name, schema in properties.items():
        kind = schema.get("type") if isinstance(schema, Mapping) else None
        kinds = kind if isinstance(kind, list) else [kind or ""]
        if not isinstance(schema, Mapping | bool) or not all(isinstance(one, str) for one in kinds):
            return f"its parameter {name!s:.40} has no schema, or one whose type is no text"
    return None


def _conversation(values: list[dict[str, Any]], notes: ReadingNotes) -> tuple[str | None, tuple[Message, ...]]:
    """Return the system message, and all others as records."""
    try:
        whole(values, "a message")
        plain = [_plain(position, value) for position, value in enumerate(values)]
        messages = read_messages(plain, strict=True)
    except ValueError as error:
        raise refused(str(error), "messages") from None
    head = next((place for place, message in enumerate(messages) if message.role != "system"), len(messages))
    late = next((place for place, one in enumerate(messages) if place > head and one.role == "system"), None)
    if late is not None:
        raise refused(
            f"message {late} is a system message after others; chat templates take it first only: move it there",
            "messages",
        )
    if head == len(messages):
        raise refused("there is no message of the user; send one", "messages")
    if (size := sum(len(message.content or "") for message in messages)) > LONGEST:
        raise refused(
            f"the messages have {size:,} characters, more than the {LONGEST:,} that are taken; send fewer",
            "messages",
            code="context_length_exceeded",
        )
    system = "\n\n".join(message.content or "" for message in messages[:head]) if head else None
    return system, one_after_another(messages[head:], notes)


def _plain(position: int, value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message as strict readers take it: content as one text, `developer` as `system`."""
    if value.get("function_call"):
        raise ValueError(f"message {position}: function_call is the old name of tool_calls; send tool_calls")
    content = value.get("content")
    if isinstance(content, list):
        content = "".join(_texts(position, content))
    if content is None and isinstance(value.get("refusal"), str):
        content = value["refusal"]
    role = "system" if value.get("role") == "developer" else value.get("role")
    out = {"role": role, "content": content, "tool_calls": value.get("tool_calls") or ()}
    id = value.get("tool_call_id")
    if id is not None and not isinstance(id, str):
        raise ValueError(f"message {position}: tool_call_id must be text")
    return out | ({"tool_call_id": id} if id else {})


def _texts(position: int, parts: list[Any]) -> Iterator[str]:
    for part in parts:
        kind = part.get("type") if isinstance(part, Mapping) else type(part).__name__
        text = part.get("text" if kind == "text" else "refusal") if isinstance(part, Mapping) else None
        if kind not in ("text", "refusal") or not isinstance(text, str):
            what: Literal["an image", "a part"] = "an image" if "image" in str(kind) else "a part"
            raise ValueError(
                f"message {position} holds {what} of the type {kind!s:.40}; this model reads text only: send its "
                "content as text"
            )
        yield text
