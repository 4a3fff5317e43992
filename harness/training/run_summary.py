"""What a training run was, for `lineage.json` and the model's card."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from harness.data.formats.strict_records import load_record
from harness.hub.lineage import Lineage


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingFacts:
    """All that a card may show of a training run."""

    student: str
    """The model that was trained, `repo@commit`."""
    dataset: str
    """What it was trained on, `repo@commit` or a file's name and hash."""
    task: str
    """Where the system message and the tools come from."""
    settings: dict[str, Any]
    template: str
    """`own`, or the training variant of the student's chat template that replaced it."""
    conversations: int
    examples: int
    turns: int
    """Assistant turns that carry loss, in one epoch."""
    tokens: int
    """Tokens of all examples: one epoch."""
    learned_tokens: int
    """Those of them that carry loss."""
    skipped: dict[str, int]
    """Reason -> count of what could not be learned from."""
    counted: dict[str, int]
    """What is odd about the data and was learned from all the same."""
    steps: int
    seconds: float
    first_loss: float
    last_loss: float
    """Means over the first and the last twentieth of the steps."""
    merge_difference: float | None
    """Largest difference between logits of the merged weights and of base and adapter; None without an adapter."""
    loss_plot: str
    """What the plot of the loss shows, in words."""

    prompts: tuple[str, ...] = ()
    """What of conversations is written otherwise for the chat template, in words; empty where nothing is."""
    date: str | None = None
    """The day that the chat template says, where it would ask for the day."""
    roles: dict[str, str] = field(default_factory=dict)
    """What was done to make the data -> by which model or rules, see `data_credits`; empty for raw traces."""

    def dump(self) -> dict[str, Any]:
        """Return the facts as plain JSON values."""
        return asdict(self)


def load_facts(lineage: Lineage) -> TrainingFacts | None:
    """Return the facts in a model's lineage; None where no training has made it. ValueError for damaged ones."""
    found = lineage.extra.get("training")
    if lineage.stage != "train" or found is None:
        return None
    facts: TrainingFacts = load_record(TrainingFacts, found, "training")
    return facts
