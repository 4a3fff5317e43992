"""What the stages are asked for, in names and numbers that JSON can hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from harness.data.formats.strict_records import FrozenModel
from harness.errors import UsageError
from harness.stages._result import OutputTarget

if TYPE_CHECKING:
    from harness.evaluation.judge.judges import JudgeConfig
    from harness.models.backends._base import EvaluateConfig
    from harness.models.chat.chat_models import ChatSettings
    from harness.models.names import ModelName


class InferenceOptions(FrozenModel):
    """How models are asked, in any role."""

    endpoints: Path | None = None
    """YAML file of endpoints: model id -> address, key variable, price, limits."""
    base_url: str | None = None
    """Address of the models that the file lacks."""
    key_variable: str = "OPENAI_API_KEY"
    """The variable with that address's key; the key itself is in no request."""
    budget: float | None = None
    """USD; None: no limit."""
    concurrency: int | None = None
    """Most questions at once."""
    cache: Path | None = None
    """Folder of answers that were paid for already; None: the user's own."""
    max_tokens: int | None = None
    """Longest answer; None: what the role needs."""
    timeout: float | None = None
    """Seconds for one try; None: as the endpoints file says."""
    engine_args: tuple[str, ...] = ()
    """KEY=VALUE, for our own vLLM servers."""

    def settings(self, beside: ChatSettings | None = None, *, direct: bool = False) -> ChatSettings:
        """Return the settings of the models, which share budget and limits per minute with those of `beside`.

        `direct`: whether the base URL holds for models in the endpoints file too.
        """
        from harness.models.chat.budget import Budget
        from harness.models.chat.chat_models import ChatSettings
        from harness.models.chat.endpoints import Endpoints
        from harness.models.engine.build import split_engine_args

        budget = beside.budget if beside else None
        if budget is None and self.budget is not None:
            budget = Budget(self.budget)
        shared = beside.endpoints.shared if beside else {}
        return ChatSettings(
            endpoints=Endpoints(
                base_url=self.base_url,
                key_variable=self.key_variable,
                file=self.endpoints,
                direct=direct,
                shared=shared,
            ),
            concurrency=self.concurrency,
            timeout=self.timeout,
            max_tokens=self.max_tokens,
            engine_args=split_engine_args(self.engine_args),
            cache=self.cache,
            budget=budget,
        )


class PipelineRequest(FrozenModel):
    """What a stage of the pipeline is to do, as JSON can hold it."""

    source: str | None = None
    """Traces: a dataset `owner/name[@revision]`, a folder of an earlier stage, or a file; None: the job's."""
    job: Path | None = None
    """Job folder, for what nothing else here names: traces, task, test set, settings."""
    task: str | None = None
    """Task definition, a file or `owner/name[@revision]`; None: the job's, else the namespace's test set."""
    namespace: str | None = None
    """Owner of what is named without one; None: the token's user."""
    arm: str | None = None
    """Configuration of the source, where it has several."""
    scenario: int | None = None
    """Whose published settings and licence hold."""
    limit: int | None = Field(default=None, ge=1)
    """Only this many rows from the start."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Over the published ones and those of the job."""
    models: str = "rules"
    """Which model plays which role: rules, published, or a YAML file."""
    teacher: str | None = None
    committee: tuple[str, ...] = ()
    arbiter: str | None = None
    """Single roles, in place of those of `models`."""
    asking: InferenceOptions = InferenceOptions()
    place: OutputTarget = OutputTarget()


class JudgeRequest(FrozenModel):
    """Who judges the answers, and how."""

    judges: tuple[str, ...] = ()
    """`rules:judge`, `openai:ID`, or a model on the Hub; empty: no judge."""
    asking: InferenceOptions = InferenceOptions(max_tokens=1024)
    """Endpoints file and budget are those of the evaluated models."""
    ask_everything: bool = False
    """Ask even what code can decide."""
    baselines: bool = True
    """Have the null baselines judged too."""
    labels: Path | None = None
    """Predictions with labels: the report says how far the judge agrees."""
    label_column: str = "label"


