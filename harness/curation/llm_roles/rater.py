"""The filter's teacher as a language model: relevance and coherence of a trace, 1 to 5, each with its reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from harness.curation.llm_roles.prompted_role import (
    MAX_REASON,
    PromptedRole,
    expect_keys,
    expect_text,
    object_schema,
    problem_of,
)
from harness.data.pipeline_records import Rating
from harness.data.records import Conversation
from harness.models.chat.json_answers import clean, excerpt, read_object
from harness.models.chat.quoting import lines
from harness.models.chat.records import ChatAnswer, ChatRequest

_ROOM, _USUAL = 1024, 120
_KEYS = ("relevance_reason", "relevance", "coherence_reason", "coherence")
_SCORES = (1, 2, 3, 4, 5)
_SCHEMA = object_schema(
    {
        key: {"type": "string", "maxLength": MAX_REASON}
        if key.endswith("reason")
        else {"type": "integer", "enum": list(_SCORES)}
        for key in _KEYS
    }
)


class LlmRater(PromptedRole):
    """See `harness.data.pipeline_records.Rater`."""

    role = "filter"

    def rate(self, traces: Sequence[Conversation], on_rating: Callable[[Rating], None]) -> None:
        """Ask about each trace on its own. HarnessError where the model cannot be asked or the budget is spent."""

        def tell(answer: ChatAnswer) -> None:
            on_rating(_rating(traces[int(answer.id)].id, answer))

        self._ask(self._requests(traces), tell)

    def _requests(self, traces: Sequence[Conversation]) -> list[ChatRequest]:
        return [
            ChatRequest(
                id=str(place),
                messages=self.prompt.messages(lines=list(lines(trace.messages))),
                schema=_SCHEMA,
                max_tokens=self.model.room(_ROOM),
                check=_read,
                usual_tokens=_USUAL,
            )
            for place, trace in enumerate(traces)
        ]


def _rating(trace: str, answer: ChatAnswer) -> Rating:
    if answer.text is None:
        return Rating(id=trace, relevance=None, coherence=None, error=problem_of(answer))
    found = _read(answer.text)
    return Rating(
        id=trace,
        relevance=found["relevance"],
        coherence=found["coherence"],
        relevance_reason=clean(found["relevance_reason"]),
        coherence_reason=clean(found["coherence_reason"]),
    )


def _read(text: str) -> dict[str, Any]:
    found = expect_keys(read_object(text), _KEYS, "the answer")
    for key in ("relevance", "coherence"):
        expect_text(found[f"{key}_reason"], f"the {key}_reason")
        if isinstance(found[key], bool) or found[key] not in _SCORES:
            raise ValueError(f"the {key} is {excerpt(found[key])}; expected a whole number from 1 to 5")
        found[key] = int(found[key])  # a model may write 4.0
    return found
