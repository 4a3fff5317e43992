"""Tool-call equivalence, as an `evaluate` module.

`evaluate.load` must be given the absolute path of this folder: a bare name is looked up on the Hub. All metrics have
the same frame, repeated because `evaluate.load` copies this folder alone.
"""

import datasets
import evaluate

from .scores import scores

_DESCRIPTION = "As binary_tool_call, but an argument equal to its JSON-schema default counts as omitted."

_KWARGS_DESCRIPTION = """
Args:
    predictions: list of str, what the model wrote.
    references: list of str, the expected calls.
    tools: optional list of JSON-schema function definitions, for the defaults.
Returns:
    tool_call_equivalence: float, the mean; None for empty lists.
    scores: list of float, one per pair.
"""


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _KWARGS_DESCRIPTION)
class ToolCallEquivalence(evaluate.Metric):
    def _info(self) -> evaluate.MetricInfo:
        features = datasets.Features({"predictions": datasets.Value("string"), "references": datasets.Value("string")})
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_KWARGS_DESCRIPTION,
            features=features,
        )

    def _compute(self, predictions, references, tools=None):
        values = scores(list(predictions), list(references), tools)
        return {"tool_call_equivalence": sum(values) / len(values) if values else None, "scores": values}
