"""The small student: one seed, one set of files; a lossless tokenizer; a template that never takes back a turn."""

from __future__ import annotations

import hashlib
import json
import math
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.formats.messages import template_message
from harness.data.sample import sample_conversations, sample_task
from harness.errors import DataError, UsageError
from harness.training.small_model import (
    StudentSummary,
    _choose_shape,
    _file_texts,
    create_student,
    prepare_to_learn,
    sample_texts,
)

THINKING = pytest.mark.parametrize("thinking", [False, True])


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StudentSummary]:
    folder = tmp_path_factory.mktemp("student")
    return folder, create_student(folder, texts=sample_texts())


@pytest.fixture(scope="module")
def tokenizer(student: tuple[Path, StudentSummary]) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(student[0])


def _hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_the_same_seed_makes_the_same_files(student: tuple[Path, StudentSummary], tmp_path: Path) -> None:
    again = create_student(tmp_path, texts=sample_texts())
    assert again == student[1]
    assert _hashes(tmp_path) == _hashes(student[0])


def test_another_seed_makes_other_weights_and_the_same_tokenizer(tmp_path: Path) -> None:
    for seed in (0, 1):
        create_student(tmp_path / str(seed), texts=["some text"], parameters=300_000, seed=seed)
    zero, one = _hashes(tmp_path / "0"), _hashes(tmp_path / "1")
    assert {name for name in zero if zero[name] != one[name]} == {"model.safetensors"}


def test_making_a_student_leaves_the_random_state_alone(tmp_path: Path) -> None:
    import torch

    before = torch.random.get_rng_state()
    create_student(tmp_path, texts=["some text"], parameters=300_000)
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_student_that_is_to_learn_expects_no_token_more_than_another(tmp_path: Path) -> None:
    """Its loss starts at the logarithm of the vocabulary's size, where training from nothing should start."""
    import torch
    from transformers import AutoModelForCausalLM

    summary = create_student(tmp_path, texts=sample_texts(), parameters=400_000, vocabulary=1024)
    prepare_to_learn(tmp_path, seed=0)
    model = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    ids = torch.randint(summary.vocabulary, (1, 256), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        loss = model(input_ids=ids, labels=ids).loss.item()
    assert loss == pytest.approx(math.log(summary.vocabulary), rel=0.02)


@pytest.mark.parametrize("wanted", [1_000_000, 4_000_000, 20_000_000, 100_000_000, 600_000_000])
@pytest.mark.parametrize("vocabulary", [1500, 4096])
def test_the_size_is_within_a_quarter_of_the_wanted_one(wanted: int, vocabulary: int) -> None:
    assert abs(_choose_shape(wanted, vocabulary).parameters(vocabulary) / wanted - 1) <= 0.25


def test_a_size_that_no_shape_has_is_refused_with_the_possible_ones() -> None:
    with pytest.raises(UsageError, match="ask for"):
        _choose_shape(1000, 4096)


def test_a_vocabulary_without_room_for_all_bytes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot hold all bytes"):
        create_student(tmp_path, texts=["a"], vocabulary=100)


def test_the_auto_classes_load_it(student: tuple[Path, StudentSummary], tokenizer: Any) -> None:
    from transformers import AutoModelForCausalLM

    folder, summary = student
    model = AutoModelForCausalLM.from_pretrained(folder)
    shape = _choose_shape(4_000_000, summary.vocabulary)
    assert model.config.model_type == "qwen3"
    assert model.num_parameters() == summary.parameters == shape.parameters(summary.vocabulary)
    assert model.config.vocab_size == len(tokenizer) == summary.vocabulary
    assert tokenizer.eos_token == "<|im_end|>"
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert tokenizer.model_max_length == summary.context


def test_marks_are_single_tokens_and_those_of_calls_survive_decoding(tokenizer: Any) -> None:
    marks = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<tool_call>", "</tool_call>", "<think>", "</think>"]
    assert all(len(tokenizer(mark)["input_ids"]) == 1 for mark in marks)
    ids = tokenizer("<think>\n</think><tool_call>x</tool_call><|im_end|>")["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "<think>\n</think><tool_call>x</tool_call>"


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_decodes_to_itself(tokenizer: Any, text: str) -> None:
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def _conversation(position: int) -> list[dict[str, Any]]:
    said = [template_message(message) for message in sample_conversations(8)[position].messages]
    return [{"role": "system", "content": sample_task().description}, *said]


def _render(tokenizer: Any, messages: list[dict[str, Any]], *, thinking: bool, prompt: bool = False) -> str:
    text: str = tokenizer.apply_chat_template(
        messages,
        tools=list(sample_task().tools),
        tokenize=False,
        add_generation_prompt=prompt,
        enable_thinking=thinking,
    )
    return text


@THINKING
def test_a_conversation_is_a_prefix_of_every_longer_one(tokenizer: Any, thinking: bool) -> None:
    for position in range(8):
        messages = _conversation(position)
        texts = [_render(tokenizer, messages[:end], thinking=thinking) for end in range(1, len(messages) + 1)]
        assert all(longer.startswith(shorter) for shorter, longer in pairwise(texts))


@THINKING
def test_every_answer_follows_the_prompt_that_asked_for_it_token_by_token(tokenizer: Any, thinking: bool) -> None:
    for position in range(8):
        messages = _conversation(position)
        whole = tokenizer(_render(tokenizer, messages, thinking=thinking))["input_ids"]
        for end, message in enumerate(messages):
            if message["role"] == "assistant":
                prompt = tokenizer(_render(tokenizer, messages[:end], thinking=thinking, prompt=True))["input_ids"]
                assert whole[: len(prompt)] == prompt


def test_thoughts_and_tool_messages_never_change_a_past_turn(tokenizer: Any) -> None:
    call = {"type": "function", "function": {"name": "FindRestaurants", "arguments": {"city": "Ö", "cuisine": "Soup"}}}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "Soup?"},
        {"role": "assistant", "content": "", "reasoning_content": "I search.", "tool_calls": [call, call]},
        {"role": "tool", "content": "[]"},
        {"role": "tool", "content": "[1]"},
        {"role": "assistant", "content": "Nothing there."},
        {"role": "user", "content": "A pity."},
    ]
    texts = [_render(tokenizer, messages[:end], thinking=True) for end in range(1, len(messages) + 1)]
    assert all(longer.startswith(shorter) for shorter, longer in pairwise(texts))
    assert "<think>\nI search.\n</think>" in texts[-1]
    assert texts[-1].count('{"name": "FindRestaurants", "arguments": {"city": "Ö", "cuisine": "Soup"}}') == 2
    assert texts[-1].count("<tool_response>") == 2


