"""What Inspect loads (entry point `inspect_ai`): every name under which it finds task, scorers, metric and provider.

Inspect puts the package's name before the names of what lies in site-packages, and not before those of a checkout. What
names no module it takes as it is. So all is registered without one, under `tft/...`, and a command, a log and its
retry say the same names wherever the harness is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from inspect_ai import task
from inspect_ai.model import ModelAPI, modelapi
from inspect_ai.scorer import Scorer, metric, scorer, stderr
from inspect_ai.util import registry_info

from harness.evaluation.metrics import JUDGE_METRIC, metric_names
from harness.stages.inspect_task.judge_scorer import judge_scorer
from harness.stages.inspect_task.scorers import CONVERSATION, clustered_estimate, metric_scorer
from harness.stages.inspect_task.task import NAMESPACE, benchmark, scorer_name


def _everywhere(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function without its module: its name is the same from a checkout and from a wheel."""
    function.__module__ = None  # type: ignore[assignment]
    return function


def provider() -> type[ModelAPI]:
    """Return the class of the models `tft/...`."""
    from harness.stages.inspect_task.model import TftModel

    return TftModel


def _register_metric(name: str) -> None:
    def make(tools: str | None = None) -> Scorer:
        return metric_scorer(name, tools)

    _register_scorer(name, make)


def _judge(judge: str | list[str] | None = None, base_url: str | None = None) -> Scorer:
    return judge_scorer(judge, base_url)


def _register_scorer(name: str, make: Callable[..., Scorer]) -> None:
    """Register the scorer of one metric."""
    known = scorer(metrics=[estimate(), stderr(cluster=CONVERSATION)], name=scorer_name(name))(_everywhere(make))
    # A log names its scorers without the first part of their names, and `inspect score` looks them up so.
    registry_info(known).name = f"{NAMESPACE}/{scorer_name(name)}"


estimate = metric(name=f"{NAMESPACE}/estimate")(_everywhere(clustered_estimate))
for one in metric_names():
    _register_metric(one)
_register_scorer(JUDGE_METRIC, _judge)
modelapi(NAMESPACE)(_everywhere(provider))
run_benchmark = task(name=f"{NAMESPACE}/benchmark")(_everywhere(benchmark))
