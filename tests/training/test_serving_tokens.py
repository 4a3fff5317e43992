"""vLLM's own chat endpoint builds, from the template that is shipped, the very prompts that training saw."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import date
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from harness.data.formats.messages import dump_message
from harness.data.formats.published import read_test_conversations
from harness.data.formats.task import read_task
from harness.data.records import Conversation, Task
from harness.data.sample import sample_conversations
from harness.hub.artifact import Artifact
from harness.models.engine.checkpoint import Checkpoint
from harness.models.engine.server import EngineOptions, serving
from harness.models.prompts import Calendar, load_tokenizer, system_message
from harness.training.rendering import TrainingRendering, choose_rendering
from harness.training.small_model import create_student, sample_texts

pytestmark = pytest.mark.slow


def own_and_variant(folder: Path, task: Task, conversations: list[Conversation]) -> TrainingRendering:
    """Give the model Qwen3's template with today's date, and ship with it what training chooses and the day it says."""
    import trl

    tokenizer = load_tokenizer(folder, "me/student")
    tokenizer.chat_template = (Path(trl.__file__).parent / "chat_templates" / "qwen3.jinja").read_text("utf-8")
    rendering = choose_rendering(tokenizer, task, "me/student", conversations)
    assert rendering.source == "trl:qwen3_training.jinja"
    tokenizer.chat_template = "{{ strftime_now('%A, %-d %B %Y') }}\n" + rendering.template
    rendering = choose_rendering(tokenizer, task, "me/student", conversations, calendar=Calendar(date(2024, 2, 29)))
    assert rendering.day == date(2024, 2, 29)
    assert rendering.tokenizer.decode(rendering.turns(conversations[0].messages)[0].prompt).startswith(
        "Thursday, 29 Feb"
    )
    rendering.tokenizer.save_pretrained(folder)
    return rendering


def ask(connection: HTTPConnection, body: dict[str, Any]) -> list[int]:
    connection.request("POST", "/tokenize", json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = json.loads(response.read())
    assert response.status == 200, answer
    tokens: list[int] = answer["tokens"]
    return tokens


def test_the_chat_endpoint_builds_the_prompts_of_every_turn_of_fifty_conversations(
    sources: Path, tmp_path: Path
) -> None:
    """With thinking switched off in the request; every tenth without a word about it, because off is the default."""
    pytest.importorskip("vllm")
    folder = sources / "tft-benchmark"
    task = read_task(folder / "job_description.json")
    conversations = [*read_test_conversations(folder / "test.jsonl"), *sample_conversations(16)]
    said = (call.arguments.get("message", "") for one in conversations for m in one.messages for call in m.tool_calls)
    texts = [task.description, json.dumps(task.tools), *map(str, said), *sample_texts()]
    create_student(tmp_path, texts=texts, parameters=1_000_000, vocabulary=4096)  # few tokens: the test is shorter
    rendering = own_and_variant(tmp_path, task, conversations)
    checkpoint = Checkpoint(
        artifact=Artifact(kind="model", repo_id="me/student", revision="0" * 40),
        folder=tmp_path,
        config=json.loads((tmp_path / "config.json").read_text()),
        base_model=None,
    )
    turns = 0
    with serving(checkpoint, EngineOptions(), tmp_path / "engine.log") as server:
        server.wait_until_ready()
        for conversation in conversations:
            [piece] = rendering.pieces(conversation.messages)
            ids, spans = piece.ids, piece.spans
            messages = [{"role": "system", "content": system_message(task)}]
            prompts = []
            for message in conversation.messages:
                if message.role == "assistant":
                    prompts.append(list(messages))
                messages.append({key: value for key, value in dump_message(message).items() if value is not None})
            # A connection for each conversation: the server closes one that rests for five seconds, as rendering may.
            with closing(HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
                for prefix, (start, _) in zip(prompts, spans, strict=True):
                    body: dict[str, Any] = {"model": "model", "messages": prefix, "tools": list(task.tools)}
                    if turns % 10:
                        body["chat_template_kwargs"] = {"enable_thinking": False}
                    assert ask(connection, body) == list(ids[:start])
                    turns += 1
    assert turns > 500
