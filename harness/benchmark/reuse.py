"""What of a plan is on the Hub already, and what earlier versions of stages have made of it."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from harness.benchmark.plan import BenchmarkPlan, pinned, step_tag
from harness.benchmark.steps import Step
from harness.errors import RepoNotFound, UsageError
from harness.evaluation.records import EvalReport
from harness.evaluation.results import RESULTS, ResultsDataset, config_name
from harness.evaluation.scorecard import NULLS
from harness.hub.artifact import Artifact
from harness.hub.client import Hub
from harness.hub.publishing import check_ours
from harness.models.engine.arithmetic import USUAL
from harness.models.names import ModelName
from harness.models.roles import Roles
from harness.terminal import say


@cache
def stage_version(module: str) -> int:
    """Return the version of a stage's code."""
    version: int = importlib.import_module(f"harness.stages.{module.replace('-', '_')}").VERSION
    return version


class BenchmarkState:
    """The results of a plan's steps as far as the Hub has them. May be asked from several threads."""

    def __init__(self, hub: Hub, plan: BenchmarkPlan) -> None:
        self._hub, self._plan = hub, plan
        self._judge = Roles.named(plan.setup.preset.models).judge if plan.setup.preset.judge else None
        self._lock = threading.Lock()
        self._reports: Mapping[str, EvalReport] | None = None
        self._versions: Mapping[str, int] = {}

    def find(self, step: Step, artifacts: Mapping[str, Artifact]) -> Artifact | None:
        """Return what a pinned step would make where it is there; of `evaluate` the model that has its result."""
        return self._made_by(step, artifacts, stage_version(step.module))

    def find_older(self, step: Step, artifacts: Mapping[str, Artifact]) -> tuple[Artifact, int] | None:
        """Return what an earlier version of its stage has made of the same, and that version."""
        for version in reversed(range(1, stage_version(step.module))):
            if found := self._made_by(step, artifacts, version):
                return found, version
        return None

    def _made_by(self, step: Step, artifacts: Mapping[str, Artifact], version: int) -> Artifact | None:
        if step.stage == "evaluate":
            return self._evaluated(step, artifacts, version)
        return self._hub.find_tag(step.kind, step.makes, step_tag(step, self._plan.salt, version))

    def tag(self, step: Step) -> str:
        """Return the name of a pinned step and this version of its code, `run-<hash>`."""
        return step_tag(step, self._plan.salt, stage_version(step.module))

    def tag_result(self, step: Step, artifact: Artifact) -> None:
        """Mark the result of a pinned step, so that it is found next time."""
        if step.stage != "evaluate":
            self._hub.tag(artifact, self.tag(step))

    def report(self, model: str) -> EvalReport | None:
        """Return the newest report of a model."""
        with self._lock:
            if self._reports is None:
                results = f"{self._plan.setup.namespace}/{RESULTS}"
                found = ResultsDataset.find(self._hub, results)
                self._reports = found.reports() if found else {}
                made = found.lineages(unreadable=self._say_damaged) if found else {}
                self._versions = {config: record.lineage.version for config, record in made.items()}
        return self._reports.get(config_name(model))

    def _say_damaged(self, config: str, why: str) -> None:
        if any(step.stage == "evaluate" and config_name(step.makes) == config for step in self._plan.steps):
            say(why)

    def forget_reports(self) -> None:
        """Read the reports again when one is asked for: there are new ones."""
        with self._lock:
            self._reports = None

    def _evaluated(self, step: Step, artifacts: Mapping[str, Artifact], version: int) -> Artifact | None:
        report, test_set = self.report(step.makes), artifacts[self._plan.setup.test_set]
        if report is None or self._versions.get(config_name(step.makes)) != version:
            return None
        run, model = report.run, ModelName.parse(step.request["models"][0])
        wanted = (self._revision(step, artifacts, model), test_set.revision, run.config.get("pairs_in_test_set"))
        found = (run.model_revision, run.dataset_revision, run.config.get("pairs"))
        # An endpoint may be given more room than was asked for, and logged answers have no limit.
        limit = step.request.get("asking", {}).get("max_tokens")
        engine = (run.config.get("max_tokens"), bool(run.config.get("base")))
        alike = model.backend != "vllm" or (engine == (limit, "base" in step.request) and run.arithmetic in USUAL)
        judged = self._judge is None or (report.judging is not None and report.run.judge == self._judge)
        if not (wanted == found and alike and judged) or self._lacks_nulls(step):
            return None
        return self.evaluated(step, artifacts)

    def _lacks_nulls(self, step: Step) -> bool:
        """Whether a step is the untrained student's and its rows are of an earlier version, without null baselines."""
        untrained, config = self._plan.baselines.steps.get("untrained"), config_name(step.makes)
        if untrained is None or untrained.key != step.key:
            return False
        dataset = ResultsDataset.find(self._hub, f"{self._plan.setup.namespace}/{RESULTS}")
        rows = dataset.rows(config, unreadable=lambda *_: None).get(config) if dataset else None
        return not any(row.get(NULLS) for row in rows or ())

    def _revision(self, step: Step, artifacts: Mapping[str, Artifact], model: ModelName) -> str | None:
        """Return the commit of the model that a step evaluates; None for one that is in no repository."""
        if made := artifacts.get(step.makes):
            return made.revision
        if model.repository is None or model.revision:
            return model.revision
        return self._hub.resolve("model", model.repository).revision

    def evaluated(self, step: Step, artifacts: Mapping[str, Artifact]) -> Artifact:
        """Return the model of an evaluation; of one that is in no repository the test set that it answered."""
        return artifacts.get(step.makes) or artifacts[self._plan.setup.test_set]


def check_names(hub: Hub, plan: BenchmarkPlan) -> None:
    """Raise UsageError where a repository that the plan makes exists and is not the harness's; all are named."""
    problems = []
    for step in (step for step in plan.steps if step.stage != "evaluate"):
        try:
            check_ours(step.kind, step.makes, hub.files(hub.resolve(step.kind, step.makes)))
        except RepoNotFound:
            continue
        except UsageError as error:
            problems.append(str(error))
    if problems:
        raise UsageError("; ".join(dict.fromkeys(problems)))


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSteps:
    """What the Hub has of a plan. What follows a missing result is missing: its inputs will change."""

    there: Mapping[str, bool]
    """Step key -> whether its result is there."""
    outdated: Mapping[str, str]
    """Step key -> which version of the stage made the result that is there, and which one would make it now."""
    following: frozenset[str]
    """Keys of steps whose results are there, made from outdated ones."""


def known_steps(plan: BenchmarkPlan, state: BenchmarkState) -> KnownSteps:
    """Return which results are there, and which of them have to be made again."""
    artifacts: dict[str, Artifact] = {}
    there: dict[str, bool] = {}
    outdated: dict[str, str] = {}
    following: set[str] = set()
    for step in plan.steps:
        there[step.key] = False
        if any(name not in artifacts for name in step.needs):
            continue
        exact = pinned(step, artifacts)
        found, older = state.find(exact, artifacts), None
        if found is None and (older := state.find_older(exact, artifacts)):
            outdated[step.key] = f"of version {older[1]} of the stage, now {stage_version(step.module)}"
            found = older[0]
        elif found and all(there[one.key] for one in plan.makers(step)):
            there[step.key] = True
        elif found:
            following.add(step.key)
        if found and step.stage != "evaluate":
            artifacts[step.makes] = found
    return KnownSteps(there=there, outdated=outdated, following=frozenset(following))
