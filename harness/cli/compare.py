"""`tft compare`: two results on the same pairs, a gate on their difference, and a comment for a pull request."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import _options
from harness.errors import AccessDenied, CheckFailed, DataError, Inconclusive, RepoNotFound, UsageError
from harness.terminal import say, write

if TYPE_CHECKING:
    from harness.evaluation.comparison.compare import Comparison
    from harness.evaluation.comparison.gate import Claim
    from harness.evaluation.comparison.sides import ComparedResult
    from harness.evaluation.predictions import Tools
    from harness.evaluation.records import EvalReport
    from harness.evaluation.results import ResultsDataset
    from harness.hub.client import Hub

STDOUT = "-"


@click.command(
    epilog="""\b
Examples:
  tft compare predictions/base.jsonl predictions/tuned.jsonl
  tft compare me/my-model runs/my-next-model --gate --markdown comment.md
  tft compare Qwen/Qwen3-1.7B me/my-model --metric staged_tool_call --gate=better --minimum-effect 0.05
  tft compare me/one me/other --results org/tft-benchmark-results@v3 --json
"""
)
@click.argument("a")
@click.argument("b")
@click.option(
    "--metric", "metrics", multiple=True, metavar="M", help="Compare only M (repeatable); the first is the main one."
)
@click.option(
    "--gate",
    is_flag=False,
    flag_value="not-worse",
    type=click.Choice(["not-worse", "better"]),
    help="Decide on the main metric and set the exit status: B must be not worse than A (default), or better.",
)
@click.option(
    "--minimum-effect",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.02,
    show_default=True,
    metavar="X",
    help="With --gate: the smallest difference of scores that matters.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 0.5, min_open=True),
    default=0.05,
    show_default=True,
    metavar="X",
    help="Level of the gate's tests and of the smallest detectable difference.",
)
@click.option("--allow-inconclusive", is_flag=True, help="With --gate: INCONCLUSIVE exits with 0 and not with 3.")
@click.option("--show", type=click.IntRange(min=0), default=10, show_default=True, metavar="N", help="Turns to show.")
@click.option(
    "--markdown",
    is_flag=False,
    flag_value=STDOUT,
    metavar="[FILE]",
    help="Print the comparison as a pull request comment, or write it to FILE.",
)
@click.option("--results", metavar="REPO[@REV]", help="Default: <namespace>/tft-benchmark-results.")
@_options.tools
@_options.hub
@_options.namespace
@_options.as_json
def command(
    *,
    a: str,
    b: str,
    metrics: tuple[str, ...],
    gate: Claim | None,
    minimum_effect: float,
    alpha: float,
    allow_inconclusive: bool,
    show: int,
    markdown: str | None,
    results: str | None,
    tools_file: Path | None,
    hub: str | None,
    namespace: str | None,
    as_json: bool,
) -> None:
    """Compare two results pair by pair: B against A, clustered by conversation.

    A and B are each a file of rows (results, or question/answer/prediction), the folder of a run, or a model
    whose result is in the results dataset. Of several samples of each pair, the mean is compared. The main metric is
    llm-as-a-judge where both have it, else staged_tool_call.

    \b
    --gate says GO (exit status 0), NO-GO (1) or INCONCLUSIVE (3), with m the minimum effect:
      not-worse  GO: the interval of B - A lies above -m, a loss that matters is excluded.
                 NO-GO: B is significantly below A, and by more than m in the mean.
      better     GO: B is significantly above A, and by more than m in the mean.
                 NO-GO: the interval of B - A lies below m, a gain that matters is excluded.
    Anything else is INCONCLUSIVE, and so is a verdict that pairs without a score could overturn. With fewer
    conversations than could ever be significant (6 at alpha 0.05) nothing is decided.
    """
    if as_json and markdown == STDOUT:
        raise UsageError("--json and --markdown would both print to stdout; write the comment with --markdown FILE")
    from harness.data.formats.task import read_tools
    from harness.evaluation.comparison.compare import compare
    from harness.evaluation.comparison.gate import Rule
    from harness.evaluation.comparison.sides import check_arithmetic, check_decoding, choose
    from harness.reports.comparison import as_document, as_markdown, print_comparison

    tools = read_tools(tools_file) if tools_file else ()
    first, second = _sides((a, b), results, hub, namespace, tools)
    rule = Rule(claim=gate, minimum_effect=minimum_effect) if gate else None
    check_arithmetic(first, second)
    check_decoding(first, second)
    chosen = choose(first, second, metrics, gate=rule is not None)
    comparison = compare(first, second, chosen, rule=rule, alpha=alpha)
    if markdown and markdown != STDOUT:
        _write(Path(markdown), as_markdown(comparison, show))
    if as_json:
        import json

        write(json.dumps(as_document(comparison), indent=2))  # ASCII: texts may hold what UTF-8 cannot
    elif markdown == STDOUT:
        write(as_markdown(comparison, show), nl=False)
    else:
        print_comparison(comparison, show)
    _conclude(comparison, allow_inconclusive=allow_inconclusive)


def _conclude(comparison: Comparison, *, allow_inconclusive: bool) -> None:
    """Raise what sets the exit status where the gate does not say GO."""
    verdict = comparison.verdict
    if verdict and verdict.decision == "NO-GO":
        raise CheckFailed(f"NO-GO: {verdict.reason}")
    if verdict and verdict.decision == "INCONCLUSIVE" and not allow_inconclusive:
        raise Inconclusive(f"INCONCLUSIVE: {verdict.reason}")


def _write(path: Path, text: str) -> None:
    from harness.data.formats.jsonl import write_atomic

    write_atomic(path, [text])
    say(f"wrote {path}")


def _sides(
    names: tuple[str, str], results: str | None, hub: str | None, namespace: str | None, tools: Tools
) -> tuple[ComparedResult, ComparedResult]:
    """Return the two results; a Hub is asked only where one of them is neither a file nor a folder."""
    from harness.hub.connect import connected

    with ExitStack() as stack:
        dataset: ResultsDataset | None = None
        if not all(Path(name).exists() for name in names):
            for name in names:
                _check_name(name)
            models = [name for name in names if not Path(name).exists()]
            dataset = _results(stack.enter_context(connected(hub)), results, namespace, models)
        elif results:
            raise UsageError("--results says where results of models are, but A and B are both here; leave it out")
        first, second = (
            _local(name, tools) if dataset is None or Path(name).exists() else _remote(dataset, name) for name in names
        )
    return first, second


def _check_name(name: str) -> None:
    """Raise UsageError for what is neither there nor can be a model's name."""
    from harness.hub.artifact import split_revision

    if Path(name).exists():
        return
    model = name.removeprefix("vllm:")
    if not model or model.startswith(("/", "./", "../", "~")) or model.endswith((".jsonl", ".json", "/")):
        raise UsageError(f"{name!r} is neither a file nor a folder; expected rows, the folder of a run, or owner/model")
    if split_revision(model)[1]:
        raise UsageError(
            f"{name!r} names a revision, but the results dataset keeps one result per model; leave it out, and give "
            "--results REPO@REV for an earlier state of the results"
        )


