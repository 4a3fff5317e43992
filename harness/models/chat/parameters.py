"""Request parameters, and which of them an endpoint has refused: those are sent differently from then on.

Models differ in what they take: those that think know no temperature, call the limit of tokens
`max_completion_tokens`, or may not be told to call a tool. Their refusal names what they do not take, so that one
request finds it out for all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from harness.models.chat.failures import Failure, is_about_content
from harness.models.chat.records import ChatRequest, Format

Change = Literal[
    "temperature", "seed", "tool_choice=auto", "tool_choice", "max_tokens", "system=developer", "system=user"
]
"""What is sent otherwise than asked, in a way that can change answers: left out, or replaced by what follows the `=`.
Keys of kept answers hold these words."""

IN_WORDS: Mapping[str, str] = {
    "temperature": "without a temperature",
    "seed": "without a seed",
    "tool_choice=auto": "with tool_choice auto in place of required",
    "tool_choice": "without tool_choice",
    "max_tokens": "without a limit of tokens",
    "system=developer": "with the system message as the developer's",
    "system=user": "with the system message before the user's words",
}
LENGTH_NAMES = ("max_tokens", "max_completion_tokens")
_PLAINER: dict[Format, Format] = {"json_schema": "json_object", "json_object": "none"}
_FORMAT = ("response_format", "response format", "json_schema", "json schema", "json_object", "structured output")
_SYSTEM = re.compile(
    r"messages(\[\d+\]|\.\d+)\.role|\b(system|developer)\W{0,2} (role|message|prompt|instruction)|"
    r"\broles? .{0,30}\W(system|developer)\b|\bsupport\w* '(system|developer)'"
)
_TOOL_CHOICE = re.compile(r"\btool[_ ]?choice\b|\btoolchoice\b")
_TEMPERATURE = re.compile(r"(?<![\w.-])(\w+\.)?temperature(?!\w)")
_SEED = re.compile(r"(?<![\w.-])(\w+\.)?seed(?!\w)")
_NUMBER = re.compile(r"[0-9a-fA-F-]*\d[0-9a-fA-F-]*")
"""Of a request, mostly: the same refusal quotes another one each time."""
_MOST = re.compile(r"(?<![\w-])max[_ ]?(completion[_ ]?)?tokens(?!\w)")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestForm:
    """What endpoints differ in: the ways to ask for JSON that they know, the limit's name, what they do not take."""

    format: Format = "json_schema"
    length_name: str = "max_tokens"
    changes: frozenset[str] = frozenset()
    """Of `Change`."""


def in_words(changes: Iterable[str]) -> list[str]:
    """Return the changes as a person reads them, in order."""
    return [IN_WORDS[one] for one in sorted(changes)]


def first_form(parameters: Mapping[str, Any], changes: frozenset[str]) -> RequestForm:
    """Return the form to begin with: as the endpoints file says, and as earlier runs have found out."""
    form = RequestForm(changes=changes)
    if parameters.get("response_format", "") is None:
        form = replace(form, format="none")
    if parameters.get("max_tokens", "") is None:
        form = replace(form, length_name="max_completion_tokens")
    if all(parameters.get(name, "") is None for name in LENGTH_NAMES):
        form = replace(form, changes=form.changes | {"max_tokens"})
    return form


