"""The words of a reply while they are generated, in the notations of chat templates."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from harness.data.records import Message, ToolCall
from harness.data.sample import sample_task
from harness.models.prompts.make_prompts import TokenizerFiles
from harness.models.serving.answers import Notation, StreamedAnswer
from harness.models.serving.rendering import PromptRenderer
from harness.models.serving.serve import PulledModels
from harness.models.serving.words import SAMPLES

WORDS = 'A "table" <b>for\n two</b> & é? 😀 \\ end ' * 4

NOTATIONS = {
    "hermes": '<tool_call>\n{{"name": "respond_to_user", "arguments": {{"message": {json}}}}}\n</tool_call><|im_end|>',
    "qwen3_coder": "<tool_call>\n<function=respond_to_user>\n<parameter=message>\n{text}\n</parameter>\n</function>\n"
    "</tool_call><|im_end|>\n",
    "glm": "<tool_call>respond_to_user\n<arg_key>message</arg_key>\n<arg_value>{text}</arg_value>\n</tool_call>",
    "mistral": '[TOOL_CALLS] [{{"name": "respond_to_user", "arguments": {{"message": {json}}}}}]</s>',
    "mistral13": '[TOOL_CALLS]respond_to_user[ARGS]{{"message": {json}}}</s>',
    "pythonic": "[respond_to_user(message={json})]<|eot_id|>",
}


def _written(notation: str, text: str) -> str:
    return NOTATIONS[notation].format(text=text, json=json.dumps(text, ensure_ascii=False))


@pytest.mark.parametrize("size", [1, 5])
@pytest.mark.parametrize("name", NOTATIONS)
def test_words_come_while_they_are_generated_as_the_template_writes_them(name: str, size: int) -> None:
    """Nothing of the notation is among them, and with the rest at the end they are what the whole answer says."""
    written = (_written(name, SAMPLES[0]), _written(name, SAMPLES[1]))
    notation = Notation.of(None, sample_task().tools, required=False, written=written)
    answer, sent = StreamedAnswer(notation), []
    raw = _written(name, WORDS).removesuffix("\n").removesuffix("<|im_end|>")
    for start in range(0, len(raw), size):
        sent.append(answer.add({"text": raw[start : start + size]}))
    early = "".join(sent)
    read, rest = answer.end()
    assert WORDS.startswith(early)
    assert len(early) > len(WORDS) - 2
    assert len([piece for piece in sent if piece]) > 10
    assert (early + rest, read.problem) == (read.text, None)


def test_a_template_whose_words_do_not_come_back_is_not_followed() -> None:
    notation = Notation.of(None, sample_task().tools, required=False, written=("<say>Qz9003Vx</say>", "<say>Qz</say>"))
    answer = StreamedAnswer(notation)
    assert answer.add({"text": "<say>Hello there, here I am.</say>"}) == ""


def test_calls_of_other_tools_send_nothing_before_their_end() -> None:
    notation = Notation.of(None, sample_task().tools, required=False)
    answer = StreamedAnswer(notation)
    call = '<tool_call>\n{"name": "FindRestaurants", "arguments": {"city": "message"}}\n</tool_call>'
    assert "".join(answer.add({"text": letter}) for letter in call) == ""
    read, rest = answer.end()
    assert (read.call, rest) == (ToolCall(name="FindRestaurants", arguments={"city": "message"}), "")


def test_a_template_shows_how_it_writes_words(pulled: PulledModels, student: Path) -> None:
    """By its own text, behind its own prompt; the student's writes calls as JSON in tags."""
    assert pulled.task
    renderer = PromptRenderer(TokenizerFiles(name="ada/student", folder=student), None)
    try:
        found = asyncio.run(
            renderer.render(pulled.task.served, None, (Message(role="user", content="Hello."),))
        ).written
    finally:
        renderer.close()
    assert found
    assert found[0].startswith("<tool_call>")
    assert json.dumps(SAMPLES[1], ensure_ascii=False) in found[1]
