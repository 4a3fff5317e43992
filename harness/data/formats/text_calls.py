"""Calls that stand in the text of a logged message, in the notations of training data: Hermes, ToolACE, Glaive."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from harness.data.formats.json_texts import as_value, shortened

_LONGEST_PYTHON = 1 << 20
"""Characters of a value as Python writes it: reading it takes a hundred times its size."""
_MOST_ENDS = 1000
"""Closing brackets of one call that are tried."""
_TAGGED = re.compile(r"<(tool_call|TOOLCALL|function_call)>\s*(\{.*?\}|\[.*?\])\s*</\1>\s*", re.DOTALL)
_TAGGED_RESULT = re.compile(r"<tool_response>\s*(.*?)\s*</tool_response>\s*", re.DOTALL)
_OPENED = re.compile(r"(?:<functioncall>|\[TOOL_CALLS\]|<\|tool_call\|>|<\|python_tag\|>)\s*(?=[\[{])")
"""What stands before calls that are JSON, up to the end of the text: Glaive, Mistral, Granite, Llama."""
_END = re.compile(r"(?:\s|</s>|<\|(?:endoftext|eot_id|eom_id|im_end|end_of_text)\|>)*$")
_NAME = re.compile(r"\s*([A-Za-z_][\w .\-/]*?)\s*\(")
_KEYS = {"name", "arguments", "parameters", "id", "type"}
_UNREAD = re.compile(
    r"<tool_call>|<TOOLCALL>|<function_call>|<functioncall>|<function=|<function_calls>|<invoke name=|"
    r"\[TOOL_CALLS\]|<\|python_tag\|>|"
    r"<\|tool_calls?\|>|<\|tool_calls?_(?:section_)?(?:begin|start)\|>|<\uff5ctool\u2581calls?\u2581begin\uff5c>|"
    r"<minimax:tool_call>|<start_function_call>| to=functions\.|functools\[|\bAction:[^\n]*\n\s*Action Input:|"
    r"\badditional_kwargs=\{"
)
_THOUGHT = re.compile(r"<think>.*?</think>\s*", re.DOTALL)
_MARKS = ("<", "[", "{", " to=functions.", "Action:")
"""Of which one is in every text that `_GLANCE` finds, or that is JSON: a quicker look than a pattern."""
_GLANCE = re.compile(_UNREAD.pattern + "|</?think>")


def may_hold_calls(text: str) -> bool:
    """Return whether a text may hold calls, or reasoning, at a glance."""
    marked = any(mark in text for mark in _MARKS)
    return marked and (text.lstrip()[:1] in ("[", "{") or _GLANCE.search(text) is not None)


def _said(text: str) -> str:
    """Return a text without reasoning; where that begins with the template's own `<think>`, only its end is there."""
    text = _THOUGHT.sub("", text)
    thought, ended, said = text.partition("</think>")
    if "<think>" in thought:
        raise ValueError(f"its reasoning does not end: {shortened(text)}")
    return said.lstrip() if ended else text


def calls_in(text: str) -> tuple[str, list[Mapping[str, Any]]]:
    """Return the words and the calls of an assistant's text, without reasoning.

    Raises ValueError where it marks a call that cannot be read, or begins reasoning that does not end.
    """
    if not may_hold_calls(text):
        return text, []
    text = _said(text)
    if tagged := [python_value(found) for _, found in _TAGGED.findall(text)]:
        calls = [call for found in tagged for call in (found if isinstance(found, list) else [found])]
        left = _TAGGED.sub("", text)
    elif opened := _OPENED.search(text):
        found = python_value(_END.sub("", text[opened.end() :]))
        calls, left = (found if isinstance(found, list) else [found]), text[: opened.start()]
    elif (found := as_value(text)) is not None:
        listed = found if isinstance(found, list) else [found]
        return ("", listed) if listed and all(map(_is_call, listed)) else (text, [])
    else:
        return ("", written) if (written := list(_python_calls(text.strip()))) else (_without_marks(text), [])
    if not calls or not all(isinstance(call, Mapping) for call in calls):
        _without_marks(text)
    return _without_marks(left.strip()), calls


def results_in(text: str) -> list[str]:
    """Return the results that a text consists of, in Hermes' notation; none for any other text."""
    found = _TAGGED_RESULT.findall(text) if "<tool_response>" in text else []
    return found if found and not _TAGGED_RESULT.sub("", text).strip() else []


def python_value(text: str) -> Any:
    """Return the value of a text, as JSON or as Python writes it (Hermes' own data set does both); None for another."""
    if (found := as_value(text)) is None and len(text) <= _LONGEST_PYTHON:
        try:
            found = _literal(ast.literal_eval, text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            return None
    return found


def _literal(read: Any, value: Any) -> Any:
    with warnings.catch_warnings(action="ignore"):  # of escapes that Python does not know
        return json.loads(json.dumps(read(value), allow_nan=False))


def _without_marks(text: str) -> str:
    if mark := _UNREAD.search(text):
        raise ValueError(f"it holds a {mark.group().strip()} that is not read: {shortened(text[mark.start() :])}")
    return text


def _is_call(value: Any) -> bool:
    """Return whether an object is a call and nothing else: Llama's models write them without any mark."""
    return (
        isinstance(value, Mapping)
        and "name" in value
        and bool({"arguments", "parameters"} & value.keys())
        and value.keys() <= _KEYS
        and isinstance(value.get("arguments", value.get("parameters")), Mapping | str)
    )


def _python_calls(text: str) -> Iterator[Mapping[str, Any]]:
    """Yield the calls of a text that is a list of them as Python writes it, `[Find(city="Ulm"), Look()]`.

    Names may hold spaces, arguments have names and values that are plain. Nothing for any other text.
    """
    if not (text.startswith("[") and text.endswith(")]") and len(text) <= _LONGEST_PYTHON):
        return
    found, place = [], 1
    while name := _NAME.match(text, place):
        read = _python_arguments(text, name.end())
        if read is None:
            return
        arguments, place = read
        found.append({"name": name.group(1), "arguments": arguments})
        if text[place:].strip() == "]":
            yield from found
            return
        following = re.compile(r"\s*,").match(text, place)
        if following is None:
            return
        place = following.end()


def _python_arguments(text: str, start: int) -> tuple[dict[str, Any], int] | None:
    """Return the arguments that begin behind a bracket, and the place behind the one that closes it."""
    place = start
    for _ in range(_MOST_ENDS):
        place = text.find(")", place) + 1
        if not place:
            return None
        try:
            with warnings.catch_warnings(action="ignore"):
                call = ast.parse(f"f({text[start:place]}", mode="eval").body
            if not isinstance(call, ast.Call) or call.args or not all(one.arg for one in call.keywords):
                return None
            return {str(one.arg): _literal(ast.literal_eval, one.value) for one in call.keywords}, place
        except SyntaxError:
            continue
        except (ValueError, TypeError, RecursionError, MemoryError):
            return None
    return None
