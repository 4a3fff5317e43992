"""All deterministic checks of one conversation, in order; what they find is sorted by nothing but that order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from harness.curation.checks.assistant_turns import (
    call_arguments,
    call_ids,
    call_names,
    empty_texts,
    reply_form,
    results,
    unusable_turns,
)
from harness.curation.checks.characters import characters_of_texts
from harness.curation.checks.consistency import consistency
from harness.curation.checks.message_order import (
    CheckConfig,
    View,
    consecutive_turns,
    first_message,
    last_message,
    role_order,
    sizes,
    turns,
)
from harness.data.events import events
from harness.data.pipeline_records import Finding
from harness.data.records import Conversation
from harness.data.tools import Toolbox

CHECKS: tuple[Callable[[View], Iterator[Finding]], ...] = (
    turns,
    first_message,
    role_order,
    last_message,
    consecutive_turns,
    sizes,
    unusable_turns,
    call_names,
    call_arguments,
    reply_form,
    empty_texts,
    results,
    call_ids,
    characters_of_texts,
)
"""The checks that look at messages as they stand; `consistency` compares what they mean."""
_EACH = 25
"""Findings of one check that are kept: thousands of bad messages should not make a report of thousands of lines."""


def check(conversation: Conversation, toolbox: Toolbox, config: CheckConfig) -> list[Finding]:
    """Return what is wrong with a conversation; empty where nothing is.

    Whether results fit calls and replies fit results is asked only where nothing is rejected: in a shuffled
    conversation, or in one with a megabyte in a message, the answer would mean nothing and cost much.
    """
    try:
        return _check(conversation, toolbox, config)
    except RecursionError:
        problem = "a call or a result is nested too deeply to be read; expected plain values or lists of them"
        return [Finding(check="too-deep", severity="reject", problem=problem)]


def _check(conversation: Conversation, toolbox: Toolbox, config: CheckConfig) -> list[Finding]:
    view = View(
        conversation=conversation, events=events(conversation.messages, toolbox), toolbox=toolbox, config=config
    )
    found = _capped(finding for look in CHECKS for finding in look(view))
    if config.consistency and not any(finding.severity == "reject" for finding in found):
        found += _capped(consistency(view))
    return found


def rejected(findings: Iterable[Finding]) -> bool:
    """Whether any finding rejects the conversation."""
    return any(finding.severity == "reject" for finding in findings)


def _capped(findings: Iterable[Finding]) -> list[Finding]:
    counts: Counter[str] = Counter()
    kept: list[Finding] = []
    for finding in findings:
        counts[finding.check] += 1
        if counts[finding.check] <= _EACH:
            kept.append(finding)
    more = ((check, count - _EACH) for check, count in counts.items() if count > _EACH)
    severity = {finding.check: finding.severity for finding in reversed(kept)}
    return kept + [
        Finding(check=check, severity=severity[check], problem=f"{count:,} more findings of this check")
        for check, count in more
    ]
