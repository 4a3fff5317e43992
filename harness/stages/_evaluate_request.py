"""What stage `evaluate` is asked for, in names and numbers."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.evaluation.judge.judges import JudgeConfig
from harness.models.backends.backend import EvaluateConfig
from harness.models.chat.chat_models import ChatSettings
from harness.models.names import ModelName
from harness.stages._asking import Asking


class JudgeRequest(BaseModel):
    """Who judges the answers, and how. Frozen; a key that is not here is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    judges: tuple[str, ...] = ()
    """`rules:judge`, `openai:ID`, or a model on the Hub; empty: nobody."""
    asking: Asking = Asking(max_tokens=1024)
    """Endpoints file and budget are those of the evaluated models."""
    ask_everything: bool = False
    """Ask even what code can decide."""
    baselines: bool = True
    """Have the null baselines judged too."""
    labels: Path | None = None
    """Predictions with labels: the report says how far the judge agrees."""
    label_column: str = "label"


class EvaluateRequest(BaseModel):
    """Which models are asked what, who judges, and where results go. Frozen; a key that is not here is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[str, ...] = Field(min_length=1)
    """`owner/name[@revision]`, `openai:ID` or `replay:FILE`."""
    base: str | None = None
    """The model that they are adapters of; None: they stand on their own."""
    dataset: str
    """The test set, `owner/name[@revision]`."""
    limit: int | None = None
    """Only the first so many pairs."""
    asking: Asking = Asking(max_tokens=256)
    trust_remote_code: bool = False
    tool_choice: Literal["required", "auto"] = "required"
    day: date | None = None
    """The day that chat templates take for today; None: that of the first run."""
    judging: JudgeRequest = JudgeRequest()
    run: Path | None = None
    """Folder of the run, of several models the folder above theirs; None: below `runs`."""
    resume: bool = False
    """Go on with runs that are there."""
    namespace: str | None = None
    """Whose results dataset gets the rows; None: nothing is pushed."""
    create_pr: bool = False
    """Give model repositories pull requests instead of commits."""
    max_unscored: float = 0.1
    """Largest share of pairs without a score that is published."""
    transcripts: Path | None = None
    """Folder that gets transcripts for Inspect."""
    site: Path | None = None
    """Folder that gets a static site of the transcripts."""

    def config(self, base: ModelName | None) -> EvaluateConfig:
        """Return how the models are asked; UsageError for an engine argument that is none."""
        return EvaluateConfig(
            asking=self.asking.settings(direct=True),
            trust_remote_code=self.trust_remote_code,
            tool_choice=self.tool_choice,
            day=self.day,
            base=base,
        )

    def judge(self, models: ChatSettings | None) -> JudgeConfig | None:
        """Return who judges and how; None: nobody does. Budget and limits are shared with the evaluated `models`."""
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
