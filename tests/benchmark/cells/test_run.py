"""Runs of the benchmark on a Hub: reused, refused, killed and gone on with."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.benchmark.record import FILE, load
from harness.hub.client import Hub
from harness.hubd.embedded import running
from harness.training.run_summary import read_roles
from support.tft import Done

Tft = Callable[..., Done]
NAMING_COMMITS = ("README.md", "lineage.json", "decontamination.json", ".gitattributes")
RESULTS = "ada/tft-benchmark-results"
DATA = ("benchmark", "--preset", "preset.yaml", "--only", "s4", "--until", "synthesize")
REPOSITORIES = [
    *(("dataset", f"ada/tft-benchmark-{name}") for name in ("testset", "s4-traces", "s4-filtered", "s4-relabelled")),
    ("dataset", "ada/tft-benchmark-s4-synthetic"),
    ("model", "ada/small"),
]


def _commits(hub: Hub) -> dict[str, int]:
    return {name: len(hub.api.list_repo_commits(name, repo_type=kind)) for kind, name in REPOSITORIES}


def _content(hub: Hub, kind: str, name: str) -> dict[str, str]:
    """Return path -> git hash of what a stage has made; cards and lineages name commits, which hold times."""
    files = hub.api.list_repo_tree(name, repo_type=kind, recursive=True)
    return {file.path: file.blob_id for file in files if hasattr(file, "blob_id") and file.path not in NAMING_COMMITS}


@pytest.fixture(scope="module")
def ran(tft: Tft) -> Done:
    return tft(*DATA)


@pytest.fixture(scope="module")
def failed(ran: Done, tft: Tft, hub: Hub, folder: Path) -> tuple[Done, str]:
    """A run on top of that one whose student cannot be trained, and the record that it leaves."""
    assert ran.status == 0, ran.err
    broken = (folder / "preset.yaml").read_text().replace("method: full", "method: none")
    (folder / "broken.yaml").write_text(broken)
    done = tft("benchmark", "--preset", "broken.yaml", "--only", "s4", "--report", str(folder / "report"))
    text = hub.read_text("dataset", RESULTS, FILE)
    assert text is not None, done.err
    return done, text


def test_a_run_shows_its_plan_makes_every_stage_once_and_says_so(ran: Done, hub: Hub) -> None:
    assert ran.status == 0, ran.err
    assert "all, sequentially" in ran.err
    assert "6 stages: 6 made" in ran.out
    # One commit is the repository's creation.
    assert _commits(hub) == {name: 2 for _, name in REPOSITORIES}
    assert all(hub.api.repo_info(name, repo_type=kind).private for kind, name in REPOSITORIES)


def test_the_models_behind_training_data_are_named(ran: Done, hub: Hub) -> None:
    """Rules too: nobody is to take their work for a language model's."""
    assert ran.status == 0
    made = hub.resolve("dataset", "ada/tft-benchmark-s4-synthetic")
    assert read_roles(hub, f"{made.repo_id}@{made.revision}") == {
        "Synthetic conversations written by": "rules:teacher",
        "Traces relabelled by": "rules:labeler-state, rules:labeler-neighbour",
        "Disputes decided by": "rules:arbiter",
        "Traces rated by": "rules:teacher",
    }
    traces = hub.resolve("dataset", "ada/tft-benchmark-s4-traces")
    assert read_roles(hub, f"{traces.repo_id}@{traces.revision}") == {}


def test_a_second_run_makes_nothing(ran: Done, tft: Tft, hub: Hub) -> None:
    assert ran.status == 0
    before = _commits(hub)
    again = tft(*DATA)
    assert again.status == 0, again.err
    assert "6 stages: 6 there already" in again.out
    assert _commits(hub) == before


def test_a_plan_that_is_only_shown_changes_nothing_and_knows_what_is_there(ran: Done, tft: Tft, hub: Hub) -> None:
    assert ran.status == 0
    shown = tft("benchmark", "--preset", "preset.yaml", "--only", "s4", "--only", "s5", "--dry-run")
    assert shown.status == 0, shown.err
    commands = [line for line in shown.out.splitlines() if line.startswith("tft ")]
    assert len(commands) == 3 + 2 * (1 + 3 + 4)  # test set, student, its evaluation; of each scenario traces and cells
    (there,) = [line.split() for line in shown.out.splitlines() if line.strip().startswith("relabel ")]
    assert there[1:3] == ["2", "1"]
    assert "ada/tft-benchmark-s5-traces" not in {one.id for one in hub.api.list_datasets(author="ada")}


