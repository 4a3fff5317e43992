"""Metrics over raw strings, found by listing `eval/`, one folder per metric.

Every metric is an `evaluate` module and loads with `evaluate.load(<absolute path of its folder>)`. Importing
`evaluate` brings in torch and takes many seconds, so the harness itself reads only the file `scores.py` beside
the module, which holds the metric without `evaluate`; the module is a thin wrapper of it. A metric without such
a file is loaded through `evaluate`. Neither way opens a connection.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.data.formats.calls import parse_answer
from harness.data.formats.task import row_tools
from harness.data.records import ToolCall
from harness.data.tasks import SET_METRIC
from harness.errors import DataError, UsageError
from harness.models import parsing
from harness.models.parsing import Reading
from harness.resources import folder

READINGS = ("published", "lenient")
"""How the call in a prediction is found: as the metrics do by themselves, or as the headline of an evaluation does."""

JUDGE_METRIC = "llm-as-a-judge"
"""The metric's name in columns, reports and cards."""

DEFAULT_METRIC = "staged_tool_call"
"""By code: the main metric where not all are judged."""

EXACT = "binary_tool_call"
"""By code: whether a call is exactly right."""

_MAIN = (SET_METRIC, JUDGE_METRIC, DEFAULT_METRIC)

Scores = Callable[..., list[float]]
Row = dict[str, Any]
_BATCH = 256


def metric_names(*, parallel: bool = False) -> list[str]:
    """Return the names of the metrics, sorted: each is a folder of `eval/` with a file of the same name in it.

    That for turns with several calls is among them where a task has such turns, which is `parallel`.
    """
    names = sorted(path.parent.name for path in folder("eval").glob("*/*.py") if path.stem == path.parent.name)
    return [name for name in names if parallel or name != SET_METRIC]


def by_rank(metric: str) -> tuple[int, str]:
    """Return a key that sorts metrics, the main one first: that for several calls, the judge's, the default's."""
    return _MAIN.index(metric) if metric in _MAIN else len(_MAIN), metric


def scores_turn(metric: str, calls: Sequence[ToolCall]) -> bool:
    """Return whether a metric is defined for a turn with these calls as its reference."""
    return len(calls) == 1 or metric == SET_METRIC


def score(
    metric: str,
    predictions: Sequence[str],
    references: Sequence[str],
    tools: Sequence[dict[str, Any]] | None = None,
) -> list[float]:
    """Return one score for each pair of raw strings.

    `tools` (JSON-schema function definitions) reach the metrics that take them. Raises UsageError for an
    unknown metric, and ValueError naming the index of a reference that cannot be scored against.
    """
    function = _scores(metric)
    options = {"tools": list(tools)} if tools and "tools" in inspect.signature(function).parameters else {}
    return function(list(predictions), list(references), **options)


@cache
def _scores(metric: str) -> Scores:
    if metric not in (known := metric_names(parallel=True)):
        raise UsageError(f"no metric {metric!r}; there are {', '.join(known)}")
    place = folder("eval") / metric
    if (place / "scores.py").is_file():
        function: Scores = _load(place / "scores.py").scores
        return function
    return _through_evaluate(place)


@cache
def _published() -> ModuleType:
    return _load(folder("eval") / DEFAULT_METRIC / "scores.py")


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"harness_metric_{path.parent.name}", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is not a Python file that can be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _through_evaluate(place: Path) -> Scores:
    import evaluate

    metric = evaluate.load(str(place))

    def scores(predictions: list[str], references: list[str]) -> list[float]:
        found: list[float] = metric.compute(predictions=predictions, references=references)["scores"]
        return found

    return scores


def published_call(text: str) -> ToolCall | None:
    """Return the call that the metrics find in a raw text by themselves: in one of the two published notations."""
    found = _published().read_call(text)
    return ToolCall(name=found[0], arguments=found[1]) if found else None


