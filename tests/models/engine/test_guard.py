"""What runs on the files of a model's repository meets limits, and leaves one sentence and no process behind."""

from __future__ import annotations

import asyncio
import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataError, ModelError, UsageError
from harness.models.engine.environment import FURTHER, limit, without_secrets
from harness.models.engine.guard import MEMORY, SECONDS, Guard
from harness.models.engine.model_files import check_files, read_head, read_object
from harness.models.engine.process import MemoryWatch

# Functions of modules that the child can import: those of this file it cannot.
SPIN = "x = 0\nwhile True: x += 1"
GROW = "a = bytearray()\nwhile True: a += bytes(1 << 20)"
ABORT = "import os; os.abort()"
RAISE = "raise KeyError('a\\nb')"
OURS = "from harness.errors import DataError; raise DataError('row 3')"


@pytest.fixture
def guard(monkeypatch: pytest.MonkeyPatch) -> Iterator[Guard]:
    monkeypatch.setenv(SECONDS, "1")
    monkeypatch.setenv(MEMORY, "0.25")
    with Guard("me/model") as made:
        yield made


def test_it_answers_again_and_again_and_raises_what_is_raised(guard: Guard) -> None:
    assert guard.call(eval, "[1, 'ä\\ud800', None]") == [1, "ä\ud800", None]
    with pytest.raises(ModelError, match=r"of me/model cannot be used \(KeyError: 'a\\nb'\)"):
        guard.call(exec, RAISE)
    with pytest.raises(DataError, match=r"^row 3$"):
        guard.call(exec, OURS)
    with pytest.raises(ModelError, match="not JSON serializable"):
        guard.call(eval, "{1}")
    assert guard.call(eval, "print('noise') or 7") == 7


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (SPIN, f"took more than 1 seconds; .* {SECONDS}"),
        ("sum(range(10**12))", f"took more than 1 seconds; .* {SECONDS}"),
        (GROW, f"took more than 0.25 GiB of memory; .* {MEMORY}"),
        (ABORT, f"took more than 0.25 GiB of memory; .* {MEMORY}"),
        ("import os; os._exit(3)", "ended the process that read it"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended the process that read it"),
    ],
)
def test_a_limit_is_one_sentence_and_the_next_call_works(code: str, said: str, guard: Guard) -> None:
    with pytest.raises(ModelError, match=f"^the repository of me/model {said}"):
        guard.call(exec, code)
    assert guard.call(eval, "1 + 1") == 2


