"""`results.json`: every figure of the report with what it was computed from, and the page addresses of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from harness.benchmark.record import FILE as RECORD
from harness.benchmark.report.records import BenchmarkReport, CellResult, Contrast, Loss, Repair, Row, Run, Score, Table
from harness.data.published_facts import published_facts
from harness.evaluation.results import report_file, rows_file
from harness.hub.artifact import Artifact, RepoKind, RepositoryName
from harness.statistics.records import Estimate


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


FORMAT = 1


def dump(summary: BenchmarkReport) -> dict[str, Any]:
    """Return the report as plain JSON values. Scores and differences are from 0 to 1, published points in points."""
    links = PageLinks.of(summary)
    return {
        "format": FORMAT,
        "namespace": summary.namespace,
        "endpoint": summary.endpoint,
        "results": _artifact(summary.results),
        "student": {"name": summary.student, "revision": summary.student_revision},
        "preset": summary.preset,
        "test_set": f"{summary.test_set}@{summary.test_set_revision}",
        "pairs": summary.pairs,
        "conversations": summary.conversations,
        "judge": asdict(summary.judge) if summary.judge else None,
        "metric": summary.metric,
        "metrics": list(summary.metrics),
        "seeds": list(summary.seeds),
        "dates": list(summary.dates),
        "versions": {name: list(found) for name, found in summary.versions.items()},
        "verdict": asdict(summary.verdict),
        "notes": list(summary.notes),
        "tables": [_table(table, summary) for table in summary.tables],
        "baselines": _baselines(summary),
        "others": [_other(summary, place, links) for place in range(len(summary.others))],
        "repairs": [_repair(one) for one in summary.repairs],
        "no_repairs": summary.no_repairs,
        "losses": [_loss(one) for one in summary.losses],
        "no_losses": list(summary.no_losses),
        "plots": {f"plots/{one.name}.png": one.alt for one in summary.pictures},
        "published": _published_source(),
    }


def _artifact(artifact: Artifact | None) -> str | None:
    return str(artifact) if artifact else None


def _published_source() -> dict[str, str]:
    facts = published_facts()
    return {
        "title": facts.source.title,
        "url": facts.source.url,
        "commit": facts.source.commit,
        "student": facts.student,
        "judge": facts.configuration.judge,
    }


def _table(table: Table, summary: BenchmarkReport) -> dict[str, Any]:
    return {"name": table.name, "rows": [_row(row, summary) for row in table.rows]}


def _row(row: Row, summary: BenchmarkReport) -> dict[str, Any]:
    origins = [origin(run, summary.results) for cell in row.cells for run in cell.done]
    return {
        "scenario": row.scenario,
        "number": row.number,
        "title": row.title,
        "note": row.note,
        "tft": _cell(row.tft, summary),
        "direct": _cell(row.direct, summary),
        "contrasts": {metric: {**_contrast(one), "computed_from": origins} for metric, one in row.contrasts.items()},
        "published": {metric: dict(one) for metric, one in row.published.items()},
    }


def _cell(cell: CellResult, summary: BenchmarkReport) -> dict[str, Any]:
    origins = [origin(run, summary.results) for run in cell.done]
    return {
        "arm": cell.arm,
        "fair": cell.fair,
        "status": cell.status,
        "runs": [_run(run) for run in cell.runs],
        "scores": {metric: {**_score(one), "computed_from": origins} for metric, one in cell.scores.items()},
    }


def _run(run: Run) -> dict[str, Any]:
    return {**asdict(run), "lineage": lineage_command(run)}


def _score(one: Score) -> dict[str, Any]:
    return {
        **asdict(one.overall),
        "by_seed": _by_seed(one.by_seed),
        "spread": one.spread,
        "macro": one.macro,
        "by_tool": {tool: asdict(found) for tool, found in one.by_tool.items()},
    }


def _contrast(one: Contrast) -> dict[str, Any]:
    return {
        "difference": asdict(one.difference),
        "p": one.p,
        "adjusted_p": one.adjusted,
        "smallest_detectable": one.smallest_detectable,
        "tie": one.tie,
        "by_seed": _by_seed(one.by_seed),
    }


def _by_seed(found: Mapping[int, float | None]) -> dict[str, float | None]:
    return {str(seed): value for seed, value in sorted(found.items())}


def _estimates(found: Mapping[str, Estimate]) -> dict[str, Any]:
    return {name: asdict(one) for name, one in found.items()}


def _baselines(summary: BenchmarkReport) -> dict[str, Any]:
    done = [run for row in summary.main.rows for cell in row.cells for run in cell.done]
    first = min((run.config for run in done if run.config), default=None)
    source = f"{summary.results}:{report_file(first)}" if first else None
    return {
        "computed_from": source,
        "rows": {one.name: _estimates(one.scores) for one in summary.baselines},
    }


def _other(summary: BenchmarkReport, place: int, links: PageLinks) -> dict[str, Any]:
    one = summary.others[place]
    return {
        "config": one.config,
        "model": one.model,
        "revision": one.revision,
        "pairs": one.pairs,
        "reason": one.reason,
        "scores": _estimates(one.scores),
        "computed_from": links.report(one.config),
    }


def _repair(one: Repair) -> dict[str, Any]:
    return {
        "scenario": one.scenario,
        "filtered": _artifact(one.filtered),
        "relabelled": _artifact(one.relabelled),
        "rejected": asdict(one.rejected) if one.rejected else None,
        "repaired": asdict(one.repaired) if one.repaired else None,
    }


def _loss(one: Loss) -> dict[str, Any]:
    return {
        "scenario": one.scenario,
        "arm": one.arm,
        "fair": one.fair,
        "seed": one.seed,
        "steps": len(one.losses),
        "first": one.losses[0],
        "last": one.losses[-1],
        "computed_from": f"{_artifact(one.model)}:training/log.jsonl",
    }
