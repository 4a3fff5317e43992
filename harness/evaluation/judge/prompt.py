"""The judge's prompt: constants first, then the case, in which every text that others wrote is one line of JSON.

See `harness.models.chat.quoting` for the invariant: the prompt reads back as exactly one conversation, one reference
and one prediction.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

from harness import resources
from harness.data.records import Case, Task
from harness.models.chat.json_answers import clean, excerpt, kind_of, read_object
from harness.models.chat.quoting import (
    LAYOUT,
    MAX_CHARACTERS,
    escape,
    escape_strings,
    lines,
    show,
    show_call,
)

MAX_REASON = 300
"""Longest reason that a judge is asked for, in characters."""

_SYSTEM, _USER, _RUBRIC = "system.txt.jinja", "user.txt.jinja", "rubric.txt"


class JudgePrompt:
    """Builds the messages that ask a judge about one case of a task."""

    def __init__(self, task: Task | None) -> None:
        """The rubric and the tools are the task's; without a rubric of its own the default one is taken."""
        folder = resources.folder("eval") / "judge"
        system, user, default = ((folder / name).read_text(encoding="utf-8") for name in (_SYSTEM, _USER, _RUBRIC))
        env = resources.templates(folder)
        own = task.rubric.strip() if task is not None and task.rubric else ""
        self.rubric_source: Literal["task", "default"] = "task" if own else "default"
        rubric = "\n".join((own or default.strip()).splitlines())
        tools = [escape_strings(json.dumps(tool, ensure_ascii=False)) for tool in (task.tools if task else ())]
        self.schema: dict[str, Any] = verdict_schema()
        self._user = env.from_string(user)
        # The rubric instructs the judge, so it stands as it is; but it too must not end the message it is part of.
        self._system = env.from_string(system).render(
            rubric=escape(rubric, keep=LAYOUT), tools=tools, max_reason=MAX_REASON
        )
        parts = [system, user, rubric, tools, self.schema, MAX_CHARACTERS]
        self.sha256 = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def messages(self, case: Case) -> tuple[dict[str, str], ...]:
        """Return the system message, the same for every case of the task, and the user message with the case.

        The user message begins with the conversation, so that a later turn's begins with an earlier turn's text.
        """
        user = self._user.render(
            conversation=list(lines(case.prefix)),
            reference=show_call(case.reference),
            prediction=show(case.prediction) if case.call is None else show_call(case.call),
            has_call=case.call is not None,
        )
        return {"role": "system", "content": self._system}, {"role": "user", "content": user}


def verdict_schema() -> dict[str, Any]:
    """Return the JSON schema of a verdict: the reason comes first, so that the verdict follows from it."""
    return {
        "type": "object",
        "properties": {
            "reason": {"type": "string", "maxLength": MAX_REASON},
            "verdict": {"type": "string", "enum": ["good", "bad"]},
        },
        "required": ["reason", "verdict"],
        "additionalProperties": False,
    }


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
