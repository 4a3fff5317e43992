"""What a chat completion says, in the forms that endpoints send: text, calls, thinking, finish reason."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.data.formats.json_texts import encodable, kind, shortened
from harness.data.records import Usage
from harness.hub.foreign_json import load_json
from harness.models.chat.failures import ChatReply, Failure, unusable

_TEXT = ("text", "output_text", "input_text")
_THINKING = ("thinking", "reasoning", "redacted_thinking", "reasoning_content", "reasoning_text", "thought")
_CALL = ("tool_use", "toolUse", "tool_call", "function_call", "functionCall", "custom_tool_call", "function")
_INNER = ("function", "custom", "functionCall", "function_call", "toolUse", "tool_use")
_ARGUMENTS = ("arguments", "input", "args", "parameters")
_KEPT = ("content", "refusal", "tool_calls", "function_call")
_MOST_TOKENS = 10**8
"""Of one request; no model takes a tenth of it."""
_LONGEST_REASON = 40
_LONGEST_LOOP, _FEWEST_ROUNDS, _SHORTEST_TAIL = 400, 4, 120
"""What counts as a loop: so many characters at most, so often, and so many characters in all."""
_DEEPEST = 3
"""Lists in lists of parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentCall:
    """A call as it was sent: `arguments` is what came, usually a text that should be JSON."""

    name: str
    arguments: Any = None


@dataclass(slots=True, kw_only=True)
class MessageParts:
    """The parts of a message."""

    text: str = ""
    """The text parts, joined."""
    refusal: str = ""
    calls: list[SentCall] = field(default_factory=list)
    thought: bool = False
    """It has thinking beside the text."""
    others: list[str] = field(default_factory=list)
    """What is neither text nor thinking nor a call, in words."""


def parse_reply(body: bytes) -> Any:
    """Return the JSON value of a reply; ValueError where it is none. Broken UTF-8 becomes U+FFFD."""
    return load_json(body.decode("utf-8", "replace").removeprefix("\ufeff"))


def parts_of(message: Mapping[str, Any]) -> MessageParts:
    """Return the parts of a message. Nothing is required of it: unknown forms are listed in `others`."""
    words = MessageParts(thought=any(message.get(key) for key in _THINKING))
    _add(words, message.get("content"), 0)
    said = list(_calls(words, message.get("tool_calls")))
    # The same call may stand in several places; the list of calls is the usual one.
    words.calls = said or words.calls or list(_calls(words, message.get("function_call")))
    if isinstance(message.get("refusal"), str):
        words.refusal = words.refusal or encodable(message["refusal"])
    return words


def _add(words: MessageParts, part: Any, depth: int) -> None:
    """Add the content of a message, or a part of it."""
    if isinstance(part, str):
        words.text += encodable(part)
    elif isinstance(part, list) and depth < _DEEPEST:
        for one in part:
            _add(words, one, depth + 1)
    elif isinstance(part, Mapping):
        _add_part(words, part)
    elif part is not None:
        words.others.append(kind(part))


def _add_part(words: MessageParts, part: Mapping[str, Any]) -> None:
    named = part.get("type")
    text = part.get("text", part.get("content"))
    text = text.get("value") if isinstance(text, Mapping) else text  # as the Assistants API has it
    if named in _THINKING or part.get("thought") is True or (named is None and part.keys() & set(_THINKING)):
        words.thought = True
    elif named == "refusal" or (named is None and isinstance(part.get("refusal"), str)):
        said = part.get("refusal", text)
        words.refusal += encodable(said) if isinstance(said, str) else ""
    elif named in _CALL or (named is None and part.keys() & set(_CALL)):
        words.calls += _calls(words, part)
    elif isinstance(text, str) and (named is None or named in _TEXT):
        words.text += encodable(text)
    else:
        words.others.append(f"a part of type {_in_words(named)}")


def _calls(words: MessageParts, sent: Any) -> Iterator[SentCall]:
    """Yield the calls of a list, or one alone; what has no name is no call."""
    for one in sent if isinstance(sent, list) else [] if sent is None else [sent]:
        if one is None:
            continue
        places = [one, *(one[key] for key in _INNER if _is(one.get(key)))] if _is(one) else []
        inner: Mapping[str, Any] = next((place for place in reversed(places) if place.get("name")), {})
        name = inner.get("name")
        if isinstance(name, str) and name.strip():
            yield SentCall(name=name, arguments=next((inner[key] for key in _ARGUMENTS if key in inner), None))
        else:
            words.others.append("a call without a name")


