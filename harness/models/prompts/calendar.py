"""The day that a chat template takes for today: fixed for a run, so that what is sent does not depend on the clock.

Templates ask for it by `strftime_now(format)`, which transformers and vLLM give them, or take a text `date_string`.
Without one they ask the clock, or have a date of their own; so does vLLM's chat endpoint, and so `date_string` is
given only where the user has named a day.
"""

from __future__ import annotations

import json
import re
from datetime import date, datetime, time
from typing import Any

_CLOCK, _TEXT = "strftime_now", "date_string"
_FORMAT = re.compile(r"""(["'])((?:(?!\1).)*%(?:(?!\1).)*)\1""")
"""A text with a per cent sign in a template: what it may ask the clock for."""
_TEXT_FORMAT = "%d %b %Y"
"""Of `date_string`, as Llama's templates write it."""


class Calendar:
    """One day, and what a template asked of it."""

    def __init__(self, day: date | None = None, *, named: bool = False) -> None:
        """`named` says that the user chose the day, so that templates get it as `date_string` too. None: today."""
        self.day = day or date.today()
        self.named = named
        self.formats: set[str] = set()
        """What `strftime_now` was asked for."""

    def variables(self, template: str) -> dict[str, Any]:
        """Return what a template is given besides messages and tools; nothing where it cannot ask for a day."""
        given: dict[str, Any] = {}
        if _CLOCK in template:
            given[_CLOCK] = self._write
        if self.named and _TEXT in template:
            given[_TEXT] = self.day.strftime(_TEXT_FORMAT)
        return given

    def _write(self, format: str) -> str:
        self.formats.add(format)
        return datetime.combine(self.day, time()).strftime(format)


def may_ask_for_day(content: bytes, *, named: bool) -> bool:
    """Return whether a file can hold a template that asks for a day."""
    return _CLOCK.encode() in content or (named and _TEXT.encode() in content)


def fix_day(template: str, calendar: Calendar) -> str:
    """Return a template that takes the calendar's day for today wherever it is rendered."""
    head = ""
    if _CLOCK in template:
        formats = sorted(calendar.formats | {found[2] for found in _FORMAT.finditer(template)})
        moment = datetime.combine(calendar.day, time())
        known = json.dumps({one: moment.strftime(one) for one in formats}, ensure_ascii=False)
        other = json.dumps(calendar.day.isoformat())
        head += f"{{% macro {_CLOCK}(format) %}}{{{{ {known}.get(format, {other}) }}}}{{% endmacro %}}"
    if calendar.named and _TEXT in template:
        text = json.dumps(calendar.day.strftime(_TEXT_FORMAT))
        head += f"{{% if {_TEXT} is not defined %}}{{% set {_TEXT} = {text} %}}{{% endif %}}"
    return f"{head}\n{template}" if head else template  # the line end goes with the block before it