def test_what_sleeps_meets_a_deadline(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.models.engine.guard._WAIT", 0.5)
    with pytest.raises(ModelError, match="took more than 1 seconds"):
        guard.call(time.sleep, 60)


def test_an_answer_without_end_is_not_taken(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.models.engine.guard._REPLY", 1 << 20)
    with pytest.raises(ModelError, match="leads to more than 1,048,576 bytes"):
        guard.call(eval, "'a' * (8 << 20)")


def test_on_an_event_loop_it_does_the_same_and_others_go_on(guard: Guard) -> None:
    async def calls() -> None:
        assert len(await guard.call_async(eval, "'a' * (1 << 20)")) == 1 << 20
        assert await guard.call_async(len, "a" * (1 << 20)) == 1 << 20
        ticks, waiting = 0, asyncio.ensure_future(guard.call_async(exec, SPIN))
        while not waiting.done():
            await asyncio.sleep(0.01)
            ticks += 1
        assert ticks > 10
        with pytest.raises(ModelError, match=r"^the repository of me/model took more than 1 seconds"):
            await waiting
        with pytest.raises(ModelError, match=r"took more than 0.25 GiB of memory"):
            await guard.call_async(exec, GROW)
        with pytest.raises(ModelError, match="ended the process that read it"):
            await guard.call_async(exec, "import os; os._exit(3)")
        with pytest.raises(DataError, match=r"^row 3$"):
            await guard.call_async(exec, OURS)
        assert await asyncio.gather(*(guard.call_async(eval, f"{number}") for number in range(5))) == [*range(5)]

    asyncio.run(calls())


def test_a_call_that_is_cancelled_leaves_no_answer_to_the_next(guard: Guard) -> None:
    async def calls() -> None:
        assert await guard.call_async(eval, "1") == 1
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(guard.call_async(eval, "__import__('time').sleep(0.2) or 'old'"), 0.05)
        assert await guard.call_async(eval, "'new'") == "new"

    asyncio.run(calls())


def test_the_child_ends_with_its_parent_whatever_it_does() -> None:
    code = (
        "import os; from harness.models.engine.guard import Guard; guard = Guard('x')\n"
        "print(guard.call(os.getpid), flush=True)\n"
        "guard.call(exec, 'while True: pass')"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.kill()
    until = time.monotonic() + 30
    while Path(f"/proc/{child}").exists() and time.monotonic() < until:
        time.sleep(0.1)
    assert not Path(f"/proc/{child}").exists()


def test_the_environment_of_a_models_files_has_no_secrets(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_TOKEN", "OPENAI_API_KEY", "GH_TOKEN", "ACTIONS_RUNTIME_TOKEN", "VLLM_API_KEY", "http_proxy", "MY"):
        monkeypatch.setenv(name, f"value-of-{name}")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    seen = guard.call(eval, "dict(__import__('os').environ)")
    assert "value-of" not in json.dumps(seen)
    assert seen["PATH"] == os.environ["PATH"]
    assert (seen["OMP_NUM_THREADS"], seen["VLLM_CPU_KVCACHE_SPACE"], seen["HF_HUB_OFFLINE"]) == ("2", "1", "1")
    monkeypatch.setenv(FURTHER, "MY, OTHER")
    assert without_secrets()["MY"] == "value-of-MY"


def test_a_limit_of_the_environment_that_is_no_number_is_refused() -> None:
    assert limit("A", 2.0, {}) == 2.0
    assert limit("A", 2.0, {"A": "8.5"}) == 8.5
    for text in ("x", "0", "-1", "inf", "nan"):
        with pytest.raises(UsageError, match="the variable A is"):
            limit("A", 2.0, {"A": text})


def test_a_group_that_takes_too_much_memory_is_ended() -> None:
    code = "import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', sys.argv[1]])\ntime.sleep(60)"
    grow = "a = b'x' * (200 << 20)\nimport time\ntime.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, grow], start_new_session=True) as process:
        watch = MemoryWatch(process.pid, 100 << 20)
        with watch.watching():
            assert process.wait(30) == -9
        assert watch.exceeded


def write(folder: Path, **files: Any) -> Path:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    for name, content in {"config": {"architectures": ["AForCausalLM"]}, **files}.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / f"{name.replace('__', '.')}.json").write_text(text)
    return folder


def test_files_as_they_should_be_are_taken(tmp_path: Path) -> None:
    write(
        tmp_path,
        config={"hidden_size": 1, "vocab_size": 8, "text_config": {"num_hidden_layers": 1}, "time_limit": [0, 1e999]},
        generation_config={"eos_token_id": [1, 2], "temperature": 0.7},
        model__safetensors__index={"weight_map": {"w": "model.safetensors"}},
    )
    assert read_head(tmp_path, "me/model")["config"]["vocab_size"] == 8
    assert check_files(tmp_path, "me/model")["tensors"] == 1


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"config": '{"a": ' * 5000 + "1" + "}" * 5000}, "nested too deep|nested deeper"),
        ({"config": '{"a": ' * 200 + "1" + "}" * 200}, "nested deeper than 32"),
        ({"config": {"vocab_size": 10**12}}, "has 1000000000000 as vocab_size"),
        ({"config": {"hidden_size": 0}}, "has 0 as hidden_size"),
        ({"config": {"text_config": {"num_hidden_layers": 10**9}}}, "as num_hidden_layers"),
        ({"config": {"max_position_embeddings": 10**15}}, "as max_position_embeddings"),
        ({"config": {"num_attention_heads": "many"}}, "has 'many' as num_attention_heads"),
        ({"config": {"head_dim": True}}, "has True as head_dim"),
        ({"config": {"intermediate_size": [4, -1]}}, "has -1 as intermediate_size"),
        ({"config": '{"rope_theta": NaN}'}, "no number as rope_theta"),
        ({"config": '{"a": ' + "1" * 5000 + "}"}, "config.json of me/model cannot be read"),
        ({"config": {"vocab_size": 1 << 20, "hidden_size": 1 << 12}}, "describes at least 4,294,967,296 parameters"),
        ({"config": "null"}, "not a JSON object"),
        ({"tokenizer_config": "[]"}, "tokenizer_config.json of me/model is not a JSON object"),
        ({"tokenizer": "null"}, "tokenizer.json of me/model is not a JSON object"),
        ({"generation_config": {"eos_token_id": list(range(10**5))}}, "eos_token_id"),
        ({"generation_config": {"eos_token_id": "end"}}, "eos_token_id"),
        ({"generation_config": '{"temperature": NaN}'}, "has nan as temperature"),
        ({"model__safetensors__index": {"weight_map": {"w": "../x.safetensors"}}}, "names ../x.safetensors"),
        ({"model__safetensors__index": {"weight_map": {"w": "none.safetensors"}}}, "names none.safetensors"),
        ({"model__safetensors__index": {"weight_map": 3}}, "names no weight_map"),
        ({"config": json.dumps({"a": "b" * (9 << 20)})}, "bytes, and no more than"),
    ],
)
def test_files_that_nobody_should_load_are_refused_in_one_sentence(
    files: dict[str, Any], said: str, tmp_path: Path
) -> None:
    def check() -> None:
        read_head(tmp_path, "me/model")
        check_files(tmp_path, "me/model")

    write(tmp_path, **files)
    with pytest.raises(ModelError, match=said) as caught:
        check()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_weights_with_an_absurd_header_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    for head in (struct.pack("<Q", 10**12), b"", struct.pack("<Q", 2) + b"[]", struct.pack("<Q", 5000) + b"[" * 5000):
        (tmp_path / "model.safetensors").write_bytes(head)
        with pytest.raises(ModelError, match=r"the model\.safetensors of me/model is not a safetensors file"):
            check_files(tmp_path, "me/model")


def test_a_tokenizer_of_any_size_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "tokenizer.json").open("wb") as file:
        file.truncate(200 << 20)
    with pytest.raises(ModelError, match=r"tokenizer\.json of me/model has 209,715,200 bytes"):
        read_object(tmp_path, "tokenizer.json", "me/model")
