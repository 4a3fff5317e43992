"""What is sent: token for token what the model's own chat template makes, whatever that template can do."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.data.formats.messages import expand_pairs, template_message
from harness.data.records import Message, Prediction, ToolCall, TurnPair
from harness.data.sample import sample_conversations, sample_task
from harness.data.tasks import TestSet
from harness.errors import ModelError, UsageError
from harness.hub.artifact import Artifact
from harness.models.backends._base import NOT_ASKED, EvaluateConfig
from harness.models.backends.vllm import EvaluatedCheckpoint
from harness.models.chat.chat_models import ChatSettings
from harness.models.engine.checkpoint import Checkpoint
from harness.models.prompts import Form, Renderer, fitting_renderer, load_tokenizer, system_message

PLAIN = (
    "{% for message in messages %}[{{ message.role }}] {{ message.content }}\n{% endfor %}"
    "{% if enable_thinking is defined and not enable_thinking %}[quiet]{% else %}[thinking]{% endif %}"
)
"""A chat template that knows nothing of tools."""


@pytest.fixture(scope="module")
def pairs() -> list[TurnPair]:
    return expand_pairs(sample_conversations(8))


@pytest.fixture
def tokenizer(student: Path) -> Callable[..., Any]:
    """The student's tokenizer, with another chat template where one is given."""

    def load(template: str | None = "own") -> Any:
        loaded = load_tokenizer(student, "me/student")
        if template != "own":
            loaded.chat_template = template
        return loaded

    return load


def test_token_ids_are_those_of_the_tokenizers_own_chat_template(
    tokenizer: Callable[..., Any], pairs: list[TurnPair]
) -> None:
    task, own = sample_task(), tokenizer()
    renderer = Renderer(own, task, "me/student")
    assert renderer.form.tools_in_template
    prompts = renderer.prompts(pairs)
    assert [prompt.pair_id for prompt in prompts] == [pair.id for pair in pairs]
    for pair, prompt in zip(pairs, prompts, strict=True):
        messages = [{"role": "system", "content": system_message(task)}, *map(template_message, pair.prefix)]
        expected = own.apply_chat_template(
            messages,
            tools=list(task.tools),
            add_generation_prompt=True,
            enable_thinking=False,
            tokenize=True,
            return_dict=False,
        )
        assert list(prompt.token_ids) == expected


def test_prompts_differ_and_so_do_their_hashes(tokenizer: Callable[..., Any], pairs: list[TurnPair]) -> None:
    prompts = Renderer(tokenizer(), sample_task(), "me/student").prompts(pairs)
    assert len({prompt.sha256() for prompt in prompts}) == len({prompt.token_ids for prompt in prompts}) == len(pairs)
    assert Renderer(tokenizer(), sample_task(), "me/student").prompts([]) == []


def test_thinking_is_switched_off(tokenizer: Callable[..., Any], pairs: list[TurnPair]) -> None:
    assert Renderer(tokenizer(PLAIN), sample_task(), "me/student").text(pairs[0].prefix).endswith("[quiet]")


def test_a_template_without_tools_gets_them_and_the_calls_as_text(
    tokenizer: Callable[..., Any], pairs: list[TurnPair]
) -> None:
    """Results of tools too: such a template may drop a role that it does not know."""
    task = sample_task()
    renderer = Renderer(tokenizer(PLAIN), task, "me/student")
    assert not renderer.form.tools_in_template
    pair = max(pairs, key=lambda pair: len(pair.prefix))
    text = renderer.text((*pair.prefix, Message(role="tool", content="the result", tool_call_id="x")))
    system, _, rest = text.partition("[user]")
    for tool in task.tools:
        assert json.dumps(tool, ensure_ascii=False) in system
    assert system_message(task) in system
    for message in pair.prefix:
        for call in message.tool_calls:
            assert json.dumps({"name": call.name, "parameters": call.arguments}, ensure_ascii=False) in rest
    assert rest.endswith("[user] the result\n[quiet]")


def test_the_record_says_whether_the_template_knows_tools(student: Path, pairs: list[TurnPair], tmp_path: Path) -> None:
    for path in student.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    data = Artifact(kind="dataset", repo_id="me/data", revision="0" * 40)
    test_set = TestSet(artifact=data, task=sample_task(), pairs=tuple(pairs), total=len(pairs))

    def details(template: str | None) -> dict[str, Any]:
        if template:
            (tmp_path / "chat_template.jinja").write_text(template)
        artifact = Artifact(kind="model", repo_id="me/student", revision="1" * 40)
        checkpoint = Checkpoint(artifact=artifact, folder=tmp_path, config={}, base_model=None)
        subject = EvaluatedCheckpoint(checkpoint, test_set, EvaluateConfig())
        subject.make_prompts()
        assert len(subject.prompt_hashes) == len(pairs)
        return subject.details

    with_tools, without = details(None), details(PLAIN)
    assert (with_tools["tools_in_template"], with_tools["family"]) == (True, "hermes")
    assert (without["tools_in_template"], without["family"]) == (False, None)
    assert with_tools["system_sha256"] != without["system_sha256"]


