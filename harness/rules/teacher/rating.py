"""`rules:teacher` as the filter's rater: relevance and coherence of a trace by rules, for any task."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from harness.data.annotations import Rating
from harness.data.events import events
from harness.data.records import Conversation, Task
from harness.data.tools import Toolbox
from harness.resources import folder
from harness.rules.teacher.rating_coherence import rate_coherence
from harness.rules.teacher.rating_relevance import Returned, TaskTopic, learn_returned, rate_relevance

VERSION = 2


class RulesRater:
    """Rates without a model, deterministic. A trace whose calls fit the task's tools, or whose words tell enough, is
    rated by itself; the rest of the batch matters to the others, as far as it shows what those tools return."""

    name = "rules:teacher"

    def __init__(self, task: Task) -> None:
        self._toolbox = Toolbox(task.tools)
        self._topic = TaskTopic.of(task, self._toolbox)
        words = (folder("eval") / "teacher" / "rating.yaml").read_bytes()
        self.settings: dict[str, Any] = {"version": VERSION, "words_sha256": hashlib.sha256(words).hexdigest()}

    def rate(self, traces: Sequence[Conversation], on_rating: Callable[[Rating], None]) -> None:
        """Call `on_rating` with the rating of each trace, in order."""
        returned = learn_returned((events(trace.messages, self._toolbox) for trace in traces), self._toolbox)
        for trace in traces:
            on_rating(self.rating(trace, returned))

    def rating(self, trace: Conversation, returned: Returned = frozenset()) -> Rating:
        """Return the rating of one trace; `returned` is what `learn_returned` found in its batch."""
        told = events(trace.messages, self._toolbox)
        relevance, why_relevant = rate_relevance(told, self._topic, self._toolbox, returned)
        coherence, why_coherent = rate_coherence(told)
        return Rating(
            id=trace.id,
            relevance=relevance,
            coherence=coherence,
            relevance_reason=why_relevant,
            coherence_reason=why_coherent,
        )
