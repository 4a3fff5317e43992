"""Chat requests, answers, endpoints, statistics."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.data.records import Usage
from harness.models.chat.budget import Price
from harness.models.chat.limiter import Rates

Check = Callable[[str], object]
"""Raises ValueError, with the reason, for a text that cannot be used; UnusableAnswer where the kind is known."""


class UnusableAnswer(ValueError):
    """Why the text of an answer cannot be used."""

    def __init__(self, reason: str, kind: str = "not as asked") -> None:
        """`kind`: a few words by which such answers are counted."""
        super().__init__(reason)
        self.kind = kind


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """What is asked."""

    id: str
    messages: tuple[dict[str, Any], ...]
    """Each with `role` and `content`; calls and results as chat endpoints know them."""
    schema: dict[str, Any] | None = None
    """JSON schema of the answer."""
    max_tokens: int = 1024
    temperature: float = 0.0
    seed: int | None = None
    """Of an answer that is drawn: with another one the question is another, so that its answer is kept apart."""
    tools: tuple[dict[str, Any], ...] | None = None
    """What may be called. With tools the answer is the model's whole message, see `failures.read_reply`."""
    tool_choice: str | None = None
    check: Check | None = field(default=None, compare=False)
    """What the answer has to pass; it follows from what is asked."""
    usual_tokens: int | None = field(default=None, compare=False)
    """Tokens of a usual answer, for estimates."""

    def sha256(self) -> str:
        """Return the SHA-256 (hex) of everything that is sent, as canonical JSON."""
        asked: list[Any] = [self.messages, self.schema, self.max_tokens, float(self.temperature)]
        if self.tools is not None:  # without tools the hash is what it was before there were any
            asked += [self.tools, self.tool_choice]
        if self.seed is not None:
            asked += [{"seed": self.seed}]
        text = json.dumps(asked, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def texts(self) -> list[str]:
        """Return what a model has to read, to estimate its tokens."""
        found = [message.get("content") or "" for message in self.messages]
        found += [json.dumps(message["tool_calls"]) for message in self.messages if "tool_calls" in message]
        return [*found, json.dumps(self.tools)] if self.tools else found

    def problem_of(self, text: str) -> UnusableAnswer | None:
        """Return why a text does not pass the check, None where it does."""
        try:
            if self.check is not None:
                self.check(text)
        except UnusableAnswer as error:
            return error
        except (ValueError, RecursionError) as error:  # JSON can be nested deeper than Python reads
            return UnusableAnswer(str(error))
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatAnswer:
    """A text that passed the check, or the reason why there is none."""

    id: str
    text: str | None
    error: str | None = None
    """The reason, of the last try."""
    kind: str | None = None
    """The kind of the fault, in a few words: those of `failures.Failure`, or of `UnusableAnswer`."""
    attempts: int = 1
    """Tries in this run; 0 where nothing was asked."""
    cached: bool = False
    usage: Usage | None = None
    """Tokens of the answer alone; tries that gave none are in `ChatStats.usage`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatEndpoint:
    """Where and how to ask. The key comes from the environment and is never written anywhere."""

    model: str
    base_url: str
    identity: str
    """The model and all that decides how it answers, for the key of cached answers."""
    key_variable: str = "OPENAI_API_KEY"
    key: str | None = field(default=None, repr=False, compare=False)
    """The key of the harness's own server, instead of the variable's."""
    concurrency: int = 32
    """Most requests at once."""
    timeout: float = 300.0
    """Seconds a try may take, from connecting to the last byte."""
    attempts: int = 5
    first_pause: float = 0.5
    """Seconds before the second try of a request; it doubles with every further one."""
    context: int | None = None
    """Most tokens of prompt and answer together; None where it is not known."""
    most_tokens: int | None = None
    """Longest answer that the endpoint allows."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of every request, or fields that are left out of it (None): as the endpoints file has them."""
    price: Price | None = None
    rates: Rates | None = field(default=None, compare=False)
    """Shared by all that ask this endpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatStats:
    """What it took to get the answers."""

    asked: int
    """Requests sent, every try counted."""
    cached: int
    """Answers taken from the cache."""
    retried: int
    """Tries after the first."""
    unanswered: int
    """Requests that ended without an answer."""
    failures: dict[str, int]
    """Kind -> failed tries."""
    concurrency: int
    """Most requests at once, at the end of the run."""
    lowest_concurrency: int
    response_format: Format | None
    """How the schema was sent in the end; None where none was."""
    changes: tuple[str, ...]
    """What the endpoint refused and was sent otherwise, see `parameters.Change`."""
    usage: Usage
    """Tokens of all tries, unusable answers included."""
    uncounted: int
    """Replies whose tokens are not known: the endpoint sent no count of them, or one that cannot be."""


Format = Literal["json_schema", "json_object", "none"]