def body(request: ChatRequest, max_tokens: int, form: RequestForm, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a request beside model and messages; `parameters` are those of the endpoints file."""
    fields: dict[str, Any] = {"temperature": request.temperature, form.length_name: max_tokens}
    if request.seed is not None:
        fields["seed"] = request.seed
    if request.tools is not None:
        fields |= {"tools": list(request.tools), "tool_choice": request.tool_choice}
    if request.schema is not None and form.format == "json_object":
        fields["response_format"] = {"type": "json_object"}
    elif request.schema is not None and form.format == "json_schema":
        wanted = {"name": "answer", "schema": request.schema, "strict": True}
        fields["response_format"] = {"type": "json_schema", "json_schema": wanted}
    if "tool_choice=auto" in form.changes and "tool_choice" in fields:
        fields["tool_choice"] = "auto"
    for name in form.changes & fields.keys():
        del fields[name]
    if "max_tokens" in form.changes:
        fields.pop(form.length_name, None)
    fields |= {
        name: value
        for name, value in parameters.items()
        if value is not None and (name != "tool_choice" or request.tools is not None)
    }
    return {name: value for name, value in fields.items() if parameters.get(name, "") is not None}


def with_roles(messages: Sequence[Mapping[str, Any]], form: RequestForm) -> list[dict[str, Any]]:
    """Return the messages with the system message in the role that the endpoint takes."""
    sent = [dict(message) for message in messages]
    if not sent or sent[0].get("role") != "system":
        return sent
    if "system=user" in form.changes:
        system, *rest = sent
        if rest and rest[0].get("role") == "user" and isinstance(rest[0].get("content"), str):
            return [{**rest[0], "content": f"{system['content']}\n\n{rest[0]['content']}"}, *rest[1:]]
        return [{**system, "role": "user"}, *rest]
    if "system=developer" in form.changes:
        sent[0]["role"] = "developer"
    return sent


def relevant(changes: frozenset[str], request: ChatRequest) -> tuple[str, ...]:
    """Return those of the changes that this request is touched by, in order."""
    touched = {"temperature", "max_tokens"}
    if request.seed is not None:
        touched.add("seed")
    if request.tools is not None:
        touched |= {"tool_choice", "tool_choice=auto"}
    if request.messages and request.messages[0].get("role") == "system":
        touched |= {"system=developer", "system=user"}
    return tuple(sorted(changes & touched))


@dataclass(slots=True, kw_only=True)
class Learner:
    """The form of requests that an endpoint has turned out to take: each refusal that names a parameter changes it.

    What was in a request that was answered is not given up any more: then something is wrong with one request. Changes
    after which the same words refuse are undone: they were not what the words were about.
    """

    form: RequestForm
    parameters: Mapping[str, Any]
    """Of the endpoints file: what stands there is what the user wants, and not given up."""
    _seen: set[RequestForm] = field(default_factory=set)
    _works: set[str] = field(default_factory=set)
    _last: tuple[RequestForm, str] | None = None
    """The form before the last changes, and the words that led to them."""

    def answered(self, sent: RequestForm, fields: Mapping[str, Any]) -> None:
        """Note what was in a request that was answered."""
        self._works |= fields.keys()
        if sent == self.form:
            self._last = None

    def refused(self, sent: RequestForm, fields: Mapping[str, Any], failure: Failure, request: ChatRequest) -> bool:
        """Whether the endpoint refused something that can be sent otherwise; then it is, from now on."""
        if not failure.own:
            return False
        if sent != self.form:  # another request has changed it in the meantime
            return True
        self._seen.add(sent)
        gist = _NUMBER.sub("", failure.reason)
        same = self._last is not None and self._last[1] == gist
        before = self._last[0] if self._last is not None and same else sent
        following = next((form for form in self._others(fields, failure, request) if form not in self._seen), None)
        self._last = None if following is None else (before, gist)
        self.form = before if following is None else following
        return following is not None

    def _others(self, fields: Mapping[str, Any], failure: Failure, request: ChatRequest) -> Iterator[RequestForm]:
        """Yield the forms without what the failure is about, the nearest first."""
        form, said = self.form, failure.reason.lower()
        free = fields.keys() - self._works - {name for name, value in self.parameters.items() if value is not None}
        about = failure.parameter or ""
        if "response_format" in free and form.format in _PLAINER and any(word in f"{said} {about}" for word in _FORMAT):
            yield replace(form, format=_PLAINER[form.format])
        if form.length_name in free and _MOST.search(f"{said} {about}") and not is_about_content(failure):
            other = next(name for name in LENGTH_NAMES if name != form.length_name)
            if self.parameters.get(other, "") is not None:
                yield replace(form, length_name=other)
            yield self._changed("max_tokens")
        if "temperature" in free and _TEMPERATURE.search(f"{said} {about}"):
            yield self._changed("temperature")
        if "seed" in free and _SEED.search(f"{said} {about}"):
            yield self._changed("seed")
        if "tool_choice" in free and _TOOL_CHOICE.search(f"{said} {about}"):
            if fields["tool_choice"] != "auto":
                yield self._changed("tool_choice=auto")
            yield self._changed("tool_choice")
        if request.messages[0].get("role") == "system" and not self._works and _SYSTEM.search(f"{said} {about}"):
            if "system=developer" not in form.changes:
                yield self._changed("system=developer")
            yield self._changed("system=user")

    def _changed(self, change: Change) -> RequestForm:
        """Return the form with one more change; a later step of the same kind takes the place of the first."""
        name = change.partition("=")[0]
        kept = {one for one in self.form.changes if one.partition("=")[0] != name}
        return replace(self.form, changes=frozenset(kept | {change}))
