"""What ad6ee58 wrote (`written_before/`) is read, gone on with and compared today, and no paid answer is paid again.

Everything goes through `tft`, so that the inside can be rebuilt under these tests.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from huggingface_hub import HfApi

import support.tft
from harness.data.traces.read import read_traces
from harness.hubd.embedded import EmbeddedHub, running
from written_before import make
from written_before.endpoint import serving

HERE = Path(__file__).parent / "written_before"
REPOSITORIES = {
    "sample-testset": "dataset",
    "sample-traces": "dataset",
    "sample-filtered": "dataset",
    "sample-relabelled": "dataset",
    "sample-synthetic": "dataset",
    "tft-benchmark-results": "dataset",
    "small": "model",
    "sample-direct-small": "model",
    "sample-tft-small": "model",
}
OUTDATED = {"collect": 1, "corrupt": 1, "filter": 1, "relabel": 1, "synthesize": 2}
"""Stage -> the version that wrote it: data sets had the arguments of calls as texts, and no tools."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive, unpacked; tests that write take copies of what is in it."""
    folder = tmp_path_factory.mktemp("written")
    with tarfile.open(HERE / "ad6ee58.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def hub(written: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedHub]:
    """The Hub that the archive holds, served from a copy."""
    root = tmp_path_factory.mktemp("hub") / "root"
    shutil.copytree(written / "hub", root)
    with running(root, users=written / "users.yaml") as found:
        yield found


@pytest.fixture(scope="module")
def api(hub: EmbeddedHub) -> HfApi:
    return HfApi(endpoint=hub.url, token=make.TOKEN)


@pytest.fixture(scope="module")
def heads(api: HfApi) -> Callable[[], dict[str, str]]:
    """Return the commit of each repository as it is now."""
    return lambda: {name: api.repo_info(f"ada/{name}", repo_type=kind).sha for name, kind in REPOSITORIES.items()}


@pytest.fixture
def endpoint() -> Iterator[Any]:
    with serving() as server:
        yield server


@pytest.fixture
def place(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copies of what was written beside the Hub, where `tft` runs."""
    for path in written.iterdir():
        if path.name != "hub":
            (shutil.copytree if path.is_dir() else shutil.copy)(path, tmp_path / path.name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def tft(hub: EmbeddedHub, place: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run `tft` in this process, knowing this Hub only; returns its stdout."""
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_TOKEN", make.TOKEN)
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "user-cache"))

    def run(*words: str) -> str:
        from harness.cli.__main__ import tft as command

        done = CliRunner().invoke(command, words)
        assert done.exit_code == 0, f"{done.output[-3000:]} {done.exception}"
        return done.stdout

    return run


@pytest.fixture
def asking(hub: EmbeddedHub, place: Path, endpoint: Any) -> Callable[..., None]:
    """Run `tft` in a process of its own, which reaches the endpoint: it is behind a proxy."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TFT_", "OPENAI_"))}
    clean |= endpoint.environment | {"HF_ENDPOINT": hub.url, "HF_TOKEN": make.TOKEN, "HF_HOME": str(place / "home")}

    def run(*words: str) -> None:
        support.tft.run(words, environment=clean, folder=place).worked()

    return run


def differences(then: Any, now: Any, at: str = "") -> Iterator[str]:
    """Yield where `now` lacks something that `then` said, or says something else; it may say more."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in then:
            if key in now:
                yield from differences(then[key], now[key], f"{at}.{key}")
            else:
                yield f"{at}.{key} is gone"
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for place, pair in enumerate(zip(then, now, strict=True)):
            yield from differences(*pair, f"{at}[{place}]")
    elif then != now:
        yield f"{at}: {str(then)[:200]} -> {str(now)[:200]}"


def test_the_hub_as_it_was_left_is_whole(tft: Callable[..., str], written: Path) -> None:
    assert json.loads(tft("hub", "verify", "--root", str(written / "hub"), "--json"))["problems"] == []


@pytest.mark.parametrize("name", sorted(make.SAID))
def test_what_is_said_about_it_is_what_was_said_then(
    name: str, tft: Callable[..., str], written: Path, hub: EmbeddedHub
) -> None:
    said = tft(*make.SAID[name]).replace(hub.url, "HUB")
    found = list(differences(json.loads((written / "said" / name).read_text()), json.loads(said)))
    assert not found, found[:5]


def test_stages_of_the_same_version_find_their_results_there_and_push_nothing(tft: Callable[..., str], heads) -> None:
    """What has to be made again, because its stage has a new version, is named."""
    before = heads()
    planned = tft(*make.BENCHMARK, "--until", "train", "--dry-run").splitlines()
    words = [shlex.split(line)[1:] for line in planned if line.startswith("tft ")]
    outdated = [line.split() for line in planned if "of the stage, now" in line]
    assert {stage: int(version) for stage, _, _, _, version, *_ in outdated} == OUTDATED
    assert f"and {len(words) - len(outdated)} more that were made from them." in planned
    for command in words:
        if command[0] in ("student", "train"):
            assert json.loads(tft(*command).splitlines()[-1])["reused"], command
    assert heads() == before


def _rows(run: Path) -> list[Any]:
    """Return the rows of an evaluation; later versions have more columns, and the same in those that were there."""
    return [json.loads(line) for line in (run / "data/test.jsonl").read_text().splitlines()]


def test_an_interrupted_evaluation_asks_only_what_is_missing(
    asking: Callable[..., None], endpoint: Any, place: Path
) -> None:
    asking(*make.INTERRUPTED)
    now, then = (_rows(place / "runs" / run) for run in ("interrupted", "endpoint"))
    assert not list(differences(then, now))
    assert len(endpoint.asked) == len(now) - make.BEFORE_THE_KILL


def test_an_evaluation_that_ended_is_scored_again_without_a_question(
    asking: Callable[..., None], endpoint: Any, place: Path
) -> None:
    then = _rows(place / "runs/endpoint")
    asking(*make.ANSWERED, "--no-push", "--out", "runs/endpoint", "--resume")
    assert not list(differences(then, _rows(place / "runs/endpoint")))
    assert not endpoint.asked


def test_a_judge_is_not_paid_again(asking: Callable[..., None], endpoint: Any, place: Path) -> None:
    asking(*make.JUDGED, "--out", "again.jsonl")
    assert (place / "again.jsonl").read_text() == (place / "judged.jsonl").read_text()
    assert not endpoint.asked


def test_a_teacher_is_not_paid_again(asking: Callable[..., None], endpoint: Any, place: Path) -> None:
    asking(*make.RATED, "--out", "again")
    before, now = (list(read_traces(place / folder / "data/train.jsonl")) for folder in ("rated", "again"))
    assert [row.conversation for row in now] == [row.conversation for row in before]
    assert not list(differences([dict(row.columns) for row in before], [dict(row.columns) for row in now]))
    assert not endpoint.asked


def test_a_later_stage_reads_the_folder_of_an_earlier_one(tft: Callable[..., str], place: Path) -> None:
    tft("relabel", "rated", "--job", "job", "--models", "rules", "--out", "relabelled")
    assert list((place / "relabelled").rglob("*.jsonl"))
