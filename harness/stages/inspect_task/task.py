"""The task: the pairs of a test set as samples."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from harness.data.records import TurnPair
from harness.data.tasks import REPOSITORY, TestSet, pull_test_set
from harness.errors import UsageError
from harness.evaluation.metrics import DEFAULT_METRIC, JUDGE_METRIC, metric_names
from harness.hub.client import Hub
from harness.models.parsing import canonical
from harness.models.prompts import system_message
from harness.reports.inspect_logs import conversation, viewer
from harness.stages.inspect_task.chat_answers import not_shown, shown_tools
from harness.stages.inspect_task.scorers import CONVERSATION, PLACE
from harness.terminal import say

if TYPE_CHECKING:
    from inspect_ai import Task
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ChatMessage

NAMESPACE = "tft"
"""First part of every name that Inspect finds."""
_PAIR, _SET = "pair", "test_set"
"""In the metadata of a sample's system message: what is asked, for models of ours."""
_MOST_FAILED = 0.1
"""Share of failed samples from which Inspect calls an evaluation failed; `tft evaluate` publishes no more either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A test set that this process has read, and the Hub that it came from."""

    test_set: TestSet
    hub: Hub

    @property
    def key(self) -> str:
        """What decides about the prompts: the test set at its commit, and how many of its pairs."""
        return f"{self.test_set.artifact} {len(self.test_set.pairs)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One pair of a test set that is open."""

    pair: TurnPair
    opened: Opened


_opening = threading.Lock()
_opened: dict[str, Opened] = {}
"""By what the messages say of it; models of ours make their prompts from it, all at once."""


def scorer_name(metric: str) -> str:
    """Return the name of a metric's scorer."""
    return f"{NAMESPACE}/{metric}"


def benchmark(
    dataset: str | None = None,
    limit: int | None = None,
    tool_choice: Literal["required", "auto"] = "required",
    judge: str | list[str] | None = None,
    judge_base_url: str | None = None,
) -> Task:
    """Return the task: every assistant turn of a test set, given the conversation before it.

    `dataset` is `owner/name[@revision]`, by default the test set of your namespace; it is read from HF_ENDPOINT.
    `limit` takes only that many pairs from the start. `tool_choice` is what other providers' models are asked for.
    `judge` is `rules:judge`, or `openai:ID` at `judge_base_url`; without one there are the metrics by code, and several
    are refused.
    """
    from inspect_ai import Task
    from inspect_ai.dataset import MemoryDataset
    from inspect_ai.solver import generate, use_tools
    from inspect_ai.util import registry_create

    if tool_choice not in ("required", "auto"):
        raise UsageError(f"tool_choice is {tool_choice!r}; give required or auto")
    hub = Hub.connect()
    test_set = pull_test_set(hub, dataset or f"{hub.namespace(None)}/{REPOSITORY}", limit)
    if test_set.task.parallel_tool_calls:
        raise UsageError(
            f"{test_set.artifact} is about turns with several calls, and the scorers of the Inspect task are for one "
            "call per turn; evaluate it with `tft evaluate`"
        )
    task, names = test_set.task, [scorer_name(metric) for metric in metric_names()]
    opened = Opened(test_set=test_set, hub=hub)
    _opened[opened.key] = opened
    system, tools = system_message(task), json.dumps(task.tools)
    scorers = [registry_create("scorer", name, tools=tools) for name in names]
    if judge is not None:
        names.append(scorer_name(JUDGE_METRIC))
        scorers.append(registry_create("scorer", names[-1], judge=judge, base_url=judge_base_url))
    lost = not_shown(task.tools)
    if lost:
        say(f"models of other providers are shown the tools without {', '.join(lost)}, which Inspect has no place for")
    samples = [_sample(place, pair, system, opened.key) for place, pair in enumerate(test_set.pairs)]
    choice = "any" if tool_choice == "required" else "auto"
    return Task(
        dataset=MemoryDataset(samples, name=test_set.artifact.repo_id, location=str(test_set.artifact)),
        solver=[use_tools(*shown_tools(task.tools), tool_choice=choice), generate(tool_calls="none")],
        scorer=scorers,
        # All are asked whatever fails; a failed sample is unscored, and asked again by `inspect eval-retry`.
        fail_on_error=_MOST_FAILED,
        continue_on_fail=True,
        score_on_error=True,
        version=test_set.artifact.revision,
        metadata={
            "test_set": str(test_set.artifact),
            "pairs_in_test_set": test_set.total,
            **test_set.facts,
            **({"schema_words_not_shown": lost} if lost else {}),
        },
        viewer=viewer(names),
        headline_metric=scorer_name(DEFAULT_METRIC),
        description=task.description,
    )


def _sample(place: int, pair: TurnPair, system: str, key: str) -> Sample:
    from inspect_ai.dataset import Sample

    shown = conversation(pair, system)
    shown[0].metadata = {_SET: key, _PAIR: pair.id}
    metadata = {
        CONVERSATION: pair.conversation,
        "turn": pair.turn,
        PLACE: place,
        "reference_tool": pair.reference.name,
    }
    return Sample(id=pair.id, input=shown, target=canonical(pair.reference), metadata=metadata)


def find_question(messages: list[ChatMessage]) -> Question:
    """Return which pair the messages say that they ask; UsageError where they are of another task.

    A log that is scored again is read in a process that has no test set open; it is read from the Hub then.
    """
    named = next((one.metadata for one in messages if _SET in (one.metadata or {})), None)
    if named is None:
        raise UsageError(
            "models tft/... and the judge of tft/benchmark take the samples of that task alone, whose test set they "
            "know; run that task, or name a model of one of Inspect's own providers"
        )
    with _opening:
        opened = _opened.get(named[_SET])
        if opened is None:
            hub, (name, pairs) = Hub.connect(), named[_SET].split()
            opened = _opened[named[_SET]] = Opened(test_set=pull_test_set(hub, name, int(pairs)), hub=hub)
    return Question(pair=next(pair for pair in opened.test_set.pairs if pair.id == named[_PAIR]), opened=opened)


def question_of(messages: list[ChatMessage]) -> Question:
    """Return which pair the messages ask; UsageError where they are not exactly those of a pair of this task."""
    question = find_question(messages)
    pair, task = question.pair, question.opened.test_set.task
    if [*map(_said, messages)] != [*map(_said, conversation(pair, system_message(task)))]:
        raise UsageError(
            f"the messages of {pair.id} are not those of the test set any more; models tft/... make their prompts from "
            "the test set, so leave out solvers and options that change messages"
        )
    return question


def _said(message: ChatMessage) -> tuple[Any, ...]:
    calls = [(call.function, call.arguments) for call in getattr(message, "tool_calls", None) or []]
    return message.role, message.text, calls
