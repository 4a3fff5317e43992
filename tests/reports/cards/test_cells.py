"""Cards of the benchmark's own cells: swapped traces, repetitions, and who made the training data."""

from __future__ import annotations

from harness.reports.model_card import identify, render_card
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


def _card(name: str, training: TrainingFacts | None = None) -> str:
    return render_card(None, identify(f"me/{name}"), training=training)


def test_fair_arms_and_repetitions_say_what_they_are() -> None:
    plain = _card("tft-benchmark-s2-direct-small")
    fair = _card("tft-benchmark-s2-direct-fair-small")
    again = _card("tft-benchmark-s2-tft-fair-small-seed2")
    assert "**Fair arm**" not in plain
    assert "**Repetition**" not in plain
    assert "Direct on the TFT arm's traces" in fair
    assert "TFT on the Direct arm's traces" in again
    assert "**Repetition**: 2" in again


def test_who_made_the_data_is_named_and_rules_are_not_called_language_models() -> None:
    card = _card("tft-benchmark-s2-tft-small", FACTS)
    assert "| Traces relabelled by | `rules:labeler-state` |" in card
    assert "several LLMs" not in card
    published = render_card(None, identify("distillabs/tft-benchmark-s2-tft-Qwen3-1.7B"))
    assert "a committee of several LLMs relabels" in published
