"""What is recorded of a training that was never run."""

from __future__ import annotations

from harness.training.config import TrainConfig
from harness.training.run_summary import TrainingFacts

FACTS = TrainingFacts(
    student=f"me/student@{'a' * 40}",
    dataset=f"me/data@{'b' * 40}",
    task=f"me/testset@{'c' * 40}",
    settings=TrainConfig().model_dump(),
    template="own",
    conversations=5,
    examples=5,
    turns=40,
    tokens=9000,
    learned_tokens=800,
    skipped={},
    counted={},
    steps=10,
    seconds=3.0,
    first_loss=2.0,
    last_loss=1.0,
    merge_difference=None,
    loss_plot="The loss falls.",
    roles={"Traces relabelled by": "rules:labeler-state"},
)
