"""`tft student import`: what is made names its source, is found again, and nothing untrue or unsafe gets that far."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.errors import HarnessError
from harness.hub.client import Hub
from harness.hubd.embedded import running
from harness.stages import student_import
from harness.stages._result import OutputTarget
from harness.stages.student_import import ImportRequest, licence_metadata, run
from support import tft
from support.gguf_files import small_model, write_gguf

HUB = Hub("http://127.0.0.1:9", token=False)
TOKENS = 600


@pytest.fixture(scope="module")
def small(student: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GGUF file that nobody changes."""
    return write_gguf(
        tmp_path_factory.mktemp("gguf") / "small.Q8_0.gguf", small_model("llama", TOKENS), student, encoding="Q8_0"
    )


def made(source: Path, out: Path, **chosen: Any) -> dict[str, Any]:
    return dict(
        run(
            ImportRequest(source=source, place=OutputTarget(repo_id="me/small", push=False, out=out), **chosen), HUB
        ).counts
    )


def card(folder: Path) -> tuple[dict[str, Any], str]:
    _, head, body = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(head), body


def test_card_and_lineage_name_the_file_its_hash_and_its_licence(small: Path, tmp_path: Path) -> None:
    counts = made(small, tmp_path / "out")
    digest = hashlib.sha256(small.read_bytes()).hexdigest()
    lineage = json.loads((tmp_path / "out" / "lineage.json").read_text())
    head, body = card(tmp_path / "out")
    assert (lineage["stage"], lineage["inputs"]) == ("import", [f"small.Q8_0.gguf@sha256:{digest}"])
    assert head["license"] == counts["license"] == "mit"
    assert all(word in body for word in (digest, "small.Q8_0.gguf", counts["dtype"], "Q8_0", "as the source states it"))
    assert not [
        path for path in (tmp_path / "out").iterdir() if str(small.parent) in path.read_bytes().decode("latin-1")
    ]


@pytest.mark.parametrize(
    ("stated", "head"),
    [
        (None, {}),
        ("", {}),
        ("Apache-2.0", {"license": "apache-2.0"}),
        ("llama3.2", {"license": "llama3.2"}),
        ("My own licence", {"license": "other", "license_name": "my-own-licence"}),
        ("x\n---\n# <script>\x1b[2J", {}),
    ],
)
def test_a_licence_is_what_the_source_states_and_never_invented(stated: str | None, head: dict[str, str]) -> None:
    assert licence_metadata(stated) == head


def test_what_a_file_states_breaks_no_card(student: Path, tmp_path: Path) -> None:
    hostile = "x`\n---\n# <script>alert(1)</script>\x1b[2J"

    def change(metadata: dict[str, Any], _: dict[str, Any]) -> None:
        metadata |= {"general.license": hostile, "general.name": hostile, "general.organization": hostile}

    made(write_gguf(tmp_path / "a.gguf", small_model("qwen3", TOKENS), student, change=change), tmp_path / "out")
    found, body = card(tmp_path / "out")
    assert "license" not in found
    assert "\x1b" not in body
    assert [line for line in body.splitlines() if line.startswith("#")] == ["# small"]


def test_a_folder_is_imported_with_the_licence_of_its_card(student: Path, tmp_path: Path) -> None:
    shutil.copytree(student, tmp_path / "model")
    (tmp_path / "model" / "README.md").write_text("---\nlicense: gemma\n---\n\n# Mine\n", encoding="utf-8")
    made(tmp_path / "model", tmp_path / "out")
    assert card(tmp_path / "out")[0]["license"] == "gemma"
    inputs = json.loads((tmp_path / "out" / "lineage.json").read_text())["inputs"]
    assert {one.partition("@")[0] for one in inputs} >= {"config.json", "model.safetensors", "tokenizer.json"}


def _edit(folder: Path, **changed: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changed))


BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "its own code": (lambda folder: _edit(folder, auto_map={"AutoModel": "x.Y"}), "its own code"),
    "quantised": (lambda folder: _edit(folder, quantization_config={"quant_method": "gptq"}), "is quantised"),
    "no language model": (lambda folder: _edit(folder, architectures=["BertModel"]), "not a causal language model"),
    "huge": (lambda folder: _edit(folder, hidden_size=1 << 19), "parameters"),
    "pickles": (lambda folder: (folder / "model.safetensors").rename(folder / "model.bin"), "safetensors"),
    "cut short": (lambda folder: (folder / "model.safetensors").write_bytes(bytes(99)), "not a safetensors file"),
    "no tokenizer": (lambda folder: [one.unlink() for one in folder.glob("tokenizer*")], "tokenizer"),
}


@pytest.mark.parametrize(("damage", "words"), BAD.values(), ids=BAD)
def test_a_folder_that_is_no_safe_model_is_refused(
    damage: Callable[[Path], Any], words: str, student: Path, tmp_path: Path
) -> None:
    shutil.copytree(student, tmp_path / "model")
    damage(tmp_path / "model")
    with pytest.raises(HarnessError, match=words) as caught:
        made(tmp_path / "model", tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_template_that_never_ends_meets_a_limit(
    student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(student_import, "_SECONDS", 8.0)  # a busy machine gets as far as the template in them
    shutil.copytree(student, tmp_path / "model")
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    (tmp_path / "model" / "chat_template.jinja").write_text(endless)
    with pytest.raises(HarnessError, match="the chat template of model took more than"):
        made(tmp_path / "model", tmp_path / "out")


def test_the_commands_push_once_export_again_and_refuse_what_is_cut_short(small: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.gguf").write_bytes(small.read_bytes()[:-1000])
    with running(tmp_path / "hub") as hub:
        client = {
            "HF_ENDPOINT": hub.url,
            "HF_TOKEN": hub.token,
            "HF_HOME": str(tmp_path / "cache"),
            "HOME": str(tmp_path),
        }
        words = ("student", "import", small, "--to", "small", "--json")
        first, second = (json.loads(tft.run(words, environment=client, folder=tmp_path).worked().out) for _ in "ab")
        assert (first["repo"], first["reused"], second["reused"]) == ("local/small", False, True)
        assert first["revision"] == second["revision"]
        cut = tft.run(("student", "import", "cut.gguf", "--to", "small"), environment=client, folder=tmp_path)
        cut.refused("cut.gguf is cut short", "download it again")
        missing = tft.run(("student", "import", "none.gguf", "--to", "small"), environment=client, folder=tmp_path)
        missing.refused("there is no none.gguf")
        export = ("export", "local/small", "--format", "gguf", "--out")
        back = json.loads(
            tft.run((*export, "new/out.gguf", "--json"), environment=client, folder=tmp_path).worked().out
        )
        assert (back["model"], back["dtype"]) == (f"local/small@{first['revision']}", "float32")
        assert (tmp_path / "new" / "out.gguf").stat().st_size == back["bytes"]
        tft.run((*export, "out.bin"), environment=client, folder=tmp_path).refused("out.bin", ".gguf")
        tft.run((*export, "a.gguf", "--limit", "3"), environment=client, folder=tmp_path).refused("--limit")
        assert {one.name for one in (tmp_path / "new").iterdir()} == {"out.gguf"}