def scored_text(raw: str, call: ToolCall | None) -> str:
    """Return what the metrics get where `call` was read from `raw`: the call as published predictions write it.

    A text without a call is scored as it is, unless the metrics would find one where there is none, in thinking say.
    """
    if call is not None:
        return parsing.canonical(call)
    return raw if published_call(raw) is None else ""


def scored_turn(raw: str, reading: Reading) -> str:
    """Return what the metrics get where a turn may have several calls: all of them, as published predictions write one.

    Where one of the calls cannot be read, an open element in its place says so, and the turn equals no reference.
    """
    if reading.every:
        return parsing.canonical(*reading.every)
    text = scored_text(raw, reading.call)
    return f"{text}\n<tool_call>" if reading.call else text


@dataclass(kw_only=True)
class RowScorer:
    """Scores the rows of a file in the published layout with one reading, and counts where the two differ."""

    path: Path
    tools: Sequence[dict[str, Any]] = ()
    reading: str = READINGS[0]
    parallel: bool = False
    """Whether turns may have several calls: there is one more metric then."""
    differ: int = 0
    """Rows in which the two readings find different calls; of these only one is scored."""
    several: int = 0
    """Rows whose reference has several calls, which most metrics do not score."""

    def scored(self, rows: Iterable[tuple[int, Row]]) -> Iterator[Row]:
        """Yield each row with one column per metric, in order.

        A row without an answer from the model (`prediction` is null) gets null: a failure is not a score. Metric
        columns that were there are overwritten, all others kept. Null is also the value of a metric for one call
        where the reference has several. Raises DataError with file and line.
        """
        stream = iter(rows)
        while batch := list(islice(stream, _BATCH)):
            for number, row in batch:
                _check(self.path, number, row)
            answered = [(number, row) for number, row in batch if row["prediction"] is not None]
            texts = [self._text(row) for _, row in answered]
            calls = [parse_answer(row["answer"]) for _, row in batch]
            self.several += sum(len(one) > 1 for one in calls)
            several = {number for (number, _), one in zip(batch, calls, strict=True) if len(one) > 1}
            for metric in metric_names(parallel=self.parallel):
                for _, row in batch:
                    row[metric] = None
                every = metric == SET_METRIC
                places = [place for place, (number, _) in enumerate(answered) if every or number not in several]
                asked = [answered[place] for place in places]
                values = self._score_batch(metric, asked, [texts[place] for place in places])
                for (_, row), value in zip(asked, values, strict=True):
                    row[metric] = value
            yield from (row for _, row in batch)

    def _text(self, row: Row) -> str:
        """Return what is scored of the row's prediction."""
        raw: str = row["prediction"]
        reading = parsing.read(raw, tools=row_tools(row) or self.tools)
        self.differ += reading.call != published_call(raw)
        if self.reading == READINGS[0]:
            return raw
        return scored_turn(raw, reading) if self.parallel else scored_text(raw, reading.call)

    def _score_batch(self, metric: str, rows: Sequence[tuple[int, Row]], texts: list[str]) -> list[float]:
        try:
            return score(metric, texts, [row["answer"] for _, row in rows], self.tools)
        except ValueError:
            for (number, row), text in zip(rows, texts, strict=True):  # name the line: the metric only knows positions
                try:
                    score(metric, [text], [row["answer"]], self.tools)
                except ValueError as error:
                    problem = f"{metric}: {error}".replace("reference 0", '"answer"')
                    raise DataError.at(self.path, number, problem) from error
            raise


def _check(path: Path, number: int, row: Row) -> None:
    if not isinstance(row.get("answer"), str):
        raise DataError.at(path, number, 'expected the reference call as text under "answer"; every row needs one')
    if "prediction" not in row:
        raise DataError.at(path, number, 'no "prediction"; write null where the model gave no answer')
    if row["prediction"] is not None and not isinstance(row["prediction"], str):
        kind = type(row["prediction"]).__name__
        raise DataError.at(path, number, f'"prediction" must be the model\'s raw text or null, got {kind}')
