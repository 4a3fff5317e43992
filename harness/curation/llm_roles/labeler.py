"""A committee member as a language model: what the assistant should have done in each turn of a conversation."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.curation.llm_roles.prompted_role import (
    OUT_OF_PLACE,
    SHORTEST_BOUND,
    PromptedRole,
    call_schema,
    expect_keys,
    object_schema,
    problem_of,
    read_call,
)
from harness.data.events import Event, callable_tools, events
from harness.data.pipeline_records import Rewrite
from harness.data.records import Conversation, ToolCall
from harness.models.chat.budget import estimated_tokens
from harness.models.chat.json_answers import read_object
from harness.models.chat.quoting import lines
from harness.models.chat.records import ChatAnswer, ChatRequest, UnusableAnswer

_ROOM_BESIDE = 512
_ENTRY_TOKENS = 12
"""Of an entry in the answer, beside its call."""


class LlmLabeler(PromptedRole):
    """See `harness.data.pipeline_records.Labeler`."""

    role = "relabel"

    def relabel(self, conversations: Sequence[Conversation], on_rewrite: Callable[[Rewrite], None]) -> None:
        """Ask for all turns of a conversation at once; one without turns is not asked about.

        HarnessError where the model cannot be asked or the budget is spent.
        """
        turns = [self._turns(conversation) for conversation in conversations]

        def tell(answer: ChatAnswer) -> None:
            place = int(answer.id)
            calls: tuple[ToolCall, ...] = ()
            if answer.text is not None:
                calls = self._read(answer.text, self._tools(conversations[place]))
            error = problem_of(answer) if answer.text is None else None
            on_rewrite(Rewrite(id=conversations[place].id, labeler=self.name, calls=calls, error=error))

        for conversation, found in zip(conversations, turns, strict=True):
            if not found:
                on_rewrite(Rewrite(id=conversation.id, labeler=self.name, calls=()))
        self._ask(self._requests(conversations), tell)

    def _turns(self, conversation: Conversation) -> list[Event]:
        return [event for event in events(conversation.messages, self.toolbox) if event.is_turn]

    def _requests(self, conversations: Sequence[Conversation]) -> list[ChatRequest]:
        requests = []
        for place, conversation in enumerate(conversations):
            turns = self._turns(conversation)
            if turns:
                requests.append(self._request(place, conversation, turns))
        return requests

    def _request(self, place: int, conversation: Conversation, turns: Sequence[Event]) -> ChatRequest:
        numbers = [turn.position + 1 for turn in turns]  # as the prompt counts messages
        texts = [json.dumps(turn.call.arguments, ensure_ascii=False) for turn in turns if turn.call]
        longest = max(SHORTEST_BOUND, *(2 * len(text) for text in texts))
        usual = sum(estimated_tokens(text) + _ENTRY_TOKENS for text in texts)
        tools = self._tools(conversation)
        return ChatRequest(
            id=str(place),
            messages=self.prompt.messages(lines=list(lines(conversation.messages)), turns=numbers),
            schema=self._schema(tools, longest),
            max_tokens=self.model.room(_ROOM_BESIDE + 2 * usual + len(turns) * SHORTEST_BOUND // 4),
            check=lambda text: self._read(text, tools),
            usual_tokens=usual,
        )

    def _tools(self, conversation: Conversation) -> dict[str, tuple[str, ...]]:
        """Return the tools that each turn can have called, by the number of its message, as the answer writes it."""
        allowed = callable_tools(events(conversation.messages, self.toolbox), self.toolbox)
        return {str(position + 1): tools for position, tools in allowed.items()}

    def _read(self, text: str, tools: Mapping[str, Sequence[str]]) -> tuple[ToolCall, ...]:
        """Return one call per turn; ValueError where a turn is missing or too many, or a call cannot be."""
        turns = expect_keys(expect_keys(read_object(text), ("turns",), "the answer")["turns"], list(tools), "`turns`")
        calls = {key: read_call(turns[key], self.toolbox, f"turn {key}") for key in tools}
        for key, call in calls.items():
            if call.name not in tools[key]:
                follows = "a tool result" if self.toolbox.reply.tool not in tools[key] else "the user's words"
                raise UnusableAnswer(f"turn {key} calls {call.name}, and {follows} come after it", OUT_OF_PLACE)
        return tuple(calls.values())

    def _schema(self, tools: Mapping[str, Sequence[str]], longest: int) -> dict[str, Any]:
        kinds = sorted({tuple(names) for names in tools.values()})
        turns = {key: {"$ref": f"#/$defs/call{kinds.index(tuple(names))}"} for key, names in tools.items()}
        calls = {f"call{kind}": call_schema(self.toolbox, longest, names) for kind, names in enumerate(kinds)}
        return {"$defs": calls, **object_schema({"turns": object_schema(turns)})}
