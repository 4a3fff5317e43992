"""Scores by whole conversation: is every turn right, and where does the first error come (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from harness.evaluation.records import ConversationScores
from harness.statistics.estimates import estimate
from harness.statistics.sampling import sample_means


def score_conversations(
    values: Sequence[float | None], conversations: Sequence[str], turns: Sequence[int]
) -> ConversationScores:
    """Return one metric by whole conversation; `values[i]` is the score of turn `turns[i]` of `conversations[i]`.

    With several samples, `values` has those of all turns for the first, then for the second, and so on. Each sample is
    a try at every conversation: the success of a conversation is the mean of its tries.

    A turn below 1.0 is an error, None is unscored. A conversation with an error has failed, even if other turns are
    unscored; one with an unscored turn and no error is unscored. Where an unscored turn comes before the first
    known error, the first error is unknown: the two means about it leave the conversation out.
    """
    tries: dict[tuple[str, int], list[tuple[int, float | None]]] = defaultdict(list)
    for sample, start in enumerate(range(0, len(values), len(turns) or 1)):
        for value, conversation, turn in zip(values[start : start + len(turns)], conversations, turns, strict=True):
            tries[conversation, sample].append((turn, value))
    whole: dict[str, list[float | None]] = defaultdict(list)
    first_errors: list[int] = []
    right_before: list[int] = []
    for (conversation, _), scored in tries.items():
        scored.sort(key=lambda pair: pair[0])
        whole[conversation].append(_success([value for _, value in scored]))
        not_right = [(place, turn, value) for place, (turn, value) in enumerate(scored) if value is None or value < 1]
        if not not_right:
            right_before.append(len(scored))
        elif not_right[0][2] is not None:
            place, turn, _ = not_right[0]
            right_before.append(place)
            first_errors.append(turn)
    return ConversationScores(
        success=estimate(sample_means(list(whole.values())), list(whole)),
        first_error_turn=_mean(first_errors),
        turns_before_error=_mean(right_before),
    )


def _success(values: Sequence[float | None]) -> float | None:
    if any(value is not None and value < 1 for value in values):
        return 0.0
    return None if None in values else 1.0


def _mean(counts: Sequence[int]) -> float | None:
    return sum(counts) / len(counts) if counts else None