def _results(hub: Hub, results: str | None, namespace: str | None, models: Sequence[str]) -> ResultsDataset:
    """Return the results dataset; its errors name `models`, since a mistyped file or folder is taken for one."""
    from harness.evaluation.results import RESULTS, ResultsDataset

    try:
        return ResultsDataset.at(hub, results or f"{hub.namespace(namespace)}/{RESULTS}")
    except (RepoNotFound, AccessDenied) as error:
        raise type(error)(
            f"{error}; name the results dataset with --results, or give files or run folders (taken for models: "
            f"{', '.join(models)})"
        ) from error


def _local(name: str, tools: Tools) -> ComparedResult:
    from harness.evaluation.report_json import read_report
    from harness.evaluation.run_folder import REPORT, ROWS

    path = Path(name)
    if not path.is_dir():
        return _side(name, name, path, None, tools)
    if not (path / ROWS).is_file():
        raise UsageError(
            f"{name} is not the folder of a finished run: it has no {ROWS}; `tft evaluate --out` makes one"
        )
    return _side(name, name, path / ROWS, read_report(path / REPORT), tools)


def _remote(dataset: ResultsDataset, name: str) -> ComparedResult:
    from harness.evaluation.results import config_name, rows_file

    config = config_name(name.removeprefix("vllm:"))
    report = dataset.reports(config).get(config)
    with dataset.file(rows_file(config)) as rows:
        if rows is None or report is None:
            raise RepoNotFound(
                f"{dataset.artifact} has no result of {name}; it has {', '.join(dataset.configs()) or 'none'}. "
                f"Run `tft evaluate {name}`, or give a file or the folder of a run"
            )
        try:
            return _side(name, f"{config} of {dataset.artifact.short}", rows, report)
        except DataError as error:
            raise DataError(f"{error}; evaluate the model again") from error


def _side(name: str, source: str, rows: Path, report: EvalReport | None, tools: Tools = ()) -> ComparedResult:
    from harness.evaluation.comparison.sides import make_side
    from harness.evaluation.predictions import read_predictions

    return make_side(name, source, rows, read_predictions(rows, tools), report, tools=tools)
