"""What exports have in common whose records say only together what a conversation was: each holds all said so far."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from harness.data.formats.content_parts import SILENT, listed_keys
from harness.data.formats.json_texts import json_value, kind
from harness.data.formats.message_reader import read_messages
from harness.data.pipeline_records import Finding
from harness.data.prefixes import Prefixes
from harness.data.records import Message
from harness.data.traces.json_document import FileRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedConversation:
    """One conversation as it was logged at one moment, or why it cannot be read."""

    id: str
    session: str
    """Conversations of one session may be the same one, logged again with every turn."""
    line: int
    file: Path = Path()
    messages: tuple[Message, ...] = ()
    tools: tuple[Any, ...] = ()
    """Definitions of tools, as they were logged."""
    columns: Mapping[str, Any] = field(default_factory=dict)
    """What else the record says of it, see `columns_of`."""
    findings: tuple[Finding, ...] = ()
    """What was noticed while it was read."""
    problem: str | None = None


Again = Callable[[Container[int]], Iterator[FileRecord]]
"""Reads an export once more: the records at those places at least, in the same order."""


class ExportReader(Protocol):
    """Reads files whose records say only together what its conversations are."""

    words: str
    """The layout."""
    record: str
    """What a record is called."""

    def add(self, record: FileRecord) -> bool:
        """Take one record of a file; False for a value that is none of this export."""
        ...

    def conversations(self, again: Again) -> Iterable[LoggedConversation]:
        """Return what all records said, each conversation once."""
        ...

    def nothing(self) -> str:
        """Return what was found instead, and what to export, where there is no conversation in the whole file."""
        ...


def whole_conversations(logged: Iterable[LoggedConversation]) -> list[LoggedConversation]:
    """Return the conversations of which no other one of the same session is a continuation, in the order of the file.

    A chat agent logs its whole history with every turn, so that all but the last are beginnings of it.
    """
    groups: dict[str, list[LoggedConversation]] = {}
    kept: list[LoggedConversation] = []
    for one in logged:
        if one.problem:
            kept.append(one)
        else:
            groups.setdefault(one.session, []).append(one)
    for group in groups.values():
        prefixes, begun = Prefixes(), set[int]()
        for one in sorted(group, key=lambda one: -len(one.messages)):  # stable: earlier ones first
            beginnings = prefixes.of(one.messages)
            if not {beginnings[-1], prefixes.of(as_continued(one.messages))[-1]} & begun:
                kept.append(one)
                begun.update(beginnings)
    return sorted(kept, key=lambda one: (one.file, one.line))


def as_continued(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return how a conversation stands in its continuation: of calls in parallel, the first comes before its result."""
    if not messages or len(messages[-1].tool_calls) < 2:
        return messages
    return (*messages[:-1], replace(messages[-1], tool_calls=messages[-1].tool_calls[:1]))


def exchange(asked: list[Any], answered: list[Any]) -> tuple[Message, ...]:
    """Return what was sent and what came back, as one conversation; ValueError for what cannot be read."""
    before = read_messages(asked, "input", strict=False)
    after = read_messages(answered, "output", strict=False)
    return joined(before, after)


def joined(before: tuple[Message, ...], after: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return what was sent with what came back: some agents return their whole state."""
    return after if after[: len(before)] == before else before + after


def listed_messages(value: Any, role: str, *, any_object: bool = True) -> list[Any]:
    """Return the messages of an input or output: a list, an object around one, one message, or text of that role.

    An object in which neither is found is what was said, as JSON; without `any_object`, ValueError names its keys.
    """
    value = json_value(value)
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [{"role": role, "content": value}]
    if isinstance(value, list):
        while len(value) == 1 and isinstance(value[0], list):
            value = value[0]
        return [_with_role(one, role, any_object) for one in value]
    if not isinstance(value, Mapping):
        raise ValueError(f"the {role}'s part must be text, a message or a list of them, got {kind(value)}")
    for key in ("messages", "input", "output", "choices", "generations"):
        if isinstance(value.get(key), list):
            return listed_messages(value[key], role, any_object=any_object)
    return [_with_role(value, role, any_object)]


def _with_role(value: Any, role: str, any_object: bool) -> Any:
    if isinstance(value, str):
        return {"role": role, "content": value}
    if not isinstance(value, Mapping):
        return value
    inner = value.get("message")
    if isinstance(inner, Mapping):
        return _with_role(inner, role, any_object)
    if isinstance(value.get("kwargs"), Mapping):  # LangChain's constructors
        return {"id": ["AIMessage" if role == "assistant" else "HumanMessage"], **value, "type": "constructor"}
    if _is_message(value):
        named = value.get("role") or value.get("type") or ("parts" in value and value.get("kind"))
        return value if named else {**value, "role": role}
    text = next((value[key] for key in ("text", "query", "question", "answer", "response") if key in value), None)
    if text is None and not any_object:
        raise ValueError(f"an object with the keys {listed_keys(value)} is no message of the {role}")
    return {"role": role, "content": text if isinstance(text, str) else json.dumps(value, ensure_ascii=False)}


def _is_message(value: Mapping[str, Any]) -> bool:
    """Return whether an object says what was said in a way that `read_messages` may know."""
    named = value.get("type")
    return (
        any(key in value for key in ("role", "content", "tool_calls"))
        or named in ("function_call", "function_call_output", *SILENT)
        or (named is not None and isinstance(value.get("data"), Mapping))
        or isinstance(value.get("parts"), list)
    )