def test_the_marked_tokens_are_the_calls_and_the_ends_of_their_turns(tokenizer: Any) -> None:
    messages = _conversation(1)
    encoded = tokenizer.apply_chat_template(
        messages,
        tools=list(sample_task().tools),
        return_dict=True,
        return_assistant_tokens_mask=True,
        enable_thinking=False,
    )
    marked = [token for token, mask in zip(encoded["input_ids"], encoded["assistant_masks"], strict=True) if mask]
    text = tokenizer.decode(marked)
    calls = sum(message["role"] == "assistant" for message in messages)
    assert text.count("</tool_call><|im_end|>") == calls
    assert "".join(f"{turn}<|im_end|>" for turn in text.split("<|im_end|>") if turn) == text
    assert all(turn.startswith("<tool_call>\n{") for turn in text.split("<|im_end|>") if turn)


def test_greedy_answers_do_not_depend_on_the_batch(student: tuple[Path, StudentSummary], tokenizer: Any) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(student[0])
    prompts = [_render(tokenizer, _conversation(p)[:2], thinking=False, prompt=True) for p in range(4)]
    tokenizer.padding_side = "left"

    def answers(texts: list[str]) -> list[str]:
        batch = tokenizer(texts, return_tensors="pt", padding=True)
        ids = model.generate(**batch, max_new_tokens=16)[:, batch["input_ids"].shape[1] :]
        decoded: list[str] = tokenizer.batch_decode(ids)
        return decoded

    together = answers(prompts)
    assert together == [answers([prompt])[0] for prompt in prompts]
    assert len(set(together)) > 1, "the prompt should matter"