def _is(value: Any) -> bool:
    return isinstance(value, Mapping)


def _in_words(value: Any) -> str:
    return shortened(encodable(value) if isinstance(value, str) else value).encode("ascii", "replace").decode()


def finish_reason_of(value: Any) -> str | None:
    """Return why an answer ended, as the endpoint says it; None where it is no text."""
    return encodable(value)[:_LONGEST_REASON] if isinstance(value, str) else None


def read_reply(reply: Any, *, whole: bool = False) -> tuple[ChatReply | Failure, Usage | None]:
    """Return a completion's text or why it has none, and the tokens it took.

    `whole` takes the message as it is, refusals and cut answers included: a JSON object with those of `content`,
    `refusal`, `tool_calls` and `function_call` that it has, `finish_reason`, and `thought` where there was thinking.

    Raises ValueError where it is not a chat completion.
    """
    if not isinstance(reply, Mapping):
        raise ValueError(f"it is {kind(reply)}")
    usage, choices = _usage(reply.get("usage")), reply.get("choices")
    choice = next((one for one in choices if _is(one)), None) if isinstance(choices, list) else None
    if choice is None:
        told = reply.get("error")  # some gateways report errors with status 200
        told = told.get("message") or told if isinstance(told, Mapping) else told
        reason = f"the endpoint sent no choice ({told or 'and no error'})"
        return Failure(kind="no completion", reason=reason), usage
    message, finish_reason = _message(choice), finish_reason_of(choice.get("finish_reason"))
    if message is None:
        return unusable("no message", "the endpoint sent a choice without a message"), usage
    words = parts_of(message)
    if whole:
        said = {key: message[key] for key in _KEPT if message.get(key) is not None}
        thought = {"thought": True} if words.thought else {}
        return ChatReply(text=json.dumps({**said, **thought, "finish_reason": finish_reason}), usage=usage), usage
    return _uselessness(words, finish_reason) or ChatReply(text=words.text, usage=usage), usage


def _message(choice: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return a choice's message; some servers send a text alone, and some nothing."""
    found = next((choice[key] for key in ("message", "delta", "text") if choice.get(key) is not None), None)
    if isinstance(found, str):
        return {"content": found}
    return found if isinstance(found, Mapping) else None


def _uselessness(words: MessageParts, finish_reason: str | None) -> Failure | None:
    """Return why a text is no answer, None where it is one."""
    if words.refusal:
        return unusable("refusal", f"the model refuses: {words.refusal}")
    if finish_reason == "content_filter":
        return unusable("content filter", "the answer was held back by a content filter", ends="request")
    if finish_reason == "length":
        if repeats_itself(words.text):
            return unusable("repeats itself", "the answer repeats itself up to the limit of tokens")
        where = "" if words.text.strip() or not words.thought else ", inside its thinking"
        return unusable("length", f"the answer was cut off at the limit of tokens{where}")
    if words.text.strip():
        return None
    beside = f": it has {', '.join(words.others)}" if words.others else " but for its thinking" if words.thought else ""
    return unusable("empty", f"the answer is empty{beside}")


def repeats_itself(text: str) -> bool:
    """Whether a text ends in a loop: the same characters over and over, which more room would only make longer."""
    tail = text.rstrip()[-_LONGEST_LOOP * _FEWEST_ROUNDS :]
    return any(
        tail.endswith(tail[-length:] * max(_FEWEST_ROUNDS, -(-_SHORTEST_TAIL // length)))
        for length in range(1, min(_LONGEST_LOOP, len(tail)) + 1)
    )


def _usage(counts: Any) -> Usage | None:
    """Return the tokens that the endpoint counted, None for impossible counts: the answer is valid all the same."""
    if not isinstance(counts, Mapping):
        return None
    prompt, completion = _count(counts.get("prompt_tokens")), _count(counts.get("completion_tokens"))
    details = counts.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, Mapping) else None
    if prompt is None or completion is None:
        return None
    return Usage(prompt=prompt, completion=completion, cached=None if cached and cached > prompt else cached)


def _count(value: Any) -> int | None:
    return value if is_count(value) else None


def is_count(value: Any) -> bool:
    """Whether a value can be a number of tokens of one request."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_TOKENS
