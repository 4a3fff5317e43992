"""Addresses of what figures were computed from, at their commits, and the command that follows them. No effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.benchmark.record import FILE as RECORD
from harness.benchmark.report.records import BenchmarkReport, Run
from harness.evaluation.results import report_file, rows_file
from harness.hub.artifact import Artifact, RepoKind, RepositoryName


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLinks:
    """Pages of one Hub."""

    endpoint: str
    results: Artifact

    @classmethod
    def of(cls, summary: BenchmarkReport) -> PageLinks:
        """Return the addresses that belong to a report."""
        return cls(endpoint=summary.endpoint, results=summary.results)

    def repository(self, kind: RepoKind, repo_id: str, revision: str | None = None) -> str:
        """Return the page of a repository, at a commit where there is one."""
        page = RepositoryName(kind=kind, repo_id=repo_id).page(self.endpoint)
        return f"{page}/tree/{revision}" if revision else page

    def artifact(self, artifact: Artifact) -> str:
        """Return the page of an artifact."""
        return self.repository(artifact.kind, artifact.repo_id, artifact.revision)

    def model(self, run: Run) -> str | None:
        """Return the page of the model that was evaluated; None where there is none."""
        return self.repository("model", run.model, run.revision) if run.model else None

    def in_results(self, path: str) -> str:
        """Return the page of a file in the results dataset."""
        return f"{self.repository(self.results.kind, self.results.repo_id)}/blob/{self.results.revision}/{path}"

    def report(self, config: str) -> str:
        """Return the page of a configuration's report."""
        return self.in_results(report_file(config))

    def rows(self, config: str) -> str:
        """Return the page of a configuration's rows."""
        return self.in_results(rows_file(config))

    def record(self) -> str:
        """Return the page of the record of the benchmark's run."""
        return self.in_results(RECORD)


def lineage_command(run: Run) -> str | None:
    """Return the command that follows a model back to its traces."""
    return f"tft lineage {run.model}" if run.model else None


def origin(run: Run, results: Artifact) -> dict[str, Any]:
    """Return what the scores of a run were computed from, as `results.json` says it."""
    return {
        "config": run.config,
        "rows": f"{results}:{rows_file(str(run.config))}",
        "report": f"{results}:{report_file(str(run.config))}",
        "model": str(run.artifact) if run.artifact else run.model,
        "fingerprint": run.fingerprint,
        "lineage": lineage_command(run),
    }
