"""`results.json`: every figure of the report with what it was computed from, and the page addresses of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from harness.benchmark.record import FILE as RECORD
from harness.benchmark.report.losses import LOG
from harness.benchmark.report.records import BenchmarkReport, CellResult, Loss, Row, Run, Score
from harness.benchmark.report.training_verdict_records import WorthVerdict
from harness.benchmark.report.training_verdict_words import headline
from harness.data.published_facts import published_facts
from harness.evaluation.results import report_file, rows_file
from harness.hub.artifact import Artifact, RepoKind, RepositoryName


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLinks:
    """Pages of one Hub."""

    endpoint: str
    results: Artifact

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


FORMAT = 1


def dump(report: BenchmarkReport) -> dict[str, Any]:
    """Return the report as plain JSON values. Scores and differences are from 0 to 1, published points in points."""
    facts = published_facts()
    links = PageLinks(endpoint=report.endpoint, results=report.results)
    return {
        "format": FORMAT,
        **_fields(report, "namespace", "endpoint", "results"),
        "student": {"name": report.student, "revision": report.student_revision},
        "preset": report.preset,
        "test_set": f"{report.test_set}@{report.test_set_revision}",
        **_fields(report, "pairs", "conversations", "judge", "metric", "metrics", "seeds", "dates", "versions"),
        "worth": _worth(report.worth),
        **_fields(report, "verdict", "notes", "caveat", "data_first"),
        "tables": [{"name": table.name, "rows": [_row(row, report) for row in table.rows]} for table in report.tables],
        "baselines": _baselines(report),
        "beside": [
            {**_plain(one), "computed_from": links.report(one.config) if one.config else None} for one in report.beside
        ],
        "others": [
            {
                **_fields(one, "config", "model", "revision", "pairs", "reason", "scores"),
                "computed_from": links.report(one.config),
            }
            for one in report.others
        ],
        "repairs": [
            _fields(one, "scenario", "filtered", "relabelled", "rejected", "repaired", "labels")
            for one in report.repairs
        ],
        "no_repairs": report.no_repairs,
        "damage": list(report.damage),
        "losses": [_loss(one) for one in report.losses],
        "no_losses": list(report.no_losses),
        "plots": {f"plots/{one.name}.png": one.alt for one in report.pictures},
        "published": {**facts.source.model_dump(), "student": facts.student, "judge": facts.configuration.judge},
    }


def _plain(value: Any) -> Any:
    """Return a record as JSON values: artifacts by name, keys as text."""
    if isinstance(value, Artifact):
        return str(value)
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple | list) else value


def _fields(record: Any, *names: str) -> dict[str, Any]:
    return {name: _plain(getattr(record, name)) for name in names}


def _worth(verdict: WorthVerdict) -> dict[str, Any]:
    """Return the verdict whether training was worth it; each row's sentence beside its figures."""
    limits = verdict.thresholds
    rows = [{**_plain(row), "sentence": headline(row, limits)} for row in verdict.rows]
    return {"decision": verdict.decision, "thresholds": limits.model_dump(mode="json"), "rows": rows}


def _row(row: Row, report: BenchmarkReport) -> dict[str, Any]:
    origins = [_origin(run, report.results) for cell in row.cells for run in cell.done]
    contrasts = {
        metric: {
            **_fields(one, "difference", "p"),
            "adjusted_p": one.adjusted,
            **_fields(one, "smallest_detectable", "tie", "by_seed"),
            "computed_from": origins,
        }
        for metric, one in row.contrasts.items()
    }
    cells = {"tft": _cell(row.tft, report), "direct": _cell(row.direct, report)}
    return {**_plain(row), **cells, "contrasts": contrasts}


def _cell(cell: CellResult, report: BenchmarkReport) -> dict[str, Any]:
    origins = [_origin(run, report.results) for run in cell.done]
    return {
        **_fields(cell, "arm", "fair", "status"),
        "runs": [{**_plain(run), "lineage": lineage_command(run)} for run in cell.runs],
        "scores": {metric: {**_score(one), "computed_from": origins} for metric, one in cell.scores.items()},
    }


def _score(one: Score) -> dict[str, Any]:
    return {**_plain(one.overall), **_fields(one, "by_seed", "spread", "macro", "by_tool")}


def _origin(run: Run, results: Artifact) -> dict[str, Any]:
    """Return what the scores of a run were computed from."""
    return {
        "config": run.config,
        "rows": f"{results}:{rows_file(str(run.config))}",
        "report": f"{results}:{report_file(str(run.config))}",
        "model": str(run.artifact) if run.artifact else run.model,
        "fingerprint": run.fingerprint,
        "lineage": lineage_command(run),
    }


def _baselines(report: BenchmarkReport) -> dict[str, Any]:
    done = [run for row in report.main.rows for cell in row.cells for run in cell.done]
    first = min((run.config for run in done if run.config), default=None)
    return {
        "computed_from": f"{report.results}:{report_file(first)}" if first else None,
        "rows": {one.name: _plain(one.scores) for one in report.baselines},
    }


def _loss(one: Loss) -> dict[str, Any]:
    return {
        **_fields(one, "scenario", "arm", "fair", "seed"),
        "steps": len(one.losses),
        "first": one.losses[0],
        "last": one.losses[-1],
        "computed_from": f"{one.model}:{LOG}",
    }