def test_json_lines_give_their_strings_and_other_files_their_lines(tmp_path: Path) -> None:
    rows, lines = tmp_path / "rows.jsonl", tmp_path / "lines.txt"
    rows.write_text('{"a": "one", "b": [{"c": "two"}, 3, null]}\n')
    lines.write_text("one\ntwo\n")
    assert list(_file_texts(rows)) == ["one", "two"]
    assert list(_file_texts(lines)) == ["one\n", "two\n"]
    lines.write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="not UTF-8"):
        list(_file_texts(lines))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--no-push"], "give --out DIR"),
        (["--no-push", "--out", "student", "--params", "many"], "write one like 4M"),
        (["--no-push", "--out", "student", "--texts", "nowhere.txt"], "neither a file nor a dataset"),
        (["--no-push", "--out", "student", "--pretrain", "nowhere.jsonl"], "neither a file nor a dataset"),
        (["--no-push", "--out", "student", "--pretrain", "x", "--pretrain-epochs", "0"], "--pretrain-epochs"),
        (["--no-push", "--out", "student", "--pretrain", "x", "--learnable"], "leave out --learnable"),
    ],
)
def test_what_cannot_be_made_is_refused_with_a_sentence(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from harness.cli.__main__ import main; main()",
        "student",
        "create",
        "name",
        *arguments,
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def _run(code: str, *arguments: str, **environment: str) -> str:
    command = [sys.executable, "-W", "ignore", "-c", code, *arguments]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_student_that_is_to_learn_is_another_artifact_and_its_card_says_so(tmp_path: Path) -> None:
    tft = [sys.executable, "-W", "ignore", "-m", "harness.cli", "student", "create", "tiny", "--no-push"]
    shape = ["--params", "600K", "--vocabulary", "300"]
    for name, words in (("stable", []), ("learnable", ["--learnable"])):
        subprocess.run([*tft, *shape, *words, "--out", str(tmp_path / name)], check=True, capture_output=True)
    stable, learnable = tmp_path / "stable", tmp_path / "learnable"
    different = {name for name, value in _hashes(stable).items() if _hashes(learnable)[name] != value}
    assert different == {"README.md", "lineage.json", "model.safetensors"}
    prepare_to_learn(stable, seed=0)
    assert _hashes(stable)["model.safetensors"] == _hashes(learnable)["model.safetensors"]
    assert "to be trained" in (learnable / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_pushed_student_is_loaded_by_its_name_and_learns_its_tokens_from_a_dataset(tmp_path: Path) -> None:
    from harness.hubd.embedded import running

    tft = "from harness.cli.__main__ import main; main()"
    push = (
        "import sys, pathlib; from harness.hub.client import Hub\n"
        "from harness.hub.publishing import push_folder\n"
        "from harness.data.sample import sample_conversations\n"
        "from harness.data.tasks import write_test_set\n"
        "folder = pathlib.Path(sys.argv[1]); write_test_set(folder, sample_conversations(8), task=b'{}')\n"
        "push_folder(Hub.connect(), 'dataset', 'local/texts', folder, message='texts')"
    )
    load = (
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
        "model = AutoModelForCausalLM.from_pretrained('local/tiny')\n"
        "tokenizer = AutoTokenizer.from_pretrained('local/tiny')\n"
        "print(model.num_parameters(), len(tokenizer), bool(tokenizer.chat_template))"
    )
    with running(tmp_path / "hub") as hub:
        client = {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "HF_HOME": str(tmp_path / "cache")}
        _run(push, str(tmp_path / "texts"), **client)
        made = _run(tft, "student", "create", "tiny", "--params", "1M", "--texts", "local/texts", "--json", **client)
        report = json.loads(made)
        parameters, vocabulary, template = _run(load, **client).split()
    assert report["repo"] == "local/tiny"
    assert report["parameters"] == int(parameters)
    assert int(vocabulary) > 256
    assert template == "True"
