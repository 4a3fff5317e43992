"""What a chat endpoint's replies and errors mean: an answer, another try, the end of a request, or of the run."""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import mktime_tz, parsedate_tz
from typing import TYPE_CHECKING, Any, Literal

from harness.data.records import Usage
from harness.models.chat.bounded_http import RefusedBodyError

if TYPE_CHECKING:
    from harness.models.chat.records import ChatEndpoint

Scope = Literal["try", "request", "run"]

_LOAD = (429, 502, 503, 504, 529)
"""Too many requests, and what gateways say when the server behind them is too busy or being restarted."""
_NOT_TRIED = (429, 503, 529)
_PASSING = (408, 409, 425)
_FOR_ALL = (401, 402, 403, 404, 405, 407)
_NO_MODEL = ("model_not_found", "model not found", "no such model", "unknown model")
_NO_QUOTA = "insufficient_quota"
_LENGTH = ("context", "too long", "too large", "maximum")
_OWN = (*_LENGTH, "filter", "policy", "moderation", "safety")
"""Words of refusals that concern one request alone: it is too long, or its content is not wanted."""
TOO_LONG = "too long for the context"
"""The kind of such a failure."""
_TOOLS = re.compile(r"\b(tools?|functions?)\b|tool_choice|function calling")
_LONGEST_PLACE = 200
_NOT_HERE = ("ConnectError", "ConnectTimeout")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a try gave no usable answer."""

    kind: str
    """A few words by which failures are counted."""
    reason: str
    ends: Scope = "try"
    """What is over: this try only, the request, or the whole run, since any other request would fare the same."""
    load: bool = False
    """Less should be asked at once."""
    wait: float | None = None
    """Seconds that the endpoint asks to wait."""
    own: bool = False
    """The request is refused for what is in it."""
    unreachable: bool = False
    """Nothing listens at the address."""
    refused: bool = False
    """No model was asked, so there is nothing to pay."""
    served: bool = False
    """The endpoint did its part; the model's answer is of no use."""
    parameter: str | None = None
    """What the endpoint names as the parameter that it refuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatReply:
    """A reply with a text in it, not yet checked."""

    text: str
    usage: Usage | None
    entry: int | None = None
    """Of the try in the ledger of the kept answers."""
    changes: frozenset[str] = frozenset()
    """What the request was sent otherwise than asked, see `parameters.Change`."""


def unusable(kind: str, reason: str, ends: Scope = "try") -> Failure:
    """Return the failure of an answer that arrived but cannot be used."""
    return Failure(kind=kind, reason=reason, ends=ends, served=True)


def failure_of(error: Exception, timeout: float) -> Failure:
    """Return what an exception of the client means; any other exception is raised again.

    `timeout`: the limit in seconds under which the request was sent.
    """
    from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError

    for one in (error, error.__cause__):  # the client wraps it, or not, by its version
        if isinstance(one, RefusedBodyError):
            return Failure(kind="refused body", reason=str(one), ends="request")
    if isinstance(error, APIStatusError):
        refusal = _refusal(error.status_code, _message(error), str(error.code or error.type), error.response.headers)
        return replace(refusal, parameter=error.param if isinstance(error.param, str) else None)
    if isinstance(error, APIConnectionError):
        cause = error.__cause__ or error
        # By name: which HTTP library the client rests on depends on the client's version.
        if type(cause).__name__ in _NOT_HERE:
            reason = f"it cannot be reached ({_lowest_cause(cause)})"
            return Failure(kind="no connection", reason=reason, unreachable=True, refused=True)
        if isinstance(error, APITimeoutError):
            return timed_out(timeout)
        reason = f"the connection broke ({str(cause) or type(cause).__name__})"
        return Failure(kind="connection broke", reason=reason)
    if isinstance(error, APIError | ValueError | TypeError | AttributeError | RecursionError | LookupError):
        return Failure(kind="no completion", reason=f"the reply is not a chat completion ({error})")
    raise error


def _lowest_cause(error: BaseException) -> str:
    """Return what the operating system says of a connection that could not be made, else what the client says."""
    lowest = error
    while lowest.__cause__ or lowest.__context__:
        lowest = lowest.__cause__ or lowest.__context__  # type: ignore[assignment] # one of them is there
    if isinstance(lowest, OSError) and lowest.errno:
        return os.strerror(lowest.errno) if lowest.errno > 0 else str(lowest.strerror)
    return str(error) or type(error).__name__


def timed_out(timeout: float) -> Failure:
    """Return the failure of a try that took longer than `timeout` seconds: a sign of load, like a refusal for it."""
    return Failure(kind="time-out", reason=f"no answer within {timeout:g} s", load=True)


def is_about_content(failure: Failure) -> bool:
    """Whether the request is too long or its content is refused, which says nothing about other requests."""
    return any(word in failure.reason.lower() for word in _OWN)


def is_about_length(failure: Failure) -> bool:
    """Whether the endpoint refuses the request because prompt and answer do not fit into the model's context."""
    return failure.own and any(word in failure.reason.lower() for word in _LENGTH)


