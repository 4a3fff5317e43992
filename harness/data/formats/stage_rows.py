"""Rows of the datasets that stages push: conversations, turn pairs, and what filter, relabel and synthesize add.

Messages and tools are objects there, in columns of the type `Json()` of the library `datasets`: arguments stay as they
are, and a key that a message does not have is absent, which several chat templates tell from null.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.data.formats.calls import parse_call
from harness.data.formats.messages import dump_arguments, template_message
from harness.data.pipeline_records import ConversationPlan, Draft, Finding, Rating, TurnDecision
from harness.data.records import Conversation, Message, ToolCall, TurnPair

CONTEXT = "no seed: unlabelled context"
"""The reason of rows that were not relabelled."""
_DECIMALS = 10
Tools = Sequence[Mapping[str, Any]]
"""Function definitions in OpenAI form, as a task has them."""


def dump_dataset_row(conversation: Conversation, tools: Tools) -> dict[str, Any]:
    """Return a conversation as a row of a dataset, with the tools of its task: what TRL trains on as it is."""
    return {
        "id": conversation.id,
        "source": conversation.source,
        "messages": list(map(_dump_message, conversation.messages)),
        "tools": [as_json(tool) for tool in tools],
    }


def dump_pair(pair: TurnPair) -> dict[str, Any]:
    """Return a turn pair as a row of a dataset."""
    return {
        "id": pair.id,
        "conversation": pair.conversation,
        "turn": pair.turn,
        "messages": list(map(_dump_message, pair.prefix)),
        "reference": list(map(_dump_call, pair.calls)) if pair.further else _dump_call(pair.reference),
    }


def _dump_message(message: Message) -> Any:
    """Return a message as a column of the type `Json()` keeps it, see `as_json`.

    Of one with an integer that `datasets` cannot load the arguments alone are text.
    """
    return as_json(chat_message(message, lambda arguments: _unless(_is_loaded, arguments)))


def chat_message(message: Message, arguments: Callable[[Mapping[str, Any]], Any]) -> dict[str, Any]:
    """Return a message for the chat templates of others: keys that say nothing are absent, but for the content.

    `arguments` writes those of a call.
    """
    row = template_message(message)
    for call in row.get("tool_calls", ()):
        if call["id"] is None:
            del call["id"]
        call["function"]["arguments"] = arguments(call["function"]["arguments"])
    return row


def as_json(value: Mapping[str, Any]) -> Any:
    """Return an object as a column of the type `Json()` keeps it: itself, or its JSON text where a number is at stake.

    `datasets` rounds the numbers of objects to ten decimals and loads no file with an integer of more than 64 bits;
    text that is JSON it stores as it is, and gives it back as the object.
    """
    return _unless(_is_exact, value)


def _unless(kept: Callable[[float], bool], value: Mapping[str, Any]) -> Any:
    """Return an object of which every number is kept, of any other the JSON text."""
    return value if _all_numbers(kept, value) else dump_arguments(value)


def _all_numbers(kept: Callable[[float], bool], value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_all_numbers(kept, one) for one in value.values())
    if isinstance(value, list | tuple):
        return all(_all_numbers(kept, one) for one in value)
    return not isinstance(value, int | float) or kept(value)


def _is_loaded(number: float) -> bool:
    return -(1 << 63) <= number < 1 << 64 if isinstance(number, int) else math.isfinite(number)


def _is_exact(number: float) -> bool:
    return _is_loaded(number) and (isinstance(number, int) or round(number, _DECIMALS) == number)


def dump_filtered(
    conversation: Conversation, tools: Tools, findings: Sequence[Finding], rating: Rating | None, reason: str
) -> dict[str, Any]:
    """Return a row of a filtered dataset; a trace is kept where there is no reason against it."""
    return {
        **dump_dataset_row(conversation, tools),
        "kept": not reason,
        "reason": reason,
        "relevance": rating.relevance if rating else None,
        "coherence": rating.coherence if rating else None,
        "relevance_reason": rating.relevance_reason if rating else None,
        "coherence_reason": rating.coherence_reason if rating else None,
        "findings": [
            {"check": one.check, "severity": one.severity, "position": one.position, "problem": one.problem}
            for one in findings
        ],
    }


def dump_relabelled(
    conversation: Conversation, tools: Tools, decisions: Sequence[TurnDecision], reason: str
) -> dict[str, Any]:
    """Return a row of a relabelled dataset: the conversation as decided, and every turn with what was said of it."""
    return {
        **dump_dataset_row(conversation, tools),
        "kept": not reason,
        "reason": reason,
        "turns": [_dump_decision(decision) for decision in decisions],
    }


def _dump_decision(decision: TurnDecision) -> dict[str, Any]:
    return {
        "position": decision.position,
        "raw": _dump_call(decision.raw),
        "call": _dump_call(decision.call),
        "method": decision.method,
        "level": decision.level,
        "changed": decision.changed,
        "candidates": [_dump_call(call) for call in decision.candidates],
        "reason": decision.reason,
    }


def _dump_call(call: ToolCall | None) -> dict[str, Any] | None:
    return None if call is None else {"name": call.name, "arguments": as_json(call.arguments)}


def parse_decisions(row: Mapping[str, Any]) -> list[TurnDecision]:
    """Return the decisions of a relabelled row; ValueError where it has none or they are malformed."""
    turns = row.get("turns")
    if not isinstance(turns, list):
        raise ValueError('expected a relabelled row, with the "turns" that the committee decided')
    try:
        return [
            TurnDecision(
                position=turn["position"],
                raw=parse_call(turn["raw"]),
                call=None if turn["call"] is None else parse_call(turn["call"]),
                method=turn["method"],
                level=turn["level"],
                candidates=tuple(None if call is None else parse_call(call) for call in turn["candidates"]),
                reason=turn["reason"],
            )
            for turn in turns
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"a turn of the committee is malformed ({error!r} on reading it)") from error


def dump_synthetic(plan: ConversationPlan, tools: Tools, draft: Draft, reason: str, *, tries: int) -> dict[str, Any]:
    """Return a row of a synthetic dataset, accepted where there is no reason against it."""
    conversation = draft.conversation or Conversation(id=plan.id, messages=(), source="")
    return {
        **dump_dataset_row(conversation, tools),
        "id": plan.id,
        "source": ", ".join(exemplar.id for exemplar in plan.exemplars),
        "kept": not reason,
        "reason": reason,
        "plan": json.dumps(draft.plan, ensure_ascii=False),
        "topic": plan.topic,
        "complexity": plan.complexity,
        "length": plan.length,
        "context": [trace.id for trace in plan.context],
        "tries": tries,
    }