class EvaluateRequest(FrozenModel):
    """Which models are asked what, who judges, and where results go."""

    models: tuple[str, ...] = Field(min_length=1)
    """`owner/name[@revision]`, `openai:ID`, `replay:FILE` or `logged:NAME`."""
    base: str | None = None
    """The model that they are adapters of; None: they stand on their own."""
    with_base: bool = False
    """Evaluate that one too, last, on the same start; only results are pushed of it."""
    dataset: str
    """The test set, `owner/name[@revision]`."""
    limit: int | None = None
    """Only this many pairs from the start."""
    asking: InferenceOptions = InferenceOptions(max_tokens=256)
    trust_remote_code: bool = False
    tool_choice: Literal["required", "auto"] = "required"
    day: date | None = None
    """The day that chat templates take for today; None: that of the first run."""
    samples: int = Field(default=1, ge=1)
    """Answers to each pair; several are drawn at a temperature above 0 (recorded ones were)."""
    temperature: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Of several samples; one answer is the greedy one."""
    seed: int | None = None
    """Of several samples; None: 0."""
    replicas: int = Field(default=1, ge=1)
    """Engines of ours for each model, a device or a share of the cores for each; conversations are shared out."""
    replica_urls: tuple[str, ...] = ()
    """Further addresses of an endpoint's model; conversations are shared out."""
    fast: bool = False
    """Have our own engine compute in what it is fastest in, and not in the default arithmetic."""
    thinking: tuple[Literal["on", "off", "auto", "low", "medium", "high"], ...] = ()
    """What is asked of the model's thinking, in a run each; empty: one run, off where the template can."""
    thinking_tokens: int | None = Field(default=None, ge=1)
    """Longest thinking; None: the default."""
    judging: JudgeRequest = JudgeRequest()
    run: Path | None = None
    """Folder of the run, of several models the folder above theirs; None: below `runs`."""
    root: Path | None = None
    """In place of `run`: the folder above theirs even where it is one model, each named by what decides about its
    answers. So what one request has begun, another goes on with that asks for fewer of the same models."""
    resume: bool = False
    """Go on with runs that are there."""
    namespace: str | None = None
    """Whose results dataset gets the rows; None: nothing is pushed."""
    results_only: bool = False
    """Push results and leave model repositories as they are."""
    create_pr: bool = False
    """Give model repositories pull requests instead of commits."""
    max_unscored: float = 0.1
    """Largest share of pairs without a score that is published."""
    transcripts: Path | None = None
    """Folder that gets transcripts for Inspect."""
    site: Path | None = None
    """Folder that gets a static site of the transcripts."""

    def config(self, base: ModelName | None) -> EvaluateConfig:
        """Return how the models are asked.

        UsageError for an engine argument that is none, or not with `fast`, and for samples that make no sense.
        """
        from harness.models.backends._base import EvaluateConfig, Sampling
        from harness.models.engine.build import fast_arithmetic
        from harness.models.names import ModelName

        asking = self.asking.settings(direct=True)
        names = [ModelName.parse(model) for model in self.models]
        return EvaluateConfig(
            asking=asking,
            arithmetic=fast_arithmetic(asking.engine_args, adapters=base is not None) if self.fast else None,
            trust_remote_code=self.trust_remote_code,
            tool_choice=self.tool_choice,
            day=self.day,
            base=base,
            with_base=self.with_base,
            replicas=self.replicas,
            replica_urls=self.replica_urls,
            thinking=self.thinking or (None,),
            thinking_tokens=self.thinking_tokens,
            sampling=Sampling.chosen(names, self.samples, self.temperature, self.seed),
        )

    def check_engine(self, names: Sequence[ModelName]) -> None:
        """Raise UsageError for what only our own engine can do, where another one answers for a model."""
        others = [str(name) for name in names if name.backend != "vllm"]
        if self.fast and others:
            raise UsageError(
                f"--fast is about the engine that the harness starts, which does not answer for {others[0]}; leave it "
                "out"
            )
        if others and (self.thinking or self.thinking_tokens):
            raise UsageError(
                f"--thinking is about chat templates that the harness renders, and not what {others[0]} does; leave it "
                "out (an endpoint's own switch goes under `parameters` in its endpoints file)"
            )
        if len(set(self.thinking)) < len(self.thinking):
            raise UsageError(f"--thinking {' --thinking '.join(self.thinking)} names one twice; name each once")

    def judge(self, models: ChatSettings | None) -> JudgeConfig | None:
        """Return who judges and how; None: none does. Budget and limits are shared with the evaluated `models`."""
        from harness.evaluation.judge.judges import JudgeConfig

        judging = self.judging
        if not judging.judges:
            return None
        asking = judging.asking.model_copy(update={"endpoints": self.asking.endpoints})
        return JudgeConfig(
            judges=judging.judges,
            asking=asking.settings(models),
            ask_everything=judging.ask_everything,
            baselines=judging.baselines,
            labels=judging.labels,
            label_column=judging.label_column,
        )
