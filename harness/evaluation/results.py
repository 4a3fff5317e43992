"""The results dataset: the one reader of its reports, rows and lineages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.data.formats.jsonl import read_jsonl
from harness.errors import RepoNotFound, UsageError
from harness.evaluation.records import EvalReport
from harness.evaluation.report_json import RESULTS, read_report
from harness.hub.client import Hub

Rows = Sequence[Mapping[str, Any]]


def evaluated_models(hub: Hub, namespace: str) -> list[str]:
    """Return the model repositories of `namespace` with a report in its results dataset; UsageError for none."""
    names = [report.run.model_name.repository for report in read_reports(hub, f"{namespace}/{RESULTS}").values()]
    found = sorted(name for name in names if name and name.startswith(f"{namespace}/"))
    if not found:
        raise UsageError(
            f"{namespace}/{RESULTS} has no report of a model of {namespace}; run `tft evaluate {namespace}/MODEL`, or "
            "name the owner of the results with --namespace"
        )
    return found


def read_reports(hub: Hub, repo_id: str) -> dict[str, EvalReport]:
    """Return the reports that the results dataset holds, by config."""
    try:
        folder = hub.pull(hub.resolve("dataset", repo_id), ["reports/*.json"])
    except RepoNotFound:
        return {}
    return {path.stem: read_report(path) for path in sorted((folder / "reports").glob("*.json"))}


def read_versions(hub: Hub, repo_id: str) -> dict[str, int | None]:
    """Return the version of the code that has made each result of the results dataset, by config."""
    try:
        folder = hub.pull(hub.resolve("dataset", repo_id), ["lineage/*.json"])
    except RepoNotFound:
        return {}
    files = sorted((folder / "lineage").glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")).get("stage_version") for path in files}


def _rows(hub: Hub, repo_id: str) -> dict[str, Rows]:
    """Return the rows that the results dataset holds, by config."""
    try:
        folder = hub.pull(hub.resolve("dataset", repo_id), ["data/*/test.jsonl"])
    except RepoNotFound:
        return {}
    return {path.parent.name: _read_rows(path) for path in sorted((folder / "data").glob("*/test.jsonl"))}


def _read_rows(path: Path) -> Rows:
    return [row for _, row in read_jsonl(path)]
