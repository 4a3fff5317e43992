"""The arbiter as a language model: which of the proposals for a turn is right, another call, or undecided."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from string import ascii_uppercase
from typing import Any

from harness.curation.llm_roles.prompted_role import (
    MAX_REASON,
    OUT_OF_PLACE,
    SHORTEST_BOUND,
    PromptedRole,
    call_schema,
    expect_keys,
    expect_text,
    object_schema,
    problem_of,
    read_call,
)
from harness.data.events import callable_tools, events
from harness.data.pipeline_records import Dispute, Ruling
from harness.data.records import ToolCall
from harness.models.chat.json_answers import clean, excerpt, read_object
from harness.models.chat.quoting import lines, show_call
from harness.models.chat.records import ChatAnswer, ChatRequest, UnusableAnswer

_ROOM, _USUAL = 1024, 100
_KEYS = ("reason", "choice", "call")
_OWN, _UNSURE = "own", "unsure"


class LlmArbiter(PromptedRole):
    """See `harness.data.pipeline_records.Arbiter`."""

    role = "arbiter"

    def rule(self, disputes: Sequence[Dispute], on_ruling: Callable[[Ruling], None]) -> None:
        """Ask about each dispute on its own; the turn as it was logged is not shown.

        HarnessError where the model cannot be asked or the budget is spent.
        """

        def tell(answer: ChatAnswer) -> None:
            on_ruling(self._ruling(disputes[int(answer.id)], answer))

        self._ask(self._requests(disputes), tell)

    def _requests(self, disputes: Sequence[Dispute]) -> list[ChatRequest]:
        return [self._request(place, dispute) for place, dispute in enumerate(disputes)]

    def _request(self, place: int, dispute: Dispute) -> ChatRequest:
        letters = ascii_uppercase[: len(dispute.candidates)]
        number = dispute.position + 1
        written = list(lines(dispute.conversation.messages))
        tools = self._tools(dispute)
        return ChatRequest(
            id=str(place),
            messages=self.prompt.messages(
                before=[line for line in written if line.number < number],
                number=number,
                after=[line for line in written if line.number > number],
                candidates=list(zip(letters, map(show_call, dispute.candidates), strict=True)),
            ),
            schema=_schema(letters, call_schema(self.toolbox, SHORTEST_BOUND, tools)),
            max_tokens=self.model.room(_ROOM),
            check=lambda text: self._read(text, letters, tools),
            usual_tokens=_USUAL,
        )

    def _ruling(self, dispute: Dispute, answer: ChatAnswer) -> Ruling:
        if answer.text is None:
            return Ruling(id=dispute.id, call=None, reason=problem_of(answer))
        letters = ascii_uppercase[: len(dispute.candidates)]
        reason, choice, own = self._read(answer.text, letters, self._tools(dispute))
        if choice in (_OWN, _UNSURE):
            return Ruling(id=dispute.id, call=own, reason=reason)
        chosen = ascii_uppercase.index(choice)
        return Ruling(id=dispute.id, call=dispute.candidates[chosen], reason=reason, chosen=chosen)

    def _tools(self, dispute: Dispute) -> tuple[str, ...]:
        """Return the tools that the turn can have called, by what follows it."""
        return callable_tools(events(dispute.conversation.messages, self.toolbox), self.toolbox)[dispute.position]

    def _read(self, text: str, letters: str, tools: Sequence[str]) -> tuple[str, str, ToolCall | None]:
        """Return reason, choice and the arbiter's own call; ValueError where they are not as asked for."""
        found = expect_keys(read_object(text), _KEYS, "the answer")
        reason, choice = expect_text(found["reason"], "the reason"), found["choice"]
        if choice not in (*letters, _OWN, _UNSURE):
            raise ValueError(f"the choice is {excerpt(choice)}; expected one of {', '.join(letters)}, own, unsure")
        own = read_call(found["call"], self.toolbox, "the arbiter's own call") if choice == _OWN else None
        if own is not None and own.name not in tools:
            what = f"the arbiter's own call is of {own.name}, which does not fit what comes after the turn"
            raise UnusableAnswer(what, OUT_OF_PLACE)
        return clean(reason), choice, own


def _schema(letters: str, call: dict[str, Any]) -> dict[str, Any]:
    return object_schema(
        {
            "reason": {"type": "string", "maxLength": MAX_REASON},
            "choice": {"type": "string", "enum": [*letters, _OWN, _UNSURE]},
            "call": {"anyOf": [*call["anyOf"], {"type": "null"}]},
        }
    )
