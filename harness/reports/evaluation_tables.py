"""The tables of an evaluation in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.data.approval import approval_of
from harness.data.tasks import SET_METRIC, turn_notes
from harness.evaluation.baselines import BASELINES
from harness.evaluation.metrics import EXACT, JUDGE_METRIC, by_rank
from harness.evaluation.records import (
    ANSWERS_KEPT,
    SENT_OTHERWISE,
    EvalReport,
    EvalRun,
    Judging,
    Member,
    SampleScores,
)
from harness.evaluation.results import config_name
from harness.evaluation.scorecard import HEADLINE
from harness.models.backends._base import DAY, SAMPLING_SEED, SYSTEMS_REPLACED
from harness.models.engine.arithmetic import USUAL
from harness.models.prompts import form_notes
from harness.reports.markdown_templates import MARK
from harness.statistics.formatting import cell, percent, short_interval
from harness.statistics.records import Agreement, Calibration, Estimate
from harness.terminal import plain, show

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


def print_report(report: EvalReport, width: int | None = None) -> None:
    """Print the report on stdout: scores beside the null and gold rows, by tool, by reading, and what it took."""
    show(_parts(report), width=width)


def _parts(report: EvalReport) -> Iterable[RenderableType]:
    run, model = report.run, report.rows["model"]
    first = next(iter(model.values()))
    revision = f" at {run.model_revision[:12]}" if run.model_revision else ""
    thinking = f", thinking {run.thinking}," if run.thinking else ""
    yield f"[bold]{plain(run.model)}[/bold]{revision}{thinking} on {plain(run.dataset)} at {run.dataset_revision[:12]}"
    yield _scores(report)
    if (asked := run.config.get("pairs")) != (total := run.config.get("pairs_in_test_set")):
        yield f"[bold]Only the first {asked} of {total} pairs:[/bold] not a result on the whole test set."
    yield (
        f"n = {first.n} pairs from {first.clusters} conversations; {first.errors} errors, {first.unscored} unscored. "
        "Brackets hold 95 % intervals, clustered by conversation. null always calls the "
        "most frequent tool with empty arguments, by turn the most frequent one of each turn, copy last repeats the "
        "conversation's last call, same call is the most frequent call at every turn; gold is the reference itself."
    )
    yield from run_notes(run)
    if report.samples:
        yield from sample_notes(report)
        yield _pass_rates(report.samples)
        yield _error_parts(report.samples)
    yield f"[bold]{report.cut_words}[/bold]" if report.many_cut else report.cut_words
    if report.thinking_words:
        yield report.thinking_words
    yield _by_tool(report)
    if report.dialogues:
        yield _dialogues(report)
    if report.judging:
        yield from judging(report.judging)
    yield _readings(report)
    if kept := run.config.get(ANSWERS_KEPT):
        asked = run.config.get("pairs", 0) * (report.samples.samples if report.samples else 1)
        yield f"{kept} of {asked} answers were kept from earlier runs of the same questions."
    if otherwise := run.config.get(SENT_OTHERWISE):
        yield f"The model was asked {', '.join(otherwise)}: its endpoint takes nothing else."
    yield _effort(report)


def run_notes(run: EvalRun) -> list[str]:
    """Return what a run's record says about its prompts and its arithmetic."""
    return [*prompt_notes(run.config), *arithmetic_note(run)]


def arithmetic_note(run: EvalRun) -> list[str]:
    """Return in which arithmetic our engine answered, where that is not the default."""
    if run.arithmetic in (None, *USUAL):
        return []
    return [
        f"The engine did not answer in the default arithmetic, but in this one: {run.arithmetic}. Ties between tokens "
        "fall otherwise there: these scores do not compare with those of other runs, and asked again a few answers "
        "may differ."
    ]


def prompt_notes(config: Mapping[str, Any]) -> list[str]:
    """Return what a run's configuration says about its prompts, and who approved what they were made from."""
    approval = approval_of(config)
    notes = [*([approval.sentence] if approval else []), *turn_notes(config)]
    if changed := form_notes(config):
        notes.append(f"The chat template does not take conversations as they are; prompts have {'; '.join(changed)}.")
    if replaced := config.get(SYSTEMS_REPLACED):
        notes.append(f"In {replaced} conversations the task's system message took the place of the conversation's own.")
    if day := config.get(DAY):
        notes.append(f"The chat template asks for the date: prompts say {day}.")
    return notes


