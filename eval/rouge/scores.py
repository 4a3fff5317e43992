"""ROUGE-L of two texts, without `evaluate`; `evaluate.load` copies this file along with the metric."""

from __future__ import annotations


def scores(predictions: list[str], references: list[str]) -> list[float]:
    """Return the ROUGE-L F-measure of each pair, with stemming; ValueError for anything but text."""
    from rouge_score import rouge_scorer

    if len(predictions) != len(references):
        raise ValueError(f"{len(predictions)} predictions for {len(references)} references")
    for kind, texts in (("prediction", predictions), ("reference", references)):
        for index, text in enumerate(texts):
            if not isinstance(text, str):
                raise ValueError(f"{kind} {index} is {type(text).__name__}, not text; leave out what has no answer")
    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=True)
    pairs = zip(predictions, references, strict=True)
    return [float(scorer.score(target=theirs, prediction=ours)["rougeL"].fmeasure) for ours, theirs in pairs]
