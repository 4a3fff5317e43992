"""Delexicalisation: values in a text become slots; a text that still tells of one conversation is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from harness.rules.teacher.lexicon import names
from harness.rules.teacher.slots import Slot, split_name
from harness.rules.teacher.task_model import TaskModel
from harness.rules.teacher.verbalisation import has_moment, mention

COUNT = "count"
"""The field for how many rows a lookup returned."""
Delexicalised = tuple[str, frozenset[str]]
"""A text with fields, and their names."""
_CAPITAL = re.compile(r"(?<![.?!:] )(?<!^)\b(?!I\b|I'|OK\b|Okay\b)[A-Z]\w+")
_STEM = 5


class Delexicaliser:
    """Takes values out of the texts of one task."""

    def __init__(self, model: TaskModel) -> None:
        self._model = model
        self._stems = _stems(model)
        self._categories = _categories(model)

    def columns(self, text: str) -> frozenset[str]:
        """Return the columns that a text has a telling word of."""
        said = re.sub(r"\{\w+\}", "", text)
        words = {word[:_STEM] for word in re.findall(r"[a-z]{3,}", said.lower())}
        return frozenset(key for key, stems in self._stems.items() if words & stems)

    def delexicalise(self, text: str, sources: Sequence[Mapping[str, Any]]) -> Delexicalised | None:
        """Return the text with values as fields; None where a value may be left in it."""
        spans: list[tuple[int, int, str]] = []
        for source in sources:
            for key, value in source.items():
                slot = self._model.slots.get(key)
                span = self._span(text, slot, value) if slot else self._counted(text, value) if key == COUNT else None
                if span and not any(span[0] < end and start < span[1] for start, end, _ in spans):
                    spans.append((*span, key))
        out, last = "", 0
        for start, end, key in sorted(spans):
            out += text[last:start].replace("{", "").replace("}", "") + "{" + key + "}"
            last = end
        out += text[last:].replace("{", "").replace("}", "")
        return (out, frozenset(key for *_, key in spans)) if not self._specific(out) else None

    def _span(self, text: str, slot: Slot, value: Any) -> tuple[int, int] | None:
        """Return where a value is stated, including whatever noun follows a count."""
        span = mention(text, slot, value, self._model.values)
        if span and slot.kind == "count" and slot.unit and text[span[0] : span[1]].isalnum():
            counted = re.match(r" (?:[a-z]{3,}s|person)\b", text[span[1] :])
            return span[0], span[1] + (counted.end() if counted else 0)
        return span

    def _counted(self, text: str, number: Any) -> tuple[int, int] | None:
        match = re.search(rf"(?<![\w:.-]){number}(?![\w:-])", text)
        return match.span() if match else None

    def _specific(self, text: str) -> bool:
        """Whether a text still holds what belongs to one conversation: figures, names, values of categories."""
        rest = re.sub(r"\{\w+\}", "", text)
        if re.search(r"\d", rest) or _CAPITAL.search(rest.strip()):
            return True
        if any(has_moment(rest, kind, self._model.values) for kind in ("date", "time")):
            return True
        return self._categories.search(rest) is not None


def _categories(model: TaskModel) -> re.Pattern[str]:
    """Return what finds a value of a category, a place or a name."""
    shown = {
        str(value).lower()
        for slot in model.slots.values()
        if slot.kind in ("word", "choice", "city", "title", "person")
        for value in slot.values
    }
    listed = {member.lower() for members in names().sets.values() for member in members}
    values = sorted(re.escape(value) for value in shown | listed if len(value) > 2)
    return re.compile(rf"\b(?:{'|'.join(values)})\b", re.I)


def _stems(model: TaskModel) -> dict[str, frozenset[str]]:
    """Return for each column the starts of the words of its name that no other column and no tool has."""
    columns = {key for usage in model.usages.values() for key in (*usage.columns, *usage.order)}
    words = {key: {word[:_STEM] for word in split_name(key) if len(word) > 2} for key in columns}
    tools = {word[:_STEM] for name in model.usages for word in split_name(name)}
    return {
        key: frozenset(
            stem for stem in own if stem not in tools and not any(stem in words[other] for other in columns - {key})
        )
        for key, own in words.items()
    }