def sample_notes(report: EvalReport) -> list[str]:
    """Return how several samples of each pair came about; nothing where there is one answer."""
    found, config = report.samples, report.run.config
    if found is None:
        return []
    drawn, seed = config.get("temperature"), config.get(SAMPLING_SEED)
    at = "" if drawn is None else f" at temperature {drawn:g}"
    at += "" if seed is None else f", seed {seed}"
    pairs = config.get("pairs")
    notes = [
        f"Each pair was answered {found.samples} times{at}; its value is the mean. In {found.alike} of {pairs} pairs "
        "all samples are the same text."
    ]
    if found.errors:
        notes.append(f"{found.errors} samples have no answer and are in no mean.")
    if config.get("backend") == "openai":
        notes.append(
            "Every sample was asked with a seed of its own. Whether an endpoint heeds it does not show: samples "
            "differ either way, but asked again may be others."
        )
    return notes


def _passing(found: SampleScores) -> tuple[list[str], dict[int, list[Estimate]]]:
    """Return the metrics whose pass rates are shown, exactness and the judge's, and by k pass@k and pass^k of each."""
    metrics = [metric for metric in (SET_METRIC, EXACT, JUDGE_METRIC) if metric in found.passing]
    rates = zip(*(found.passing[metric] for metric in metrics), strict=True)
    return metrics, {one[0].k: [value for rate in one for value in (rate.any, rate.all)] for one in rates}


def _pass_rates(found: SampleScores) -> Table:
    metrics, by_k = _passing(found)
    rates = table("k", *(f"{metric}\n{name}" for metric in metrics for name in ("pass@k", "pass^k")))
    for k, values in by_k.items():
        rates.add_row(str(k), *map(short_interval, values))
    return rates


def _error_parts(found: SampleScores) -> Table:
    errors = table("standard error", "of the mean", "by samples", "by conversations")
    for metric, one in found.error_parts.items():
        errors.add_row(metric, *(cell(part, digits=4) for part in (one.whole, one.samples, one.conversations)))
    return errors


