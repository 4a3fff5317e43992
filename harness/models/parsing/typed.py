"""Arguments that a notation writes as bare text, as values of the type that the tool's schema declares."""

from __future__ import annotations

import json
import re
from typing import Any

from harness.data.formats.json_texts import encodable
from harness.models.parsing.literals import Unreadable, read_json, read_literal, sound
from harness.models.parsing.schemas import KINDS, ValueSchema

_INTEGER = re.compile(r"[+-]?[0-9]{1,4000}+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,400}+(?:\.[0-9]{0,400}+)?|\.[0-9]{1,400}+)(?:[eE][+-]?[0-9]{1,3}+)?")
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,4000}+)(?:\.[0-9]{1,400}+)?(?:[eE][+-]?[0-9]{1,3}+)?")
_BOOLEANS = {"true": True, "false": False}
_BITS = {"1": True, "0": False}
_ABSENT = object()


def typed(raw: str, schema: ValueSchema) -> Any:
    """Return the value that bare text stands for.

    The types that the schema allows are tried in the order of `KINDS`, and a value that it allows entirely (one of
    its enumeration, say) goes before one that only has the right type. Text stays text where nothing is declared, where
    text is allowed and it is no literal of another type that is, or where it is no literal at all.
    """
    kinds = schema.kinds()
    if not kinds or kinds == {"string"}:
        return encodable(raw)
    body = raw.strip()
    found = [value for kind in KINDS if kind in kinds and (value := _value(kind, raw, body, kinds)) is not _ABSENT]
    best = next((value for value in found if schema.allows(value)), found[0] if found else _ABSENT)
    if best is _ABSENT:
        # Where no text is allowed, a value of another type than the declared ones is still that value, as in vLLM.
        literals = (_value(kind, raw, body, frozenset({"string"})) for kind in KINDS[:-1])
        best = next((value for value in literals if value is not _ABSENT), _ABSENT)
    return encodable(_unquoted(raw, body)) if best is _ABSENT else best


def _unquoted(raw: str, body: str) -> str:
    """Return text where none is allowed: what JSON's quotes hold, as in vLLM, else all of it."""
    try:
        value = json.loads(body) if body.startswith('"') else raw
    except ValueError:
        return raw
    return value if isinstance(value, str) else raw


def _value(kind: str, raw: str, body: str, kinds: frozenset[str]) -> Any:
    """Return `body` as a value of that type, or _ABSENT."""
    if kind == "string":
        return encodable(raw)
    if kind == "null":
        # Chat templates written in Jinja print a null as Python does.
        return None if body == "None" or body.lower() == "null" else _ABSENT
    if kind in ("integer", "number"):
        # Where text is allowed too, 007 is text.
        loose = "string" not in kinds or _JSON_NUMBER.fullmatch(body)
        return _number(body, whole=kind == "integer", exact="string" in kinds) if loose else _ABSENT
    if kind == "boolean":
        bits = {} if "string" in kinds else _BITS
        return {**_BOOLEANS, **bits}.get(body.lower(), _ABSENT)
    return _container(body, (dict,) if kind == "object" else (list,))


def _number(body: str, *, whole: bool, exact: bool) -> Any:
    if _INTEGER.fullmatch(body):
        return int(body)
    if not _NUMBER.fullmatch(body):
        return _ABSENT
    value = float(body)
    if value in (float("inf"), float("-inf")) or (whole and (exact or not value.is_integer())):
        return _ABSENT
    return int(value) if whole else value


def _container(body: str, types: tuple[type, ...]) -> Any:
    try:
        if body.startswith("("):
            value, end = read_literal(body, 0)
        else:
            value, end = read_json(body, 0, repair=True)
    except Unreadable:
        return _ABSENT
    return sound(value) if isinstance(value, types) and end == len(body) else _ABSENT
