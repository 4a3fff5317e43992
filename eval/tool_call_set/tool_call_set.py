"""Agreement on all calls of a turn, as an `evaluate` module.

`evaluate.load` must be given the absolute path of this folder: a bare name is looked up on the Hub. All metrics have
the same frame, repeated because `evaluate.load` copies this folder alone.
"""

import datasets
import evaluate

from .scores import scores

_DESCRIPTION = "1.0 where the same calls are made, each as often and in any order, else 0.0."

_KWARGS_DESCRIPTION = """
Args:
    predictions: list of str, what the model wrote.
    references: list of str, the expected calls of each turn.
Returns:
    tool_call_set: float, the mean; None for empty lists.
    scores: list of float, one per pair.
"""


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _KWARGS_DESCRIPTION)
class ToolCallSet(evaluate.Metric):
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
        return {"tool_call_set": sum(values) / len(values) if values else None, "scores": values}