def table(*columns: str, gap: int = 1) -> Table:
    """Return an empty table: the first column is text, the others are numbers, `gap` spaces apart."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, gap, 0, 0))
    for position, column in enumerate(columns):
        table.add_column(column, justify="right" if position else "left", no_wrap=True)
    return table


def _scores(report: EvalReport) -> Table:
    others = [row for row in BASELINES if row in report.rows]  # older reports have two of them
    scores = table("metric", "model", "macro", *(BASELINES[row][0].replace(" ", "\n") for row in others))
    for metric, one in report.rows["model"].items():
        beside = (report.rows[row].get(metric) for row in others)
        cells = (cell(None if found is None else found.value).removeprefix("0") for found in beside)  # 80 columns
        scores.add_row(metric, short_interval(one), cell(report.macro[metric]), *cells)
    return scores


def _by_tool(report: EvalReport) -> Table:
    """Metrics down, tools across: names of tools are longer than their scores."""
    tools = next(iter(report.by_tool.values()))
    tools_table = table("by tool", *(f"{plain(tool)}\n{one.n} pairs" for tool, one in tools.items()))
    for metric, by_tool in report.by_tool.items():
        tools_table.add_row(metric, *(short_interval(by_tool[tool]) for tool in tools))
    return tools_table


def _dialogues(report: EvalReport) -> Table:
    dialogues = table("by conversation", "all turns right", "first error\nat turn", "right turns\nbefore it")
    for metric, one in report.dialogues.items():
        turns = (cell(turn, digits=1) for turn in (one.first_error_turn, one.turns_before_error))
        dialogues.add_row(metric, short_interval(one.success), *turns)
    return dialogues


def judging(made: Judging) -> Iterable[RenderableType]:
    """Yield who judged, how the members of a panel agree, and how far the judge agrees with labels."""
    yield members_table(made.members)
    owner = "task" if made.rubric == "task" else "harness"
    yield f"{made.decided_by_code} answers were decided by code; the rubric is the {owner}'s."
    if made.agreement:
        yield agreement_table(made.agreement)
    if made.calibration:
        yield _calibration(made.calibration)


def members_table(members: Sequence[Member]) -> Table:
    """Return one row per judge: how many verdicts it gave, and what share of them is good."""
    judges = table("judge", "status", "verdicts", "unscored", "good")
    for one in members:
        judges.add_row(plain(one.name), plain(one.status), str(one.votes), str(one.unscored), cell(one.good))
    return judges


def agreement_table(found: Agreement) -> Table:
    """Return how far the members of a panel agree."""
    agreement = table("agreement", f"{found.n} cases")
    agreement.add_row("share of agreeing votes", cell(found.observed))
    agreement.add_row("Krippendorff's alpha", cell(found.alpha))
    agreement.add_row("Gwet's AC1", cell(found.ac1))
    for names, kappa in found.kappa.items():
        agreement.add_row(f"Cohen's kappa, {plain(names)}", short_interval(kappa))
    return agreement


def _calibration(found: Calibration) -> Table:
    calibration = table("judge against labels", f"{found.n} rows, {found.clusters} conversations")
    for label, one in (
        ("agreement", found.agreement),
        ("Cohen's kappa", found.kappa),
        ("sensitivity (bad found)", found.sensitivity),
        ("specificity (good kept)", found.specificity),
        ("bad found where the tool is right", found.same_name_recall),
        ("false bad where the tool is right", found.same_name_false_bad),
    ):
        calibration.add_row(label, short_interval(one))
    calibration.add_row("kappa of comparing tool names only", cell(found.names_only_kappa))
    if found.corrected:
        calibration.add_row("score corrected by the labels", short_interval(found.corrected))
    return calibration


def _readings(report: EvalReport) -> Table:
    names = list(report.readings)
    labels = (f"{name}\n(headline)" if name == HEADLINE else plain(name) for name in names)
    readings = table("by reading", *labels)
    for metric in report.rows["model"]:
        if all(metric in report.readings[name] for name in names):  # a judge sees the headline reading alone
            readings.add_row(metric, *(short_interval(report.readings[name][metric]) for name in names))
    return readings


def _effort(report: EvalReport) -> str:
    tokens = report.tokens
    parts = [f"{int(tokens['prompt']):,} prompt tokens"]
    if "cached_share" in tokens:
        parts[0] += f" ({percent(tokens['cached_share'])} from the prefix cache)"
    thought = f", {int(tokens['thinking']):,} of them thinking" if "thinking" in tokens else ""
    parts.append(f"{int(tokens['completion']):,} answer tokens{thought}")
    parts.append(
        "seconds: " + ", ".join(f"{phase} {cell(took, digits=1)}" for phase, took in report.run.timings.items())
    )
    return "; ".join(parts)


TEMPLATE = "evaluate.md.jinja"
_TOOLS = 20
"""Tools in a table."""


def as_comment(reports: Sequence[EvalReport]) -> str:
    """Return the reports as a comment; its first line is a mark by which the comment on the same models is found."""
    from harness.reports.markdown_templates import environment
    from harness.resources import folder

    names = " ".join(config_name(report.run.model_name.id) for report in reports)
    template = environment(folder("eval")).get_template(TEMPLATE)
    # The name holds neither a space nor `>`, so it cannot end the mark.
    return f"{MARK}evaluate {names} -->\n\n{template.render(reports=[_values(report) for report in reports])}\n"


def _values(report: EvalReport) -> dict[str, object]:
    model = report.rows["model"]
    main = min(model, key=by_rank)
    tools = sorted(report.by_tool[main].items(), key=lambda item: -item[1].n)
    return {
        "report": report,
        "main": main,
        "judge": report.run.judge,
        "prompts": [*run_notes(report.run), *sample_notes(report)],
        "passing": _passing(report.samples) if report.samples else None,
        "beside": [(row, label) for row, (label, _) in BASELINES.items() if row in report.rows],
        "tools": tools[:_TOOLS],
        "more_tools": max(0, len(tools) - _TOOLS),
    }
