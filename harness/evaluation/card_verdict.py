"""What stands beside a model's scores on its card: the models that were evaluated beside it, and the verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.data.formats.strict_records import load_record
from harness.errors import DataError
from harness.evaluation.records import EvalReport
from harness.hub.foreign_json import load_json
from harness.statistics.records import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class CardVerdict:
    """Of one evaluated model; `tft benchmark` pushes it beside the results of its run."""

    model_revision: str | None
    test_set: str
    """`repo@commit`, as the model was evaluated on it."""
    decision: str
    sentence: str
    """Whether training was worth it, of the model's scenario or job."""
    beside: dict[str, dict[str, Estimate]]
    """Other model, as a column is called -> metric -> mean on the same test set."""

    def dump(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return dataclasses.asdict(self)

    def is_about(self, report: EvalReport) -> bool:
        """Whether a report is of the same weights on the same test set; of any other one, this says nothing."""
        run = report.run
        return (self.model_revision, self.test_set) == (run.model_revision, f"{run.dataset}@{run.dataset_revision}")


def load_verdict(text: str, where: str) -> CardVerdict:
    """Return the record in the text of a file; DataError says what is wrong with it."""
    try:
        value = load_json(text)
        if not isinstance(value, Mapping):
            raise ValueError("expected an object")
        verdict: CardVerdict = load_record(CardVerdict, value, "verdict")
    except ValueError as error:
        raise DataError(f"{where} cannot be read ({error}); run `tft benchmark` again") from error
    return verdict
