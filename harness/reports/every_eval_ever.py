"""An evaluation as a record of Every Eval Ever, the shared format of evaluation results (schema of version 0.3.0)."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.errors import DataError, UsageError
from harness.evaluation.metrics import JUDGE_METRIC
from harness.evaluation.records import EvalReport
from harness.evaluation.report_json import read_report
from harness.evaluation.results import ResultsDataset, Rows
from harness.evaluation.run_folder import REPORT
from harness.hub.client import Hub
from harness.models.names import DEFAULT_BACKEND
from harness.reports.reproduce import reproduce_command
from harness.statistics.intervals import CONFIDENCE
from harness.statistics.records import Estimate

SCHEMA_VERSION = "0.3.0"
UNKNOWN = "unknown"
"""For what a report does not know."""
_INTERVAL = "sandwich variance clustered by conversation, t distribution, kept within 0 to 1"
_ARGUMENTS = ("temperature", "max_tokens")


def local_report(source: Path) -> EvalReport | None:
    """Return the report of a run's folder, or of a report file; None where `source` is not here."""
    if not source.exists():
        return None
    return read_report(source / REPORT if source.is_dir() else source)


def hub_results(hub: Hub, source: str, config: str | None, *, with_rows: bool) -> tuple[EvalReport, Rows]:
    """Return a report of a results dataset `owner/name[@revision]`, and its rows where they are wanted.

    UsageError where it is not clear which report, or where rows are wanted and there are none.
    """
    dataset = ResultsDataset.at(hub, source)
    known = dataset.configs()
    if config is None and len(known) != 1:
        shown = ", ".join(known) or "none"
        raise UsageError(f"{source} holds results of {len(known)} models ({shown}); name one with --arm")
    chosen = config or known[0]
    found = dataset.reports(chosen)
    if not found:
        raise UsageError(f"{source} has no report {chosen!r}; there are {', '.join(known)}")
    rows = dataset.rows(chosen).get(chosen, ()) if with_rows else ()
    if with_rows and not rows:
        raise UsageError(f"{source} has a report of {chosen!r} and no rows of it; write the record alone, to a file")
    return found[chosen], rows


def eee_record(report: EvalReport, *, organization: str | None, made: datetime) -> dict[str, Any]:
    """Return the record of a report; DataError where no metric has a value.

    `organization` publishes the results, None for a run that nobody has published; `made` is the time of the record.
    Metrics without a value are left out. Whether the model's owner and that organization are one is told by their
    names alone. Whether weights are open a report does not know, so that is `unknown`.
    """
    if report.samples:
        raise UsageError(
            f"the report of {report.run.model} is about several samples of each turn, and a record about one answer; "
            "evaluate without --samples"
        )
    run, metrics = report.run, report.rows["model"]
    scored = {name: one for name, one in metrics.items() if one.value is not None}
    if not scored:
        raise DataError(f"the report of {run.model} has no metric with a value, so there is no result to record")
    model, stamp = _model(run.model, run.model_revision, run.config), str(int(made.timestamp()))
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"{_name(run.dataset)}/{model['id']}/{stamp}",
        "evaluation_timestamp": run.date,
        "retrieved_timestamp": stamp,
        "source_metadata": {
            "source_name": "tft-harness results",
            "source_type": "evaluation_run",
            "source_organization_name": organization or UNKNOWN,
            "evaluator_relationship": _relationship(model.get("developer"), organization),
        },
        "eval_library": {"name": "tft-harness", "version": run.versions.get("tft-harness", UNKNOWN)},
        "model_info": model,
        "evaluation_results": [_result(report, name, one) for name, one in scored.items()],
    }


def _relationship(developer: str | None, organization: str | None) -> str:
    if developer is None or organization is None:
        return "other"
    return "first_party" if developer == organization else "third_party"


def _model(name: str, revision: str | None, config: Mapping[str, Any]) -> dict[str, Any]:
    backend, _, rest = name.partition(":")
    identity = (rest or name).partition("@")[0]
    ours = backend == DEFAULT_BACKEND
    owner = identity.partition("/")[0] if "/" in identity else None
    version = str(config.get("engine") or UNKNOWN)
    engine = {"inference_engine": {"name": "vLLM", "version": version}} if ours else {}
    details = {
        "deployment_type": "self_deployed" if ours else UNKNOWN,
        "model_availability": UNKNOWN,
        "backend": backend,
        **({"revision": revision} if revision else {}),
    }
    developer = {"developer": owner} if owner else {}
    return {"name": identity, "id": identity, **developer, **engine, "additional_details": details}


def _result(report: EvalReport, metric: str, one: Estimate) -> dict[str, Any]:
    run = report.run
    uncertainty: dict[str, Any] = {"num_samples": one.n}
    if one.low is not None and one.high is not None:
        interval = {"lower": one.low, "upper": one.high, "confidence_level": CONFIDENCE, "method": _INTERVAL}
        uncertainty["confidence_interval"] = interval
    counts = {"errors": one.errors, "unscored": one.unscored, "conversations": one.clusters}
    return {
        "evaluation_result_id": metric,
        "evaluation_name": _name(run.dataset),
        "evaluation_timestamp": run.date,
        "source_data": {
            "dataset_name": _name(run.dataset),
            "source_type": "hf_dataset",
            "hf_repo": run.dataset,
            "hf_split": "test",
            "samples_number": one.n + one.unscored,
            "additional_details": {"revision": run.dataset_revision},
        },
        "metric_config": {
            "metric_id": f"tft.{metric}",
            "metric_name": metric,
            "metric_unit": "proportion",
            "lower_is_better": False,
            "score_type": "continuous",
            "min_score": 0,
            "max_score": 1,
            **_judged(report, metric),
        },
        "score_details": {
            "score": one.value,
            "details": {name: str(count) for name, count in counts.items()},
            "uncertainty": uncertainty,
        },
        "generation_config": _generation(report),
    }


def _judged(report: EvalReport, metric: str) -> dict[str, Any]:
    """Return who judged: language models in the schema's own place, rules in words."""
    if metric != JUDGE_METRIC:
        return {}
    judges = report.run.judges
    prompt = report.judging.prompt_sha256 if report.judging else None
    asked = [name for name in judges if not name.startswith("rules:")]
    details = {"additional_details": {"judges": report.run.judge or UNKNOWN}}
    if not asked or prompt is None:
        return details
    models = [{"model_info": _model(name, None, {})} for name in asked]
    scoring = {"judges": models, "input_prompt": f"templates of tft-harness, SHA-256 {prompt}"}
    return {**details, "llm_scoring": scoring | ({"aggregation_method": "majority_vote"} if len(judges) > 1 else {})}


def _generation(report: EvalReport) -> dict[str, Any]:
    config = report.run.config
    chosen = {name: config[name] for name in _ARGUMENTS if isinstance(config.get(name), int | float)}
    command = {"execution_command": shlex.join(reproduce_command(report))}
    thinking = {"reasoning": report.run.thinking is not None} if "thinking" in config else {}
    details = {"prompt_sha256": report.run.prompt_sha256, "arithmetic": report.run.arithmetic}
    return {
        "generation_args": {**chosen, **command, **thinking},
        "additional_details": {name: value for name, value in details.items() if value},
    }


def _name(repo_id: str) -> str:
    return repo_id.rpartition("/")[2]
