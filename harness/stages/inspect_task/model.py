"""The model provider `tft/`: the harness's own prompts and backends behind Inspect's interface."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date as day
from functools import partial
from typing import TYPE_CHECKING, Any

from inspect_ai.model import GenerateConfig, ModelAPI, ModelOutput
from pydantic import field_validator

from harness.curation.stage_settings import resolve
from harness.data.formats.strict_records import FrozenModel
from harness.errors import ModelError, UsageError
from harness.evaluation.answer_log import writable
from harness.models.backends._base import DAY, NOT_ASKED, EvaluateConfig, EvaluatedModel
from harness.models.backends._prepare import prepare
from harness.models.names import ModelName
from harness.reports.inspect_logs import output_of
from harness.stages._prompt_date import use_day
from harness.stages._requests import EvaluateRequest, InferenceOptions
from harness.stages.evaluate import lineage_of
from harness.stages.inspect_task.chat_answers import FAMILY, OWN
from harness.stages.inspect_task.engine_thread import EngineThread
from harness.stages.inspect_task.task import NAMESPACE, Opened, question_of

if TYPE_CHECKING:
    from inspect_ai.model import ChatMessage
    from inspect_ai.tool import ToolChoice, ToolInfo

_BACKENDS = ("vllm", "replay", "logged")
_HARMLESS = {
    *("max_retries", "timeout", "attempt_timeout", "stream_idle_timeout", "max_connections", "adaptive_connections"),
    *("max_tokens", "cache", "max_tool_output"),
}
"""Options of Inspect that change no answer, or that are ours too."""


class ModelOptions(FrozenModel):
    """What `-M NAME=VALUE` may say, as options of `tft evaluate`."""

    engine_args: tuple[str, ...] = ()
    """KEY=VALUE each."""
    fast: bool = False
    trust_remote_code: bool = False
    date: day | None = None
    """The day that chat templates take for today."""

    @field_validator("engine_args", mode="before")
    @classmethod
    def _several(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


class TftModel(ModelAPI):  # type: ignore[misc]
    """A model as `tft evaluate` names it, asked in the same way: our prompts as token ids, greedy, thinking off.

    Inspect's messages say which pair of the test set is asked; where they are anything but that pair's, nothing is.
    """

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig | None = None,
        **options: Any,
    ) -> None:
        """Take the name after `tft/`; nothing is loaded before the first question."""
        super().__init__(model_name=model_name, base_url=base_url, api_key=api_key, config=config or GenerateConfig())
        self._name = ModelName.parse(model_name)
        if self._name.backend not in _BACKENDS:
            raise UsageError(
                f"models {NAMESPACE}/... are {', '.join(_BACKENDS)}, not {self._name.backend}; for an endpoint name a "
                "model of one of Inspect's own providers, such as openai-api/NAME"
            )
        if base_url or api_key:
            raise UsageError(f"{NAMESPACE}/{model_name} has no address and no key; leave out the base URL")
        self._options = resolve(ModelOptions, options)
        self._engines: dict[tuple[str, int | None], tuple[EngineThread, Opened]] = {}

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """Return the model's raw text; HarnessError where there is none, so that the sample has failed."""
        del tool_choice  # the prompts have none
        question = question_of(input)
        _check_greedy(config)
        known = {tool["function"]["name"] for tool in question.opened.test_set.task.tools}
        if {tool.name for tool in tools} != known:
            raise UsageError(
                f"the prompts show the tools {', '.join(sorted(known))}; leave out solvers that change them"
            )
        engine = self._engine_for(question.opened, config.max_tokens)
        model, prediction = await engine.answer(question.pair.id)
        answer = writable(prediction)
        if answer.raw is None and answer.finish_reason != NOT_ASKED:
            raise ModelError(answer.error or "no answer came")
        output = output_of({**asdict(answer), "raw": answer.raw or ""}, str(self._name))
        output.error = answer.error
        output.metadata = _origin(model, answer.prompt_sha256)
        return output

    def _engine_for(self, opened: Opened, max_tokens: int | None) -> EngineThread:
        """Return what answers the pairs of a test set in this length; it starts where it is not up.

        What has failed is tried again for another run alone, not for each of the samples of this one.
        """
        key = (opened.key, max_tokens)
        engine, known = self._engines.get(key, (None, opened))
        again = engine is not None and engine.failed and known is not opened
        if engine is None or not engine.is_up or again:
            if engine:
                engine.close()
            engine = EngineThread(partial(self._prepare, opened, max_tokens))
            self._engines[key] = engine, opened
        return engine

    def _prepare(self, opened: Opened, max_tokens: int | None) -> EvaluatedModel:
        options, test_set = self._options, opened.test_set
        request = EvaluateRequest(
            models=(str(self._name),),
            dataset=str(test_set.artifact),
            asking=InferenceOptions(max_tokens=max_tokens, engine_args=options.engine_args),
            trust_remote_code=options.trust_remote_code,
            fast=options.fast,
            day=options.date,
        )
        model = prepare(self._name, opened.hub, test_set, request.config(None))
        use_day(model, lineage_of(self._name, model, test_set), (), options.date)
        return model

    def max_connections(self) -> int:
        """Return how many questions are under way at once."""
        return EvaluateConfig().concurrency

    def close(self) -> None:
        """Stop what is up; it starts again where more is asked."""
        for engine, _ in self._engines.values():
            engine.close()


def _check_greedy(config: GenerateConfig) -> None:
    """Raise UsageError for an option that would change answers, were it heeded."""
    chosen = config.model_dump(exclude_none=True)
    others = [name for name, value in chosen.items() if name not in _HARMLESS and (name, value) != ("temperature", 0)]
    if others:
        raise UsageError(
            f"models {NAMESPACE}/... answer greedily, in the settings of `tft evaluate`; leave out {', '.join(others)}"
        )


def _origin(model: EvaluatedModel, prompt_sha256: str | None) -> dict[str, Any]:
    """Return what a sample records of how its answer was made."""
    made = {
        "model": str(model.artifact) if model.artifact else model.content.lstrip("@"),
        "prompt_sha256": prompt_sha256,
        "settings": model.settings,
        **({DAY: model.settings[DAY]} if DAY in model.settings else {}),
    }
    return {OWN: made, FAMILY: model.family}
