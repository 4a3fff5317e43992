"""What of a plan is on the Hub already."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Mapping, Sequence
from functools import cache

from harness.benchmark.cells import STAGES, Step
from harness.benchmark.plan import BenchmarkPlan, pinned, step_tag
from harness.errors import RepoNotFound, UsageError
from harness.evaluation.records import EvalReport
from harness.evaluation.results import RESULTS, ResultsDataset, config_name
from harness.hub.artifact import Artifact
from harness.hub.client import Hub
from harness.hub.publishing import check_ours
from harness.models.roles import Roles


@cache
def stage_versions() -> dict[str, int]:
    """Return the version of each stage's code."""
    return {stage: importlib.import_module(f"harness.stages.{stage}").VERSION for stage in STAGES}


class BenchmarkState:
    """The results of a plan's steps as far as the Hub has them. May be asked from several threads."""

    def __init__(self, hub: Hub, plan: BenchmarkPlan) -> None:
        self._hub, self._plan = hub, plan
        self._judge = Roles.named(plan.setup.preset.models).judge if plan.setup.preset.judge else None
        self._lock = threading.Lock()
        self._reports: Mapping[str, EvalReport] | None = None
        self._versions: Mapping[str, int] = {}

    def find(self, step: Step, words: Sequence[str], artifacts: Mapping[str, Artifact]) -> Artifact | None:
        """Return what the step would make where it is there; of `evaluate` the model that has its result."""
        if step.stage == "evaluate":
            return self._evaluated(step, artifacts)
        return self._hub.find_tag(step.kind, step.makes, self.mark(step, words))

    def mark(self, step: Step, words: Sequence[str]) -> str:
        """Return the name of a step with these inputs and this version of the code, `run-<hash>`."""
        return step_tag(step, words, self._plan.salt, stage_versions())

    def keep(self, step: Step, words: Sequence[str], artifact: Artifact) -> None:
        """Mark the result of a step, so that it is found next time."""
        if step.stage != "evaluate":
            self._hub.tag(artifact, self.mark(step, words))

    def report(self, model: str) -> EvalReport | None:
        """Return the newest report of a model."""
        with self._lock:
            if self._reports is None:
                results = f"{self._plan.setup.namespace}/{RESULTS}"
                found = ResultsDataset.find(self._hub, results)
                self._reports = found.reports() if found else {}
                made = found.lineages() if found else {}
                self._versions = {config: record.lineage.version for config, record in made.items()}
        return self._reports.get(config_name(model))

    def forget_reports(self) -> None:
        """Read the reports again when one is asked for: there are new ones."""
        with self._lock:
            self._reports = None

    def _evaluated(self, step: Step, artifacts: Mapping[str, Artifact]) -> Artifact | None:
        report, model = self.report(step.makes), artifacts[step.makes]
        test_set = artifacts[self._plan.setup.test_set]
        if report is None or self._versions.get(config_name(step.makes)) != stage_versions()["evaluate"]:
            return None
        run, preset = report.run, self._plan.setup.preset
        wanted = (model.revision, test_set.revision, preset.max_tokens, run.config.get("pairs_in_test_set"))
        found = (run.model_revision, run.dataset_revision, run.config.get("max_tokens"), run.config.get("pairs"))
        judged = self._judge is None or (report.judging is not None and report.run.judge == self._judge)
        return model if wanted == found and judged else None


def check_names(hub: Hub, plan: BenchmarkPlan) -> None:
    """Raise UsageError where a repository that the plan makes exists and is not the harness's; all are named."""
    problems = []
    for step in plan.steps:
        try:
            check_ours(step.kind, step.makes, hub.files(hub.resolve(step.kind, step.makes)))
        except RepoNotFound:
            continue
        except UsageError as error:
            problems.append(str(error))
    if problems:
        raise UsageError("; ".join(dict.fromkeys(problems)))


def known_steps(plan: BenchmarkPlan, state: BenchmarkState) -> dict[str, bool]:
    """Return step key -> whether its result is there. What follows a missing one is missing: its inputs will change."""
    artifacts: dict[str, Artifact] = {}
    known: dict[str, bool] = {}
    for step in plan.steps:
        ready = all(known[one.key] for one in plan.makers(step))
        found = state.find(step, pinned(step, artifacts), artifacts) if ready else None
        known[step.key] = found is not None
        if found is not None and step.stage != "evaluate":
            artifacts[step.makes] = found
    return known
