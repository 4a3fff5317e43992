"""What a training run was, and who made its data, for `lineage.json` and the model's card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from harness.data.formats.strict_records import load_record
from harness.hub.artifact import Artifact, parse_input
from harness.hub.client import Hub
from harness.hub.lineage import Lineage, follow_data


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingFacts:
    """Everything that a card may show about a training run."""

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

    seen_tokens: int | None = None
    """Tokens of all steps, padding not included; None for trainings of earlier versions."""
    computed_tokens: int | None = None
    """Those that the model computed: with padding, and what a batch shares once."""
    sharing: str | None = None
    """Whether the tokens that all examples of a batch begin with were computed once, in words."""
    batches: str | None = None
    """How many conversations went into a forward pass, in words, where memory decided that."""
    precision: str | None = None
    """What the training computed in; None for trainings of earlier versions."""
    prompts: tuple[str, ...] = ()
    """What of conversations is written otherwise for the chat template, in words; empty where nothing is."""
    date: str | None = None
    """The day that the chat template says, where it would ask for the day."""
    roles: dict[str, str] = field(default_factory=dict)
    """What was done to make the data -> by which model or rules, see `read_roles`; empty for raw traces."""

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


_WORDS = {
    "synthesize": {"teacher": "Synthetic conversations written by"},
    "relabel": {"committee": "Traces relabelled by", "arbiter": "Disputes decided by"},
    "filter": {"teacher": "Traces rated by"},
}
"""Stage -> key of its configuration -> what its model did."""


def read_roles(hub: Hub, dataset: str) -> dict[str, str]:
    """Return what was done -> by which model, for `repo@commit` and what it was made from; empty for raw traces.

    Rule-based stand-ins are named like models, so that their work is not taken for a language model's.
    """
    roles: dict[str, str] = {}
    artifact = parse_input(dataset)
    if not isinstance(artifact, Artifact):
        return roles
    for _, record in follow_data(hub, artifact):
        for key, words in _WORDS.get(record.lineage.stage, {}).items():
            if names := _names(record.lineage.config.get(key)):
                roles[words] = names
    return roles


def _names(played: Any) -> str:
    """Return the names of a model or of several, as a stage's configuration has them."""
    models = played if isinstance(played, list) else [played]
    return ", ".join(str(one["name"]) for one in models if isinstance(one, Mapping) and "name" in one)
