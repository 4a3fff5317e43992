"""Transcripts for `inspect view`: an evaluation as an Inspect log, and logs as a static site."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data.records import Message, Task, TurnPair
from harness.errors import DataError, UsageError
from harness.evaluation.metrics import JUDGE_METRIC
from harness.evaluation.records import EvalReport
from harness.evaluation.report_json import dump_report
from harness.evaluation.results import config_name
from harness.evaluation.sample_scores import SAMPLE
from harness.models.prompts import system_message

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalResults, EvalSample, EvalSpec
    from inspect_ai.model import ChatMessage, ModelOutput, ModelUsage
    from inspect_ai.scorer import Score
    from inspect_ai.viewer import ViewerConfig

Row = Mapping[str, Any]
Rows = Sequence[Row]

STOPS = {"stop": "stop", "length": "max_tokens", "tool_calls": "tool_calls", "content_filter": "content_filter"}
"""An engine's finish reason -> Inspect's stop reason."""
_WORDS = {1.0: "good", 0.0: "bad", None: "unscored"}
_MACHINE_PATH = re.compile(r',\s*"abs_log_dir":\s*"(?:[^"\\]|\\.)*"')
"""The local folder of the logs, in the site's settings: the site does without."""


def write_log(folder: Path, report: EvalReport, rows: Rows, pairs: Sequence[TurnPair], task: Task) -> Path:
    """Write the evaluation as one `.eval` file into `folder` and return its path.

    `rows` are results rows, `pairs` at least the pairs that they answer. Equal input gives a file of the same
    name and content (the times inside the archive aside). Raises UsageError without inspect-ai, and DataError
    for a row whose pair is unknown or that lacks a metric of the report.
    """
    with _inspect():
        from inspect_ai.log import write_eval_log

    log = _log(report, rows, pairs, task)
    # Inspect takes the name apart at each underscore: time, task, model, id.
    parts = (log.eval.created[:19].replace(":", "-"), log.eval.task, report.run.model, log.eval.eval_id)
    path = folder / ("_".join(config_name(part).replace("_", "-")[-80:] for part in parts) + ".eval")
    folder.mkdir(parents=True, exist_ok=True)
    write_eval_log(log, path, format="eval")
    return path


def _log(report: EvalReport, rows: Rows, pairs: Sequence[TurnPair], task: Task) -> EvalLog:
    from inspect_ai.log import EvalLog, EvalStats

    by_id = {pair.id: pair for pair in pairs}
    metrics = list(report.rows["model"])
    if JUDGE_METRIC not in metrics and any(JUDGE_METRIC in row for row in rows):
        metrics.append(JUDGE_METRIC)
    system = system_message(task)
    samples = []
    for row in rows:
        if row["pair_id"] not in by_id:
            raise DataError(f"row {row['pair_id']!r} is no pair of this test set; give the pairs that were asked")
        samples.append(_sample(row, by_id[row["pair_id"]], system, metrics, report.run.model))
    begun, seconds = report.run.date, sum(report.run.timings.values())
    return EvalLog(
        status="success",
        eval=_spec(report, rows, task, metrics),
        results=_results(report, rows),
        stats=EvalStats(started_at=_time(begun), completed_at=_time(begun, seconds)),
        samples=samples,
    )