def test_a_pair_that_does_not_fit_is_not_asked_and_says_by_how_much(student: Path, pairs: list[TurnPair]) -> None:
    data = Artifact(kind="dataset", repo_id="me/data", revision="0" * 40)
    test_set = TestSet(artifact=data, task=sample_task(), pairs=tuple(pairs), total=len(pairs))
    artifact = Artifact(kind="model", repo_id="me/student", revision="1" * 40)

    def unaskable(context: int | None) -> list[Prediction]:
        config = {"max_position_embeddings": context}
        checkpoint = Checkpoint(artifact=artifact, folder=student, config=config, base_model=None)
        subject = EvaluatedCheckpoint(checkpoint, test_set, EvaluateConfig(asking=ChatSettings(max_tokens=100)))
        subject.make_prompts()
        return subject.unaskable()

    lengths = [
        len(prompt.token_ids) for prompt in Renderer(load_tokenizer(student, "x"), sample_task(), "x").prompts(pairs)
    ]
    assert unaskable(None) == unaskable(max(lengths) + 100) == []
    context = sorted(lengths)[len(lengths) // 2] + 100
    found = unaskable(context)
    assert [one.pair_id for one in found] == [
        pair.id for pair, length in zip(pairs, lengths, strict=True) if length + 100 > context
    ]
    assert {(one.raw, one.finish_reason) for one in found} == {(None, NOT_ASKED)}
    longest = next(one for one in found if one.pair_id == pairs[lengths.index(max(lengths))].id)
    assert longest.error == (
        f"the prompt has {max(lengths)} tokens and the answer may have 100, but the model's context is {context}"
    )


def test_the_tasks_own_system_template_is_used_and_its_other_braces_are_text(
    tokenizer: Callable[..., Any], pairs: list[TurnPair]
) -> None:
    task = dataclasses.replace(sample_task(), system_template='Do {task_description} and answer {"like": "this"}.')
    assert system_message(task) == f'Do {task.description} and answer {{"like": "this"}}.'
    assert system_message(task) in Renderer(tokenizer(), task, "me/student").text(pairs[0].prefix)
    with pytest.raises(UsageError, match=r"system_template lacks \{task_description\}"):
        system_message(dataclasses.replace(task, system_template="Do it."))


REFUSING_SYSTEM = PLAIN + "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"


def test_a_template_without_a_system_role_gets_its_text_at_the_head_of_the_first_message(
    tokenizer: Callable[..., Any], pairs: list[TurnPair]
) -> None:
    task = sample_task()
    renderer = fitting_renderer(tokenizer(REFUSING_SYSTEM), task, "me/student", pairs)
    assert renderer.form == Form(tools_in_template=False, system_role=False)
    text = renderer.text(pairs[-1].prefix)
    assert text.startswith(f"[user] {renderer.system}\n\n{pairs[-1].prefix[0].content}")
    assert text.count(system_message(task)) == 1


def test_the_own_template_is_used_as_it_is(tokenizer: Callable[..., Any], pairs: list[TurnPair]) -> None:
    assert fitting_renderer(tokenizer(), sample_task(), "me/student", pairs).form == Form()


def test_a_missing_template_and_one_that_refuses_the_conversation_name_the_model(
    tokenizer: Callable[..., Any], pairs: list[TurnPair]
) -> None:
    with pytest.raises(ModelError, match=r"me/student has no chat template.*chat_template\.jinja"):
        fitting_renderer(tokenizer(None), sample_task(), "me/student", pairs)
    for broken, reason in {
        "{% for %}": "",
        "{{ nothing.at.all }}": "undefined",
        "{{ 1 / 0 }}": "division by zero",
        "{{ raise_exception('one turn only') }}": "one turn only",
    }.items():
        with pytest.raises(ModelError, match=f"chat template of me/student cannot render .*{reason}"):
            fitting_renderer(tokenizer(broken), sample_task(), "me/student", pairs)


def test_a_tokenizer_that_does_not_load_is_refused(student: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"the tokenizer of me/empty does not load: ."):
        load_tokenizer(tmp_path, "me/empty")
    for name in ("config.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((student / name).read_bytes())
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match=r"the tokenizer of me/damaged does not load: ."):
        load_tokenizer(tmp_path, "me/damaged")


def test_a_call_without_arguments_is_rendered(tokenizer: Callable[..., Any]) -> None:
    call = Message(role="assistant", tool_calls=(ToolCall(name="respond_to_user", arguments={}),))
    prefix = (Message(role="user", content="Hello"), call, Message(role="user", content="Again"))
    assert "respond_to_user" in Renderer(tokenizer(), sample_task(), "me/student").text(prefix).rpartition("Hello")[2]
