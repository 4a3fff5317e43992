"""A student learns all calls of a turn, in the notation in which its answers are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.data.formats.messages import dump_conversation
from harness.models.parsing import detect_family, read
from harness.models.prompts import load_tokenizer
from harness.training.data import read_training_data
from harness.training.rendering import choose_rendering
from support import parallel_calls
from support.notations import templates

SPECIAL = Path(__file__).parents[1] / "models" / "parsing" / "special_tokens.txt"
TRIPS = parallel_calls.conversations(3)
NATIVE = ("qwen2_5", "qwen3", "qwen3_5_2b_and_below", "llama3_1")
PLAIN = "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}" + (
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""A template that knows nothing of tools and calls."""


def test_training_data_keeps_the_calls_of_a_turn_together_where_the_task_has_them(tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    path.write_text("".join(json.dumps(dump_conversation(one)) + "\n" for one in TRIPS))
    kept = read_training_data(str(path), None, arm=None, task=parallel_calls.task())
    assert [one.messages for one in kept.conversations] == [one.messages for one in TRIPS]
    assert kept.counts["turns with several calls"] == 6
    split = read_training_data(str(path), None, arm=None, task=parallel_calls.task(parallel=False))
    assert "turns with several calls" not in split.counts
    assert split.counts["calls"] == kept.counts["calls"]


@pytest.mark.parametrize("name", ["own", "plain", *(name for name in NATIVE if name in templates())])
def test_what_is_learned_of_a_turn_is_read_as_its_calls(name: str, student: Path) -> None:
    tokenizer: Any = load_tokenizer(student, "me/student")
    if name != "own":
        tokenizer.add_special_tokens({"additional_special_tokens": SPECIAL.read_text().split()})
        tokenizer.chat_template = PLAIN if name == "plain" else templates()[name]
    task = parallel_calls.task()
    rendering = choose_rendering(tokenizer, task, "me/student", TRIPS)
    family = detect_family(rendering.template) if not rendering.form.calls_as_text else None
    for trip in TRIPS:
        turns = [one for one in trip.messages if one.role == "assistant"]
        for turn, made in zip(turns, rendering.turns(trip.messages), strict=True):
            text = tokenizer.decode(made.answer)
            assert read(text, family=family, tools=task.tools).every == turn.tool_calls, text
