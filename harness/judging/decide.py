"""What of a judgement code can decide, so that no judge is asked."""

from __future__ import annotations

import json

from harness.records import Case, ToolCall, Vote

CODE = "code"
"""The name under which code votes."""

BAD, GOOD = 0.0, 1.0


def decide(case: Case) -> Vote | None:
    """Return the vote where the rubric leaves no choice, None where a judge has to be asked.

    A text without a call and a call of another tool are bad; a call equal to the reference (key order ignored) is
    good. Both hold for every published verdict of the benchmark's judge.
    """
    if case.call is None:
        return Vote(case_id=case.id, judge=CODE, value=BAD, reason="the answer holds no tool call")
    if case.call.name != case.reference.name:
        reason = f"it calls {case.call.name}, the reference {case.reference.name}"
        return Vote(case_id=case.id, judge=CODE, value=BAD, reason=reason)
    if _canonical(case.call) == _canonical(case.reference):
        return Vote(case_id=case.id, judge=CODE, value=GOOD, reason="the call equals the reference")
    return None


def _canonical(call: ToolCall) -> str:
    return json.dumps(call.arguments, sort_keys=True)
