"""Tool calls to records: from objects in their many spellings, and from the text of a reference."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from harness.data.formats.json_texts import as_value, decoded, kind, shortened
from harness.data.records import ToolCall

NAME_KEYS = ("name", "toolName", "tool_name", "function_name")
ARGUMENT_KEYS = ("arguments", "parameters", "args", "input", "tool_kwargs", "partial_json", "rawInput")
"""In the plain layout: the first key of a name, the first two of arguments."""
ID_KEYS = ("tool_call_id", "tool_use_id", "call_id", "toolCallId", "toolUseId", "source_call_id", "ref", "id")
"""Where an item has an id of its own beside that of the call (the Responses API), results name the call's."""
_LOOK_LIKE_ARGUMENTS = re.compile("args|argument|param|input", re.IGNORECASE)
_ABOUT = re.compile(
    "(^|_)(kwargs|id|ts|name|uuid|at|time|timestamp|date|model|version|provider|signature|fingerprint|tool_plan|type)$|"
    "^(role|from|sender|speaker|agent|recipient|channel|phase|index|title|language|provider.*|source|(part_)?kind|"
    "object|status|state|error|origin|approval|caller|extra_content|"
    "cache_control|reasoning.*|thinking.*)$|metadata|usage|annotations|logprobs|citations|_reason$"
)
_OPENING, _CLOSING = "<tool_call>", "</tool_call>"
_MOST_CLOSINGS = 32
"""Closing tags that are tried for one element."""


def parse_call(value: Any, *, strict: bool = True) -> ToolCall:
    """Return the call in `{"name", "arguments"|"parameters"}` or `{"id", "function": {...}}`, else ValueError."""
    if not isinstance(value, Mapping):
        raise ValueError(f"a call must be an object with name and arguments, got {kind(value)}")
    function = value.get("function", value)
    inner: Mapping[str, Any] = function if isinstance(function, Mapping) else {} if strict else value
    names = NAME_KEYS[:1] if strict else NAME_KEYS
    name = function if isinstance(function, str) and not strict else _first(inner, names)
    if not isinstance(name, str) or not (name or strict):
        raise ValueError(f'a call needs a "name", got {shortened(dict(value))}')
    written = _first(inner, ARGUMENT_KEYS[:2]) if strict else _logged_arguments(inner, name)
    found = value.get("id") if strict else call_id(value)
    return ToolCall(name=name, arguments=parse_arguments(written, name), id=None if found is None else str(found))


def parse_arguments(value: Any, tool: str) -> dict[str, Any]:
    """Return the arguments of a call of `tool` from JSON text or an object; ValueError for anything else."""
    blank = value is None or (isinstance(value, str) and not value.strip())
    value = {} if blank else decoded(value, f"the arguments of the call of {tool} are")
    if isinstance(value, str):  # text twice: a `Json()` column of Parquet that held text, and some gateways' logs
        value = decoded(value, f"the arguments of the call of {tool} are")
    if value is None:  # JSON's null
        return {}
    if not isinstance(value, dict):
        problem = f"are {kind(value)}: {shortened(value)}"
        raise ValueError(f"the arguments of the call of {tool} {problem}; expected a JSON object")
    return value


def parse_answer(answer: str) -> tuple[ToolCall, ...]:
    """Return the calls that a reference states: plain, in a list, or in `<tool_call>` tags; none for any other text."""
    text = answer.strip()
    if text.startswith(_OPENING) and text.endswith(_CLOSING):
        values = _tagged(text)
    else:
        value = as_value(answer)
        values = value if isinstance(value, list) else [value]
    found = [value for value in values if isinstance(value, Mapping) and {"parameters", "arguments"} & value.keys()]
    try:
        return tuple(map(parse_call, found)) if len(found) == len(values) else ()
    except ValueError:
        return ()


def _tagged(text: str) -> list[Any]:
    """Return the values in a text of nothing but `<tool_call>` elements, None for what is no JSON.

    A text in a call may hold the tags themselves, so an element ends at the first closing tag that leaves whole JSON.
    """
    values, start = [], 0
    while start < len(text):
        if not text.startswith(_OPENING, start):
            return [None]
        begin = start + len(_OPENING)
        end, value = begin, None
        for _ in range(_MOST_CLOSINGS):
            end = text.find(_CLOSING, end)
            if end < 0 or (value := as_value(text[begin:end])) is not None:
                break
            end += len(_CLOSING)
        values.append(value)
        if value is None:
            break
        start = end + len(_CLOSING)
        start += len(text[start:]) - len(text[start:].lstrip())
    return values


def call_id(value: Mapping[str, Any]) -> str | None:
    """Return the id by which a call and its result know each other, in whatever key a framework has it."""
    for holder in (value, value.get("additional_kwargs"), value.get("origin")):  # LlamaIndex' results, Haystack's
        if isinstance(holder, Mapping):
            found = next((holder[key] for key in ID_KEYS if holder.get(key) not in (None, "")), None)
            if found is not None:
                return str(found)
    return None


def called_tool(value: Mapping[str, Any]) -> str | None:
    """Return the tool whose result a value says it is: where results have no ids, they know their calls by it."""
    return next((name for key in (*NAME_KEYS, "function") if isinstance(name := value.get(key), str) and name), None)


def is_about(key: str) -> bool:
    """Return whether a key of a message, a call or a result is about it, and holds nothing that was said."""
    return _ABOUT.search(re.sub("(?<=[a-z])(?=[A-Z])", "_", key).lower()) is not None


def _logged_arguments(value: Mapping[str, Any], tool: str) -> Any:
    """Return the arguments of a logged call; ValueError where they seem to stand under a key that is not known."""
    written = next((value[key] for key in ARGUMENT_KEYS if value.get(key)), None)
    unread = [key for key in value if value[key] and key not in ARGUMENT_KEYS] if not written else []
    strange = [key for key in unread if _LOOK_LIKE_ARGUMENTS.search(key)]
    if not any(key in value for key in ARGUMENT_KEYS):
        strange += [key for key in unread if _is_object(value[key]) and not is_about(key)]
    if strange:
        raise ValueError(
            f"the call of {tool} has its arguments under {', '.join(strange)}; expected arguments or input"
        )
    if value.get("state") in ("input-streaming", "partial-call"):
        raise ValueError(f"the call of {tool} was cut while its arguments were written")
    return written if written else _first(value, ARGUMENT_KEYS)


def _is_object(value: Any) -> bool:
    return isinstance(as_value(value) if isinstance(value, str) else value, Mapping)


def _first(value: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((value[key] for key in keys if key in value), None)
