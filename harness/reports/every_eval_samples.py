"""An evaluation turn by turn as Every Eval Ever's samples, beside the record that they belong to."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from harness.data.formats.jsonl import write_json, write_jsonl
from harness.data.formats.messages import dump_message
from harness.data.records import Message
from harness.data.tasks import TestSet
from harness.errors import DataError, UsageError
from harness.evaluation.metrics import JUDGE_METRIC
from harness.evaluation.records import EvalReport
from harness.evaluation.report_json import dump_report
from harness.evaluation.results import Rows, config_name, read_rows
from harness.evaluation.run_folder import REPORT, ROWS
from harness.models.prompts import system_message
from harness.reports.every_eval_ever import SCHEMA_VERSION, UNKNOWN, eee_record

_RESERVED = re.compile(r"data|(con|prn|aux|nul|com[1-9]|lpt[1-9])(\..*)?", re.IGNORECASE)
"""Names of folders that the datastore does not take."""
_SAID = ("conversation", "turn", "reason", "prompt_sha256", "finish_reason")
_JUDGED = ("judge_reason", "judge_votes")


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenSamples:
    """A record and its samples, which were written."""

    record: dict[str, Any]
    path: Path
    """Of the record."""
    samples: Path
    written: int
    unscored: int
    """Turns of a metric without a score, for which the schema has no place."""


def local_rows(source: Path, report: EvalReport) -> Rows:
    """Return the rows of a run's folder; UsageError where `source` has none beside its report."""
    folder = source if source.is_dir() else source.parent
    if not (folder / ROWS).is_file() or (source.is_file() and source.name != REPORT):
        raise UsageError(
            f"{source} has a report and no {ROWS} beside it, which has the turns; name the folder of a run, or "
            "write the record alone, to a file that ends with .json"
        )
    return read_rows(folder / ROWS, report)


def write_samples(
    folder: Path,
    report: EvalReport,
    rows: Rows,
    test_set: TestSet,
    *,
    organization: str | None,
    made: datetime,
) -> WrittenSamples:
    """Write a record and its samples below `folder`, where the project's datastore wants them.

    That is `data/TEST_SET/OWNER/MODEL/UUID.json` and `UUID_samples.jsonl`; the UUID is made of the report, so the same
    report is written to the same place. There is one sample for each turn and metric with a score: the schema has no
    place for a turn without one, so those are left out, and their number is in the record. DataError where the rows
    are not those of the report, or of the test set.
    """
    record = eee_record(report, organization=organization, made=made)
    metrics = [str(one["evaluation_result_id"]) for one in record["evaluation_results"]]
    _check_rows(report, rows, metrics)
    place = _place(record, report)
    path, samples = folder / f"{place}.json", folder / f"{place}_samples.jsonl"
    texts = _questions(rows, test_set)
    written = sum(row.get(metric) is not None for row in rows for metric in metrics)
    unscored = len(rows) * len(metrics) - written
    write_jsonl(samples, (_sample(record, row, metric, texts) for row in rows for metric in _scored(row, metrics)))
    with samples.open("rb") as stream:
        checksum = hashlib.file_digest(stream, "sha256").hexdigest()
    record["detailed_evaluation_results"] = {
        "format": "jsonl",
        "file_path": f"{place}_samples.jsonl",
        "hash_algorithm": "sha256",
        "checksum": checksum,
        "total_rows": written,
        "additional_details": {
            "unscored_left_out": str(unscored),
            "tools": json.dumps(test_set.task.tools, ensure_ascii=False),
        },
    }
    write_json(path, record)
    return WrittenSamples(record=record, path=path, samples=samples, written=written, unscored=unscored)


def _check_rows(report: EvalReport, rows: Rows, metrics: Sequence[str]) -> None:
    """Raise DataError where the rows do not have as many scores as the report counts."""
    for metric in metrics:
        found, expected = sum(row.get(metric) is not None for row in rows), report.rows["model"][metric].n
        if found != expected:
            raise DataError(
                f"the rows have {found} scores of {metric} and the report counts {expected}, so they are not of one "
                "evaluation; evaluate that model again"
            )


def _place(record: Mapping[str, Any], report: EvalReport) -> PurePosixPath:
    """Return the record's place in the datastore, without its suffix."""
    model = record["model_info"]
    developer = model.get("developer", UNKNOWN)
    name = str(model["id"]).removeprefix(f"{developer}/")
    parts = (_folder(part) for part in (record["evaluation_results"][0]["evaluation_name"], developer, name))
    digest = hashlib.sha256(json.dumps(dump_report(report), sort_keys=True).encode()).digest()
    return PurePosixPath("data", *parts, str(uuid.UUID(bytes=digest[:16], version=4)))


def _folder(name: str) -> str:
    plain = config_name(name.replace("/", "_")).rstrip(".") or UNKNOWN
    return f"{plain}_" if _RESERVED.fullmatch(plain) else plain


def _questions(rows: Rows, test_set: TestSet) -> dict[str, str]:
    """Return what was asked, as JSON, by the id of its pair: the system message, then the conversation so far."""
    system = Message(role="system", content=system_message(test_set.task))
    texts = {}
    by_id = {pair.id: pair for pair in test_set.pairs}
    for row in rows:
        pair = by_id.get(str(row["pair_id"]))
        if pair is None:
            raise DataError(f"row {row['pair_id']!r} is no pair of {test_set.artifact}; evaluate that model again")
        shown = [
            {key: value for key, value in dump_message(one).items() if value is not None}
            for one in (system, *pair.prefix)
        ]
        texts[pair.id] = json.dumps(shown, ensure_ascii=False)
    return texts


def _scored(row: Mapping[str, Any], metrics: Sequence[str]) -> Iterator[str]:
    return (metric for metric in metrics if row.get(metric) is not None)


def _sample(record: Mapping[str, Any], row: Mapping[str, Any], metric: str, texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the sample of a turn and a metric.

    It is `single_turn`: the conversation so far is the test set's own, not of this model, which gives one answer to it.
    """
    question, reference = texts[row["pair_id"]], str(row["reference"])
    if not isinstance(row.get("raw"), str) or not isinstance(row.get("prediction"), str):
        raise DataError(f"row {row['pair_id']!r} has a score of {metric} and no text; evaluate that model again")
    read = {
        "turn_idx": 0,
        "source": "output.raw",
        "extracted_value": row["prediction"],
        "extraction_method": "tft-harness, lenient reading: the call in the text, else the text",
        "is_terminal": True,
    }
    said = {name: row.get(name) for name in (*_SAID, *(_JUDGED if metric == JUDGE_METRIC else ()))}
    metadata = {name: _text(value) for name, value in said.items() if value is not None}
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": record["evaluation_id"],
        "model_id": record["model_info"]["id"],
        "evaluation_name": record["evaluation_results"][0]["evaluation_name"],
        "evaluation_result_id": metric,
        "sample_id": row["pair_id"],
        "sample_hash": hashlib.sha256((question + reference).encode()).hexdigest(),
        "interaction_type": "single_turn",
        "input": {"raw": question, "reference": [reference]},
        "output": {"raw": [row["raw"]]},
        "answer_attribution": [read],
        "evaluation": {"score": row[metric], "is_correct": row[metric] >= 1},
        "token_usage": _tokens(row.get("usage")),
        "metadata": metadata,
    }


def _tokens(usage: Any) -> dict[str, int] | None:
    match usage:
        case {"prompt": int(prompt), "completion": int(completion)} if min(prompt, completion) >= 0:
            return {"input_tokens": prompt, "output_tokens": completion, "total_tokens": prompt + completion}
    return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
