"""A question asked again: what was wrong with the answer, and what it should look like."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import TYPE_CHECKING, Any

from harness import resources
from harness.models.chat.quoting import escape, escape_strings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Template

    from harness.models.chat.failures import Failure
    from harness.models.chat.records import ChatRequest

_FOLDER, _FILE = "again", "user.txt.jinja"
_PROBLEMS = {"refusal": "it was a refusal", "empty": "it was empty"}
"""For failures whose reason quotes the model: its words are not repeated to it."""


def asked_again(request: ChatRequest, failure: Failure) -> str:
    """Return what is added to a question whose answer could not be used; nothing where it has to stay as it is.

    At temperature 0 the same question gets the same answer.
    """
    if request.schema is None or not failure.served or failure.kind == "length":
        return ""
    problem = _PROBLEMS.get(failure.kind, failure.reason)
    schema = escape_strings(json.dumps(request.schema, ensure_ascii=False))
    return _template().render(problem=escape(problem), schema=schema)


def with_more(messages: Sequence[dict[str, Any]], more: str) -> list[dict[str, Any]]:
    """Return the messages with more words at the end of the last one."""
    *earlier, last = messages
    return [*earlier, {**last, "content": f"{last['content']}\n{more}"}] if more else [*messages]


@cache
def _template() -> Template:
    return resources.templates(resources.folder("eval") / _FOLDER).get_template(_FILE)


def again_sha256() -> str:
    """Return the SHA-256 of the words in which is asked again, for the record."""
    return hashlib.sha256((resources.folder("eval") / _FOLDER / _FILE).read_bytes()).hexdigest()
