"""Checks of the assistant's turns: as many calls as may be, tools that exist, valid arguments, results where due."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from harness.curation.checks.message_order import View
from harness.data.pipeline_records import Finding

_SHOWN = 200
"""Characters of a value that a sentence quotes."""


def unusable_turns(view: View) -> Iterator[Finding]:
    """`several-calls`, `empty-turn`: assistant messages that are not turns, so that they are not relabelled."""
    for event in view.events:
        if event.kind != "empty" or view.calls(event):
            continue
        calls = view.conversation.messages[event.position].tool_calls
        if calls:
            problem = f"an assistant message with {len(calls)} calls; expected one call a message"
            yield view.found("several-calls", "reject", problem, event)
        else:
            problem = "an assistant message without text and without a call; expected one of them"
            yield view.found("empty-turn", "reject", problem, event)


def call_names(view: View) -> Iterator[Finding]:
    """`unknown-tool`: the task has no tool of this name."""
    for event in view.events:
        for call in view.calls(event):
            if call.name not in view.toolbox:
                known = ", ".join(view.toolbox.names)
                problem = f"calls {_short(call.name)}, which is no tool of the task; expected one of {known}"
                yield view.found("unknown-tool", "repairable", problem, event)


def call_arguments(view: View) -> Iterator[Finding]:
    """`invalid-arguments`: the call breaks the JSON schema of its tool."""
    for event in view.events:
        for call in view.calls(event):
            for problem in view.toolbox.problems(call) if call.name in view.toolbox else ():
                yield view.found("invalid-arguments", "repairable", _short(problem), event)


def reply_form(view: View) -> Iterator[Finding]:
    """`plain-reply`: a text where the task has a tool for replies."""
    for event in view.events:
        if event.kind == "reply" and not view.conversation.messages[event.position].tool_calls:
            reply = view.toolbox.reply
            if not reply.plain:
                problem = f"a text without a call; expected a call of {reply.tool} that holds it"
                yield view.found("plain-reply", "repairable", problem, event)


def empty_texts(view: View) -> Iterator[Finding]:
    """`empty-text`: a reply without words can be written anew, a user's message without words cannot."""
    for event in view.events:
        if event.kind == "reply" and not event.text.strip():
            yield view.found("empty-text", "repairable", "a reply without words; expected a text", event)
        elif event.kind == "user" and not event.text.strip():
            yield view.found("empty-text", "note", "a user message without words; expected a text", event)


def results(view: View) -> Iterator[Finding]:
    """`call-without-result`, `result-without-call`: results follow service calls, and nothing else does.

    Where labels are damaged a call stands where a reply was, or a reply where a call was: the committee may mend it.
    Each of several calls has a result of its own.
    """
    for before, event in pairwise(view.spoken):
        if before.kind == "reply" and event.kind == "result":
            problem = "a tool result right after a reply; expected a service call before it"
            yield view.found("result-without-call", "repairable", problem, event)
        elif before.call and before.kind == "call" and event.kind != "result":
            problem = f"{_short(before.call.name)} is called, and no result follows; expected a tool result"
            yield view.found("call-without-result", "repairable", problem, before)
    for number, event in enumerate(view.spoken):
        calls = view.calls(event) if event.kind == "empty" else ()
        following = view.spoken[number + 1 : number + 1 + len(calls)]
        if (found := sum(one.kind == "result" for one in following)) < len(calls):
            problem = f"{len(calls)} calls, and {found} results follow; expected one for each"
            yield view.found("call-without-result", "repairable", problem, event)


def call_ids(view: View) -> Iterator[Finding]:
    """`result-id`: a result that names another call than the one before it."""
    expected: set[str] = set()
    for event, message in zip(view.events, view.conversation.messages, strict=True):
        if message.role == "assistant":
            expected = {call.id for call in message.tool_calls if call.id is not None}
        elif message.tool_call_id is not None and message.tool_call_id not in expected:
            names = ", ".join(sorted(expected)) or "no call with an id before it"
            problem = f"a result for {_short(message.tool_call_id)}; expected {_short(names)}"
            yield view.found("result-id", "note", problem, event)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
