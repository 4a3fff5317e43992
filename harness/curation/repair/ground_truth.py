"""What traces should have been: the clean conversations, what was done to them, and which belong to the task."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from harness import resources
from harness.data.formats.jsonl import read_jsonl
from harness.data.formats.row_layouts import parse_row
from harness.data.formats.sgd import REPLY_TOOL
from harness.data.records import Conversation, ToolCall
from harness.errors import DataError, UsageError

if TYPE_CHECKING:
    from harness.data.formats.sgd import Trace
    from harness.data.scenarios import Arm, CleanTraces
    from harness.data.sources import Sources

_LINE = re.compile(r":(\d+)$")
RENAMED, OTHER_SERVICE = "renamed", "other_service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """One clean conversation."""

    conversation: Conversation
    belongs: bool = True
    """Whether it is about the task; of others nothing is known turn by turn."""
    kinds: Mapping[int, str] = field(default_factory=dict)
    """Position of a message whose call was damaged -> how."""


class Truths:
    """The clean conversations of one set of traces, in its order."""

    def __init__(self, truths: Sequence[Truth]) -> None:
        self._truths = tuple(truths)

    def __iter__(self) -> Any:
        return iter(self._truths)

    def __len__(self) -> int:
        return len(self._truths)

    def of(self, conversation: Conversation) -> Truth | None:
        """Return what a trace should have been; None where no clean conversation is found to be its own.

        Joined by id, by source, by the ids of its calls (which stay with a call through every change), by what users
        and tools say in it (which no stage changes), and at last by the line that the source names. Only what is
        unique joins.
        """
        for index, key in (
            (self._by_id, conversation.id),
            (self._by_source, conversation.source),
            (self._by_words, _words(conversation)),
        ):
            if (found := index.get(key)) is not None:
                return found
        votes = Counter(place for id in _call_ids(conversation) if (place := self._by_call.get(id)) is not None)
        if votes:
            return self._truths[votes.most_common(1)[0][0]]
        line = _LINE.search(conversation.source)
        if line and 0 < int(line[1]) <= len(self._truths):
            found = self._truths[int(line[1]) - 1]
            return found if len(found.conversation.messages) == len(conversation.messages) else None
        return None

    @cached_property
    def _by_id(self) -> dict[Any, Truth]:
        return _unique((truth.conversation.id, truth) for truth in self._truths)

    @cached_property
    def _by_source(self) -> dict[Any, Truth]:
        return _unique((truth.conversation.source, truth) for truth in self._truths if truth.conversation.source)

    @cached_property
    def _by_words(self) -> dict[Any, Truth]:
        return _unique((_words(truth.conversation), truth) for truth in self._truths)

    @cached_property
    def _by_call(self) -> dict[str, int]:
        return _unique((id, place) for place, truth in enumerate(self._truths) for id in _call_ids(truth.conversation))


def _unique(pairs: Any) -> dict[Any, Any]:
    """Return the pairs as a dictionary, without the keys that come more than once."""
    listed = list(pairs)
    counts = Counter(key for key, _ in listed)
    return {key: value for key, value in listed if counts[key] == 1}


def _words(conversation: Conversation) -> tuple[str, ...]:
    """Return what users and tools say, sorted: foreign conversations may have been shuffled."""
    return tuple(sorted(message.content or "" for message in conversation.messages if message.role != "assistant"))


def _call_ids(conversation: Conversation) -> list[str]:
    return [call.id for message in conversation.messages for call in message.tool_calls if call.id]


def read_truth(path: Path) -> Truths:
    """Read a `clean.jsonl`: rows of id, source, messages, and if they are known `belongs` and `corruptions`.

    Raises DataError, with file and line, for a row that is malformed, and for a file without rows.
    """
    truths = []
    for line, row in read_jsonl(path):
        try:
            truths.append(_parse_truth(row))
        except (ValueError, KeyError, TypeError) as error:
            expected = "expected a clean conversation: id, messages, and with them belongs and corruptions if known"
            raise DataError.at(path, line, f"{error}; {expected}") from error
    if not truths:
        raise DataError(f"{path} has no rows; expected one clean conversation per line")
    return Truths(truths)


def _parse_truth(row: Mapping[str, Any]) -> Truth:
    kinds = {one["position"]: one["kind"] for one in row.get("corruptions") or ()}
    belongs = row.get("belongs", True)
    if not isinstance(belongs, bool):
        raise ValueError(f'"belongs" must be true or false, got {belongs!r}')
    return Truth(conversation=parse_row(row), belongs=belongs, kinds=kinds)


def published_truth(sources: Sources, number: int, arm: Arm) -> Truths:
    """Return the truth of a published scenario: ids as in its dataset, in the order of its file.

    Conversations of another service that `datasets/drift.yaml` maps into the task's have their clean calls under the
    task's names; those of any other service do not belong. Raises UsageError for an unknown scenario, SourceError.
    """
    from harness.data import scenarios

    scenario = scenarios.get(number)
    dialogues = scenarios.read_dialogues(sources)
    service = dialogues.restaurants[0].service
    drifts = {one.service: one for one in read_drifts() if one.into == service}
    originals = {(trace.service, trace.conversation.source): trace.conversation for trace in _all(dialogues)}
    recorded = _recorded_kinds(number, dialogues, arm)
    truths = []
    for trace, named in zip(scenario.build(dialogues, arm), scenario.conversations(dialogues, arm), strict=True):
        clean = originals[trace.service, named.source]
        if trace.service != service:
            drift = drifts.get(trace.service)
            if drift is None:
                truths.append(Truth(conversation=replace(clean, id=named.id), belongs=False))
                continue
            clean = _mapped(clean, drift)
        usual = RENAMED if trace.service == service else OTHER_SERVICE
        kinds = {
            position: recorded.get(was.id, usual)
            for position, (now, then) in enumerate(zip(named.messages, clean.messages, strict=True))
            for call, was in zip(now.tool_calls, then.tool_calls, strict=True)
            if call != was
        }
        truths.append(Truth(conversation=replace(clean, id=named.id), kinds=kinds))
    return Truths(truths)


def _all(dialogues: CleanTraces) -> tuple[Trace, ...]:
    return (*dialogues.restaurants, *dialogues.other_restaurants, *dialogues.hotels)


def _recorded_kinds(number: int, dialogues: CleanTraces, arm: Arm) -> dict[str | None, str]:
    """Return call id -> kind, where a scenario keeps a record of what it did."""
    from harness.data.scenarios import noisy_labels

    if number != noisy_labels.SCENARIO.number:
        return {}
    return {one.before.id: one.kind for one in noisy_labels.corrupt(dialogues, arm)[1]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What calls of one service are in the schema of another."""

    service: str
    into: str
    tools: Mapping[str, str]
    parameters: Mapping[str, str | None]
    """None where there is no counterpart."""
    values: Mapping[str, Mapping[str, str]]
    """By the argument's new name."""

    def __call__(self, call: ToolCall) -> ToolCall:
        """Return the call in the other schema."""
        if call.name == REPLY_TOOL:
            return call
        renamed = ((self.parameters.get(key, key), value) for key, value in call.arguments.items())
        arguments = {key: self.values.get(key, {}).get(value, value) for key, value in renamed if key is not None}
        return replace(call, name=self.tools[call.name], arguments=arguments)


def read_drifts() -> list[Drift]:
    """Return the declared mappings between services; UsageError for an entry that is malformed."""
    path = resources.folder("datasets") / "drift.yaml"
    try:
        return [Drift(**entry) for entry in yaml.safe_load(path.read_text(encoding="utf-8"))]
    except TypeError as error:
        raise UsageError(f"{path}: {error}; expected service, into, tools, parameters and values") from error


def _mapped(conversation: Conversation, drift: Drift) -> Conversation:
    messages = tuple(
        replace(message, tool_calls=tuple(map(drift, message.tool_calls))) for message in conversation.messages
    )
    return replace(conversation, messages=messages)
