"""Cards of the benchmark's own cells: swapped traces, repetitions, and who made the training data."""

from __future__ import annotations

from dataclasses import replace

from harness.reports.model_card import identify, render_card
from harness.training.run_summary import TrainingFacts
from support.trained_model import FACTS


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


def test_tokens_that_were_computed_are_shown_with_what_was_shared() -> None:
    """Trainings of earlier versions have not counted them; why a model could not share is text from its files."""
    assert "Tokens computed" not in _card("tft-benchmark-s2-tft-small", FACTS)
    counted = replace(FACTS, seen_tokens=18000, computed_tokens=10500, sharing="computed for each one: *no*")
    card = _card("tft-benchmark-s2-tft-small", counted)
    assert "| Tokens computed, all steps | 10,500 for 18,000 of the examples |" in card
    assert r"| What all conversations of a batch begin with | computed for each one: \*no\* |" in card