@contextlib.contextmanager
def _inspect() -> Iterator[None]:
    """Say how to install Inspect where the import in the block fails for want of it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "inspect_ai":
            raise
        raise UsageError("inspect-ai is not installed; install it: pip install 'tft-harness[inspect]'") from error


def _sample(row: Row, pair: TurnPair, system: str, metrics: Sequence[str], model: str) -> EvalSample:
    from inspect_ai.log import EvalError, EvalSample

    asked, output, error = conversation(pair, system), output_of(row, model), row.get("error")
    return EvalSample(
        id=row["pair_id"],
        epoch=row.get(SAMPLE, 0) + 1,
        input=asked,
        target=row["reference"],
        messages=[*asked, *(choice.message for choice in output.choices)],
        output=output,
        scores={metric: _score(row, metric) for metric in metrics},
        metadata={
            "conversation": pair.conversation,
            "turn": pair.turn,
            "reference_tool": ", ".join(call.name for call in pair.calls),
            "reading": row.get("reason"),
        },
        model_usage={model: output.usage} if output.usage else {},
        uuid=_identifier(model, row["pair_id"], *([str(row[SAMPLE])] if row.get(SAMPLE) else [])),
        error=EvalError(message=error, traceback="", traceback_ansi="") if error else None,
    )


def conversation(pair: TurnPair, system: str) -> list[ChatMessage]:
    """Return what the model was shown: the system message, then the conversation up to the turn."""
    # A tool's result states only the id of the call that it answers.
    names = {call.id: call.name for one in pair.prefix for call in one.tool_calls if call.id}
    shown = [Message(role="system", content=system), *pair.prefix]
    return [_message(message, f"{pair.conversation}/{place}", names) for place, message in enumerate(shown)]


def _message(message: Message, id: str, names: Mapping[str, str]) -> ChatMessage:
    from inspect_ai import model
    from inspect_ai.tool import ToolCall

    content = message.content or ""
    if message.role == "system":
        return model.ChatMessageSystem(id=id, content=content)
    if message.role == "user":
        return model.ChatMessageUser(id=id, content=content)
    if message.role == "tool":
        called = message.tool_call_id
        return model.ChatMessageTool(id=id, content=content, tool_call_id=called, function=names.get(called or ""))
    calls = [
        ToolCall(id=call.id or f"{id}/{number}", function=call.name, arguments=call.arguments)
        for number, call in enumerate(message.tool_calls)
    ]
    return model.ChatMessageAssistant(id=id, content=content, tool_calls=calls or None)


def output_of(row: Row, model: str) -> ModelOutput:
    """Return the model's text as it came; without an answer an output that holds only the error."""
    from inspect_ai.model import ChatCompletionChoice, ChatMessageAssistant, ModelOutput

    text = row["raw"] if row.get("raw") is not None else row.get("prediction")
    if text is None:
        return ModelOutput(model=model, error=row.get("error"))
    message = ChatMessageAssistant(id=f"{row['pair_id']}/answer", content=text, model=model, source="generate")
    choice = ChatCompletionChoice(message=message, stop_reason=STOPS.get(str(row.get("finish_reason")), "unknown"))
    return ModelOutput(model=model, choices=[choice], usage=_usage(row.get("usage")))


def _usage(usage: Mapping[str, int] | None) -> ModelUsage | None:
    from inspect_ai.model import ModelUsage

    if usage is None:
        return None
    asked, answered = usage["prompt"], usage["completion"]
    return ModelUsage(input_tokens=asked, output_tokens=answered, total_tokens=asked + answered)


def _score(row: Row, metric: str) -> Score:
    """Return one value with its reason; a missing value is Inspect's "unscored", which no mean counts."""
    from inspect_ai.scorer import Score

    if metric not in row:
        raise DataError(f"row {row['pair_id']!r} has no {metric!r}, which the report has; give the report's own rows")
    value, answer, error, judged = row[metric], row.get("prediction"), row.get("error"), metric == JUDGE_METRIC
    votes = (row.get("judge_votes") or {}) if judged else {}
    why = _verdict(row.get("judge_reason"), votes) if judged else row.get("reason")
    metadata = {"votes": votes} if votes else None
    if value is not None:
        return Score(value=float(value), answer=answer, explanation=why, metadata=metadata)
    reason = "no_response" if error else "grader_failed" if judged else "scoring_failed"
    return Score.unscored(reason=reason, answer=answer, explanation=why or error, metadata=metadata)