def advice_on(failure: Failure, endpoint: ChatEndpoint, *, asks_for_calls: bool) -> str:
    """Return what to do about a refusal that every request would meet."""
    told = f"{failure.kind} {failure.reason}".lower()
    if _NO_QUOTA in told or failure.kind == "status 402":
        return f"check the account that the key in {endpoint.key_variable} belongs to"
    if not failure.own:
        return (
            f"check the model's name ({endpoint.model}), the address, and the key in {endpoint.key_variable}, "
            "which must be allowed to ask this model"
        )
    parameters = "what is sent can be changed or left out under `parameters:` in its entry in --endpoints"
    if asks_for_calls and _TOOLS.search(told):
        return f"it seems to take no tools, or not with tool_choice; try --tool-choice auto; {parameters}"
    return f"it does not take what every request holds; {parameters} (as in `parameters: {{temperature: null}}`)"


def _refusal(status: int, message: str, code: str, headers: Mapping[str, str]) -> Failure:
    """Return the failure for an HTTP status that is an error."""
    reason = f"status {status}: {message}"
    told = f"{code} {message}".lower()
    no_model = any(words in told for words in _NO_MODEL) or ("model" in told and "does not exist" in told)
    kind = f"status {status}"
    if 300 <= status < 400:
        place = " ".join(headers.get("location", "").split())[:_LONGEST_PLACE] or "nowhere"
        reason = f"status {status}: it points to {place}, where nothing is sent; name that address if it is right"
        return Failure(kind=kind, reason=reason, ends="run", refused=True)
    if status in _FOR_ALL or _NO_QUOTA in told or (status in (400, 422) and no_model):
        return Failure(kind=kind, reason=reason, ends="run", refused=True)
    if status in _LOAD:
        # A gateway that gave up waiting says nothing about whether the model behind it worked.
        return Failure(kind=kind, reason=reason, load=True, wait=retry_after(headers), refused=status in _NOT_TRIED)
    if status >= 500 or status in _PASSING:
        return Failure(kind=kind, reason=reason, wait=retry_after(headers))
    return Failure(kind=kind, reason=reason, ends="request", own=True, refused=True)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that `retry-after-ms` or `Retry-After` (a number or a date, RFC 9110 10.2.3) asks to wait."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    date = parsedate_tz(headers.get("retry-after", ""))
    try:
        return max(0.0, mktime_tz(date) - time.time()) if date else None
    except (ValueError, OverflowError):
        return None


def _message(error: Any) -> str:
    """Return what the endpoint says of its refusal; the client's own wording quotes the whole body."""
    told = error.body.get("message") if isinstance(error.body, Mapping) else None
    return str(told or error.message)