def test_a_name_that_is_taken_is_refused_before_anything_is_made(tft: Tft, hub: Hub) -> None:
    taken = "ada/tft-benchmark-s3-filtered"
    hub.api.create_repo(taken, repo_type="dataset")
    hub.api.upload_file(path_or_fileobj=b"mine", path_in_repo="thesis.txt", repo_id=taken, repo_type="dataset")
    refused = tft("run", "s3", "tft", "--preset", "preset.yaml", "--until", "relabel")
    assert refused.status == 2
    assert f"{taken} holds files that this harness has not made" in refused.err
    assert "ada/tft-benchmark-s3-traces" not in {one.id for one in hub.api.list_datasets(author="ada")}
    assert "thesis.txt" in hub.api.list_repo_files(taken, repo_type="dataset")


def test_a_namespace_that_may_not_be_written_to_is_refused_before_anything_is_made(tft: Tft, hub: Hub) -> None:
    refused = tft(*DATA, "--namespace", "bob")
    assert refused.status == 2
    assert "bob/tft-benchmark-results" in refused.err
    assert not [*hub.api.list_datasets(author="bob")]


@pytest.mark.slow
def test_a_cell_that_fails_does_not_stop_the_others_and_is_named(failed: tuple[Done, str]) -> None:
    """A student that cannot be trained ends both cells of s4; what is made before is kept and recorded.

    The untrained student, which answers on an engine, is evaluated all the same.
    """
    done, record = failed
    assert done.status == 1
    assert "s4 tft: train" in done.err
    assert "s4 direct: train" in done.err
    assert "method" in done.err
    known = load(record, "here")
    assert [(cell.scenario, cell.arm, cell.status, cell.stage) for cell in known.cells] == [
        ("s4", "tft", "failed", "train"),
        ("s4", "direct", "failed", "train"),
    ]
    assert "synthesize" in known.cells[0].artifacts
    assert [one.status for one in known.baselines if one.kind == "untrained"] == ["done"]


@pytest.mark.slow
@pytest.mark.usefixtures("failed")
def test_published_results_are_not_replaced_by_those_of_other_settings(tft: Tft, hub: Hub, folder: Path) -> None:
    hub.tag(hub.resolve("dataset", RESULTS), "v1")
    try:
        other = (folder / "broken.yaml").read_text().replace("target: 6", "target: 7")
        (folder / "other.yaml").write_text(other)
        words = ("benchmark", "--preset", "other.yaml", "--only", "s4", "--until", "collect")
        refused = tft(*words)
        assert refused.status == 2
        assert "holds published results (v1) of other settings (target)" in refused.err
        assert "v1 already" in tft(*words, "--version", "v1").err
        assert tft(*words, "--version", "v2").status == 0
        assert tft("benchmark", "--preset", "broken.yaml", "--only", "s4", "--until", "collect").status == 0
    finally:
        hub.api.delete_tag(RESULTS, tag="v1", repo_type="dataset")


def _wait_for(hub: Hub, count: int, process: subprocess.Popen[str]) -> None:
    """Return once so many datasets are there, or the process has ended."""
    while process.poll() is None and len([*hub.api.list_datasets(author="ada")]) < count:
        time.sleep(0.05)


def _alive(mark: str) -> list[str]:
    """Return the command lines of all processes whose environment holds the mark."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:  # it has ended, or is not ours
            continue
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("most", [pytest.param(1, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.kill)])
def test_a_run_that_is_killed_takes_its_commands_with_it_and_ends_like_an_undisturbed_one(
    most: int,
    ran: Done,
    environment: dict[str, str],
    hub: Hub,
    furnish: Callable[[Path], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert ran.status == 0
    furnish(tmp_path)
    rng, mark = random.Random(7), f"mark-{tmp_path.name}-{os.getpid()}"
    monkeypatch.setenv("HF_TOKEN", "hf_ada_write")
    with running(tmp_path / "hub", users=tmp_path / "users.yaml") as other:
        again = Hub.connect(other.url)
        variables = environment | {"HF_ENDPOINT": other.url, "HF_HOME": str(tmp_path / "home"), "TFT_MARK": mark}
        command = [sys.executable, "-m", "harness.cli", *DATA]
        for made in range(1, most + 1):
            process = subprocess.Popen(
                command, cwd=tmp_path, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            _wait_for(again, made, process)
            time.sleep(rng.uniform(0, 0.5))
            assert process.poll() is None, process.communicate()
            process.kill()
            process.communicate()
            deadline = time.monotonic() + 10
            while (left := _alive(mark)) and time.monotonic() < deadline:
                time.sleep(0.1)
            assert not left
        subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=True)
        assert _commits(again) == {name: 2 for _, name in REPOSITORIES}
        for kind, name in REPOSITORIES:
            assert _content(again, kind, name) == _content(hub, kind, name), name


@pytest.mark.slow
def test_the_record_is_json_that_reads_back(failed: tuple[Done, str]) -> None:
    _, text = failed
    assert json.loads(json.dumps(load(text, "here").dump())) == json.loads(text)
