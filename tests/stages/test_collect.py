"""Building, verifying and publishing the benchmark's data."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from harness.cli.__main__ import tft
from harness.data import scenarios
from harness.data.scenarios import CleanTraces
from harness.data.sources import locate
from harness.data.traces.read import read_traces
from harness.errors import CheckFailed, SourceError, UsageError
from harness.evaluation.metrics import JUDGE_METRIC, metric_names
from harness.stages import collect, corrupt

TEST_SHA256 = "94bf4096790651c37668e03c98f820241062a8012c575f72c28026861f0eeab6"


def _tft(*arguments: str) -> Result:
    return CliRunner().invoke(tft, arguments)


@pytest.fixture(scope="module")
def built(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    result = _tft("data", "build", "--out", str(folder), "--sources", str(sources))
    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == 20
    return folder


def test_all_files_are_the_published_ones(built: Path) -> None:
    """Ten files with call ids masked, ten copies of the test set exactly."""
    result = _tft("data", "verify", str(built), "--json")
    answer = json.loads(result.stdout)
    assert result.exit_code == 0
    assert answer["ok"]
    assert [file["status"] for file in answer["files"]] == ["ok"] * 20
    tests = [file for file in answer["files"] if file["path"].endswith("test.jsonl")]
    assert {file["found"] for file in tests} == {TEST_SHA256}
    assert len(list(built.rglob("*.jsonl"))) == 20


def test_a_build_changes_no_byte_when_it_is_repeated(built: Path, sources: Path, tmp_path: Path) -> None:
    result = _tft(
        "data", "build", "--out", str(tmp_path), "--sources", str(sources), "--scenario", "3", "--arm", "direct"
    )
    assert result.exit_code == 0, result.output
    written = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.jsonl"))
    assert [str(path) for path in written] == [
        "scenario-3-schema-drift/direct/test.jsonl",
        "scenario-3-schema-drift/direct/train.jsonl",
    ]
    assert all((tmp_path / path).read_bytes() == (built / path).read_bytes() for path in written)
    assert _tft("data", "verify", str(tmp_path), "--scenario", "3", "--arm", "direct").exit_code == 0


def test_verify_names_what_differs_and_what_is_missing(built: Path, tmp_path: Path) -> None:
    name = "scenario-4-low-data/tft/traces.jsonl"
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_bytes((built / name).read_bytes() + b"\n")
    result = _tft("data", "verify", str(tmp_path), "--scenario", "4")
    assert isinstance(result.exception, CheckFailed)
    assert "4 of 4 files are not the published ones" in str(result.exception)
    assert result.exception.exit_code == 1
    first, second = result.stdout.splitlines()[:2]
    assert first.startswith("differs")
    assert "expected 2de25d1d73a2" in first
    assert "found " in first
    assert second.startswith("missing")
    assert f"expected {TEST_SHA256}, found no file" in second


def test_a_damaged_source_stops_the_build_before_anything_is_written(sources: Path, tmp_path: Path) -> None:
    for path in locate(sources).files:
        (tmp_path / "sources" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "sources" / path).symlink_to(sources / path)
    damaged = tmp_path / "sources/sgd/dev/dialogues_004.json"
    damaged.unlink()
    damaged.write_bytes(b"[]")
    result = _tft("data", "build", "--out", str(tmp_path / "out"), "--sources", str(tmp_path / "sources"))
    assert isinstance(result.exception, SourceError)
    message = str(result.exception)
    expected = locate(sources).files["sgd/dev/dialogues_004.json"].sha256
    assert str(damaged) in message
    assert f"expected sha256 {expected}, found {hashlib.sha256(b'[]').hexdigest()}" in message
    assert not (tmp_path / "out").exists()


def test_only_the_needed_files_are_read(sources: Path, tmp_path: Path) -> None:
    """Twelve dialogue files and the test set are enough; other files beside them do not matter."""
    for path in locate(sources).files:
        if "dialogues_" in path or path.endswith("test.jsonl"):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).symlink_to(sources / path)
    (tmp_path / "sgd/train/dialogues_000.json").write_text("no JSON")
    result = _tft("data", "build", "--out", str(tmp_path / "out"), "--sources", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert _tft("data", "verify", str(tmp_path / "out")).exit_code == 0


def test_wrong_usage_says_what_to_do(tmp_path: Path) -> None:
    cases = {
        (): "--out DIR",
        ("--push", "--arm", "tft"): "both arms",
        ("--out", str(tmp_path), "--scenario", "99"): "known are 1, 2, 3, 4, 5",
    }
    for options, hint in cases.items():
        error = _tft("data", "build", *options).exception
        assert isinstance(error, UsageError)
        assert hint in str(error)
        assert error.exit_code == 2


def test_a_scenario_of_ones_own_is_not_compared_with_published_files(built: Path) -> None:
    own = replace(scenarios.get(4), number=99, slug="own")
    checks = list(corrupt.verify(built, [scenarios.get(4), own], ["tft"]))
    assert [(check.path, check.status) for check in checks] == [
        ("scenario-4-low-data/tft/traces.jsonl", "ok"),
        ("scenario-4-low-data/tft/test.jsonl", "ok"),
    ]
    with pytest.raises(UsageError, match="scenario-99-own"):
        list(corrupt.verify(built, [own], ["tft"]))


def test_built_traces_read_back_as_the_conversations_they_were_written_from(
    built: Path, dialogues: CleanTraces
) -> None:
    for scenario in scenarios.all_scenarios():
        traces = read_traces(built / scenario.folder / "tft/traces.jsonl")
        clean = [trace.conversation.messages for trace in scenario.build(dialogues, "tft")]
        assert [trace.conversation.messages for trace in traces] == clean
        rows = read_traces(built / scenario.folder / "direct/train.jsonl")
        clean = [trace.conversation.messages for trace in scenario.build(dialogues, "direct")]
        assert [row.conversation.messages for row in rows] == clean


# Repositories


def _load(script: str, environment: dict[str, str], tmp_path: Path) -> dict[str, object]:
    """Run `script`, which prints JSON, in a fresh interpreter outside the checkout."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | environment | {"HF_HOME": str(tmp_path / "hf")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return answer


