"""Several samples of each pair: the means of their scores, and what they show beside them (pure)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from harness.evaluation.records import SampleScores
from harness.statistics.sampling import error_parts, pass_rates, sample_means

SAMPLE = "sample"
"""Column of results where there are several answers to each pair: which of them the row is, from 0."""

Columns = dict[str, list[float | None]]
"""Metric -> one value for each pair."""


def mean_columns(samples: Sequence[Columns]) -> Columns:
    """Return each pair's mean over the samples that are scored; one sample stays as it is."""
    if len(samples) == 1:
        return samples[0]
    return {metric: sample_means(_by_pair(samples, metric)) for metric in samples[0]}


def score_samples(
    samples: Sequence[Columns], texts: Sequence[Sequence[str | None]], clusters: Sequence[Hashable]
) -> SampleScores:
    """Return what the samples show, from the values and the raw texts of each, in the pairs' order."""
    answers = list(zip(*texts, strict=True))
    values = {metric: _by_pair(samples, metric) for metric in samples[0]}
    return SampleScores(
        samples=len(samples),
        errors=sum(text is None for pair in answers for text in pair),
        alike=sum(None not in pair and len(set(pair)) == 1 for pair in answers),
        error_parts={metric: error_parts(found, clusters) for metric, found in values.items()},
        passing={metric: pass_rates(found, clusters) for metric, found in values.items()},
    )


def pair_rows(rows: Sequence[Mapping[str, Any]], metrics: Sequence[str]) -> list[dict[str, Any]]:
    """Return one row for each pair: the first of its samples, with the means of all under `metrics`."""
    pairs: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        pairs.setdefault(row["pair_id"], []).append(row)
    groups = list(pairs.values())
    means = {metric: sample_means([[row[metric] for row in group] for group in groups]) for metric in metrics}
    return [{**group[0], **{metric: values[i] for metric, values in means.items()}} for i, group in enumerate(groups)]


def _by_pair(samples: Sequence[Columns], metric: str) -> list[tuple[float | None, ...]]:
    return list(zip(*(one[metric] for one in samples), strict=True))
