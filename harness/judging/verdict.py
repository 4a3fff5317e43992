"""A judge's answer read as one verdict, or the reason why it cannot be used."""

from __future__ import annotations

from harness.answer_text import clean, excerpt, kind_of, read_object

_VALUES = {"good": 1.0, "bad": 0.0}
_KEYS = {"reason", "verdict"}


def parse_verdict(text: str) -> tuple[float, str]:
    """Return the value (1.0 good, 0.0 bad) and the reason of an answer that is exactly one verdict.

    Read is one JSON object with the keys `reason` (text) and `verdict` (good or bad, in any case of letters), alone or
    in one code fence, after one leading block of thinking at most. All else raises ValueError, whose message says what
    was found: nothing is searched for a verdict, because what looks like one may be quoted from the case.

    An answer that the engine cut (finish reason `length`) is not to be read at all: thinking that was cut behind a
    quoted end of thinking and a quoted verdict looks like an answer.
    """
    answer = read_object(text)
    if answer.keys() != _KEYS:
        keys = ", ".join(map(excerpt, sorted(answer))) or "none"
        raise ValueError(f'the answer has the keys {keys}; expected "reason" and "verdict"')
    reason, verdict = answer["reason"], answer["verdict"]
    if not isinstance(reason, str):
        raise ValueError(f"the reason is no text but {kind_of(reason)}")
    value = _VALUES.get(verdict.lower()) if isinstance(verdict, str) else None
    if value is None:
        raise ValueError(f'the verdict is {excerpt(verdict)}; expected "good" or "bad"')
    return value, clean(reason)
