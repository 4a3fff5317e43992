"""One file of measurements: the scores of a model, turn by turn, and what they were measured with. No text is in it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data.cell_names import CellName
from harness.data.formats.jsonl import write_atomic
from harness.data.formats.strict_records import load_record
from harness.data.records import ToolCall
from harness.errors import DataError
from harness.evaluation.records import EvalReport
from harness.evaluation.report_json import dump_report
from harness.evaluation.results import Rows
from harness.evaluation.scorecard import NULLS
from harness.hub.foreign_json import load_json
from harness.models import parsing
from harness.reports.evaluation_plots import called_tool

FORMAT = 1
NULL_BASELINES = "null-baselines"
"""Name of the file with what needs no model; the same for all models on one test set."""
OTHER_TOOL = "another tool"
"""A tool that no reference calls: its name is the model's own words."""
_PLACES = ("pair_id", "conversation", "turn", "tool")
_AGAIN = "record it again with `tft results record`"
NullBaselines = dict[str, dict[str, dict[str, float | None]]]
"""Pair -> null baseline -> metric -> score."""
_LONGEST = 120
"""Longer texts may come from the task or from a conversation: their hash is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredTestSet:
    """Which test set it was, by its content: commits of a Hub that is gone say nothing."""

    __test__ = False  # the name is the field's term

    sha256: str
    """Over the pairs' ids and references, in order."""
    pairs: int
    conversations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What was measured of one model."""

    format: int
    model: str
    """Its repository, without the owner."""
    preset: str
    settings: dict[str, Any]
    """The preset, as resolved for the run."""
    student: str
    """What the student was made from: the fingerprint of its lineage, else its commit."""
    test_set: MeasuredTestSet
    stage_version: int
    """Of the stage that evaluated."""
    baselines_sha256: str
    """Over the scores of the null baselines: the same metrics give the same on one test set."""
    hardware: str
    """Of the machine that wrote the file, which is the one that measured unless its stages ran as jobs."""
    report: EvalReport
    """As evaluated; texts in its configuration are hashes."""
    training: dict[str, Any] | None
    """`harness.training.run_summary.TrainingFacts`; None for a model that was not trained here."""
    losses: tuple[tuple[float, ...], ...]
    """Epoch and loss (nats per token) of each step."""
    rows: tuple[dict[str, Any], ...]
    """By turn, as `harness.evaluation.results` has them; calls without arguments in place of texts."""

    @property
    def cell(self) -> CellName | None:
        """The cell of the benchmark; None for the untrained student."""
        return CellName.parse(self.model)


def null_baselines_sha256(rows: Rows) -> str:
    """Return the hash of what the null baselines score, turn by turn."""
    return _sha256([row.get(NULLS) for row in rows])


def test_set_facts(rows: Rows) -> MeasuredTestSet:
    """Return what the rows of an evaluation say of its test set."""
    return MeasuredTestSet(
        sha256=_sha256([[row["pair_id"], row["reference"]] for row in rows]),
        pairs=len(rows),
        conversations=len({row["conversation"] for row in rows}),
    )


def _sha256(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def without_texts(rows: Rows, metrics: Sequence[str]) -> list[dict[str, Any]]:
    """Return rows that say which tool was called where, and the scores; nothing of what was said."""
    tools = {str(called_tool(row["reference"])) for row in rows}
    return [
        {
            **{key: row[key] for key in ("pair_id", "conversation", "turn")},
            "reference": _bare(called_tool(row["reference"]), tools),
            "prediction": None if row["prediction"] is None else _bare(called_tool(row["prediction"]), tools),
            "finish_reason": row.get("finish_reason"),
            "error": "no answer" if row.get("error") is not None else None,
            **{metric: row.get(metric) for metric in metrics},
            NULLS: row.get(NULLS) or {},
        }
        for row in rows
    ]


def _bare(tool: str | None, known: set[str]) -> str:
    """Return a call of a tool without its arguments; nothing for no call."""
    if tool is None:
        return ""
    return parsing.canonical(ToolCall(name=tool if tool in known else OTHER_TOOL, arguments={}))


def hide_texts(value: Any) -> Any:
    """Return a JSON value with the hash of each long text in its place."""
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else f"sha256:{hashlib.sha256(value.encode()).hexdigest()}"
    if isinstance(value, Mapping):
        return {key: hide_texts(one) for key, one in value.items()}
    return [hide_texts(one) for one in value] if isinstance(value, list | tuple) else value


def write_measurement(folder: Path, one: Measurement) -> Path:
    """Write the file of a model, and that of the null baselines, into `folder`; equal input gives equal bytes."""
    metrics = [*one.report.rows["model"]]
    head = {field.name: getattr(one, field.name) for field in dataclasses.fields(one) if field.name != "rows"}
    head |= {"test_set": dataclasses.asdict(one.test_set), "report": dump_report(one.report)}
    turns = [
        [
            *(row[key] for key in _PLACES[:-1]),
            called_tool(row["reference"]),
            None if row["prediction"] is None else called_tool(row["prediction"]) or "",
            row["finish_reason"],
            *(row[metric] for metric in metrics),
        ]
        for row in one.rows
    ]
    path = folder / f"{one.model}.json"
    _write(path, head, [*_PLACES, "called", "finish_reason", *metrics], turns)
    nulls = {name: sorted(scores) for name, scores in (one.rows[0][NULLS] if one.rows else {}).items()}
    columns = [(name, metric) for name, scored in nulls.items() for metric in scored]
    _write(
        folder / f"{NULL_BASELINES}.json",
        {"format": FORMAT, "sha256": one.baselines_sha256, "baselines": nulls},
        ["pair_id", *(f"{name} {metric}" for name, metric in columns)],
        [[row["pair_id"], *(row[NULLS][name][metric] for name, metric in columns)] for row in one.rows],
    )
    return path


def _write(path: Path, head: Mapping[str, Any], columns: Sequence[str], turns: Sequence[Sequence[Any]]) -> None:
    """Write a JSON object with a line for each key and each turn."""

    def dumped(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)

    keys = [f" {dumped(key)}: {dumped(value)},\n" for key, value in {**head, "columns": columns}.items()]
    lines = [f"  {dumped(turn)}{',' if place < len(turns) else ''}\n" for place, turn in enumerate(turns, start=1)]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, ["{\n", *keys, ' "turns": [\n', *lines, " ]\n}\n"])


def read_measurement(path: Path, nulls: NullBaselines) -> Measurement:
    """Return the measurement in a file, each row with its null baselines; DataError says what is wrong."""
    value = _read(path)
    try:
        columns, turns = value.pop("columns"), value.pop("turns")
        rows = [_row(dict(zip(columns, turn, strict=True)), nulls) for turn in turns]
        found: Measurement = load_record(Measurement, {**value, "rows": rows}, path.name)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is no measurement that can be read ({error}); {_AGAIN}") from error
    return found


def _row(turn: dict[str, Any], nulls: NullBaselines) -> dict[str, Any]:
    def call(name: str | None) -> str:
        return parsing.canonical(ToolCall(name=name, arguments={})) if name else ""

    tool, called = turn.pop("tool"), turn.pop("called")
    return {
        **turn,
        "reference": call(tool),
        "prediction": None if called is None else call(called),
        "error": "no answer" if called is None else None,
        NULLS: nulls[turn["pair_id"]],
    }


def read_null_baselines(folder: Path) -> NullBaselines:
    """Return pair -> null baseline -> metric -> score; empty without the file, DataError for a damaged one."""
    path = folder / f"{NULL_BASELINES}.json"
    if not path.is_file():
        return {}
    value = _read(path)
    try:
        found: NullBaselines = {}
        for turn in value["turns"]:
            scores = dict(zip(value["columns"], turn, strict=True))
            found[str(scores["pair_id"])] = {
                name: {metric: scores[f"{name} {metric}"] for metric in metrics}
                for name, metrics in value["baselines"].items()
            }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path} holds no null baselines ({error}); {_AGAIN}") from error
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        value = load_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}); {_AGAIN}") from error
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise DataError(f"{path} is no measurement of format {FORMAT}; {_AGAIN}")
    return value
