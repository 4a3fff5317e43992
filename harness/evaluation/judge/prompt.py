"""The judge's prompt: constants first, then the case, in which every untrusted text is one line of JSON.

See `harness.models.chat.quoting` for the invariant: the prompt reads back as exactly one conversation, one reference
and one prediction.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, Literal

from harness import resources
from harness.data.formats.json_texts import kind
from harness.data.records import Case, Task
from harness.models.chat.json_answers import clean, excerpt, read_answer
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
_KEYS = ("reason", "verdict")
_PLACEHOLDER = "one or two sentences, at most"
"""How the prompt's own example of an answer begins: a judge that repeats it has not judged."""
_OPPOSITE = {1.0: re.compile(r"\bbad\b", re.IGNORECASE), 0.0: re.compile(r"\bgood\b", re.IGNORECASE)}


def parse_verdict(text: str) -> tuple[float, str]:
    """Return the value (1.0 good, 0.0 bad) and the reason of an answer that holds exactly one verdict.

    Read is one JSON object with the keys `reason` (text) and `verdict` (good or bad), in any case of letters, in the
    forms of `json_answers.read_answer`. Further keys are left out, unless they hold another verdict. All else raises
    ValueError, whose message says what was found: what looks like a verdict may be quoted from the case.
    """
    found = read_answer(text)
    answer = _by_key(found.value)
    missing = [key for key in _KEYS if key not in answer]
    if missing:
        keys = ", ".join(map(excerpt, sorted(found.value))) or "none"
        raise ValueError(f'the answer has the keys {keys}; expected "reason" and "verdict"')
    reason, verdict = answer["reason"], answer["verdict"]
    if not isinstance(reason, str):
        raise ValueError(f"the reason is no text but {kind(reason)}")
    if reason.strip().startswith(_PLACEHOLDER):
        raise ValueError("the answer repeats the example of an answer")
    value = _value(verdict)
    if value is None:
        raise ValueError(f'the verdict is {excerpt(verdict)}; expected "good" or "bad"')
    others = [key for key, said in answer.items() if key not in _KEYS and _value(said) not in (None, value)]
    last_line = found.before.strip().rpartition("\n")[2]  # what was weighed before may speak of both
    if others or _OPPOSITE[value].search(f"{last_line}\n{found.after}"):
        raise ValueError("the answer holds two verdicts; expected one")
    return value, clean(reason)


def _by_key(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the answer with its keys in lower case; ValueError where two become one."""
    lowered = {key.strip().lower(): value for key, value in answer.items()}
    if len(lowered) < len(answer):
        raise ValueError("the answer has a key twice")
    return lowered


def _value(verdict: object) -> float | None:
    return _VALUES.get(verdict.strip(" \t\n.!*_`").lower()) if isinstance(verdict, str) else None