LOAD = """
import json
from datasets import load_dataset
out = {}
for repository, config, split in CASES:
    rows = load_dataset(repository, config, split=split)
    kind = str(rows.features["messages"])
    out[f"{repository.rsplit('/', 1)[-1]} {config}"] = [len(rows), sorted(rows.column_names), "null" in kind.lower()]
print(json.dumps(out))
"""
COLUMNS = ["id", "messages", "source", "tools"]
PAIR_COLUMNS = ["conversation", "id", "messages", "reference", "turn"]


@pytest.fixture(scope="module")
def repositories(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repositories")
    located = locate(sources)
    collect.write(located, "ns/tft-benchmark-testset", folder / "tft-benchmark-testset")
    for number in (2, 4, 5):
        name = f"tft-benchmark-s{number}-traces"
        corrupt.write(scenarios.get(number), located, f"ns/{name}", folder / name)
    return folder


def test_a_repository_folder_loads_by_configuration_with_every_column_typed(repositories: Path, tmp_path: Path) -> None:
    testset, traces = str(repositories / "tft-benchmark-testset"), str(repositories / "tft-benchmark-s4-traces")
    cases = [(testset, "conversations", "test"), (testset, "pairs", "test"), (traces, "tft", "train")]
    cases.append((traces, "direct", "train"))
    loaded = _load(LOAD.replace("CASES", repr(cases)), {"HF_HUB_OFFLINE": "1"}, tmp_path)
    assert loaded == {
        "tft-benchmark-testset conversations": [34, COLUMNS, False],
        "tft-benchmark-testset pairs": [359, PAIR_COLUMNS, False],
        "tft-benchmark-s4-traces tft": [5, COLUMNS, False],
        "tft-benchmark-s4-traces direct": [5, COLUMNS, False],
    }


def test_rows_name_their_place_in_the_published_file_and_their_dialogue(repositories: Path) -> None:
    lines = (repositories / "tft-benchmark-s2-traces/data/tft/train.jsonl").read_text().splitlines()
    row = json.loads(lines[7])
    assert (row["id"], row["source"]) == ("s2-tft-0007", "train/3_00126")


def test_cards_state_counts_of_the_data_and_the_licence(repositories: Path) -> None:
    testset = (repositories / "tft-benchmark-testset/README.md").read_text()
    for fact in ("34 conversations", "359 decisions", "| `respond_to_user` | 287 |", "32 of the 44", "25 of the 34"):
        assert fact in testset
    noisy = (repositories / "tft-benchmark-s2-traces/README.md").read_text()
    for fact in ("44.0 %", "49.3 %", "| calls that differ from the source | 1443 | 1614 |"):
        assert fact in noisy
    for card in repositories.glob("*/README.md"):
        front = yaml.safe_load(card.read_text().split("---\n")[1])
        assert front["license"] == "cc-by-sa-4.0"
        assert front["size_categories"] == ["n<1K"]
        assert "google-research-datasets/dstc8-schema-guided-dialogue" in card.read_text()


def test_the_benchmark_declares_one_task_for_each_metric(repositories: Path) -> None:
    declaration = yaml.safe_load((repositories / "tft-benchmark-testset/eval.yaml").read_text())
    assert {"name", "description", "evaluation_framework", "tasks"} <= declaration.keys()
    assert {task["id"] for task in declaration["tasks"]} == {*metric_names(), JUDGE_METRIC}
    assert {(task["config"], task["split"]) for task in declaration["tasks"]} == {("pairs", "test")}


def test_pushed_datasets_load_from_the_hub_and_are_not_pushed_twice(sources: Path, tmp_path: Path) -> None:
    from harness.hubd.embedded import running

    with running(tmp_path / "hub") as hub:
        environment = {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "TFT_SOURCES": str(sources)}
        first = _push(environment, tmp_path)
        assert [line.split()[0].removeprefix(f"{hub.url}/datasets/") for line in first] == [
            "local/tft-benchmark-testset",
            "local/tft-benchmark-s2-traces",
            "local/tft-benchmark-s5-traces",
        ]
        cases = [("local/tft-benchmark-testset", config, "test") for config in ("conversations", "pairs")]
        cases += [(f"local/tft-benchmark-s{n}-traces", arm, "train") for n in (2, 5) for arm in ("tft", "direct")]
        loaded = _load(LOAD.replace("CASES", repr(cases)), environment, tmp_path)
        assert loaded == {
            "tft-benchmark-testset conversations": [34, COLUMNS, False],
            "tft-benchmark-testset pairs": [359, PAIR_COLUMNS, False],
            "tft-benchmark-s2-traces tft": [327, COLUMNS, False],
            "tft-benchmark-s2-traces direct": [327, COLUMNS, False],
            "tft-benchmark-s5-traces tft": [178, COLUMNS, False],
            "tft-benchmark-s5-traces direct": [178, COLUMNS, False],
        }
        assert _push(environment, tmp_path) == [f"{line}  (was there already)" for line in first]
        forced = _push(environment, tmp_path, "--force")
        assert not any("already" in line for line in forced)


def _push(environment: dict[str, str], tmp_path: Path, *options: str) -> list[str]:
    """Run `tft data build --push` for scenarios 2 and 5 in a process of its own; returns the lines it prints."""
    arguments = ["data", "build", "--push", "--scenario", "2", "--scenario", "5", *options]
    script = f"import sys; sys.argv = {['tft', *arguments]!r}; from harness.cli.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | environment | {"HF_HOME": str(tmp_path / "hf-push")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
