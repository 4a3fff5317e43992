"""Prompts for chat templates that take less than tools, calls and a system role."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.data.formats.messages import expand_pairs
from harness.data.sample import sample_conversations, sample_task
from harness.errors import ModelError
from harness.models.prompts import Form, fitting_renderer, load_tokenizer
from harness.training.small_model import create_student, sample_texts

PAIRS = expand_pairs(sample_conversations(4))
TURNS = "{% for message in messages %}<{{ message.role }}>{{ message.content }}\n{% endfor %}"
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
ALTERNATE = (
    "{% set plain = messages | rejectattr('tool_calls', 'defined') | rejectattr('role', 'equalto', 'system') | list %}"
    "{% for message in plain %}{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{% endfor %}{{ tools }}"
)


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("student")
    create_student(folder, texts=sample_texts(), parameters=300_000, vocabulary=600)
    return folder


@pytest.fixture
def tokenizer(student: Path) -> object:
    """A tokenizer of the test's own: tests give it other templates."""
    return load_tokenizer(student, "student")


def test_a_template_that_takes_everything_is_given_everything(tokenizer) -> None:
    renderer = fitting_renderer(tokenizer, sample_task(), "student", PAIRS)
    assert renderer.form == Form(tools_in_template=True, system_role=True)


@pytest.mark.parametrize(
    ("template", "form"),
    [
        (TURNS, Form(tools_in_template=False, system_role=True)),
        (NO_SYSTEM + TURNS, Form(tools_in_template=False, system_role=False)),
        (ALTERNATE + TURNS, Form(tools_in_template=False, system_role=True)),
    ],
    ids=["ignores tools", "refuses a system role", "wants alternating roles"],
)
def test_what_a_template_does_not_take_is_written_into_the_messages(tokenizer, template: str, form: Form) -> None:
    tokenizer.chat_template = template
    renderer = fitting_renderer(tokenizer, sample_task(), "student", PAIRS)
    assert renderer.form == form
    pair = next(pair for pair in PAIRS if pair.turn == 2)
    text = renderer.text(pair.prefix)
    assert sample_task().description in text
    for tool in sample_task().tools:
        assert json.dumps(tool, ensure_ascii=False) in text
    for message in pair.prefix:
        for call in message.tool_calls:
            assert json.dumps({"name": call.name, "parameters": call.arguments}, ensure_ascii=False) in text


def test_a_template_that_renders_no_form_is_refused_with_its_own_reason(tokenizer) -> None:
    tokenizer.chat_template = "{% if messages | length > 1 %}{{ raise_exception('one message only') }}{% endif %}"
    with pytest.raises(ModelError, match="one message only"):
        fitting_renderer(tokenizer, sample_task(), "student", PAIRS)
