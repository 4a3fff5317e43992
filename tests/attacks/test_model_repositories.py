"""A model's repository is its owner's: whatever its files hold, an evaluation ends soon, and with one sentence.

None of these comes to the start of an engine. The chat templates have the word `strftime_now`, because of which they
are rendered before it in every version.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="needs vLLM installed, starts none")

TFT = Path(sys.executable).with_name("tft")
SECONDS = 60
"""Far more than a refusal takes, on a busy machine too; what hangs, hangs for longer."""
ADDRESS_SPACE = 8 << 20  # KiB
ROW = {
    "id": "c0",
    "messages": [
        {"role": "user", "content": "Please help me here."},
        {"role": "assistant", "tool_calls": [{"function": {"name": "book", "arguments": "{}"}}]},
    ],
}
JOB = {"task_description": "Book.", "tools": [{"name": "book"}]}
CONFIG = json.dumps({"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3"})
CHATML = "{# strftime_now #}{% for m in messages %}{{ m.role }} {{ m.content }}\n{% endfor %}"
LOOPS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
TOKENIZER: dict[str, Any] = {
    "version": "1.0",
    "added_tokens": [],
    "normalizer": None,
    "pre_tokenizer": {"type": "Whitespace"},
    "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "e": 1}, "unk_token": "[UNK]"},
}
GROWING = {
    "type": "Sequence",
    "normalizers": [{"type": "Replace", "pattern": {"String": "e"}, "content": "e" * 10}] * 8,
}


def commit(hub: Any, name: str, files: dict[str, bytes], kind: str = "model") -> str:
    """Make a public repository of mallory's with these files."""
    client = hub.client("mallory")
    client.post("/api/repos/create", json={"name": name, "type": kind}).raise_for_status()
    lines: list[dict[str, Any]] = [{"key": "header", "value": {"summary": "Files"}}]
    for path, body in files.items():
        value = {"path": path, "encoding": "base64", "content": base64.b64encode(body).decode()}
        lines.append({"key": "file", "value": value})
    client.post(
        f"/api/{kind}s/mallory/{name}/commit/main",
        content="\n".join(map(json.dumps, lines)),
        headers={"Content-Type": "application/x-ndjson"},
    ).raise_for_status()
    return f"mallory/{name}"


@pytest.fixture(scope="module")
def test_set(hub: Any) -> str:
    rows = {"data/conversations/test.jsonl": json.dumps(ROW).encode(), "job_description.json": json.dumps(JOB).encode()}
    return commit(hub, "testset", rows, kind="dataset")


def weights() -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(4)


def refusal(hub: Any, words: str | list[str], folder: Path, name: str, seconds: str = "1", **files: str) -> str:
    """Evaluate a model with these files beside harmless ones, and return the one sentence in which it is refused.

    `words` are the test set, or those of another command that the model's name follows.
    """
    usual = {
        "config.json": CONFIG,
        "tokenizer.json": json.dumps(TOKENIZER),
        "tokenizer_config.json": json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}),
        "chat_template.jinja": CHATML,
    }
    bodies = {path.replace("__", "."): text.encode() for path, text in files.items()}
    model = commit(
        hub, name, {path: text.encode() for path, text in usual.items()} | {"model.safetensors": weights()} | bodies
    )
    start = ["evaluate", "--dataset", words] if isinstance(words, str) else words
    command = [str(TFT), *start, model, "--no-push", "--out", "run"]
    own = {
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": "",
        "HF_HOME": str(folder / "home"),
        "TFT_MODEL_MEMORY": "0.5",
        "TFT_MODEL_SECONDS": seconds,
    }
    done = subprocess.run(
        ["sh", "-c", f'ulimit -v {ADDRESS_SPACE}; exec "$@"', "sh", *command],
        env=os.environ | own,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr[-600:]
    errors = [line for line in done.stderr.splitlines() if line.lower().startswith("error: ")]
    assert (done.returncode, len(errors)) == (2, 1), (done.returncode, done.stderr[-600:])
    return errors[0]


def test_a_chat_template_that_never_ends(hub: Any, test_set: str, tmp_path: Path) -> None:
    said = refusal(hub, test_set, tmp_path, "endless", seconds="4", chat_template__jinja=LOOPS + CHATML)
    assert "the chat template of mallory/endless took more than" in said
    assert "seconds" in said


def test_a_tokenizer_that_takes_all_memory(hub: Any, test_set: str, tmp_path: Path) -> None:
    growing = json.dumps(TOKENIZER | {"normalizer": GROWING})
    said = refusal(hub, test_set, tmp_path, "growing", seconds="30", tokenizer__json=growing)
    assert "the tokenizer of mallory/growing took more than 0.5 GiB of memory" in said


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("config.json", '{"a": ' * 5000 + "1" + "}" * 5000),
        ("config.json", json.dumps({"architectures": 5})),
        ("README.md", "---\nbase_model: !mine maybe\n---\n"),
        ("tokenizer_config.json", "[]"),
    ],
    ids=["deep", "number", "tag", "list"],
)
def test_a_file_of_another_kind(file: str, text: str, hub: Any, test_set: str, tmp_path: Path) -> None:
    # The card is its owner's, and no reason to refuse: what is refused then is the configuration that comes with it.
    further = {"tokenizer_config__json": "{"} if file == "README.md" else {}
    name = f"kind-{abs(hash((file, text[:40])))}"
    said = refusal(hub, test_set, tmp_path, name, **{file.replace(".", "__"): text}, **further)
    assert f"mallory/{name}" in said


def test_a_chat_template_that_never_ends_in_training(hub: Any, test_set: str, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps(ROW))
    (tmp_path / "task.json").write_text(json.dumps(JOB))
    words = ["train", "rows.jsonl", "--task", "task.json", "--to", "mallory/x", "--student"]
    said = refusal(hub, words, tmp_path, "student", chat_template__jinja=LOOPS + CHATML)
    assert "the chat template of mallory/student took more than" in said
