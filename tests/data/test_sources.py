"""The source files: fetched whole or not at all, and never read when they are not the pinned ones."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.__main__ import tft
from harness.data.sources import Declaration, SourceFile, cache_folder, declared, fetch, locate
from harness.errors import SourceError, UsageError
from support.http_server import Handler, serving

CONTENT = {"sgd/train/a.json": b"0123456789" * 50_000, "tft-benchmark/test.jsonl": b'{"row": 1}\n'}


@dataclass
class Mirror:
    """A real HTTP server that can break off, ignore ranges, or serve something else."""

    url: str = ""
    break_after: list[int] = field(default_factory=list)
    """Bytes after which the next answers stop."""
    ranges: bool = True
    damaged: bool = False
    requests: list[tuple[str, str | None]] = field(default_factory=list)


def _handler(mirror: Mirror) -> type[Handler]:
    class Files(Handler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/owner/repo/c0ffee/")
            span = self.headers.get("Range")
            mirror.requests.append((name, span))
            body = CONTENT.get(name)
            if body is None:
                self.send_error(404)
                return
            if mirror.damaged:
                body = b"X" + body[1:]
            start = int(span.removeprefix("bytes=").rstrip("-")) if span and mirror.ranges else 0
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            stop = mirror.break_after.pop(0) if mirror.break_after else len(body)
            self.wfile.write(body[start : start + stop])

    return Files


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    state = Mirror()
    with serving(_handler(state)) as server:
        state.url = server.url
        yield state


def _declaration(mirror: Mirror) -> Declaration:
    files = {
        path: SourceFile(
            path=path,
            repository="owner/repo@c0ffee",
            url_path=f"owner/repo/c0ffee/{path}",
            size=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
        )
        for path, body in CONTENT.items()
    }
    return Declaration(base_url=mirror.url, files=files)


def test_fetch_brings_every_file_and_a_second_run_asks_for_nothing(tmp_path: Path, mirror: Mirror) -> None:
    sources = fetch(tmp_path, declaration=_declaration(mirror))
    assert {path: sources.read(path) for path in CONTENT} == CONTENT
    assert not list(tmp_path.rglob("*.part"))
    mirror.requests.clear()
    fetch(tmp_path, declaration=_declaration(mirror))
    assert mirror.requests == []


def test_a_broken_connection_is_taken_up_where_it_broke(tmp_path: Path, mirror: Mirror) -> None:
    mirror.break_after = [300_000]
    sources = fetch(tmp_path, declaration=_declaration(mirror))
    assert sources.read("sgd/train/a.json") == CONTENT["sgd/train/a.json"]
    assert mirror.requests[:2] == [("sgd/train/a.json", None), ("sgd/train/a.json", "bytes=300000-")]


def test_a_later_run_goes_on_from_the_part_of_an_earlier_one(tmp_path: Path, mirror: Mirror) -> None:
    part = tmp_path / "sgd/train/a.json.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT["sgd/train/a.json"][:123])
    fetch(tmp_path, declaration=_declaration(mirror))
    assert mirror.requests[0] == ("sgd/train/a.json", "bytes=123-")


def test_a_server_without_ranges_is_read_from_the_start(tmp_path: Path, mirror: Mirror) -> None:
    mirror.ranges = False
    mirror.break_after = [300_000]
    sources = fetch(tmp_path, declaration=_declaration(mirror))
    assert sources.read("sgd/train/a.json") == CONTENT["sgd/train/a.json"]


def test_a_part_of_another_file_is_thrown_away(tmp_path: Path, mirror: Mirror) -> None:
    part = tmp_path / "sgd/train/a.json.part"
    part.parent.mkdir(parents=True)
    for stale in (b"stale", b"longer than the file" * 50_000):
        part.write_bytes(stale)
        sources = fetch(tmp_path, declaration=_declaration(mirror))
        assert sources.read("sgd/train/a.json") == CONTENT["sgd/train/a.json"]
        (tmp_path / "sgd/train/a.json").unlink()


def test_a_damaged_file_in_the_folder_is_fetched_again(tmp_path: Path, mirror: Mirror) -> None:
    fetch(tmp_path, declaration=_declaration(mirror))
    (tmp_path / "sgd/train/a.json").write_bytes(b"damaged")
    sources = fetch(tmp_path, declaration=_declaration(mirror))
    assert sources.read("sgd/train/a.json") == CONTENT["sgd/train/a.json"]


def test_a_wrong_checksum_names_both_and_leaves_nothing_that_could_be_taken_for_the_file(
    tmp_path: Path, mirror: Mirror
) -> None:
    mirror.damaged = True
    body = CONTENT["sgd/train/a.json"]
    expected, found = hashlib.sha256(body).hexdigest(), hashlib.sha256(b"X" + body[1:]).hexdigest()
    with pytest.raises(SourceError, match=f"expected sha256 {expected}, found {found}"):
        fetch(tmp_path, declaration=_declaration(mirror))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_an_unreachable_server_is_one_sentence_with_the_address(tmp_path: Path, mirror: Mirror) -> None:
    with pytest.raises(SourceError, match=r"cannot download http://127\.0\.0\.1:9/.*check the network"):
        fetch(tmp_path, declaration=_declaration(mirror), base_url="http://127.0.0.1:9")


def test_a_missing_file_on_the_server_is_named(tmp_path: Path, mirror: Mirror) -> None:
    with pytest.raises(SourceError, match="answered 404"):
        fetch(tmp_path, declaration=_declaration(mirror), base_url=f"{mirror.url}/elsewhere")


def test_only_web_addresses_are_fetched_from(tmp_path: Path, mirror: Mirror) -> None:
    with pytest.raises(UsageError, match="no address to download from"):
        fetch(tmp_path, declaration=_declaration(mirror), base_url="file:///etc")


def test_every_declared_file_is_pinned_by_commit_and_checksum() -> None:
    files = declared().files
    dialogues = [path for path in files if "dialogues_" in path]
    assert len(dialogues) == 12
    assert all(len(file.sha256) == 64 and len(file.repository.split("@")[1]) == 40 for file in files.values())


def test_an_empty_folder_says_how_to_fill_it(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=rf"tft sources fetch --to {tmp_path}"):
        locate(tmp_path)


def test_the_folder_is_the_argument_then_the_variable_then_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("argument", "variable", "cache/tft/sources"):
        (tmp_path / name / "sgd/train").mkdir(parents=True)
        (tmp_path / name / "sgd/train/schema.json").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TFT_SOURCES", str(tmp_path / "variable"))
    assert locate(tmp_path / "argument").folder == tmp_path / "argument"
    assert locate().folder == tmp_path / "variable"
    monkeypatch.delenv("TFT_SOURCES")
    assert locate().folder == cache_folder() == tmp_path / "cache/tft/sources"


def test_a_damaged_source_is_refused_when_it_is_read(sources: Path, tmp_path: Path) -> None:
    name = "tft-benchmark/test.jsonl"
    (tmp_path / name).parent.mkdir()
    shutil.copyfile(sources / name, tmp_path / name)
    located = locate(tmp_path)
    good = hashlib.sha256(located.read(name)).hexdigest()
    (tmp_path / name).write_bytes(b"{}\n")
    with pytest.raises(
        SourceError, match=f"expected sha256 {good}, found {hashlib.sha256(b'{}' + bytes([10])).hexdigest()}"
    ):
        located.read(name)
    (tmp_path / name).unlink()
    with pytest.raises(SourceError, match="tft sources fetch"):
        located.read(name)


def test_the_command_prints_the_folder_once_all_is_there(sources: Path) -> None:
    result = CliRunner().invoke(tft, ["sources", "fetch", "--to", str(sources), "--base-url", "http://127.0.0.1:9"])
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(sources)
