"""ROUGE-L over raw text, as an `evaluate` module.

`evaluate.load` must be given the absolute path of this folder: a bare name is looked up on the Hub. All metrics have
the same frame, repeated because `evaluate.load` copies this folder alone.
"""

import datasets
import evaluate
import rouge_score  # noqa: F401 - named here so that a missing package is reported at load

from .scores import scores

_DESCRIPTION = "ROUGE-L F-measure with stemming over the raw texts, markup included."

_KWARGS_DESCRIPTION = """
Args:
    predictions: list of str, what the model wrote.
    references: list of str, the expected text.
Returns:
    rouge: float, the mean; None for empty lists.
    scores: list of float, one per pair.
"""


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _KWARGS_DESCRIPTION)
class Rouge(evaluate.Metric):
    def _info(self) -> evaluate.MetricInfo:
        features = datasets.Features({"predictions": datasets.Value("string"), "references": datasets.Value("string")})
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_KWARGS_DESCRIPTION,
            features=features,
        )

    def _compute(self, predictions, references):
        values = scores(list(predictions), list(references))
        return {"rouge": sum(values) / len(values) if values else None, "scores": values}
