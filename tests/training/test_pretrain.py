"""A start for a student: what it is shown, that it learns from it, and that its card says so."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.cli.__main__ import tft
from harness.data.formats.jsonl import write_jsonl
from harness.data.formats.messages import dump_conversation
from harness.data.records import Conversation, Message, ToolCall
from harness.data.sample import sample_conversations
from harness.models.prompts import load_tokenizer
from harness.training.pretrain import pretrain_examples
from harness.training.small_model import conversation_texts, create_student, prepare_to_learn, sample_texts

CONTEXT = 2048


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("student")
    create_student(folder, texts=sample_texts(), parameters=400_000, vocabulary=1024, context=CONTEXT)
    return load_tokenizer(folder, "student")


def _call(name: str, **arguments: str) -> Message:
    return Message(role="assistant", tool_calls=(ToolCall(name=name, arguments=arguments),))


def _conversation(name: str, *calls: Message) -> Conversation:
    said = [message for call in calls for message in (Message(role="user", content="Please."), call)]
    return Conversation(id=name, messages=tuple(said), source=name)


def test_what_the_agent_says_and_calls_is_learned_and_nothing_else(tokenizer: Any) -> None:
    (conversation,) = sample_conversations(1)
    (example,) = pretrain_examples(tokenizer, [conversation], "student").items
    learned = [tokenizer.decode(example.input_ids[start:end]) for start, end in example.turns]
    calls = [call for message in conversation.messages for call in message.tool_calls]
    assert len(learned) == len(calls)
    for text, call in zip(learned, calls, strict=True):
        assert text.startswith("<tool_call>")
        assert text.endswith("<|im_end|>")
        assert all(value in text for value in (call.name, *call.arguments.values()))


def test_the_tools_on_offer_do_not_tell_which_of_them_will_be_called(tokenizer: Any) -> None:
    """A search without a booking is shown the tool to book with; tools of another service are not shown."""
    reply, find = _call("say", text="Hello."), _call("FindBus", to="Albany")
    conversations = [
        _conversation("search", reply, find),
        _conversation("booking", reply, find, _call("BuyTicket", seats="2")),
        _conversation("other", reply, _call("PlaySong", song="Blue")),
    ]
    examples = {one.source: one for one in pretrain_examples(tokenizer, conversations, "student").items}
    prompts = {name: tokenizer.decode(one.input_ids).partition("Please.")[0] for name, one in examples.items()}
    assert prompts["search"] == prompts["booking"]
    assert all(f'"name": "{name}"' in prompts["search"] for name in ("say", "FindBus", "BuyTicket"))
    assert all(f'"{key}": {{"type": "string"}}' in prompts["search"] for key in ("text", "to", "seats"))
    assert "PlaySong" not in prompts["search"]
    assert "BuyTicket" not in prompts["other"]


def test_conversations_longer_than_the_context_are_left_out_and_counted(tokenizer: Any) -> None:
    short, long = sample_conversations(2)
    long = replace(long, messages=(Message(role="user", content="word " * CONTEXT), *long.messages))
    examples = pretrain_examples(tokenizer, [short, long], "student")
    assert [example.source for example in examples.items] == [short.id]
    assert examples.skipped == {"conversations longer than the context": 1}


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a student that started on sixteen simulated conversations, and their file beside it."""
    folder = tmp_path_factory.mktemp("started")
    write_jsonl(folder / "talks.jsonl", map(dump_conversation, sample_conversations(16)))
    arguments = [
        *("student", "create", "me/started", "--no-push", "--out", str(folder / "out"), "--hub", "http://127.0.0.1:9"),
        *("--params", "300K", "--vocabulary", "600"),
        *("--pretrain", str(folder / "talks.jsonl"), "--pretrain-epochs", "3", "--json"),
    ]
    result = CliRunner().invoke(tft, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["training"] == "pretrained on 16 conversations"
    return folder


@pytest.mark.slow
def test_a_started_student_expects_a_dialogue_more_than_a_random_one(started: Path, tmp_path: Path) -> None:
    """The loss on conversations that it was not shown falls by more than half a nat a token."""
    import torch
    from transformers import AutoModelForCausalLM

    texts = conversation_texts(sample_conversations(16))
    create_student(tmp_path, texts=texts, parameters=300_000, vocabulary=600)
    prepare_to_learn(tmp_path, seed=0)
    losses = []
    for folder in (tmp_path, started / "out"):
        tokenizer = load_tokenizer(folder, "student")
        unseen = pretrain_examples(tokenizer, sample_conversations(20)[16:], "student").items
        model = AutoModelForCausalLM.from_pretrained(folder).eval()
        with torch.no_grad():
            batches = [torch.tensor([one.input_ids]) for one in unseen]
            losses.append(sum(model(input_ids=ids, labels=ids).loss.item() for ids in batches) / len(batches))
    assert losses[1] < losses[0] - 0.5


@pytest.mark.slow
def test_the_card_and_the_lineage_name_what_it_was_started_on(started: Path) -> None:
    digest = hashlib.sha256((started / "talks.jsonl").read_bytes()).hexdigest()
    card = (started / "out" / "README.md").read_text()
    lineage = json.loads((started / "out" / "lineage.json").read_text())
    assert lineage["inputs"] == [f"talks.jsonl@sha256:{digest}"]
    assert lineage["config"]["pretrain"]["method"] == "full"
    assert f"`talks.jsonl@sha256:{digest}`" in card
    assert "| conversations | 16 |" in card
    assert "random-weights" not in card
