"""Rows of the pipeline's datasets: what filter, relabel and synthesize write, as JSON objects."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from harness.data.formats.calls import parse_call
from harness.data.formats.messages import dump_arguments, dump_conversation
from harness.data.pipeline_records import ConversationPlan, Draft, Finding, Rating, TurnDecision
from harness.data.records import Conversation, ToolCall

CONTEXT = "no seed: unlabelled context"
"""The reason of rows that were not relabelled."""


def dump_filtered(
    conversation: Conversation, findings: Sequence[Finding], rating: Rating | None, reason: str
) -> dict[str, Any]:
    """Return a row of a filtered dataset; a trace is kept where there is no reason against it."""
    return {
        **dump_conversation(conversation),
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


def dump_relabelled(conversation: Conversation, decisions: Sequence[TurnDecision], reason: str) -> dict[str, Any]:
    """Return a row of a relabelled dataset: the conversation as decided, and every turn with what was said of it."""
    return {
        **dump_conversation(conversation),
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
    return None if call is None else {"name": call.name, "arguments": dump_arguments(call.arguments)}


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


def dump_synthetic(plan: ConversationPlan, draft: Draft, reason: str, *, tries: int) -> dict[str, Any]:
    """Return a row of a synthetic dataset, accepted where there is no reason against it."""
    conversation = draft.conversation or Conversation(id=plan.id, messages=(), source="")
    return {
        **dump_conversation(conversation),
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
