"""`rules:labeler-schema`: maps calls of older or foreign schemas to the task's schema.

For example, `FindRestaurant(category="Thai", town="Reno")` of an older schema becomes `FindRestaurants(cuisine="Thai",
city="Reno")` of the task.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.data.events import events
from harness.data.pipeline_records import Rewrite
from harness.data.records import Conversation, Message, Task, ToolCall
from harness.data.tools import Toolbox
from harness.rules.labeler.schema_match import Match, Matcher
from harness.rules.labeler.schema_usage import Use, uses
from harness.rules.labeler.schema_values import fitted, says_nothing
from harness.rules.labeler.turns import rewrite

_UNSURE = 0.55


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedCall:
    """What became of one call."""

    position: int
    """Of the message in its conversation, from 0."""
    raw: ToolCall
    call: ToolCall | None
    """The call in the task's schema, valid or not; None where no tool of the task is its counterpart."""
    confidence: float
    """How much better tool and arguments fit than the next best reading: 0.5 where that is as good, up to 1.

    1.0 for a call that fits as it is, 0.0 for one without a tool."""
    problems: tuple[str, ...] = ()
    """What is still wrong with it by the task's schema."""
    dropped: tuple[str, ...] = ()
    """Arguments without counterpart."""
    filled: tuple[str, ...] = ()
    """Required arguments that the old call lacked, taken from the conversation."""

    @property
    def reason(self) -> str:
        """What was done, in words."""
        if self.call is None:
            return f"no tool of the task is the counterpart of {self.raw.name}"
        parts = [f"{self.raw.name} is {self.call.name}"] if self.raw.name != self.call.name else []
        parts += ["another reading is as good"] if self.confidence < _UNSURE else []
        parts += [f"{', '.join(self.dropped)} without counterpart"] if self.dropped else []
        parts += [f"{', '.join(self.filled)} from the conversation"] if self.filled else []
        return "; ".join((*parts, *self.problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class Canonical:
    """Conversations in the task's schema."""

    conversations: tuple[Conversation, ...]
    """As many as were given, in their order, messages at their positions."""
    calls: tuple[tuple[MappedCall, ...], ...]
    """For each conversation its calls, in order."""


def canonicalise(conversations: Sequence[Conversation], task: Task) -> Canonical:
    """Map the calls of traces to the tools of the task. Deterministic, without labels, over the batch as a whole.

    A conversation whose tools and arguments are all the task's comes out as it is, and so does every valid call.
    DataError where the task's tools are no function definitions.
    """
    toolbox = Toolbox(task.tools)
    batch = [uses(conversation, toolbox) for conversation in conversations]
    foreign = [position for position, found in enumerate(batch) if not _belongs(found, toolbox)]
    matcher = Matcher(toolbox, batch, foreign)
    matches = {position: matcher.match(batch[position]) for position in foreign}
    calls = tuple(_mapped(found, toolbox, matches.get(position)) for position, found in enumerate(batch))
    return Canonical(
        conversations=tuple(
            _rewritten(conversation, mapped, toolbox) for conversation, mapped in zip(conversations, calls, strict=True)
        ),
        calls=calls,
    )


class SchemaLabeler:
    """The canonicaliser as a member of the committee."""

    name = "rules:labeler-schema"

    def __init__(self, task: Task) -> None:
        self._task = task
        self.settings: dict[str, Any] = {}

    def relabel(self, conversations: Sequence[Conversation], on_rewrite: Callable[[Rewrite], None]) -> None:
        """Call `on_rewrite` for each conversation; a call that cannot be mapped is None, with the reason."""
        toolbox = Toolbox(self._task.tools)
        canonical = canonicalise(conversations, self._task)
        for conversation, mapped in zip(conversations, canonical.calls, strict=True):
            by_position = {call.position: call for call in mapped}
            turns = [event.position for event in events(conversation.messages, toolbox) if event.is_turn]
            labels = [(by_position[position].call, by_position[position].reason) for position in turns]
            on_rewrite(rewrite(conversation.id, self.name, labels))


def _mapped(found: Sequence[Use], toolbox: Toolbox, matches: Mapping[str, Match] | None) -> tuple[MappedCall, ...]:
    """Return the calls translated by the matches; as they are where there are none to be made."""
    if matches is None:
        return tuple(_kept(use, toolbox) for use in found)
    mapped: list[MappedCall] = []
    for use in found:
        match = matches.get(use.call.name)
        if not toolbox.problems(use.call):
            mapped.append(_kept(use, toolbox))
        elif match is None:
            mapped.append(MappedCall(position=use.position, raw=use.call, call=None, confidence=0.0))
        else:
            mapped.append(_translated(use, match, toolbox, mapped))
    return tuple(mapped)


def _belongs(found: Sequence[Use], toolbox: Toolbox) -> bool:
    """Whether all tools and all names of arguments are the task's, if not of the tool they stand with."""
    known = {name for tool in toolbox.services for name in toolbox.parameters(tool)} | {toolbox.reply.argument}
    return all(use.call.name in toolbox and use.call.arguments.keys() <= known for use in found)


def _kept(use: Use, toolbox: Toolbox) -> MappedCall:
    problems = tuple(toolbox.problems(use.call))
    return MappedCall(position=use.position, raw=use.call, call=use.call, confidence=1.0, problems=problems)


def _translated(use: Use, match: Match, toolbox: Toolbox, before: Sequence[MappedCall]) -> MappedCall:
    parameters = toolbox.parameters(match.new)
    names = {pair.old: pair.new for pair in match.pairs}
    if match.new == toolbox.reply.tool:
        arguments = {names[key]: value for key, value in use.call.arguments.items() if key in names}
    else:
        arguments = {}
        for key, value in use.call.arguments.items():
            if key in names and not _leaves_open(value, names[key], match.new, toolbox):
                arguments[names[key]] = fitted(value, parameters[names[key]])
    filled = _fill(use, match, arguments, toolbox, before)
    call = ToolCall(name=match.new, arguments={**arguments, **filled}, id=use.call.id)
    return MappedCall(
        position=use.position,
        raw=use.call,
        call=call,
        confidence=_confidence(use, match),
        problems=tuple(toolbox.problems(call)),
        dropped=tuple(key for key in use.call.arguments if key not in names),
        filled=tuple(filled),
    )


def _confidence(use: Use, match: Match) -> float:
    margins = [pair.margin for pair in match.pairs if pair.old in use.call.arguments]
    return 1 / (1 + math.exp(-max(0.0, min((match.margin, *margins)))))


def _leaves_open(value: Any, name: str, tool: str, toolbox: Toolbox) -> bool:
    """Whether a value states no preference, and may be left out because the parameter is optional and has no such
    member."""
    parameter = toolbox.parameters(tool)[name]
    if parameter.required or not says_nothing(value):
        return False
    return fitted(value, parameter) not in (parameter.schema.get("enum") or [value])


def _fill(
    use: Use, match: Match, arguments: Mapping[str, Any], toolbox: Toolbox, before: Sequence[MappedCall]
) -> dict[str, Any]:
    """Return the required arguments that a call lacks and that its result or an earlier call states."""
    filled: dict[str, Any] = {}
    for name, parameter in toolbox.parameters(match.new).items():
        if not parameter.required or name in arguments:
            continue
        stated = {str(row[name]): row[name] for row in use.rows if isinstance(row.get(name), str | int | float)}
        earlier = [made.call.arguments[name] for made in before if made.call and name in made.call.arguments]
        if len(stated) == 1:
            filled[name] = fitted(next(iter(stated.values())), parameter)
        elif earlier:
            filled[name] = earlier[-1]
    return filled


def _rewritten(conversation: Conversation, mapped: Sequence[MappedCall], toolbox: Toolbox) -> Conversation:
    """Return the conversation with its calls replaced; what was not mapped stays as it is."""
    if all(made.call is made.raw or made.call is None for made in mapped):
        return conversation
    by_position: dict[int, list[MappedCall]] = defaultdict(list)
    for made in mapped:
        by_position[made.position].append(made)
    messages = (_message(one, by_position[position], toolbox) for position, one in enumerate(conversation.messages))
    return replace(conversation, messages=tuple(messages))


def _message(message: Message, made: Sequence[MappedCall], toolbox: Toolbox) -> Message:
    calls = tuple(one.call or one.raw for one in made)
    if all(one.call is one.raw or one.call is None for one in made):
        return message
    if len(calls) == 1:
        return toolbox.message_of(calls[0], like=message)
    return replace(message, tool_calls=calls)
