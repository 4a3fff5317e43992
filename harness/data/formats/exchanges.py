"""What a model, or an agent, was asked and what it answered, in whatever its API wraps both."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from harness.data.formats.calls import NAME_KEYS, is_about
from harness.data.formats.content_parts import SILENT, listed_keys
from harness.data.formats.json_texts import json_value, kind, shortened
from harness.data.formats.message_reader import read_messages
from harness.data.formats.reading_notes import ALTERNATIVES, MEDIA, ReadingNotes
from harness.data.records import Message

_ALTERNATIVES = {"choices": "message", "candidates": "content", "generations": "message"}
"""Keys of lists of which each element is an answer to the same, and what holds it."""
_LISTS = ("messages", "contents", *_ALTERNATIVES, "prompts")
_AROUND = (
    *("inputBodyJson", "outputBodyJson", "body", "input", "output", "inputs", "outputs", "request", "response"),
    *("prompt", "completion", "kwargs", "chat"),
)
"""Keys of what is around a list of messages, one message or a text."""
_TEXTS = ("text", "query", "question", "answer", "response", "prompt", "completion", "input", "output", "message")
HISTORIES = ("chat_history", "chatHistory", "history")
_DEEPEST = 6


def exchange(asked: list[Any], answered: list[Any], notes: ReadingNotes | None = None) -> tuple[Message, ...]:
    """Return what was sent and what came back, as one conversation; ValueError for what cannot be read."""
    notes = notes or ReadingNotes()
    before = read_messages(asked, "input", strict=False, notes=notes)
    if any(finding.check == MEDIA for finding in notes.findings):
        return before  # the answer is one to what is left out
    after = read_messages(answered, "output", strict=False, notes=notes)
    return after if after[: len(before)] == before else before + after  # some agents return their whole state


def listed_messages(value: Any, role: str, *, any_object: bool = True, notes: ReadingNotes | None = None) -> list[Any]:
    """Return the messages of an input or output: a list, an object around one, one message, or text of that role.

    A plain object in which neither is found is what was said, as JSON; without `any_object`, and for one with lists or
    objects in it, ValueError names its keys. Of several answers to the same, the first is taken, and that is noted.
    """
    return _listed(value, role, any_object, notes or ReadingNotes(), 0)


def _listed(value: Any, role: str, any_object: bool, notes: ReadingNotes, depth: int) -> list[Any]:
    value = json_value(value)
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [_with_role(value, role, any_object)]
    if isinstance(value, list):
        while len(value) == 1 and isinstance(value[0], list):
            value = value[0]
        if value and all(isinstance(one, Mapping) and {"index", "message"} <= one.keys() for one in value):
            value = _first_answer(value, "message", notes)  # choices
        alone = len(value) == 1  # beside others, a message that has no role may be anybody's
        return [_with_role(one, role, any_object) if alone or isinstance(one, str) else one for one in value]
    if not isinstance(value, Mapping):
        raise ValueError(f"the {role}'s part must be text, a message or a list of them, got {kind(value)}")
    history = next((one for key in HISTORIES if isinstance(one := json_value(value.get(key)), list)), None)
    inner = _inside(value, notes, around=not history) if depth < _DEEPEST and "role" not in value else None
    if inner is None and history and role == "user":
        beside = (*HISTORIES, "preamble", "tools", "connectors")
        said = {key: one for key, one in value.items() if key not in beside and one and not is_about(key)}
        before = _listed(history, role, any_object, notes, depth + 1)
        return [*before, _with_role(said, role, any_object)] if said else before
    if inner is None:
        return [_with_role(value, role, any_object)]
    return _listed(inner, role, any_object, notes, depth + 1)


def _inside(value: Mapping[str, Any], notes: ReadingNotes, *, around: bool) -> Any:
    """Return what an object has around it: a list of messages, a message, or what has one in it; None for neither."""
    for key in _LISTS:
        if isinstance(inner := json_value(value.get(key)), list) and (inner or key == "messages"):
            refuse_second(value, key)
            return _first_answer(inner, _ALTERNATIVES[key], notes) if key in _ALTERNATIVES else inner
    if around and not _is_message(value):
        found = (json_value(value.get(key)) for key in _AROUND)
        return next((inner for inner in found if isinstance(inner, list | Mapping) and inner), None)
    return None


def _first_answer(listed: list[Any], inside: str, notes: ReadingNotes) -> list[Any]:
    """Return the first of several answers to the same, as a list with it alone."""
    while len(listed) == 1 and isinstance(listed[0], list):
        listed = listed[0]
    if not listed:
        return []
    if len(listed) > 1:
        notes.add(ALTERNATIVES, f"{len(listed)} answers to the same; the first was taken")
    first = listed[0]
    if isinstance(first, Mapping) and "delta" in first and inside not in first:
        raise ValueError("the answer is a stream of pieces; export whole answers")
    return [first.get(inside) or first if isinstance(first, Mapping) else first]


def _refuse_text(text: str, role: str) -> None:
    """Raise ValueError for a text that is a stream of pieces, or a whole conversation as a chat template writes it."""
    if text.startswith(("data: {", "event: ")):
        raise ValueError("the answer is a stream of pieces (data: ...); export whole answers")
    if _MESSAGES.match(text):  # and it is no JSON, else it would have been read as such
        raise ValueError(f"its messages are JSON that is cut off or damaged: {shortened(text)}; export them whole")
    if _PYTHON.match(text):
        raise ValueError(f"an object of Python is written as its text: {shortened(text)}; export it as JSON")
    if role == "user" and (_RENDERED.search(text) or (_HUMAN.search(text) and _AGENT.search(text))):
        raise ValueError(f"a whole conversation is written into one text: {shortened(text)}; export its messages")


_RENDERED = re.compile(r"<\|im_start\|>|<\|start_header_id\|>|\[INST\]|<start_of_turn>|<\|(?:user|assistant)\|>")
_MESSAGES = re.compile(
    r'\s*(?:\[\s*)*\{\s*"(?:messages|role|parts|contents|input|choices|candidates|generations|lc|kwargs|content|tool_calls)"'
)
_PYTHON = re.compile(
    r"\[?(?:AI|Human|System|Tool)Message(?:Chunk)?\(|(?:Model|Chat)Response\(|ChatCompletion(?:Message)?\(|ChatResult\(|"
    r"content=(?:'[^']*'|\"[^\"]*\") (?:additional_kwargs|response_metadata)=|(?:generations|messages|choices)=\[|"
    r"\[?\{'(?:id|role|messages|choices|content)': "
)
"""How objects of messages and answers begin where a tool wrote them by `str`."""
_HUMAN = re.compile("^(Human|User): ", re.MULTILINE)
_AGENT = re.compile("^(AI|Assistant|Agent):", re.MULTILINE)


def refuse_second(value: Mapping[str, Any], *known: str) -> None:
    """Raise ValueError where an object holds another list of messages, or of calls, beside what is read of it."""
    for key, inner in value.items():
        listed = inner if key not in (*known, *HISTORIES) and isinstance(inner, list) else ()
        if any(map(_speaks, listed)):
            raise ValueError(f"it has {' and '.join((known[0], key))}, which both hold messages or calls; expected one")


def _speaks(value: Any) -> bool:
    return isinstance(value, Mapping) and (
        ("role" in value and bool({"content", "text", "parts"} & value.keys()))
        or bool({"arguments", "args"} & value.keys() and {*NAME_KEYS} & value.keys())
    )


def _with_role(value: Any, role: str, any_object: bool) -> Any:
    if isinstance(value, str):
        _refuse_text(value, role)
        return {"role": role, "content": value}
    if not isinstance(value, Mapping):
        return value
    inner = value.get("message")
    if isinstance(inner, Mapping):
        return _with_role(inner, role, any_object)
    if isinstance(kwargs := value.get("kwargs"), Mapping):  # LangChain's constructors
        own = {} if "type" in kwargs else {"id": ["AIMessage" if role == "assistant" else "HumanMessage"]}
        return {**own, **value, "type": "constructor"}
    if _is_message(value):
        named = value.get("role") or value.get("type") or ("parts" in value and value.get("kind"))
        return value if named else {**value, "role": role}
    return {"role": role, "content": _text_of(value, role, any_object)}


def _text_of(value: Mapping[str, Any], role: str, any_object: bool) -> str:
    """Return the words of an object that is no message: its one text, or the whole of it as JSON."""
    told = {key: one for key, one in value.items() if one not in (None, "", [], {}) and not is_about(key)}
    if elsewhere := next((one for one in told.values() if isinstance(one, str) and _ELSEWHERE.match(one)), None):
        raise ValueError(f"what was said stands in another file, {shortened(elsewhere)}; export it with that")
    key = next((key for key in _TEXTS if isinstance(told.get(key), str)), None)
    if key is not None and (len(told) == 1 or "model" in value):  # a request's other keys are settings
        _refuse_text(told[key], role)
        return str(told[key])
    if any_object and not any(isinstance(one, list | Mapping) and one for one in map(json_value, value.values())):
        return json.dumps(value, ensure_ascii=False)
    raise ValueError(f"an object with the keys {listed_keys(value)} is no message of the {role}")


_ELSEWHERE = re.compile(r"(?:s3|gs|abfss?|wasbs?)://\S+$")


def _is_message(value: Mapping[str, Any]) -> bool:
    """Return whether an object says what was said in a way that `read_messages` may know."""
    named = value.get("type")
    return (
        any(key in value for key in ("role", "content", "tool_calls"))
        or named in ("function_call", "function_call_output", *SILENT)
        or (named is not None and isinstance(value.get("data"), Mapping))
        or isinstance(value.get("parts"), list)
    )
