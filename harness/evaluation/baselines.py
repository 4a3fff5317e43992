"""Null baselines: what answers score that need no model. A model has to beat them before its score means anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.data.records import Task, ToolCall, TurnPair
from harness.models.parsing import canonical
from harness.statistics.records import Estimate

Calls = tuple[ToolCall, ...]
"""The calls of one turn."""
GOLD = "gold"
"""The row of the references themselves."""
BASELINES = {
    "null": ("null", "most frequent tool, no arguments"),
    "majority_by_turn": ("by turn", "most frequent tool of each turn, no arguments"),
    "copy_last": ("copy last", "the conversation's last call again"),
    "same_call": ("same call", "the most frequent call, arguments included, at every turn"),
    GOLD: ("gold", "the reference itself"),
}
"""Row beside the model's -> what it is called in a table, and what it is; in the order of tables."""


def baselines(pairs: Sequence[TurnPair], task: Task) -> dict[str, list[Calls]]:
    """Return the calls of each baseline, for each pair those of one turn.

    `null` always calls the most frequent tool with its required arguments empty. `majority_by_turn` calls the
    most frequent tool of each turn number, arguments empty too. `copy_last` repeats the conversation's last turn with
    calls, and is `null` where there is none yet. `same_call` is the most frequent reference of all, arguments included:
    with an agent that talks by a tool, the same reply to everything. Frequencies are those of the references: the
    baselines see the answers. Of several calls of a turn, the first counts for the most frequent tool.
    """
    constant = constant_call(pairs, task)
    by_turn = {
        turn: _empty_call(_most_frequent([pair for pair in pairs if pair.turn == turn]), task)
        for turn in {pair.turn for pair in pairs}
    }
    return {
        "null": [(constant,)] * len(pairs),
        "majority_by_turn": [(by_turn[pair.turn],) for pair in pairs],
        "copy_last": [_last_calls(pair) or (constant,) for pair in pairs],
        "same_call": [_most_frequent_turn(pairs)] * len(pairs),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class BestNull:
    """The null baseline that scores best by a metric."""

    name: str
    estimate: Estimate


def best_nulls(rows: Mapping[str, Mapping[str, Estimate]]) -> dict[str, BestNull]:
    """Return by metric the best null baseline of a report's rows; metrics for which none has a value are left out."""
    found: dict[str, BestNull] = {}
    for row, (name, _) in BASELINES.items():
        for metric, one in rows.get(row, {}).items() if row != GOLD else ():
            best = found[metric].estimate.value if metric in found else None
            if one.value is not None and (best is None or one.value > best):
                found[metric] = BestNull(name=name, estimate=one)
    return found


def constant_call(pairs: Sequence[TurnPair], task: Task) -> ToolCall:
    """Return the most frequent tool of the references, its required arguments empty."""
    return _empty_call(_most_frequent(pairs), task)


def _most_frequent(pairs: Sequence[TurnPair]) -> str:
    return Counter(pair.reference.name for pair in pairs).most_common(1)[0][0]


def _most_frequent_turn(pairs: Sequence[TurnPair]) -> Calls:
    """Return the most frequent reference; of several, the one that comes first."""
    text, _ = Counter(canonical(*pair.calls) for pair in pairs).most_common(1)[0]
    return next(pair.calls for pair in pairs if canonical(*pair.calls) == text)


def _empty_call(name: str, task: Task) -> ToolCall:
    schemas = {tool["function"]["name"]: tool["function"].get("parameters") or {} for tool in task.tools}
    required = schemas.get(name, {}).get("required") or ()
    return ToolCall(name=name, arguments=dict.fromkeys(required, ""))


def _last_calls(pair: TurnPair) -> Calls:
    return next((message.tool_calls for message in reversed(pair.prefix) if message.tool_calls), ())