def _verdict(reason: str | None, votes: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return the judge's reason, below it the votes where there are several."""
    several = votes.items() if len(votes) > 1 else ()
    lines = [reason, *(f"{judge}: {_WORDS[vote['value']]}. {vote['reason']}" for judge, vote in several)]
    return "\n\n".join(filter(None, lines)) or None


def _spec(report: EvalReport, rows: Rows, task: Task, metrics: Sequence[str]) -> EvalSpec:
    from inspect_ai.log import EvalConfig, EvalDataset, EvalSpec

    run = report.run
    identity = _identifier(json.dumps(dump_report(report), sort_keys=True))
    pair_ids = list(dict.fromkeys(row["pair_id"] for row in rows))
    return EvalSpec(
        eval_id=identity,
        run_id=identity,
        task_id=identity,  # of two logs with the same one the viewer hides the older, as an attempt that was retried
        created=_time(run.date),
        task=run.dataset.rpartition("/")[2],
        task_version=run.dataset_revision,
        task_description=task.description,
        task_args=run.config,
        dataset=EvalDataset(
            name=run.dataset,
            location=str(run.test_set),
            samples=len(pair_ids),
            sample_ids=pair_ids,
        ),
        model=run.model,
        config=EvalConfig(epochs=report.samples.samples if report.samples else 1),
        packages=run.versions,
        metadata=_header(report, task),
        viewer=viewer(metrics),
    )


def _header(report: EvalReport, task: Task) -> dict[str, Any]:
    """Return what Inspect has no field for: revisions, the other rows of the table, the judge, the tools."""
    plain = dump_report(report)
    run = ("model_revision", "base_model", "dataset_revision", "prompt_sha256", "timings")
    return {
        **{name: plain["run"][name] for name in run},
        **{name: plain[name] for name in ("rows", "macro", "dialogues", "judging")},
        "tools": list(task.tools),
    }


def viewer(metrics: Sequence[str]) -> ViewerConfig:
    """Return how the viewer shows the log: no markup of a model's text is rendered, scores run from 0 to 1."""
    from inspect_ai.viewer import ScoreColorScale, TaskSamplesColumn, TaskSamplesView, ViewerConfig

    columns = [TaskSamplesColumn(id=name) for name in ("sampleId", "target", "answer")]
    hidden = [TaskSamplesColumn(id=name, visible=False) for name in ("input", "tokens", "duration")]
    scale = ScoreColorScale(palette="good-high", min=0.0, max=1.0)
    view = TaskSamplesView(
        name="Turns",
        columns=[*columns, *map(TaskSamplesColumn.score, metrics), TaskSamplesColumn(id="error"), *hidden],
        score_color_scales=dict.fromkeys(metrics, scale),
    )
    return ViewerConfig(trust_content=False, task_samples_view=view)


def _results(report: EvalReport, rows: Rows) -> EvalResults:
    """Return each metric's mean and 95 % interval; a metric without a value has neither."""
    from inspect_ai.log import EvalMetric, EvalResults, EvalScore

    scores = []
    for name, one in report.rows["model"].items():
        values = {"mean": one.value, "low": one.low, "high": one.high}
        metrics = {key: EvalMetric(name=key, value=value) for key, value in values.items() if value is not None}
        counts = {"scored_samples": one.n, "unscored_samples": one.unscored}
        notes = {"interval": "95 %, clustered by conversation", "conversations": one.clusters}
        scores.append(EvalScore(name=name, scorer=name, metrics=metrics, metadata=notes, **counts))
    answered = sum(not row.get("error") for row in rows)
    return EvalResults(total_samples=len(rows), completed_samples=answered, scores=scores)


def _identifier(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "backslashreplace")).hexdigest()[:22]


def _time(date: str, seconds: float = 0.0) -> str:
    """Return an ISO 8601 time, `seconds` later, in UTC as Inspect wants it; a time without a zone is UTC."""
    moment = datetime.fromisoformat(date)
    moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment + timedelta(seconds=seconds)).isoformat(timespec="seconds")


def bundle(log_dir: Path, out: Path, *, title: str) -> Path:
    """Make the static site of all logs below `log_dir` in `out`, ready to be pushed as a static Space; return `out`.

    An earlier site in `out` is replaced. Raises UsageError without inspect-ai, without logs, for `out` inside
    `log_dir`, and for an `out` that holds anything else.
    """
    with _inspect():
        from inspect_ai.log import bundle_log_dir

    if not any(log_dir.rglob("*.eval")):
        raise UsageError(f"{log_dir} holds no transcripts (*.eval), so there is nothing to show; name their folder")
    if out.resolve().is_relative_to(log_dir.resolve()):
        raise UsageError(f"the site cannot be inside the transcripts' folder {log_dir}; name another place")
    empty = not out.exists() or (out.is_dir() and not any(out.iterdir()))
    if not empty and not (out / "logs" / "listing.json").is_file():
        raise UsageError(f"{out} exists and is no site of transcripts; name a new folder")
    with contextlib.redirect_stdout(io.StringIO()):  # it tells its progress where results belong
        bundle_log_dir(str(log_dir.resolve()), str(out.resolve()), overwrite=True)
    index = out / "index.html"
    index.write_text(_MACHINE_PATH.sub("", index.read_text(encoding="utf-8")), encoding="utf-8")
    (out / "README.md").write_text(_space_card(title), encoding="utf-8")
    return out


def _space_card(title: str) -> str:
    import yaml

    fields = {"title": title, "sdk": "static", "app_file": "index.html", "pinned": False}
    front = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)
    body = "Every turn of the evaluation: the conversation, the model's answer, the reference, scores and reasons."
    return f"---\n{front}---\n\n{body} Made by tft-harness, shown by the viewer of Inspect.\n"
